"""What the functions are handed: an image, the axes and the channel of it that are meant, and a merger."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..abc.traits import declared, outputs_of
from ..builtin.mergers import Touch
from ..components.quantities import whole_number
from ..components.resolve import component
from ..errors import InvalidOption
from ..image import Image
from ..image.arrays import axes_of
from ..io.source import open_source
from ..storage.hierarchy import check_node

__all__ = ["UNSAID", "Input", "assumed_axes", "chosen_merger"]

BY_DIMENSIONS = {1: "x", 2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}


class _Unsaid(int):
    """The channel 0 of a signature, which tells whether a caller wrote it: an image without `c` has no channel 0."""


UNSAID: Final = _Unsaid(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Input:
    """An image as a run takes it: what the user gave, its axes if they had to be assumed, the level, the channels."""

    said: Any
    axes: str | None
    level: int | None
    image: Image
    channel: int | None = None
    channels: tuple[int, ...] | None = None

    @classmethod
    def open(
        cls,
        said: Any,
        *,
        level: int = 0,
        channel: int | str | None = UNSAID,
        channels: Sequence[int | str] | None = None,
        segmenter: object = None,
    ) -> Input:
        """Open an image lazily and find its channels. Any `TilewrightError` for what cannot be meant."""
        level = whole_number("level", level, least=0)
        axes = assumed_axes(said)
        image = open_source(said, level=level or None, axes=axes).opened
        found = None if segmenter is None else component("segmenter", segmenter)
        one, several = _chosen(image, found, channel, channels)
        return cls(said=said, axes=axes, level=level or None, image=image, channel=one, channels=several)

    @functools.cached_property
    def plane(self) -> Image:
        """The image without `c`: what tiles are cut from."""
        return self.image.select(self.channel or 0) if "c" in self.image.axes else self.image

    @functools.cached_property
    def handed(self) -> Image:
        """The image with the channels that the segmenter is handed."""
        if "c" not in self.image.axes:
            return self.image
        if self.channel is not None:
            return self.image.select(self.channel)
        return self.image if self.channels is None else self.image.take(self.channels)

    def segmenter(self, fn: Any) -> Callable[..., Any]:
        """What to run on the tiles. A plain function that is to see several channels gets them first, as `c`."""
        found = component("segmenter", fn)
        if self.channels is None or declared(found, "axes") is not None:
            return found
        several = functools.partial(found)
        several.axes = "c" + self.image.spatial_axes  # type: ignore[attr-defined]  # a partial has room for it
        if outputs := outputs_of(found):
            several.outputs = outputs  # type: ignore[attr-defined]
        return several


def assumed_axes(said: Any) -> str | None:
    """The axes of an array, in memory or in a plain zarr store, of which nobody said them; None for all else.

    A zarr or xarray array may name its dimensions. Otherwise the last three are `z y x`, before them `c`, then `t`.
    """
    if isinstance(said, str | os.PathLike):
        said = _plain_zarr(Path(said))
    if isinstance(said, Image) or getattr(said, "shape", None) is None:
        return None
    return axes_of(said, BY_DIMENSIONS)


def chosen_merger(merger: Any, connectivity: int, segmenter: object, dimensions: int) -> Any:
    """The merger of a run. The default, `"touch"` with connectivity 1, gives way to one that the segmenter declares.

    UnknownComponent for a name that nobody offers; InvalidOption for a connectivity that there cannot be, or for one
    beside a merger that has none.
    """
    if whole_number("connectivity", connectivity, least=1) > dimensions:
        raise InvalidOption(
            f"connectivity {connectivity} is more than the image's {dimensions} spatial dimensions; give at most that"
        )
    if merger == "touch":
        if connectivity == 1 and declared(segmenter, "keeps_ids"):
            return None  # nothing is joined
        standing = declared(segmenter, "merger") if connectivity == 1 else None
        return Touch(connectivity=connectivity) if standing is None else component("merger", standing)
    found = component("merger", merger)
    if connectivity != 1:
        raise InvalidOption(f"connectivity {connectivity} is for merger 'touch', not for {merger!r}; leave it out")
    return found


def _plain_zarr(path: Path) -> Any:
    """The zarr array at a path, if that is what is there. What is wrong with one is for the reader to say."""
    if not any((path / name).is_file() for name in (".zarray", "zarr.json")):
        return None
    import zarr

    try:
        check_node(path)
        return zarr.open_array(path, mode="r")
    except Exception:  # noqa: BLE001 - a group, or corrupt metadata, which make zarr raise nearly anything
        return None


def _chosen(
    image: Image, segmenter: object, channel: int | str | None, channels: Sequence[int | str] | None
) -> tuple[int | None, tuple[int, ...] | None]:
    """The channel, or the channels, by number. One that was not said is 0, or what the segmenter says of itself."""
    if channels is not None:
        if channel is not UNSAID:
            raise InvalidOption(f"give channel or channels, not both ({channel!r} and {list(channels)})")
        return None, tuple(image.channel_index(each) for each in channels)
    if channel is None:
        return None, None
    if channel is not UNSAID:
        return image.channel_index(channel), None
    decides = "c" in (declared(segmenter, "axes") or "") or declared(segmenter, "channel") is not None
    return (None if decides or "c" not in image.axes else 0), None
