"""What tiling did to labels, from the labels and their image alone: no truth is needed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tiling.grid import TileGrid
from ...tiling.regions import Region
from .crops import Compared, Crop, Difference, Segment, compared_crop, crop_at, each_once
from .lines import Line, extents, facts_of, lines_of
from .significance import Finding, tested

__all__ = ["LEVEL", "SeamCheck", "check"]

LEVEL = 0.001  # of all tests together
LINES, TRIPLES = 256, 128  # seams that are looked at, and places of them with crops, at most
HALF = {1: (16, 512), 2: (16, 96), 3: (8, 32)}  # of a crop's inner region, by the axes along which objects join
WHOLE = 1.5  # times the length of a large object, so that most objects at the middle lie whole in a crop
LARGE = 90  # the percentile of lengths that is a large object's
DIFFERS = 0.9  # IoU below which an object is listed
LISTED = 200
BESIDE = 2  # planes on either side of the middle one, in a crop away from seams, as far apart as half a crop
LIKE = 0.75  # of a tile's length is a crop's, so that what a segmenter takes from all that it sees is alike in both
PIXELS = 40_000  # of a crop, unless its inner region and margin take more

CROPS = {"objects": ("disagreement", "objects"), "steps": ("step", "sided")}
TEXTS = {
    "cover": "the share of foreground along a line",
    "edges": "the share of facing pixels with different labels",
    "ends": "the share of objects that end at a line",
    "sizes": "the number of pixels that an object has near a line",
    "objects": "the disagreement (1 - IoU) with objects segmented in one piece",
    "steps": "the step of the foreground across a line",
}


@dataclass(frozen=True, kw_only=True)
class SeamCheck:
    """What tiling did to a label image.

    findings: one for each figure that could be tested. level: of all tests together; each is held to its share
    (Bonferroni). seams: how many were looked at. crops: at how many places of them a crop was segmented in one piece,
    with two away from seams. objects: how many were compared beside seams, those of the labels and those of the crops.
    differing: how many of them, each once, have an IoU below 0.9 with their best match. differences: these, the worst
    first, at most 200.
    note: why something was not tested; empty if all was.
    """

    findings: tuple[Finding, ...]
    level: float = LEVEL
    axes: str = ""
    seams: int = 0
    crops: int = 0
    objects: int = 0
    differing: int = 0
    differences: tuple[Difference, ...] = field(default=())
    note: str = ""

    @property
    def significant(self) -> tuple[Finding, ...]:
        """The findings by which seams differ from other places, the surest first."""
        return tuple(sorted((each for each in self.findings if each.p <= self._each), key=lambda each: each.p))

    @property
    def _each(self) -> float:
        return self.level / max(1, len(self.findings))

    @property
    def changed(self) -> bool:
        """Whether tiling changed the labels, as far as can be told at this level."""
        return bool(self.significant)

    @property
    def verdict(self) -> str:
        """One line in plain English."""
        if not self.findings:
            return f"Nothing can be said: {self.note or 'there are no objects at seams'}."
        where = f"{self.seams:,} seam{'s' * (self.seams != 1)}"
        if all(each.least > self._each for each in self.findings):
            verb = "is" if self.seams == 1 else "are"
            return f"Nothing can be said: {where} {verb} too few for a level of {self.level:g}."
        if self.crops:
            where += f", {self.crops:,} places of them segmented again"
        if not self.changed:
            return f"No effect of tiling was found ({where})."
        first = self.significant[0]
        return (
            f"Tiling changed these labels ({where}): {TEXTS[first.name]} is {first.at_seams:.3g} at seams and "
            f"{first.elsewhere:.3g} elsewhere (p = {first.p:.1g})."
        )

    def plain(self) -> dict[str, Any]:
        """All of it as values that JSON can hold."""
        return {"verdict": self.verdict, "changed": self.changed} | asdict(self)


def check(
    grid: TileGrid,
    read: Callable[[Region], NDArray[Any]],
    segment: Segment | None = None,
    *,
    margin: Sequence[int] = (),
    level: float = LEVEL,
    seconds: float | None = None,
    seed: int = 0,
    note: str = "",
) -> SeamCheck:
    """Check the labels of a grid's image. Each part of it is read on its own; memory depends on neither image nor grid.

    read: the labels of a region. segment: a region in one piece; None leaves that part out. margin: by axis, pixels of
    a crop beside the inner region, whose labels its borders may have changed. seconds: for segmenting again.
    """
    random = np.random.default_rng(seed)
    lines: list[Line] = []
    facts: list[dict[str, NDArray[np.float64]]] = []
    sizes: list[int] = []
    for line in lines_of(grid, LINES, random):
        labels = read(line.span)
        lines.append(line)
        facts.append(facts_of(line, labels))
        if len(sizes) < LINES:
            sizes += extents(labels)
    findings = [_of_facts(name, facts, seed) for name in (facts[0] if facts else ())]
    rows: list[list[Compared]] = []
    if segment is not None and lines:
        half = _half(grid, sizes)
        crops = _crops(grid, lines, read, half, _margin(grid, half, margin), random)
        rows = list(_compared(crops, read, segment, grid.shape, seconds))
        findings += [_of_crops(name, rows, seed) for name in CROPS]
    differences = each_once([each for row in rows for each in row[0].differences])
    if not lines:
        note = note or "there are no seams between tiles that are wide enough"
    return SeamCheck(
        findings=tuple(each for each in findings if each is not None),
        level=level,
        axes=grid.axes,
        seams=len(lines),
        crops=len(rows),
        objects=sum(row[0].objects for row in rows),
        differing=len(differences),
        differences=tuple(sorted(differences, key=lambda each: each.iou)[:LISTED]),
        note=note,
    )


def _of_facts(name: str, facts: Sequence[dict[str, NDArray[np.float64]]], seed: int) -> Finding | None:
    return tested(name, [each[name] for each in facts], seed, larger=False)


def _of_crops(name: str, rows: Sequence[Sequence[Compared]], seed: int) -> Finding | None:
    hits, chances = CROPS[name]
    values = [np.array([(getattr(each, hits), getattr(each, chances)) for each in row], float) for row in rows]
    return tested(name, values, seed, larger=True)


def _half(grid: TileGrid, sizes: Sequence[int]) -> tuple[int, ...]:
    """Half of the inner region of a crop, by axis: for objects of these lengths, but within half a tile."""
    least, most = HALF[len(grid.axes) - len(grid.separate)]
    half = int(np.clip(WHOLE * np.percentile(sizes, LARGE) if sizes else least, least, most))
    return tuple(
        0 if axis in grid.separate else min(half, n // 2) for axis, n in zip(grid.axes, grid.largest, strict=True)
    )


def _margin(grid: TileGrid, half: Sequence[int], margin: Sequence[int]) -> tuple[int, ...]:
    """The margin that makes a crop as long as it may be. It is never all that a tile sees, which would be no test."""
    most = int(PIXELS ** (1 / (len(grid.axes) - len(grid.separate))))
    along = zip(grid.axes, grid.largest, half, margin, strict=True)
    return tuple(0 if a in grid.separate else max(m, min(most, int(LIKE * n)) // 2 - h) for a, n, h, m in along)


def _crops(
    grid: TileGrid,
    lines: Sequence[Line],
    read: Callable[[Region], NDArray[Any]],
    half: Sequence[int],
    margin: Sequence[int],
    random: np.random.Generator,
) -> Iterator[list[Crop]]:
    """Crops by threes: at a seam, and in both of its tiles at the planes that are as far from it as is looked at.

    Each is centred on a foreground pixel near its plane, since there is nothing to compare elsewhere. Crops of one seam
    do not meet in their inner regions.
    """
    wide = [line for line in lines if line.middle >= half[line.axis]]  # a crop within each of its tiles is off the seam
    cells = [(line, cell) for line in wide for cell in _cells(line, half)]
    for n in random.permutation(len(cells)):
        line, cell = cells[n]
        axis, span = line.axis, line.span[line.axis]
        cores = [grid[number].core for number in (line.lower, line.upper)]
        slabs = [_slab(cell, axis, line.at, half)]
        slabs += [_slab(cell, axis, at, half, core) for at, core in zip((span.start, span.stop), cores, strict=True)]
        places = [_place(read, slab, axis, random) for slab in slabs]
        if None not in places:
            apart = range(1, min(BESIDE, (span.stop - line.at) // max(1, half[axis]) - 1) + 1)
            offsets = [[0], *[[0, *(sign * n * half[axis] for n in apart for sign in (-1, 1))]] * 2]
            yield [
                crop_at(place, axis, [place[axis] + offset for offset in each], half, margin, grid.shape)
                for place, each in zip(places, offsets, strict=True)
                if place is not None
            ]


def _cells(line: Line, half: Sequence[int]) -> list[Region]:
    """A seam in parts as long as a crop's inner region."""
    axes = [
        [part] if axis == line.axis else _cut(part, 2 * h)
        for axis, (part, h) in enumerate(zip(line.span, half, strict=True))
    ]
    return list(itertools.product(*axes))


def _cut(part: slice, length: int) -> list[slice]:
    count = max(1, (part.stop - part.start) // max(1, length))
    ends = np.linspace(part.start, part.stop, count + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in itertools.pairwise(ends)]


def _slab(cell: Region, axis: int, at: int, half: Sequence[int], core: Region = ()) -> Region:
    """The surroundings of a plane in a cell; within a tile's core, away from the tile's sides along other axes too."""
    slab = [_away(part, h, side) for part, h, side in zip(cell, half, core or cell, strict=True)] if core else [*cell]
    slab[axis] = slice(at - max(1, half[axis] // 4), at + max(1, half[axis] // 4))
    return tuple(slab)


def _away(part: slice, half: int, side: slice) -> slice:
    """The part of a core that is at least so far from its ends, or its middle, and as near to a part as can be."""
    low = min(side.start + half, (side.start + side.stop) // 2)
    high = max(low + 1, side.stop - half)
    start = int(np.clip(part.start, low, high - 1))
    return slice(start, int(np.clip(part.stop, start + 1, high)))


def _place(
    read: Callable[[Region], NDArray[Any]], slab: Region, axis: int, random: np.random.Generator
) -> tuple[int, ...] | None:
    """A foreground pixel of a slab, moved onto its middle plane; None if there is none."""
    labels = read(slab)
    places = np.flatnonzero(labels)
    if not len(places):
        return None
    place = np.unravel_index(int(random.choice(places)), labels.shape)
    middle = (slab[axis].start + slab[axis].stop) // 2
    return tuple(middle if n == axis else int(p) + slab[n].start for n, p in enumerate(place))


def _compared(
    crops: Iterator[list[Crop]],
    read: Callable[[Region], NDArray[Any]],
    segment: Segment,
    shape: Sequence[int],
    seconds: float | None,
) -> Iterator[list[Compared]]:
    """Segment and compare crops by threes until there are enough, or the time is over: the seam, then what is away."""
    start = time.monotonic()
    for three in itertools.islice(crops, TRIPLES):
        compared = (compared_crop(crop, segment(crop.outer), read(crop.outer), shape, DIFFERS) for crop in three)
        yield [each for crop in compared for each in crop]
        if seconds is not None and time.monotonic() - start > seconds:
            break
