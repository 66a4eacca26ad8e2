"""How the windows of a model lie over an image: by the sizes that it takes and the halo that it needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tilewright.abc import Windows
from tilewright.errors import InvalidOption

from .package import input_of, space_of

__all__ = ["Line", "lines", "windows"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A window along one axis, in pixels of the image.

    size: of the window. step: pixels of the image that one of the output stands for.
    cut: pixels at each end that the output lacks. margin: pixels at each end of which nothing is used.
    """

    size: int
    step: int
    cut: int
    margin: int


def windows(description: Any, output: Any, shape: Sequence[int], wanted: Sequence[int]) -> Windows:
    """Windows whose kept parts lie side by side, from the image's first pixel on.

    InvalidOption for a model whose windows are too small for its halo.
    """
    axes, along = "".join(space_of(output)), lines(description, output, shape, wanted)
    return Windows(
        axes=axes,
        shape=tuple(shape),
        starts=tuple(_starts(description, *each) for each in zip(axes, along, shape, strict=True)),
        size=tuple(line.size for line in along),
        margin=tuple(line.margin for line in along),
    )


def lines(description: Any, output: Any, shape: Sequence[int], wanted: Sequence[int]) -> list[Line]:
    """A window along each axis: of the smallest size that the model takes and that is wanted, or holds the image."""
    largest = _lines(description, output, wanted)
    lengths = [
        max(min(most, n + 2 * line.margin), 3 * line.margin + 1)
        for most, n, line in zip(wanted, shape, largest, strict=True)
    ]
    return _lines(description, output, lengths)


def _starts(description: Any, axis: str, line: Line, length: int) -> tuple[int, ...]:
    """Windows begin a margin before the image, as bioimageio.core's own blocks do.

    They begin less before it where the second one would begin outside of the image too, and so keep its margin.
    """
    kept = line.size - 2 * line.margin
    before = line.margin if length <= kept else min(line.margin, kept - 1)
    if before < line.cut:
        raise InvalidOption(
            f"the model {description.name!r} takes windows of {line.size} pixels along {axis}, of which {line.margin} "
            f"at each end cannot be used; more than {2 * line.margin + line.cut} are needed: choose another model"
        )
    return tuple(range(-before, max(length - line.margin, 1 - before), kept))


def _lines(description: Any, output: Any, lengths: Sequence[int]) -> list[Line]:
    tensor, outer = input_of(description), space_of(output)
    axes = space_of(tensor)
    wanted = {(tensor.id, axis.id): length for axis, length in zip(axes.values(), lengths, strict=True)}
    ns = {
        (each.id, axis.id): max(0, axis.size.get_n(wanted.get((each.id, axis.id), 0)))
        for each in description.inputs  # also of those that are optional
        for axis in each.axes
        if hasattr(axis.size, "get_n")
    }
    sizes = description.get_tensor_sizes(ns, batch_size=1)
    return [
        _line(description, axis, outer[name], sizes.inputs[tensor.id][axis.id], sizes.outputs[output.id][axis.id])
        for name, axis in axes.items()
    ]


def _line(description: Any, inner: Any, outer: Any, size: int, made: int) -> Line:
    step = round(outer.scale / inner.scale)
    exact = step and math.isclose(step * inner.scale, outer.scale)
    missing = size - made * step if exact else -1
    if missing < 0 or missing % 2:
        raise InvalidOption(
            f"the model {description.name!r} makes {made} pixels of scale {outer.scale} along {inner.id} from {size} "
            f"of scale {inner.scale}; choose one whose output has the same middle, with pixels as large as the "
            "image's or a whole number of times as large"
        )
    cut = missing // 2
    return Line(size=size, step=step, cut=cut, margin=cut + getattr(outer, "halo", 0) * step)
