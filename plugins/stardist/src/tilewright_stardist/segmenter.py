"""The segmenter: what a StarDist network finds, with everything fixed that tiles have to agree on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Placement
from tilewright.abc import Maps, Prediction, Window, Windows, untiled
from tilewright.errors import InvalidImage, InvalidOption

from .folders import axes_of, channels_of, digest_of, folder_of, is_folder
from .footprint import WORKSPACE, decoding, peak
from .library import gpu_memory
from .network import Network, network
from .normalization import Limits, normalized
from .windows import best_cut, least_pixels

__all__ = ["StarDist"]

BORDER = 2  # places of the network's output at the image's border, at which StarDist finds no object


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

    The network sees windows as large as memory allows. Its candidates are kept, and each tile is made of those in and
    around it: for other thresholds the network is not needed.
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
    keep_above: float = field(
        default=0.05,
        metadata={"help": "probability above which candidates are kept, 0 to 1; no prob_threshold can be less"},
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

    decode_options: ClassVar[tuple[str, ...]] = ("prob_threshold", "nms_threshold")
    gpu: ClassVar[str] = "auto"

    def __post_init__(self) -> None:
        for name in ("prob_threshold", "nms_threshold", "keep_above"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InvalidOption(f"{name} must be between 0 and 1, not {value}")
        if self.prob_threshold is not None and self.prob_threshold < self.keep_above:
            raise InvalidOption(
                f"prob_threshold is {self.prob_threshold}, but candidates are kept above {self.keep_above} only; "
                f"choose keep_above={self.prob_threshold} too, with which the network runs again"
            )
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
        """As much as the halo: candidates there can suppress or hide those whose objects reach into the core."""
        return self.halo

    @property
    def merger(self) -> str:
        """Cells that touch stay apart."""
        return "overlap"

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """Candidates: places in the image, probabilities, by which they are ranked, and distances to the outline."""
        model = self._network.model
        return {
            "place": Prediction(dtype="int32", channels=len(self._network.spatial), rows=True),
            "prob": Prediction(rows=True),
            "dist": Prediction(dtype="float16", channels=model.config.n_rays, rows=True),
        }

    def memory(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:  # noqa: ARG002 - it sees no pixels
        """Bytes that labels of those spatial lengths take, with candidates as in an image that is full of objects."""
        net = self._network
        return decoding(net.model, shape[-len(net.spatial) :])

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

    def windows(self, image: Image, budget: int) -> list[Windows]:
        """Windows as large as fit into so many bytes, of which a receptive field at inner edges is seen twice.

        On a GPU they also fit into what TensorFlow may take of its memory.

        They start at multiples of what the network downsamples by: it is the same function of its input only where
        shifted by these. J. L. Rumberger et al., "How shift equivariance impacts metric learning for instance
        segmentation", ICCV 2021.

        InvalidOption if not even the smallest fit.
        """
        net = self._network
        shape = tuple(image.size(axis) for axis in net.spatial)
        stride = tuple(net.stride.values())
        margin = tuple(_whole(reach, net.stride[axis]) for axis, reach in net.field.items())
        least = least_pixels(shape, stride=stride, margin=margin)
        budget = min(budget, gpu_memory() or budget)
        unit = math.prod(stride)
        each = peak(net.model, stride) - WORKSPACE + unit * net.channels * image.dtype.itemsize
        most = (budget - WORKSPACE) // each * unit
        if most < least:
            raise InvalidOption(
                f"a window of {self.model} takes at least {WORKSPACE + least // unit * each:,} bytes, but memory is "
                f"{budget:,}; give more memory"
            )
        size, starts = best_cut(shape, stride=stride, margin=margin, most=most)
        return [Windows(axes=net.spatial, shape=shape, starts=starts, size=size, margin=margin)]

    def predict(self, windows: Sequence[Window], _: int) -> list[dict[str, NDArray[Any]]]:
        """The candidates in windows, but for those at the image's border, where StarDist finds none."""
        return [self._candidates(window) for window in windows]

    def lean(self) -> StarDist:
        """This segmenter with no candidates but those of which it makes objects."""
        return dataclasses.replace(self, keep_above=self._threshold)

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[np.int32]:
        """The labels of a region, 1..n without order, fewer where an object hides behind others."""
        (kept,) = maps
        net = self._network
        likely = kept["prob"][:, 0] > self._threshold
        prob, dist, places = (kept[name][likely] for name in ("prob", "dist", "place"))
        return net.labels(place.region, prob[:, 0], dist, places, self.nms_threshold)

    def __call__(self, pixels: NDArray[Any], _: Placement | None = None) -> NDArray[Any]:
        """The labels of a whole image, seen in one window."""
        return untiled(self, np.asarray(pixels), self.axes)

    def _candidates(self, window: Window) -> dict[str, NDArray[Any]]:
        net = self._network
        limits = self.limits or self._limits(Image(data=window.pixels, axes=self.axes))
        above = min(self.keep_above, net.model.thresholds.prob)  # which does not depend on the run's threshold
        prob, dist, places = net.candidates(normalized(window.pixels, limits), above)
        grid, stride = np.array([*net.grid.values()]), np.array([*net.stride.values()])
        places += [part.start for part in window.span]
        ends = -(-np.array(window.shape) // stride) * stride  # where StarDist pads the image to
        inner = ((places >= BORDER * grid) & (places < ends - BORDER * grid)).all(axis=1)
        return {"place": places[inner], "prob": prob[inner, np.newaxis], "dist": dist[inner]}

    @property
    def _threshold(self) -> float:
        return float(self._network.model.thresholds.prob) if self.prob_threshold is None else self.prob_threshold

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
