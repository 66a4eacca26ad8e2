"""What a user gives as the image to segment: a path, an image, or an array."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..components.resolve import component, declared, name_of
from ..engine.plan import Source
from ..errors import InvalidOption
from ..image import Image
from .formats import choose_reader

__all__ = ["chosen_channels", "open_source", "with_options"]

BY_DIMENSIONS = {1: "x", 2: "yx", 3: "zyx"}


def open_source(source: Any, *, reader: Any = None, level: int | None = None, axes: str | None = None) -> Source:
    """The source of a run. InvalidOption for what is neither path nor array, or an array whose axes are unclear."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        path = path if "://" in path else str(Path(path).absolute())
        chosen = component("reader", reader) if reader is not None else choose_reader(path)
        return Source(path=path, reader=with_options(chosen, level=level, axes=axes))
    if level:
        raise InvalidOption(f"level {level} was asked for, but {type(source).__name__} in memory has one level")
    if isinstance(source, Image):
        return Source(image=source if axes is None else dataclasses.replace(source, axes=axes))
    if not all(hasattr(source, what) for what in ("shape", "dtype", "__getitem__")):
        raise InvalidOption(f"{type(source).__name__} is no image; give a path, an Image, or an array")
    if axes is None and len(source.shape) not in BY_DIMENSIONS:
        raise InvalidOption(f"an array of {len(source.shape)} dimensions needs its axes; pass axes, such as 'tzyx'")
    return Source(image=Image(data=source, axes=axes or BY_DIMENSIONS[len(source.shape)]))


def chosen_channels(
    image: Image, segmenter: object, axes: str, channel: int | str | None, channels: Sequence[int | str] | None
) -> int | tuple[int, ...] | None:
    """Which channels a run reads: one by number, several for a segmenter that takes `c`, or None for no choice.

    InvalidOption if a channel does not exist, or if there are several and nobody says which.
    """
    if channel is not None and channels is not None:
        raise InvalidOption(f"give channel or channels, not both ({channel!r} and {list(channels)})")
    if channel is None and channels is None:
        channel, channels = declared(segmenter, "channel"), declared(segmenter, "channels")
    if "c" in axes:
        several = [channel] if channel is not None else channels
        return None if several is None else tuple(image.channel_index(each) for each in several)
    if channels is not None:
        raise InvalidOption(f"channels {list(channels)} were asked for, but the segmenter takes one; give channel")
    if channel is not None:
        return image.channel_index(channel)
    if image.size("c") > 1:
        names = ", ".join(image.channels) or f"0 to {image.size('c') - 1}"
        raise InvalidOption(f"the image has {image.size('c')} channels ({names}); choose one with channel (--channel)")
    return 0 if "c" in image.axes else None


def with_options(reader: Callable[[str], Image], **options: Any) -> Callable[[str], Image]:
    """The reader with some of its options set; None leaves one as it is."""
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return reader
    names = {each.name for each in dataclasses.fields(reader)} if dataclasses.is_dataclass(reader) else set()
    for name in given:
        if name not in names:
            raise InvalidOption(f"reader {name_of('reader', reader)!r} has no option {name!r}")
    return dataclasses.replace(reader, **given)  # type: ignore[type-var]  # it is a dataclass: it has fields
