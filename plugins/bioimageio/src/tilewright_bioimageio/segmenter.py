"""The segmenter: a model of the BioImage Model Zoo over windows of the whole image, and objects from its maps."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tilewright import Image, Placement
from tilewright.abc import Maps, Prediction, Window, Windows, untiled
from tilewright.errors import InvalidImage, InvalidOption

from . import layout, package, processing
from .network import loaded, predicted
from .package import WeightsFormat
from .recipes import parted, pieces

__all__ = ["BioImageModel"]

FOREGROUND, BOUNDARIES = "foreground", "boundaries"
NOWHERE = -1e30  # the foreground where the network was not asked: below every threshold


@dataclass(frozen=True, kw_only=True)
class BioImageModel:
    """Objects by a model of the BioImage Model Zoo: pieces of its foreground, parted by its boundaries if it has some.

    pixels: the axes of the model's input: `yx` or `zyx`, with channels first where the model takes several; any real
    dtype. What is not finite is 0 for the network. Planes of a stack are segmented one by one by a 2-D model.

    `prepare` fixes what all tiles must share: the statistics that preprocessing asks for, from a sample of the whole
    image, and which model and weights these are. A segmenter that was not prepared finds them in the array that it is
    handed. The network is loaded once in each process and never pickled.

    InvalidOption for a model that does not fit (several inputs, axes that an image does not have, processing that
    depends on more than a pixel and such statistics), NotReadable for a package or weights that cannot be read.
    """

    model: str = field(metadata={"help": "folder or zip file of a package in the Zoo's format"})
    weights: WeightsFormat = field(
        default="auto", metadata={"help": "format of the weights; auto: the first whose runtime is installed"}
    )
    output: str | None = field(default=None, metadata={"help": "name of the model's output; None: the first"})
    foreground: int | str = field(default=0, metadata={"help": "index or name of the output's channel of objects"})
    boundaries: int | str | None = field(
        default=None, metadata={"help": "index or name of its channel of boundaries; None: objects are not parted"}
    )
    threshold: float = field(default=0.5, metadata={"help": "pixels of a larger foreground belong to objects"})
    seed_threshold: float = field(
        default=0.5, metadata={"help": "seeds are where the foreground less the boundaries is larger"}
    )
    diameter: float = field(
        default=30.0, metadata={"help": "length of a typical object, in pixels; decides the halo with boundaries"}
    )
    min_size: int = field(
        default=0,
        metadata={"help": "objects of fewer pixels are dropped; tilewright does it, once the tiles are joined"},
    )
    window: tuple[int, int, int] = field(
        default=(32, 256, 256),
        metadata={"help": "pixels along z, y and x that the network sees at once, if the model leaves a choice"},
    )
    batch: int = field(default=4, metadata={"help": "windows that go through the network at once"})
    channel: int | str | None = field(
        default=None, metadata={"help": "index or name of the channel to segment, where the run names none"}
    )
    channels: tuple[int | str, ...] | None = field(
        default=None, metadata={"help": "indices or names, for a model of several channels; None: the run's"}
    )
    gpu: bool | Literal["auto"] = field(default="auto", metadata={"help": "use a GPU; auto: if the runtime has one"})
    statistics: tuple[tuple[float, ...], ...] | None = field(
        default=None, metadata={"help": "that preprocessing asks for; None: of the whole image"}
    )
    digest: str = field(default="", metadata={"help": "of the model; the run notes it, and works with no other"})

    decode_options: ClassVar[tuple[str, ...]] = ("threshold", "seed_threshold", "min_size")

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", os.fspath(self.model))
        for name in ("threshold", "seed_threshold"):
            if not math.isfinite(getattr(self, name)):
                raise InvalidOption(f"{name} must be a finite number, not {getattr(self, name)}")
        if not (math.isfinite(self.diameter) and self.diameter >= 1):
            raise InvalidOption(f"diameter must be a finite number of at least 1 pixel, not {self.diameter}")
        if self.min_size < 0:
            raise InvalidOption(f"min_size must be at least 0, not {self.min_size}")
        if min(*self.window, self.batch) < 1:
            raise InvalidOption(f"window and batch must be at least 1, not {self.window} and {self.batch}")

    @property
    def axes(self) -> str:
        """What the model takes: `yx` or `zyx`, with `c` first if it takes several channels."""
        return ("c" if _count(self._input) > 1 else "") + "".join(package.space_of(self._input))

    @property
    def merger(self) -> str:
        """Pieces of foreground are joined where they touch, objects that boundaries part where they overlap."""
        return "touch" if self.boundaries is None else "overlap"

    @property
    def halo(self) -> dict[str, int]:
        """With boundaries two objects on either side, so that one lies within some tile whole, with its neighbours."""
        pixels = 0 if self.boundaries is None else math.ceil(2 * self.diameter)
        return dict.fromkeys(self.axes.replace("c", ""), pixels)

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """The channels of the output that are used, as the model says them: float32."""
        maps = {FOREGROUND: Prediction(background=NOWHERE)}
        return maps if self.boundaries is None else maps | {BOUNDARIES: Prediction()}

    def memory(self, shape: tuple[int, ...], _dtype: np.dtype[Any]) -> int:
        """Bytes that decoding a tile takes: 9 a pixel were measured, 50 with boundaries. The network's come on top."""
        return (16 if self.boundaries is None else 56) * math.prod(shape[-len(self._wanted) :])

    def prepare(self, image: Image) -> BioImageModel:
        """This segmenter with the statistics of the whole image, and the package, its weights and their digest.

        InvalidImage if the image lacks an axis or does not have as many channels as the model takes.
        """
        description = self._description
        if self.channel is not None and "c" in image.axes and "c" not in self.axes:
            image = image.select(self.channel)
        self._check(image)
        weights = package.weights_of(description, self.weights)
        measured = processing.measured(description, image) if self.statistics is None else self.statistics
        processing.check_statistics(description, measured)
        return dataclasses.replace(
            self,
            model=str(package.path_of(self.model)),
            weights=weights,
            statistics=measured,
            digest=package.digest_of(description, weights),
        )

    def windows(self, image: Image, _budget: int) -> list[Windows]:
        """Windows of a size that the model takes, of which its halo is seen and not used, also beyond the image."""
        shape = tuple(image.size(axis) for axis in package.space_of(self._output))
        return [layout.windows(self._description, self._output, shape, self._wanted)]

    def predict(self, windows: Sequence[Window], _: int) -> list[dict[str, NDArray[np.float32]]]:
        """The channels of the output that are used, of some windows."""
        description, output = self._description, self._output
        adapter = loaded(self.model, self.weights, self.gpu, self.digest)
        along = layout.lines(description, output, windows[0].shape, self._wanted)
        maps = predicted(windows, description, output, adapter, self.statistics or (), along)
        used = self._used()
        return [{name: each[at : at + 1] for name, at in used.items()} for each in maps]

    def decode(self, maps: Sequence[Maps], _place: Placement) -> NDArray[Any]:
        """The labels of a tile."""
        (channels,) = maps
        if self.boundaries is None:
            return pieces(channels[FOREGROUND][0], self.threshold)
        return parted(channels[FOREGROUND][0], channels[BOUNDARIES][0], self.threshold, self.seed_threshold)

    def __call__(self, pixels: NDArray[Any], _place: Placement | None = None) -> NDArray[Any]:
        """The labels of one array, which is a whole image."""
        pixels = np.asarray(pixels)
        if pixels.ndim != len(self.axes):
            raise InvalidImage(f"pixels of shape {pixels.shape} do not have the axes {self.axes}")
        made = self if self.digest else self.prepare(Image(data=pixels, axes=self.axes))
        return untiled(made, pixels, self.axes)

    @property
    def _description(self) -> Any:
        return package.opened(self.model)

    @property
    def _input(self) -> Any:
        return package.input_of(self._description)

    @property
    def _output(self) -> Any:
        return package.output_of(self._description, self.output)

    @property
    def _wanted(self) -> tuple[int, ...]:
        return self.window[-len(package.space_of(self._output)) :]

    def _used(self) -> dict[str, int]:
        """Which channel of the output has which map. InvalidOption if it has none such."""
        channels = {FOREGROUND: self.foreground, BOUNDARIES: self.boundaries}
        return {name: self._index(channel) for name, channel in channels.items() if channel is not None}

    def _check(self, image: Image) -> None:
        """That a model fits an image, before the first tile."""
        name, count = self._description.name, _count(self._input)
        if not set(self.axes) - {"c"} <= set(image.axes):
            raise InvalidImage(
                f"the model {name!r} takes the axes {self.axes!r}, but the image has {image.axes!r}; choose another "
                "model"
            )
        if image.size("c") != count:
            raise InvalidImage(
                f"the model {name!r} takes {count} channels, but the image has {image.size('c')}; choose as many with "
                "channels (--channels)"
            )
        processing.check(self._description, self._output, image.dtype)
        self._used()

    def _index(self, channel: int | str) -> int:
        """A channel of the output by its index or name."""
        axis = package.channel_of(self._output)
        names = list(map(str, axis.channel_names)) if axis else ["the only one"]
        if isinstance(channel, int) and 0 <= channel < len(names):
            return channel
        if channel in names:
            return names.index(str(channel))
        raise InvalidOption(
            f"the output {str(self._output.id)!r} of {self._description.name!r} has no channel {channel!r}; it has "
            + ", ".join(f"{at} ({name})" for at, name in enumerate(names))
        )


def _count(tensor: Any) -> int:
    """How many channels a tensor has."""
    axis = package.channel_of(tensor)
    return len(axis.channel_names) if axis else 1
