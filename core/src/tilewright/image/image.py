"""The image: a lazily readable array that knows its axes, spacing, units and channels."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.isolation import describe
from ..errors import InvalidImage, InvalidOption, InvalidPixels, NotReadable, TransformFailed
from ..storage.arrays import Array, View, direct, in_memory, unit_of
from ..storage.identity import Identity
from ..tiling.axes import AXES, SPATIAL, by_axis, spatial
from ..tiling.regions import Region, cut, indexed
from .channels import Channel, Channels
from .mapped import Mapped, Transformation
from .sampling import covering, percentiles_of, sampled

__all__ = ["AXES", "SPATIAL", "Array", "Image", "Level", "Region"]


@dataclass(frozen=True, kw_only=True)
class Level:
    """One resolution of a pyramid: its shape, and where its pixels are in space, with an entry for each axis.

    path: the level's name within its source.
    scale: the pixel size, in the image's units.
    translation: the position of the first pixel's centre, in the same units; None is the origin.
    """

    path: str
    shape: tuple[int, ...]
    scale: tuple[float, ...]
    translation: tuple[float, ...] | None = None

    def without(self, position: int) -> Level:
        """The level without the axis at that position."""

        def cut(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return values[:position] + values[position + 1 :]

        return replace(
            self,
            shape=cut(self.shape),
            scale=cut(self.scale),
            translation=None if self.translation is None else cut(self.translation),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An N-D array with named axes, read region by region.

    `image[...]` and `numpy.asarray(image)` read all of its pixels, `image[0, :64]` some of them.

    data: any `Array`; nothing of it is read before a region is.
    axes: one letter of `t c z y x` for each dimension, each at most once, in the data's order, with at least one of
        `z y x`.
    spacing: pixel size by axis, in `units`; an axis that is left out has spacing 1 and no unit.
    channels: the names by index along `c`; empty if they have none.
    levels: the source's pyramid from this resolution down, this one first; empty if it has none.
    images: every image at the source, for people, as `series=1: overview, yx 64 × 64`: the reader's option that chooses
        it, and what it is; empty if there is this one alone.
    details: what else the format tells of how pixels are stored, for people: `{"codecs": "bytes, zstd"}`,
        `{"photometric": "minisblack"}`.
    source, format: the path that it was read from and its format (`"ome-zarr 0.5"`); empty for an array in memory.

    InvalidImage if the axes do not fit the data, or if a spacing is not a positive number.

    >>> import numpy as np
    >>> image = Image(data=np.zeros((3, 8, 8)), axes="cyx", spacing={"y": 0.5, "x": 0.5}, channels=("DAPI",))
    Traceback (most recent call last):
    tilewright.errors.InvalidImage: image 'image' has 3 channels along c, but 1 channel names: DAPI
    """

    data: Array
    axes: str
    _: KW_ONLY
    spacing: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    name: str = "image"
    levels: tuple[Level, ...] = ()
    images: tuple[str, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    format: str = ""

    def __post_init__(self) -> None:
        shape, who = self.shape, f"image {(self.source or self.name)!r}"
        if len(shape) != len(self.axes):
            raise InvalidImage(
                f"{who} has {len(shape)} dimensions {shape}, but axes {self.axes!r}; "
                "give one letter of 't c z y x' for each dimension"
            )
        if len(set(self.axes)) < len(self.axes) or not set(self.axes) <= set(AXES):
            raise InvalidImage(f"axes {self.axes!r} are not distinct letters out of 't c z y x'")
        if not self.spatial_axes:
            raise InvalidImage(f"axes {self.axes!r} have none of 'z y x', so there is nothing to segment")
        for axis, step in self.spacing.items():
            if not (math.isfinite(step) and step > 0):
                raise InvalidImage(f"{who} has spacing {step} along {axis}; it must be a positive number")
        if self.channels and len(self.channels) != self.size("c"):
            raise InvalidImage(
                f"{who} has {self.size('c')} channels along c, but {len(self.channels)} channel "
                f"names: {', '.join(self.channels)}"
            )
        if np.dtype(self.dtype).kind not in "buif":
            raise InvalidImage(f"{who} has dtype {self.dtype}; pixels must be real numbers")

    def __repr__(self) -> str:
        facts = {"name": self.name, "axes": self.axes, "shape": self.shape, "dtype": str(self.dtype)}
        if self.channels:
            facts["channels"] = self.channels
        return f"Image({', '.join(f'{name}={value!r}' for name, value in facts.items())})"

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """The pixels at an index of whole numbers, slices and `...`, as in numpy, but always as a copy.

        IndexError for any other index, for one with too many entries, and for a whole number outside of the image.
        """
        return indexed(self.read, index, self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self!r} is read from its source, so its pixels are always a copy; leave copy out")
        return np.asarray(self[...], dtype)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(length) for length in self.data.shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.data.dtype)

    @cached_property
    def transformations(self) -> tuple[Transformation, ...]:
        """What makes its pixels of those that are stored, the first one first; empty for pixels as they are stored."""
        return self.data.transformations if isinstance(self.data, View) else ()

    @property
    def spatial_axes(self) -> str:
        """The axes of the image that are in `z y x`, in its order."""
        return "".join(axis for axis in self.axes if axis in SPATIAL)

    @property
    def chunks(self) -> tuple[int, ...]:
        """The shape of the unit in which the data is stored: its shards, else its chunks, else its whole shape."""
        unit = unit_of(self.data) or self.shape
        sizes = (max(step, default=1) if isinstance(step, tuple) else int(step) for step in unit)
        return tuple(max(1, min(step, n)) for step, n in zip(sizes, self.shape, strict=True))

    @property
    def chunk_lengths(self) -> tuple[tuple[int, ...], ...]:
        """For each axis the lengths of the storage chunks in their order; they need not be equal."""
        uneven = unit_of(self.data)
        if uneven and isinstance(uneven[0], tuple):
            return tuple(tuple(int(n) for n in axis if n) for axis in uneven)
        return tuple(cut(n, step) for n, step in zip(self.shape, self.chunks, strict=True))

    def size(self, axis: str) -> int:
        """The number of pixels along an axis; 1 for an axis that the image does not have."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def read(self, region: Region) -> NDArray[Any]:
        """The pixels of a region, as a copy: changing it never changes the source.

        region: a slice for each axis, in pixels, without a step.

        Any error of the source is raised as it is.
        """
        block = in_memory(self._direct[region])
        return block if getattr(self._direct, "fresh", False) else np.array(block, order="C")

    @cached_property
    def _direct(self) -> Array:
        return direct(self.data)

    @cached_property
    def identity(self) -> Identity:
        """The files behind the pixels, and a text and a number that change when the pixels do."""
        return Identity(self.data, self.source)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_direct", "identity")}

    def channel_index(self, channel: int | str) -> int:
        """The position along `c` of a channel that is given by index (negative from the end) or name.

        InvalidOption for a channel that the image does not have, a name that several channels have, or an image without
        `c`.
        """
        if "c" not in self.axes:
            raise InvalidOption(
                f"channel {channel!r} was asked for, but the image's axes {self.axes!r} have no c; leave channel out "
                "(--channel)"
            )
        count, names = self.size("c"), f" ({', '.join(self.channels)})" if self.channels else ""
        said: object = channel
        if isinstance(said, str):
            if self.channels.count(said) == 1:
                return self.channels.index(said)
            said = int(said) if re.fullmatch("-?[0-9]+", said) else said
        if isinstance(said, bool) or not isinstance(said, Integral):
            raise InvalidOption(self._no_channel(channel))
        if not -count <= int(said) < count:
            raise InvalidOption(
                f"channel {said} does not exist; the image has {count} channels{names}, numbered from 0 to {count - 1}"
            )
        return int(said) % count

    def _no_channel(self, channel: object) -> str:
        """The message for a channel that has no name or number of the image, or the name of several channels."""
        count, names = self.size("c"), ", ".join(self.channels)
        same = [str(number) for number, name in enumerate(self.channels) if name == channel]
        if same:
            return f"several channels are named {channel!r}: {', '.join(same)} of {names}; choose one by its number"
        if not names:
            return f"channel {channel!r} does not exist; the image has {count}, without names; choose one by its number"
        alike = [name for name in self.channels if name.casefold() == str(channel).casefold()]
        close = alike or difflib.get_close_matches(str(channel), self.channels, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "choose one of these, or one by its number"
        return f"channel {channel!r} does not exist; the image has {count} channels ({names}); {hint}"

    def select(self, channel: int | str) -> Image:
        """The image of one channel, without the axis `c`, as lazy as this one. InvalidOption as `channel_index`."""
        index, position = self.channel_index(channel), self.axes.index("c")
        return replace(
            self,
            data=Channel(self.data, position, index),
            axes=self.axes.replace("c", ""),
            channels=(),
            levels=tuple(level.without(position) for level in self.levels),
        )

    def take(self, channels: Sequence[int | str]) -> Image:
        """The image of some channels in the given order, with its axis `c`, as lazy as this one."""
        chosen = [self.channel_index(channel) for channel in channels]
        position = self.axes.index("c")
        return replace(
            self,
            data=Channels(self.data, position, chosen),
            channels=tuple(self.channels[i] for i in chosen) if self.channels else (),
            levels=self.levels,
        )

    def map(
        self,
        function: Callable[..., NDArray[Any]],
        *,
        axes: str | None = None,
        context: int | Sequence[int] | Mapping[str, int] = 0,
        located: bool = False,
        channels: int | None = None,
        dtype: Any = None,
    ) -> Image:
        """The image of a function of the pixels, as lazy as this one: a region is computed when it is read.

        function: called with a copy of a region's pixels; returns as many, real numbers of one dtype.
        axes: of the pixels that it is called with; the spatial axes if left out. For each index along all other axes
            (time, channels, planes) it is called by itself.
        context: pixels on either side on which a pixel of its result depends, along these axes; one number, one for
            each spatial axis, or a mapping. A region is widened by it, and clipped at the image's border.
        located: whether it is called with the `Placement` of its pixels too.
        channels: how many it returns, if its axes have `c`: 0 for pixels without `c`; None for as many as it gets.
        dtype: of what it returns; left out, it is called with zeros to find out.

        InvalidOption for axes that are not spatial axes or `c`. A read raises InvalidPixels for pixels of another shape
        or dtype, and TransformFailed for what the function raises.

        >>> image = Image(np.array([[0, 0, 9, 0, 0]]), axes="yx")
        >>> wide = image.map(lambda pixels: np.maximum(pixels, np.roll(pixels, 1)), context={"x": 1})
        >>> wide[0, 3:]
        array([9, 0])
        """
        axes = self.spatial_axes if axes is None else axes
        if not set(axes) <= set("c" + SPATIAL) or not spatial(axes):
            raise InvalidOption(f"axes {axes!r} must be c and any of z, y, x, and at least one of z, y, x")
        by = Transformation(
            function=function,
            axes=axes,
            context=by_axis("context", context, spatial(axes)),
            located=located,
            channels=channels,
            dtype=None if dtype is None else np.dtype(dtype),
        )
        data = Mapped(self.data, self.axes, by)
        same, position = data.shape == self.shape, self.axes.find("c")
        return replace(
            self,
            data=data,
            axes=data.axes,
            channels=self.channels if same else (),
            levels=self.levels if data.axes == self.axes else tuple(each.without(position) for each in self.levels),
        )

    def sample(self, pixels: int = 2**22, blocks: int = 64) -> Iterator[NDArray[Any]]:
        """At most `blocks` blocks, spread evenly over the whole image, with about `pixels` values in all.

        They are for numbers that must be the same for all tiles (`prepare`). Their places depend on the image's shape
        and chunks alone. An image with at most `pixels` pixels is returned whole.
        """
        return self._blocks(sampled(self.shape, self.chunks, pixels, blocks))

    def blocks(self, pixels: int = 2**22, *, first: int = 0, every: int = 1) -> Iterator[NDArray[Any]]:
        """The whole image in blocks of whole storage chunks, of at most about `pixels` values each.

        For what has to be exact for the whole image, such as a histogram. A chunk of more pixels is cut into parts.
        Threads that share the work take every n-th block each: thread i of n is `blocks(first=i, every=n)`.

        >>> image = Image(np.arange(6).reshape(2, 3), axes="yx")
        >>> [block.tolist() for block in image.blocks(2)]
        [[[0, 1]], [[2]], [[3, 4]], [[5]]]
        """
        return self._blocks(islice(covering(self.shape, self.chunks, pixels), first, None, every))

    def _blocks(self, regions: Iterable[Region]) -> Iterator[NDArray[Any]]:
        for region in regions:
            try:
                block = self.read(region)
            except (TransformFailed, InvalidPixels):
                raise
            except Exception as error:
                spans = ", ".join(f"{a} {part.start}:{part.stop}" for a, part in zip(self.axes, region, strict=True))
                where = self.source or self.name
                raise NotReadable(f"{where} cannot be read at {spans}: {describe(error)}; repair it") from error
            yield block

    def percentiles(self, low: float, high: float) -> tuple[float, float]:
        """The values at two percentiles, 0 to 100, of the finite pixels of `sample`, to normalise all tiles with.

        If both are the same value, as in an image that is mostly empty, the least and the greatest value are returned,
        and 0 and 1 if no pixel is finite. `select(channel).percentiles(…)` gives those of one channel.

        >>> Image(data=np.arange(101).reshape(1, 101), axes="yx").percentiles(1, 99)
        (1.0, 99.0)
        """
        return percentiles_of(self.sample(), low, high)
