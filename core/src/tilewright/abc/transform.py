"""What a transform is called with, the pixels that it returns, and what it may declare."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from ..image import Image
from ..tiling.placement import Placement

__all__ = ["LocatedTransform", "PreparedTransform", "Transform"]


class Transform(Protocol):
    """A component that turns pixels into pixels of the same place: `transform(pixels) -> pixels`. A function is one.

    Transforms come between the reader and the segmenter. The transformed image is an image like any other, computed
    region by region when it is read: the segmenter, its `prepare`, a network's windows and `--empty` see it, and later
    transforms do. Files are watched, and tiles resumed, by the image below.

    It is called from several threads at a time and in several processes, and is pickled to the processes. Regions may
    be of any size, down to one pixel. A transform may declare, as attributes, properties or fields:

    | name | type | meaning |
    |---|---|---|
    | `axes` | `str` | the axes of the pixels that it is handed: `"yx"`, `"zyx"`, `"czyx"` … For each index along the image's other axes it is called by itself. An axis that the image does not have has length 1. If it declares none: the image's spatial axes |
    | `context` | `int`, a sequence, or a mapping by axis | pixels on each side on which a pixel of the result depends, along the spatial axes that it is handed; 0 if it declares none. Regions are widened by it, and clipped at the image's border |
    | `channels` | `int` or `None` | how many channels it returns, if `c` is in its axes: 0 for pixels without `c`; as many as it is handed if it declares none |
    | `dtype` | a dtype or its name | the dtype of what it returns. If it declares none, it is called with zeros to find out |
    | `located` | `bool` | `True` if it is called with the place of its pixels too (`LocatedTransform`) |
    | `prepare` | a method | fixes what must be the same for all regions (`PreparedTransform`) |
    """  # noqa: E501 - rows of a table cannot be broken

    def __call__(self, pixels: NDArray[Any], /) -> NDArray[Any]:
        """The pixels of a region, transformed.

        pixels: an array of the axes that the transform declares, of the image's dtype; a copy, which it may change.

        Returns real numbers of the same spatial shape. Apart from the context at the edges of a region, a pixel must be
        the same whatever the region is: what depends on the whole image belongs in `prepare`.

        Any exception becomes TransformFailed; a return of another shape or dtype becomes InvalidPixels.
        """


class LocatedTransform(Transform, Protocol):
    """A transform that declares `located = True`: what it does to a pixel depends on where in the image it lies.

    An example is a background that varies over the image.
    """

    @property
    def located(self) -> bool:
        """True."""

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None, /) -> NDArray[Any]:
        """The pixels of a region, transformed.

        place: where in the image the pixels lie. None, outside of a run: they are the whole image.
        """


class PreparedTransform(Transform, Protocol):
    """A transform with something that must be the same for all regions: percentiles, an estimate of the background."""

    def prepare(self, image: Image, /) -> Transform:
        """The transform to use instead; called once in a run.

        image: whole and lazy, with the chosen channels, as the transforms before this one leave it.

        Read what all regions share from `Image.sample()`, `Image.percentiles()` or all of `Image.blocks()`, and return
        a new transform. What it declares is read again.
        """
