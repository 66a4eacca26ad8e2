"""The segmenter: what a StarDist network finds, with everything fixed that tiles have to agree on."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.errors import InvalidImage, InvalidOption

from .folders import axes_of, channels_of, digest_of, folder_of, is_folder
from .footprint import peak
from .network import Network, network
from .normalization import Limits, normalized

__all__ = ["StarDist"]


@dataclass(frozen=True, kw_only=True)
class StarDist:
    """Star-convex objects, found by a StarDist network.

    U. Schmidt et al., "Cell detection with star-convex polygons", MICCAI 2018; M. Weigert et al., "Star-convex
    polyhedra for 3D object detection and segmentation in microscopy", WACV 2020.

    pixels: `yx` for a 2-D network and `zyx` for a 3-D one, with channels first where the network takes several; any
    real dtype. Planes of a stack are segmented one by one by a 2-D network.

    `prepare` fixes what all tiles must share: the brightness that is 0 and 1 for the network, and which weights these
    are. A segmenter that was not prepared takes the brightness from the array that it is handed: right for an image in
    one piece, wrong for its tiles. The network is loaded once in each process and never pickled.
    """

    model: str = field(
        default="2D_versatile_fluo",
        metadata={"help": "folder of a model, or the name of one of StarDist's pretrained ones"},
    )
    prob_threshold: float | None = field(
        default=None, metadata={"help": "least probability of an object, 0 to 1; None: the model's own"}
    )
    nms_threshold: float | None = field(
        default=None,
        metadata={"help": "overlap from which the less probable of two objects is dropped, 0 to 1; None: the model's"},
    )
    normalize: tuple[float, float] | None = field(
        default=(1.0, 99.8),
        metadata={"help": "percentiles of the whole image that become 0 and 1; None: pixels are as the network wants"},
    )
    per_channel: bool = field(
        default=False, metadata={"help": "percentiles for each channel by itself, where the network takes several"}
    )
    limits: tuple[tuple[float, float], ...] | None = field(
        default=None,
        metadata={"help": "brightness that becomes 0 and 1, for all channels or for each; None: by the percentiles"},
    )
    channel: int | str | None = field(
        default=None,
        metadata={"help": "index or name of the channel to segment, where the run names none"},
    )
    digest: str = field(
        default="", metadata={"help": "of the model's files; the run notes it, and works with no other weights"}
    )

    def __post_init__(self) -> None:
        for name in ("prob_threshold", "nms_threshold"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidOption(f"{name} must be between 0 and 1, not {value}")
        if self.normalize is not None and not 0 <= self.normalize[0] < self.normalize[1] <= 100:
            raise InvalidOption(f"normalize must be two rising percentiles between 0 and 100, not {self.normalize}")
        for low, high in self.limits or ():
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise InvalidOption(f"limits must be finite and rising, not {low} and {high}")

    @property
    def axes(self) -> str:
        """What the network takes: `yx`, `zyx`, `cyx` or `czyx`."""
        return axes_of(folder_of(self.model))

    @property
    def halo(self) -> dict[str, int]:
        """Half a receptive field, in whole strides: an object whose centre is in the core lies within the tile.

        By StarDist's own rule objects fit into the receptive field.
        """
        net = self._network
        return {axis: _whole(-(-reach // 2), net.stride[axis]) for axis, reach in net.field.items()}

    @property
    def context(self) -> dict[str, int]:
        """A receptive field, in whole strides: what centres within the tile's halo depend on.

        What has its centre further outside is seen from too little; the tile cuts it, and its own tile draws it.
        """
        net = self._network
        return {axis: _whole(reach, net.stride[axis]) for axis, reach in net.field.items()}

    @property
    def stride(self) -> dict[str, int]:
        """What the network downsamples by: it is the same function of its input only where shifted by multiples.

        J. L. Rumberger et al., "How shift equivariance impacts metric learning for instance segmentation", ICCV 2021.
        """
        return self._network.stride

    @property
    def merger(self) -> str:
        """Cells that touch stay apart."""
        return "overlap"

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
        """Bytes that a call takes for a tile of those spatial lengths at its peak, the tile itself included."""
        net = self._network
        lengths = shape[-len(net.spatial) :]
        return peak(net.model, lengths) + math.prod(lengths) * net.channels * dtype.itemsize

    def prepare(self, image: Image) -> StarDist:
        """This segmenter with its brightness limits fixed, from pixels sampled over the whole image, and its weights.

        InvalidImage if the image lacks an axis or the channels that the network takes.
        """
        folder = folder_of(self.model)
        if self.channel is not None and "c" in image.axes and "c" not in axes_of(folder):
            image = image.select(self.channel)
        self._check(image, folder)
        return dataclasses.replace(
            self,
            model=str(folder) if is_folder(self.model) else self.model,
            limits=self.limits or self._limits(image),
            digest=digest_of(folder),
        )

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.int32]:
        """The labels of an array, 1..n without order, fewer where an object hides behind others."""
        pixels = np.asarray(pixels)
        image = Image(data=pixels, axes=self._network.axes)
        limits = self.limits or self._limits(image)
        return self._network.instances(normalized(pixels, limits), self.prob_threshold, self.nms_threshold)

    @property
    def _network(self) -> Network:
        return network(self.model, self.digest)

    def _limits(self, image: Image) -> Limits:
        if self.normalize is None:
            return ((0.0, 1.0),)
        apart = self.per_channel and "c" in image.axes
        channels = [image.select(channel) for channel in range(image.size("c"))] if apart else [image]
        return tuple(channel.percentiles(*self.normalize) for channel in channels)

    def _check(self, image: Image, folder: Path) -> None:
        axes, channels = axes_of(folder), channels_of(folder)
        if not set(axes) - {"c"} <= set(image.axes):
            raise InvalidImage(f"the network of {self.model} takes axes {axes!r}, but the image has {image.axes!r}")
        if "c" in axes and image.size("c") != channels:
            raise InvalidImage(
                f"the network of {self.model} takes {channels} channels, but the image has {image.size('c')}; choose "
                "as many with channels (--channels)"
            )
        if self.limits and len(self.limits) not in (1, channels):
            raise InvalidOption(
                f"limits has {len(self.limits)} pairs, but the network of {self.model} takes {channels} channels; give "
                "one pair for all, or one for each"
            )


def _whole(length: int, step: int) -> int:
    return -(-length // step) * step
