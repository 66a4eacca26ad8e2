"""Where the network looks: the patches that Cellpose's own evaluation of the whole image would hand to it.

What the network says of a pixel depends on where in its patch the pixel lies: the whole patch is averaged into a style
(Cellpose 3), or seen by a transformer with positions (Cellpose 4). Cellpose spreads its patches evenly over the array
that it is given, after a border of zeros; over a tile they would lie elsewhere than over the image. So they are laid
over the image here, and a tile is handed enough context to hold each of them that meets it.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .weights import newer

__all__ = ["Line", "across", "count", "line", "side"]

OVERLAP = 0.1  # of a patch's side, as in Cellpose's evaluation by default


class Line(NamedTuple):
    """The patches along one axis of an image.

    length: of the image. starts: of the patches; the first begins in the zeros before the image. side: of each.
    """

    length: int
    starts: tuple[int, ...]
    side: int

    def within(self, part: slice) -> Line:
        """The patches that lie within a part of the image; beyond the image's own border there are zeros to be had."""
        ends = (part.start or -self.side, math.inf if part.stop == self.length else part.stop)
        inside = (start for start in self.starts if ends[0] <= start and start + self.side <= ends[1])
        return self._replace(starts=tuple(inside))

    @property
    def span(self) -> slice:
        """From the first patch to the last, zeros beyond the image included."""
        return slice(self.starts[0], self.starts[-1] + self.side)

    @property
    def covered(self) -> slice:
        """What they cover of the image."""
        return slice(max(0, self.span.start), min(self.length, self.span.stop))


def side() -> int:
    """The side of a patch: what the networks of the installed generation are trained with."""
    return 256 if newer() else 224


def count(length: int) -> int:
    """How many patches Cellpose lays over so many pixels, zeros included."""
    return 1 if length <= side() else math.ceil((1 + 2 * OVERLAP) * length / side())


def line(length: int) -> Line:
    """The patches along an axis of so many pixels, as `cellpose.core.run_net` lays them."""
    from cellpose import transforms

    least = {"min_size": (side(), side())} if newer() else {}
    before, after = transforms.get_pad_yx(length, length, **least)[:2]
    whole = before + length + after
    starts = np.linspace(0, whole - min(side(), whole), count(whole)).astype(int) - before
    return Line(length, tuple(starts.tolist()), min(side(), whole))


def across(
    model: Any, plane: NDArray[np.float32], corner: tuple[int, int], lines: tuple[Line, Line], batch_size: int
) -> NDArray[np.float32]:
    """What the network says of all that some patches cover: flows along y and x and the score of being a cell.

    plane: (c, y, x), which begins at that corner of the image and holds the patches, as far as they lie in the image.
    """
    from cellpose import transforms

    spans = [each.span for each in lines]
    zeros = [
        (max(0, at - span.start), max(0, span.stop - at - n))
        for at, span, n in zip(corner, spans, plane.shape[1:], strict=True)
    ]
    grown = np.pad(plane, [(0, 0), *zeros])
    first = [at - before for at, (before, _) in zip(corner, zeros, strict=True)]
    places = list(itertools.product(*(each.starts for each in lines)))
    cuts = [
        tuple(slice(s - f, s - f + each.side) for s, f, each in zip(place, first, lines, strict=True))
        for place in places
    ]
    said = [
        _forward(model, np.stack([grown[:, rows, columns] for rows, columns in cuts[i : i + batch_size]]))
        for i in range(0, len(cuts), batch_size)
    ]
    places_in_span = [
        [[place[axis] - spans[axis].start, place[axis] - spans[axis].start + lines[axis].side] for place in places]
        for axis in (0, 1)
    ]
    sizes = [span.stop - span.start for span in spans]
    averaged: NDArray[np.float32] = transforms.average_tiles(np.concatenate(said), *places_in_span, *sizes)
    rows, columns = (
        slice(each.covered.start - span.start, each.covered.stop - span.start)
        for each, span in zip(lines, spans, strict=True)
    )
    return averaged[-3:, rows, columns]


def _forward(model: Any, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    model.net.eval()
    with torch.no_grad():
        given = torch.from_numpy(patches).to(model.device, next(model.net.parameters()).dtype)
        said: NDArray[np.float32] = model.net(given)[0].float().cpu().numpy()
    return said
