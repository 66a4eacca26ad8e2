"""The reader `bioio`: a scene of a microscope file, lazily, by whichever reader of BioIO is installed for it."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tilewright.abc import Image
from tilewright.errors import InvalidImage, InvalidOption, NotReadable, TilewrightError

from . import PACKAGES
from .lazy import Computed
from .scenes import all_scenes

__all__ = ["BioioReader", "as_axes"]

AXES = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x"}
COLOURS = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}

# BioIO logs each reader that does not want a file. Nobody who has not set up logging is to read that.
logging.getLogger("bioio").addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class BioioReader:
    """Open one scene of a file with BioIO.

    A position, well or slide's region is a scene. Of several, with no `image` chosen, the first is read and a warning
    says so. The tiles of a mosaic are put together at their places. Time and z of length 1 are left out; colour samples
    are channels: c is channel × samples + sample. Pixel sizes are in micrometres, t in seconds. NotReadable if no
    installed reader of BioIO opens the file; InvalidImage for dimensions other than these that are longer than 1, such
    as views or phases, of which none is chosen silently.
    """

    image: str | None = field(default=None, metadata={"help": "Scene to read, by number or name, 0 the first."})

    def __call__(self, path: str) -> Image:
        with _readable(path):
            reader = _reader_of(path)
            scenes = all_scenes(reader, path)
            reader.set_scene(self._number(scenes, path))
            pixels, axes = as_axes(_whole(reader, path), path)
            spacing = _spacing(reader, axes)
            image = Image(
                data=Computed(pixels, path),
                axes=axes,
                spacing=spacing,
                units={axis: "second" if axis == "t" else "micrometer" for axis in spacing},
                channels=_channels(reader, pixels.shape[axes.index("c")]) if "c" in axes else (),
                name=Path(path).stem,
                images=tuple(f"image={i}: {name}" for i, name in enumerate(scenes)) if len(scenes) > 1 else (),
                source=path,
                format=Path(path).suffix.lower().lstrip("."),
                details={
                    "scene": scenes[self._number(scenes, path)],
                    "opened by": type(reader).__module__.split(".")[0],
                },
            )
        if image.images and self.image is None:
            warnings.warn(
                f"{path!r} holds {len(scenes):,} images, and the first ({image.images[0]}) is read; choose another "
                "with the reader's option image (--reader-set image=1), or do all with `tilewright run` or "
                "tilewright.Collection",
                UserWarning,
                stacklevel=2,
            )
        return image

    def images(self, path: str) -> dict[str, str]:
        """The scenes of a file by their names, or by number if these are not plain; empty if one is chosen."""
        if self.image is not None:
            return {}
        with _readable(path):
            scenes = all_scenes(_reader_of(path), path)
        plain = len(set(scenes)) == len(scenes) and all(map(_is_name, scenes))
        return {name if plain else str(i): f"{path}#{i}" for i, name in enumerate(scenes)} if len(scenes) > 1 else {}

    def _number(self, scenes: tuple[str, ...], path: str) -> int:
        chosen = self.image
        if chosen is None:
            return 0
        if chosen in scenes:
            return scenes.index(chosen)
        if chosen.isdecimal() and int(chosen) < len(scenes):
            return int(chosen)
        listed = ", ".join(f"{i}: {name}" for i, name in enumerate(scenes[:10]))
        raise InvalidOption(f"image {chosen!r} does not exist; {path!r} has {listed}{', …' * (len(scenes) > 10)}")


def _is_name(text: str) -> bool:
    """Whether a text can be the name of a file."""
    return bool(text) and text.isprintable() and "/" not in text and text not in (".", "..")


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """NotReadable, in one line, for whatever BioIO and its readers raise."""
    if "://" in path:
        raise NotReadable(f"{path!r} is a URL, but BioIO's files are read from this machine only; copy it here first")
    if not Path(path).exists():
        raise NotReadable(f"there is no file {path!r}; check the path")
    try:
        yield
    except TilewrightError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        raise NotReadable(
            f"BioIO cannot open {path!r} ({type(error).__name__}: {message}); repair or export it again"
        ) from error


def _reader_of(path: str) -> Any:
    """BioIO's reader of a file. NotReadable, with the package to install, if none is installed for its suffix."""
    from bioio import BioImage
    from bioio_base.exceptions import UnsupportedFileFormatError

    try:
        plugin = BioImage.determine_plugin(path)
    except UnsupportedFileFormatError as error:
        package = next((name for suffix, name in PACKAGES.items() if path.lower().endswith(suffix)), None)
        hint = f"pip install {package}" if package else "install the package of BioIO for its format"
        raise NotReadable(f"no installed reader of BioIO opens {path!r}; {hint}, or export it again") from error
    make: Any = plugin.metadata.get_reader()
    # By default a chunk is a whole stack, and a window of one slice would read all of them.
    by_plane = {"chunk_dims": ["Y", "X"]} if "chunk_dims" in inspect.signature(make).parameters else {}
    return make(path, **by_plane)


def _whole(reader: Any, path: str) -> Any:
    """The lazy array of a scene with named dimensions; the tiles of a mosaic are in their places."""
    if "M" not in reader.dims.order:
        return reader.xarray_dask_data
    try:
        return reader.mosaic_xarray_dask_data
    except NotImplementedError as error:
        raise InvalidImage(
            f"{path!r} is a mosaic of {reader.dims.M} tiles, which {type(reader).__module__} does not put together; "
            "export it as one image"
        ) from error


def as_axes(array: Any, path: str) -> tuple[Any, str]:
    """A dask array with the axes that an image has, in the order `t c z y x`, and the letters of these axes."""
    sizes: Mapping[str, int] = dict(zip(array.dims, array.shape, strict=True))
    others = [f"{name} of length {n}" for name, n in sizes.items() if name not in (*AXES, "S") and n > 1]
    if others:
        raise InvalidImage(
            f"{path!r} has dimensions {', '.join(others)}, which are none of t c z y x; export them one by one"
        )
    dropped = {name: 0 for name, n in sizes.items() if name not in (*AXES, "S") or (name in "TZ" and n == 1)}
    samples = sizes.get("S")
    kept = array.isel(dropped)
    order = [name for name in AXES if name in kept.dims or (name == "C" and samples)]
    if samples:
        kept = kept if "C" in kept.dims else kept.expand_dims("C")
        kept = kept.transpose(*[part for name in order for part in ((name, "S") if name == "C" else (name,))])
    else:
        kept = kept.transpose(*order)
    axes = "".join(AXES[name] for name in order)
    lengths = [sizes.get(name, 1) * (samples or 1) if name == "C" else sizes[name] for name in order]
    return kept.data.reshape(lengths), axes


def _spacing(reader: Any, axes: str) -> dict[str, float]:
    """The pixel size by axis, in micrometres (t in seconds); none where the file states none."""
    sizes = reader.physical_pixel_sizes
    interval = reader.time_interval if "t" in axes else None
    found = {"t": interval.total_seconds() if isinstance(interval, timedelta) else None}
    found |= {"z": sizes.Z, "y": sizes.Y, "x": sizes.X}
    return {axis: abs(float(step)) for axis, step in found.items() if axis in axes and step}


def _channels(reader: Any, count: int) -> tuple[str, ...]:
    """A name for each index along c; none if the file names none."""
    names = [str(name) for name in reader.channel_names or ()]
    samples = int(getattr(reader.dims, "S", 1) or 1) if "S" in reader.dims.order else 1
    if samples > 1:
        colours = COLOURS.get(samples, tuple(f"sample {i}" for i in range(samples)))
        names = [f"{name} {colour}" for name in names for colour in colours] if len(names) > 1 else list(colours)
    return tuple(names) if len(names) == count else ()
