"""Metadata that says something else than the pages are: refused in words, never read as if one of them were right."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import islice

import numpy as np
import tifffile

from tilewright.errors import InvalidImage

from .omexml import OmeImage
from .opening import one_line

__all__ = ["check_agreement", "check_image"]

TYPES = {"float": "float32", "double": "float64", "bit": "bool"}  # of OME-XML, whose other names are numpy's
LOOKED_AT = 100  # pages that no image has, of which one as large as the images is enough


def check_agreement(
    tif: tifffile.TiffFile,
    found: Sequence[tifffile.TiffPageSeries],
    images: Sequence[OmeImage],
    path: str,
    *,
    axes: bool,
) -> None:
    """InvalidImage where a file's metadata says other sizes or another number of planes than its pages have.

    images: what the file's OME-XML says of those that have pages in it. axes: whether the user says what the pages are,
    so that metadata which tifffile could not follow is of no consequence.

    Pages of other sizes than all images have, such as thumbnails, may belong to none. Planes that the file lacks may
    have been cut off: they are no contradiction, and `complaints` has them.
    """
    wrong = _left_out(tif, found)
    if not axes:
        wrong = wrong or _of_ome(tif, found, images)
    if not axes and {series.kind for series in found} <= {"generic", "uniform"}:
        wrong = wrong or _of_imagej(tif) or _of_shape(tif)
    if wrong:
        raise InvalidImage(f"{path!r} contradicts itself: {one_line(wrong)}; correct its metadata, or export it again")


def check_image(series: tifffile.TiffPageSeries, image: OmeImage, path: str) -> None:
    """InvalidImage if the XML counts other planes than it has sizes for: which plane is which is not known then.

    Warns where it has another type than the pages, which is of no consequence, or names for other channels.
    """
    if image.counted > 1 and image.planes not in (image.counted, image.counted * image.samples):
        raise InvalidImage(
            f"{path!r} contradicts itself: the XML says {image.counts}, the pages that it counts are "
            f"{image.counted:,}; correct its metadata, or export it again"
        )
    wanted, real = TYPES.get(image.type, image.type), str(np.dtype(series.dtype))
    differences = []
    if wanted and wanted != real:
        differences.append(f"the XML says {one_line(image.type)}, the pages have {real}, and that is read")
    if any(image.channels) and len(image.channels) * image.samples != image.sizes["C"]:
        names = f"the XML names {len(image.channels)} channels of {image.samples} samples"
        differences.append(f"{names}, but says SizeC {image.sizes['C']}, and the names are left out")
    for difference in differences:
        warnings.warn(f"in {path!r} {difference}", UserWarning, stacklevel=2)


def _of_ome(tif: tifffile.TiffFile, found: Sequence[tifffile.TiffPageSeries], images: Sequence[OmeImage]) -> str | None:
    fitting = sum(series.kind == "ome" for series in found)
    if fitting >= len(images):
        return None  # tifffile has compared them
    for image in images:
        if image.page is None:
            continue
        if image.page >= len(tif.pages):
            return f"the XML says that {image.name!r} begins at page {image.page}, the pages are {len(tif.pages):,}"
        page = _page(tif, image.page)
        said, real = (image.sizes["X"], image.sizes["Y"]), (page.imagewidth, page.imagelength)
        if said != real:
            return f"the XML says {_size(said)} pixels (SizeX × SizeY) of {image.name!r}, the pages have {_size(real)}"
        if len(images) == 1 and image.planes != len(tif.pages) * page.samplesperpixel:
            return f"the XML says {image.counts}, the pages are {len(tif.pages):,} of {_samples(page)}"
    return f"the XML says {len(images):,} images, the pages hold {fitting:,}" if fitting else None


def _of_imagej(tif: tifffile.TiffFile) -> str | None:
    if not tif.imagej_metadata or len(tif.pages) == 1:
        return None
    counts = {name: tif.imagej_metadata.get(name, 1) for name in ("channels", "slices", "frames")}
    said = ", ".join(f"{name}={count}" for name, count in counts.items())
    return f"the text of ImageJ says {said}, the pages are {len(tif.pages):,}"


def _of_shape(tif: tifffile.TiffFile) -> str | None:
    """Of files by tifffile, whose description has a shape."""
    if not tif.is_shaped:
        return None
    page = tif.pages.first
    return f"the description says {one_line(page.description)}, the pages are {len(tif.pages):,} of shape {page.shape}"


def _left_out(tif: tifffile.TiffFile, found: Sequence[tifffile.TiffPageSeries]) -> str | None:
    """Pages as large as an image's, in a file whose metadata lists planes, that belong to no image."""
    listing = [series for series in found if series.kind in ("ome", "imagej")]
    if not listing:
        return None
    if listing[0].kind == "imagej":  # tifffile may have the first page stand for all
        who, used = "text of ImageJ", set(range(_planes(listing[0])))
    else:
        pages = (page for series in listing for page in series.pages if page is not None)
        own = tif.filehandle.path
        who, used = "XML", {page.index for page in pages if page.parent.filehandle.path == own}
    sizes = {(series.keyframe.imagewidth, series.keyframe.imagelength) for series in listing}
    rest = islice((i for i in range(len(tif.pages)) if i not in used), LOOKED_AT)
    for page in (_page(tif, number) for number in rest):
        if not page.is_reduced and (page.imagewidth, page.imagelength) in sizes:
            return f"the {who} says {len(used):,} planes, the pages are {len(tif.pages):,}"
    return None


def _page(tif: tifffile.TiffFile, number: int) -> tifffile.TiffPage:
    page = tif.pages.get(number)
    assert isinstance(page, tifffile.TiffPage)
    return page


def _planes(series: tifffile.TiffPageSeries) -> int:
    return math.prod(series.shape) // max(1, math.prod(series.keyframe.shape))


def _samples(page: tifffile.TiffPage) -> str:
    return f"{page.samplesperpixel} {'sample' if page.samplesperpixel == 1 else 'samples'} a pixel"


def _size(lengths: tuple[int, int]) -> str:
    return f"{lengths[0]:,} × {lengths[1]:,}"
