"""The segmenter: Cellpose's network on a tile, with all that must be the same for every tile fixed before the first."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Placement
from tilewright.errors import InvalidImage, InvalidOption

from . import diameters, memory, patches, weights
from .evaluation import labels
from .normalization import measured, normalized
from .options import Options

__all__ = ["Cellpose"]

INTERPOLATED = 8  # pixels, on the network's scale


@dataclass(frozen=True, kw_only=True)
class Cellpose(Options):
    """Instances as Cellpose finds them.

    pixels: (c, y, x), or (c, z, y, x) with `do_3D`, any real dtype; without c it is one channel. NaN is background.
    Returns labels without the axis c. Objects of fewer than `min_size` pixels are left in, because a tile may hold a
    part of an object; a run drops them once the tiles are joined.

    A run calls `prepare` first, which fixes what Cellpose otherwise finds anew in every array that it is given: the
    percentiles for normalisation, the diameter if it is to be estimated, the scale, the anisotropy. A segmenter that
    was not prepared finds them in the array that it is handed.

    The network is loaded on the first call in each process and is not pickled. InvalidOption for a value that cannot
    be used, NotReadable for weights that are not there, InvalidImage for more channels than the network takes.
    """

    merger: ClassVar[str] = "overlap"

    @property
    def axes(self) -> str:
        """What a tile has to have: its channels first."""
        return "czyx" if self.do_3D else "cyx"

    @property
    def located(self) -> bool:
        """In planes, the network's patches lie where they do in the whole image: that takes knowing where a tile is."""
        return not self.do_3D

    @property
    def context(self) -> dict[str, int]:
        """What is read around a tile, in planes: a patch, and some pixels of which those at its edge are interpolated.

        In 3-D nothing, as a patch is as wide as most volumes are deep: that would cost more than it is worth.
        """
        reach = math.ceil((patches.side() + INTERPOLATED) / self.scale)
        return {} if self.do_3D else {"y": reach, "x": reach}

    @property
    def halo(self) -> dict[str, int]:
        """How far two tiles look at the same: two objects on either side, so that one lies within some tile whole."""
        objects = math.ceil(2 * self.typical)
        depth = {"z": math.ceil(objects / (self.anisotropy or 1))} if self.do_3D else {}
        return depth | {"y": objects, "x": objects}

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """Bytes that a call takes beside the network's weights; with a GPU, of the GPU's memory."""
        return memory.needed(self, shape, dtype)

    def prepare(self, image: Image) -> Cellpose:
        """This segmenter with everything fixed that is to be the same for all tiles of an image.

        The percentiles come from pixels sampled over the whole image, channel by channel.
        """
        count, most = image.size("c"), weights.most_channels()
        if count > most:
            raise InvalidImage(
                f"the image has {count} channels, and this Cellpose takes at most {most}; choose them with channels "
                "(--channels)"
            )
        ranges = self.ranges or measured(image, self.percentiles)
        fixed = dataclasses.replace(
            self, model=weights.found(self.model), ranges=ranges, anisotropy=self._anisotropy(image)
        )
        if self.diameter == "auto":
            fixed = dataclasses.replace(fixed, diameter=diameters.estimated(fixed, image))
        return fixed if self.rescale else dataclasses.replace(fixed, rescale=diameters.rescale(fixed))

    def __call__(self, pixels: NDArray[Any], place: Placement | None = None) -> NDArray[Any]:
        """The labels of one array, which is a part of the image at that place; without one it is the whole."""
        pixels = np.asarray(pixels)
        if pixels.ndim == len(self.axes) - 1:
            pixels = pixels[np.newaxis]
        if pixels.ndim != len(self.axes):
            raise InvalidImage(f"pixels of shape {pixels.shape} do not have the axes {self.axes}")
        if self.ranges is None or self.rescale is None:
            return self.prepare(Image(data=pixels, axes=self.axes))(pixels, place)
        place = place or Placement.whole(self.axes[1:], pixels.shape[1:])
        return labels(normalized(pixels, self.ranges), self, place)

    def _anisotropy(self, image: Image) -> float | None:
        if not self.do_3D or self.anisotropy is not None or "z" not in image.spacing:
            return self.anisotropy
        if image.units.get("z") != image.units.get("y"):
            raise InvalidOption(
                f"the image's spacing is in {image.units.get('z')} along z and {image.units.get('y')} along y; "
                "give anisotropy"
            )
        return image.spacing["z"] / image.spacing.get("y", 1.0)
