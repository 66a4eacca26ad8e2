"""The segmenter: Cellpose's network on a tile, with all that must be the same for every tile fixed before the first."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Placement
from tilewright.errors import InvalidImage, InvalidOption

from . import diameters, memory, patches, weights
from .evaluation import labels
from .normalization import measured, normalized

__all__ = ["Cellpose"]

INTERPOLATED = 8  # pixels, on the network's scale


@dataclass(frozen=True, kw_only=True)
class Cellpose:
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

    model: str = field(
        default="cpsam", metadata={"help": "a file of weights, or the name of a model of Cellpose's own"}
    )
    diameter: float | Literal["auto"] | None = field(
        default=None,
        metadata={"help": "of objects, in pixels; None: those of the training; auto: estimated once (Cellpose 3)"},
    )
    channels: tuple[int | str, ...] | None = field(
        default=None,
        metadata={"help": "indices or names, the one to be segmented first; None: the run's"},
    )
    do_3D: bool = field(  # noqa: N815 - Cellpose's own spelling
        default=False, metadata={"help": "segment volumes instead of planes"}
    )
    anisotropy: float | None = field(
        default=None,
        metadata={"help": "3-D: distance of planes over that of pixels; None: by the image's spacing"},
    )
    flow_threshold: float = field(default=0.4, metadata={"help": "planes: objects of a larger flow error are dropped"})
    cellprob_threshold: float = field(default=0.0, metadata={"help": "pixels above it belong to objects"})
    min_size: int = field(
        default=15,
        metadata={"help": "objects of fewer pixels are dropped; tilewright does it, once the tiles are joined"},
    )
    niter: int | None = field(default=None, metadata={"help": "steps along the flows; None: by the diameter"})
    flow3D_smooth: float = field(  # noqa: N815 - likewise
        default=0.0, metadata={"help": "3-D: Gaussian smoothing of the flows, in pixels"}
    )
    percentiles: tuple[float, float] = field(
        default=(1.0, 99.0), metadata={"help": "of the whole image's pixels, that become 0 and 1"}
    )
    ranges: tuple[tuple[float, float], ...] | None = field(
        default=None,
        metadata={"help": "pixel values that become 0 and 1, for each channel; None: the percentiles"},
    )
    rescale: float | None = field(
        default=None, metadata={"help": "enlargement before the network; None: by the diameter"}
    )
    batch_size: int = field(default=8, metadata={"help": "patches that go through the network at a time"})
    gpu: bool = field(default=False, metadata={"help": "use the GPU, one tile at a time in each process"})

    merger: ClassVar[str] = "overlap"

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", os.fspath(self.model))
        if isinstance(self.diameter, str) and self.diameter != "auto":
            raise InvalidOption(f"diameter must be a number of pixels, 'auto' or None, not {self.diameter!r}")
        for name in ("diameter", "anisotropy", "niter", "rescale", "batch_size"):
            value = getattr(self, name)
            if value not in (None, "auto") and not 0 < value < math.inf:
                raise InvalidOption(f"{name} must be positive, not {value}")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise InvalidOption(f"percentiles must be two rising numbers from 0 to 100, not {self.percentiles}")
        if self.channels is not None and not self.channels:
            raise InvalidOption("channels must name at least one; leave it out for the run's")

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
    def scale(self) -> float:
        """The enlargement that brings objects to the size that the network knows."""
        return self.rescale or diameters.KNOWN / self._typical()

    @property
    def halo(self) -> dict[str, int]:
        """How far two tiles look at the same: two objects on either side, so that one lies within some tile whole."""
        objects = math.ceil(2 * self._typical())
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
                f"the image has {count} channels, and this Cellpose takes at most {most}; choose them with channels"
            )
        ranges = self.ranges or measured(image, self.percentiles)
        fixed = dataclasses.replace(
            self, model=weights.found(self.model), ranges=ranges, anisotropy=self._anisotropy(image)
        )
        fixed = diameters.estimated(fixed, image) if self.diameter == "auto" else fixed
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

    def _typical(self) -> float:
        return diameters.KNOWN if self.diameter in (None, "auto") else float(self.diameter)
