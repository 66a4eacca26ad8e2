"""The reader `tiff`: TIFF, OME-TIFF, ImageJ stacks and slides, lazily."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from tilewright.abc import Array, Image, Level
from tilewright.errors import InvalidOption, NotReadable

from .axes import LABEL_AXES, Arrangement, arrange
from .channels import channel_names
from .complaints import complaints
from .contradictions import check_agreement, check_image
from .lazy import Arranged
from .omexml import OmeImage, OmeImages, files_of
from .opening import Opened, check_codec, one_line, open_tiff, readable
from .pages import Incomplete, Planes, open_level
from .series import belongs_to, described, series_of
from .spacing import spacing_of

__all__ = ["TiffReader", "without_suffix"]

logger = logging.getLogger("tilewright")

FORMATS = {"ome": "ome-tiff", "imagej": "imagej tiff", "generic": "tiff", "uniform": "tiff", "shaped": "tiff"}


@dataclass(frozen=True, kw_only=True)
class TiffReader:
    """Open one series of a TIFF file, at one level of its pyramid.

    A series is what tifffile finds: an image of an OME-TIFF (over all its files), an ImageJ stack, the slide, label or
    macro picture of a slide scanner's file; or a position of an acquisition. Of several, with no `series` chosen, the
    first is read and a warning says so, unless the others are its thumbnail, label or macro pictures. Axes come in the
    order `t c z y x`; colour samples are channels. Pixel sizes are in micrometres, t in seconds. NotReadable if the
    file cannot be read; InvalidImage if it does not say what its dimensions are or is not to be trusted; InvalidOption
    for a series or level that does not exist. A file that seems to hold less than it should, such as one that was cut
    off, is read with a warning.
    """

    series: int | None = field(default=None, metadata={"help": "Image of the file to read, 0 the first; or the first."})
    level: int = field(default=0, metadata={"help": "Resolution level to read, 0 the finest."})
    image: str | None = field(
        default=None, metadata={"help": "Likewise, as the text after # in a path: positions.tif#1."}
    )
    axes: str | None = field(
        default=None, metadata={"help": "Axes that overrule the file's, a letter of tczyx for each of its dimensions."}
    )

    def __post_init__(self) -> None:
        if self.image is None:
            return
        if self.series is not None or not self.image.isdecimal():
            raise InvalidOption(
                f"image {self.image!r} must be the number of a series, and series left out, not {self.series!r}"
            )
        object.__setattr__(self, "series", int(self.image))
        object.__setattr__(self, "image", None)

    def images(self, path: str) -> dict[str, str]:
        """The series of a file by their names, or by number if not all have one; empty if one is chosen."""
        if self.series is not None:
            return {}
        with complaints(), open_tiff(path).tif as tif:
            found = series_of(tif)
            kept = {i: one_line(each.name) for i, each in enumerate(found) if not i or not belongs_to(each, found[0])}
        plain = len(set(kept.values())) == len(kept) and all(map(_is_name, kept.values()))
        return {name if plain else str(i): f"{path}#{i}" for i, name in kept.items()} if len(kept) > 1 else {}

    def __call__(self, path: str) -> Image:
        with complaints() as said:
            image, missing = self._opened(path)
        if missing:
            names = one_line(", ".join(missing[:3])) + (f" and {len(missing) - 3:,} more" if len(missing) > 3 else "")
            warnings.warn(
                f"{path!r} is part of a set of files, of which are missing: {names}; what lies in them cannot be read, "
                "so put them beside the others",
                UserWarning,
                stacklevel=2,
            )
        elif said:
            warnings.warn(
                f"{path!r} may be cut off or damaged ({'; '.join(said[:3])}): what is left has axes {image.axes!r} and "
                f"shape {image.shape}; compare it with the original",
                UserWarning,
                stacklevel=2,
            )
        return image

    def _opened(self, path: str) -> tuple[Image, tuple[str, ...]]:
        """The image, and the files of its set that are missing."""
        opened = open_tiff(path)
        try:
            with readable(f"{path!r} cannot be opened as TIFF"):
                return self._image(opened, path), opened.missing
        except BaseException:
            opened.tif.close()
            raise

    def _image(self, opened: Opened, path: str) -> Image:
        tif, xml = opened.tif, opened.xml
        said = OmeImages(xml, tif.filename) if xml is not None else ()
        found = series_of(tif)
        check_agreement(tif, found, said, path, axes=self.axes is not None)
        images = tuple(f"series={i}: {described(each)}" for i, each in enumerate(found)) if len(found) > 1 else ()
        series = self._chosen(found, images, path)
        ome = _ome_of(series, self.series or 0, said)
        arrangement = arrange(series.axes, series.shape, self.axes, path)
        if self.axes is None and ome:
            arrangement = _with_label_axes(arrangement, ome.axes)
        if not 0 <= self.level < len(series.levels):
            last = len(series.levels) - 1
            raise InvalidOption(f"level {self.level} does not exist; {path!r} has levels 0 to {last}")
        if images and self.series is None:
            _tell_of_choice(found, images, path)
        check_codec(series.levels[self.level].keyframe, path)
        _warn_of_colours(series.keyframe, path)
        if ome is not None:
            check_image(series, ome, path)
        spacing = spacing_of(tif, series.keyframe, ome)
        levels = _levels(series, arrangement, spacing)[self.level :]
        return Image(
            data=self._arranged(opened, series, arrangement, _files(tif, xml, path)),
            axes=arrangement.axes,
            spacing={a: s for a, s in zip(arrangement.axes, levels[0].scale, strict=True) if a in spacing},
            units={a: "second" if a == "t" else "micrometer" for a in arrangement.axes if a in spacing},
            channels=channel_names(tif, series, arrangement, ome),
            name=(ome.name if ome else "") or Path(without_suffix(path)).name,
            levels=levels if len(series.levels) > 1 else (),
            images=images,
            source=path,
            format=FORMATS.get(series.kind, series.kind),
            details=_details(series.levels[self.level].keyframe),
        )

    def _arranged(
        self, opened: Opened, series: tifffile.TiffPageSeries, arrangement: Arrangement, files: tuple[str, ...]
    ) -> Array:
        path = files[0]
        source = open_level(series, self.level, path)
        if isinstance(source, Planes):
            opened.tif.close()  # the mapping needs no handle
        if opened.missing:
            source = Incomplete(source, series.levels[self.level], opened.missing)
        return Arranged(source, arrangement, path, opened.tif.close, files)

    def _chosen(
        self, found: Sequence[tifffile.TiffPageSeries], images: Sequence[str], path: str
    ) -> tifffile.TiffPageSeries:
        if not found:
            raise NotReadable(f"{path!r} holds no image that can be read; export it again")
        if not 0 <= (self.series or 0) < len(found):
            listed = "; ".join(images[:10]) or f"one image, {described(found[0])}"
            raise InvalidOption(f"series {self.series} does not exist; {path!r} has {listed}")
        return found[self.series or 0]


def _is_name(text: str) -> bool:
    """Whether a text can be the name of a file."""
    return bool(text) and "/" not in text and text not in (".", "..")


def _tell_of_choice(found: Sequence[tifffile.TiffPageSeries], images: Sequence[str], path: str) -> None:
    """Say that the first of several images is read: a warning, or only in the log where the others belong to it."""
    text = (
        f"{path!r} holds {len(images):,} images, and the first ({images[0]}) is read; choose another with the reader's "
        "option series (--reader-set series=1), or do all with `tilewright run` or tilewright.Collection"
    )
    if all(belongs_to(each, found[0]) for each in found[1:]):
        logger.info(text)
    else:
        warnings.warn(text, UserWarning, stacklevel=2)


def _details(page: tifffile.TiffPage) -> dict[str, str]:
    """How the pixels are stored: TIFF's names, in lower case."""
    tags = {"codecs": page.compression, "photometric": page.photometric}
    return {what: str(getattr(tag, "name", tag)).lower() for what, tag in tags.items()}


def _warn_of_colours(page: tifffile.TiffPage, path: str) -> None:
    """Pixels whose values are not brightness are read as they are stored, as tifffile does, and not in silence."""
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        says, cure = "0 is white (photometric MINISWHITE)", "invert it, or find dark objects"
    elif page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        says, cure = "a value is a place in a palette (photometric PALETTE)", "convert it to grey"
    else:
        return
    warnings.warn(f"in {path!r} {says}, and pixels are read as they are stored; {cure}", UserWarning, stacklevel=2)


def _files(tif: tifffile.TiffFile, xml: ElementTree.Element | None, path: str) -> tuple[str, ...]:
    """The file, and all others that its metadata names."""
    names = (name for _, name in files_of(xml)) if xml is not None else ()
    folder = Path(tif.filehandle.path).parent
    return (path, *sorted({os.path.normpath(folder / name) for name in names if name}))


def _ome_of(series: tifffile.TiffPageSeries, number: int, images: Sequence[OmeImage]) -> OmeImage | None:
    """The metadata of a series: those at its place if their shape is its own, else the first of its shape."""
    if series.kind != "ome":
        return None
    sizes = dict(zip(series.axes, series.shape, strict=True))  # tifffile leaves out those of length 1
    here_first = (image for part in (images[number : number + 1], images) for image in part)
    return next((i for i in here_first if all(i.sizes[axis] == sizes.get(axis, 1) for axis in "XY")), None)


def _with_label_axes(arrangement: Arrangement, axes: str) -> Arrangement:
    """The arrangement with the axes of length 1 that labels had when they were written, if the file has the others."""
    fits = axes in LABEL_AXES and set(arrangement.axes) <= set(axes)
    return arrangement.with_axes(axes) if fits else arrangement


def _levels(series: tifffile.TiffPageSeries, arrangement: Arrangement, spacing: dict[str, float]) -> tuple[Level, ...]:
    """The levels of a series, each with the pixel size that its shape implies."""
    shapes = [arrangement.shape(level.shape) for level in series.levels if len(level.shape) == len(series.shape)]
    base = [spacing.get(axis, 1.0) for axis in arrangement.axes]
    return tuple(
        Level(
            path=str(k), shape=shape, scale=tuple(s * r for s, r in zip(base, _ratios(shapes[0], shape), strict=True))
        )
        for k, shape in enumerate(shapes)
    )


def _ratios(finest: Sequence[int], shape: Sequence[int]) -> list[float]:
    """How many pixels of the finest level one pixel is: a whole number where rounding explains the shape."""
    found = []
    for fine, coarse in zip(finest, shape, strict=True):
        factor = max(1, round(fine / coarse))
        found.append(float(factor) if coarse in (fine // factor, -(-fine // factor)) else fine / coarse)
    return found


def without_suffix(path: str) -> str:
    """The path of an image without its suffix, or without both of `.ome.tif` and its kin."""
    single = path.rstrip("/").removesuffix(Path(path).suffix)
    return re.sub(r"\.(ome|companion)$", "", single, flags=re.IGNORECASE)
