"""The segmenter: Cellpose's network on patches of the whole image, and labels of tiles from what it says of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Placement
from tilewright.abc import Maps, Prediction, Window, Windows, untiled
from tilewright.errors import InvalidImage, InvalidOption

from . import diameters, memory, patches, weights
from .evaluation import CELLPROB, FLOWS, decoded, predicted
from .normalization import measured
from .options import Options

__all__ = ["Cellpose"]

SMOOTHED = 4.0  # standard deviations to which SciPy's Gaussian reaches
NOWHERE = -1e6  # the score where the network was not asked: below every threshold, also between two pixels


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
    decode_options: ClassVar[tuple[str, ...]] = (
        *("cellprob_threshold", "flow_threshold", "niter", "flow3D_smooth", "min_size"),
    )

    @property
    def axes(self) -> str:
        """What a tile has to have: its channels first."""
        return f"c{self.space}"

    @property
    def batch(self) -> int:
        """Patches that go through the network at a time; a run asks once, and keeps to it when it resumes."""
        return memory.batch(self)

    @property
    def context(self) -> dict[str, int]:
        """What is decoded around a tile beside its halo: how far smoothed flows depend on others."""
        return dict.fromkeys(self.space, math.ceil(SMOOTHED * self.flow3D_smooth)) if self.do_3D else {}

    @property
    def halo(self) -> dict[str, int]:
        """How far two tiles look at the same: two objects on either side, so that one lies within some tile whole."""
        objects = math.ceil(2 * self.typical)
        depth = {"z": math.ceil(objects / (self.anisotropy or 1))} if self.do_3D else {}
        return depth | {"y": objects, "x": objects}

    def memory(self, shape: tuple[int, ...], _dtype: np.dtype[Any]) -> int:
        """Bytes that a tile and a batch of patches take beside the weights; with a GPU, of the GPU's memory."""
        return memory.needed(self, shape)

    def prepare(self, image: Image) -> Cellpose:
        """This segmenter with everything fixed that is to be the same for all tiles of an image.

        The percentiles come from pixels sampled over the whole image, channel by channel.
        """
        if self.do_3D and "z" not in image.axes:
            raise InvalidOption(f"do_3D segments volumes, but the image has the axes {image.axes!r}; leave do_3D out")
        count, most = image.size("c"), weights.most_channels()
        if count > most:
            raise InvalidImage(
                f"the image has {count} channels, and this Cellpose takes at most {most}; choose them with channels "
                "(--channels)"
            )
        ranges = self.ranges or measured(image, self.percentiles)
        model = weights.found(self.model)
        fixed = dataclasses.replace(
            self, model=model, digest=weights.digest_of(model), ranges=ranges, anisotropy=self._anisotropy(image)
        )
        if self.diameter == "auto":
            fixed = dataclasses.replace(fixed, diameter=diameters.estimated(fixed, image))
        return fixed if self.rescale else dataclasses.replace(fixed, rescale=diameters.rescale(fixed))

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """Flows along the two axes of a patch, and the score of being a cell.

        A pixel follows the flows for some 200 steps: as float16 they made another object in one of 17 images, as
        float32 in none. The score may be float16.
        """
        return {
            FLOWS: Prediction(dtype="float32", channels=2),
            CELLPROB: Prediction(dtype="float16", background=NOWHERE),
        }

    def windows(self, image: Image, _budget: int) -> list[Windows]:
        """The patches of Cellpose's own evaluation of the whole image; in a volume one set for each direction."""
        shape = self.resized([image.size(axis) for axis in self.space])
        return [patches.windows(self.space, plane, shape) for plane in self.planes]

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[np.float32]]]:
        """What the network says of some patches of a set."""
        return predicted(windows, self.planes[which], self)

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        """The labels of a tile, of the objects with pixels in its core."""
        return decoded(maps, place, self)

    def __call__(self, pixels: NDArray[Any], _place: Placement | None = None) -> NDArray[Any]:
        """The labels of one array, which is a whole image."""
        pixels = np.asarray(pixels)
        if pixels.ndim == len(self.axes) - 1:
            pixels = pixels[np.newaxis]
        if pixels.ndim != len(self.axes):
            raise InvalidImage(f"pixels of shape {pixels.shape} do not have the axes {self.axes}")
        if self.ranges is None or self.rescale is None:
            return self.prepare(Image(data=pixels, axes=self.axes))(pixels)
        return untiled(self, pixels, self.axes)

    def _anisotropy(self, image: Image) -> float | None:
        if not self.do_3D or self.anisotropy is not None or "z" not in image.spacing:
            return self.anisotropy
        if image.units.get("z") != image.units.get("y"):
            raise InvalidOption(
                f"the image's spacing is in {image.units.get('z')} along z and {image.units.get('y')} along y; "
                "give anisotropy"
            )
        return image.spacing["z"] / image.spacing.get("y", 1.0)
