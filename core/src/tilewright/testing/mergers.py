"""The tests of a merger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..abc.merger import Seam
from ..abc.traits import MergerTraits
from ..builtin.tilers import Grid
from ..components.resolve import component
from ..errors import TilewrightError
from ..labels.runs import Runs
from ..pipeline import Pipeline
from ..tiling.grid import TileGrid
from ..tiling.regions import common
from ..tiling.strips import facing
from .kit import Kit, sent

__all__ = ["MergerTests"]


@dataclass(frozen=True, kw_only=True)
class Components:
    """The segmenter of law 2: connected components."""

    connectivity: int

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(pixels, _structure(pixels.ndim, self.connectivity))[0]
        return labels


def instances(pixels: NDArray[Any]) -> NDArray[Any]:
    """The segmenter of law 3: the pixels are the true objects, and each piece that a tile shows gets an id."""
    labels = np.zeros(pixels.shape, np.int64)
    for value in np.unique(pixels[pixels > 0]):
        pieces, _ = ndimage.label(pixels == value)
        labels = np.where(pieces, pieces + labels.max(), labels)
    return labels


class MergerTests(Kit):
    """Tests of a merger. The fixture `merger` returns it: an instance, a function, or an installed one's name.

        class TestStraight(MergerTests):
            leave_out = {"test_law_3_objects_that_touch_stay_apart": "it joins whatever touches"}

            @pytest.fixture
            def merger(self):
                return Straight()

    A merger is for connected components (law 2) or for instances (law 3), seldom for both: leave the other law out.
    Both are tried through the engine, in one to three dimensions, in tiles of many shapes.

    connectivity: that of the connected components, as far as they have so many dimensions.
    halos: the halos that are tried, in pixels; a merger that compares what two tiles saw needs one.
    """

    connectivity: ClassVar[int] = 1
    halos: ClassVar[tuple[int, ...]] = (1, 3, 6)

    def test_law_2_components_are_those_of_the_whole(self, merger: Any) -> None:
        for mask in _masks():
            connectivity = min(self.connectivity, mask.ndim)
            whole, _ = ndimage.label(mask, _structure(mask.ndim, connectivity))
            for cut in self._cuts(mask.shape):
                labels = _run(Components(connectivity=connectivity), merger, mask, cut)
                assert np.array_equal(labels, whole), _differs("scipy.ndimage.label of the whole", labels, whole, cut)

    def test_law_3_objects_that_touch_stay_apart(self, merger: Any) -> None:
        for truth in _tissues():
            for cut in self._cuts(truth.shape):
                labels = _run(instances, merger, truth, cut)
                assert np.array_equal(labels, truth), _differs("the true objects", labels, truth, cut)

    def test_pairs_are_labels_of_the_seam(self, merger: Any) -> None:
        made = component("merger", merger)
        for seam in _seams(made):
            pairs = np.asarray(made(seam))
            if pairs.shape == (0,):
                continue  # an empty list
            columns = 5 if MergerTraits.of(made).owns else 2
            assert (pairs.ndim, pairs.shape[-1:], pairs.dtype.kind in "iu") == (2, (columns,), True), (
                f"it returned shape {pairs.shape} of {pairs.dtype}; return integers in {columns} columns, a row for "
                "each pair"
            )
            for side, column, labels in zip(("lower", "upper"), pairs.T, seam.labels, strict=False):
                foreign = sorted(set(column.tolist()) - set(labels[labels > 0].tolist()))
                assert not foreign, f"it pairs {foreign[0]}, which is not an object of the {side} tile at this seam"

    def test_a_seam_without_objects_has_no_pairs(self, merger: Any) -> None:
        made = component("merger", merger)
        for seam in _seams(made):
            nothing = np.zeros_like(seam.labels[0])
            for labels in ((nothing, nothing), (seam.labels[0], nothing), (nothing, seam.labels[1])):
                pairs = np.asarray(made(Seam(**vars(seam) | {"labels": labels})))
                assert not len(pairs), f"{len(pairs)} pairs where one side has no object; background is none"

    def test_the_labels_are_left_as_they_are(self, merger: Any) -> None:
        made = component("merger", merger)
        for seam in _seams(made):
            for labels in seam.labels:
                labels.setflags(write=False)
            try:
                first, second = np.asarray(made(seam)), np.asarray(made(seam))
            except ValueError as error:
                raise AssertionError(
                    f"labels that are read-only raised {error}; copy before working in place"
                ) from error
            assert np.array_equal(first, second), "the same seam gave other pairs the second time"

    def test_many_faces_at_once_give_what_they_give_one_by_one(self, merger: Any) -> None:
        made = component("merger", merger)
        if not MergerTraits.of(made).batches:
            return
        seams = [seam for seam in _seams(made) if sum(map(bool, seam.offset)) == 1]
        alone = [[(place, *pair) for pair in np.asarray(made(seam)).tolist()] for place, seam in enumerate(seams)]
        rows = np.asarray(made.many([seam.labels for seam in seams]))  # type: ignore[attr-defined]  # its traits say so
        assert rows.tolist() == [list(row) for rows in alone for row in rows], (
            "many(faces) gives other pairs than a call a seam; give rows of place, label in lower, label in upper"
        )

    def test_it_can_be_sent_to_another_process(self, merger: Any) -> None:
        made = component("merger", merger)
        again = sent(made)
        for seam in _seams(made):
            assert np.array_equal(np.asarray(again(seam)), np.asarray(made(seam))), "its copy gives other pairs"

    def _cuts(self, shape: tuple[int, ...]) -> Iterator[Grid]:
        """Tiles of several shapes: long, square, larger than the image; each with one of the halos."""
        for number, tile in enumerate(_tiles(shape)):
            yield Grid(tile=tile, halo=self.halos[number % len(self.halos)])


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield (7,) * len(shape)
    yield (*shape[:-1], 9)
    yield tuple(-(-n // 2) for n in shape)
    yield tuple(2 * n for n in shape)


def _masks() -> Iterator[NDArray[np.bool_]]:
    """Pixels near the density at which they begin to percolate, where pieces are long and wound."""
    random = np.random.default_rng(3)
    for shape, density in (((60,), 0.8), ((31, 37), 0.5), ((9, 16, 17), 0.35)):
        yield random.random(shape) < density


def _tissues() -> Iterator[NDArray[np.int64]]:
    """Cells that fill the image and touch, numbered by their first pixel; and a comb, one object with many teeth."""
    random = np.random.default_rng(4)
    for shape, cells in (((40, 44), 20), ((10, 18, 19), 9)):
        seeds = random.random((cells, len(shape))) * shape
        pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
        nearest = ((pixels[..., None, :] - seeds) ** 2).sum(-1).argmin(-1)
        yield _numbered(instances(nearest + 1))
    comb = np.zeros((30, 31), np.int64)
    comb[4] = comb[:, ::4] = 1
    yield comb


def _numbered(labels: NDArray[Any]) -> NDArray[np.int64]:
    return Runs.of(labels).labels.astype(np.int64)


def _run(segmenter: Callable[..., Any], merger: Any, image: NDArray[Any], cut: Grid) -> NDArray[Any]:
    try:
        pipeline = Pipeline(segmenter=segmenter, tiler=cut, merger=merger)
        labels: NDArray[Any] = np.asarray(pipeline.run(image, workers=1).labels)
    except TilewrightError as error:
        raise AssertionError(f"a run in tiles of {cut.tile} with halo {cut.halo} failed: {error}") from error
    return labels


def _seams(merger: Callable[..., Any]) -> Iterator[Seam]:
    """Seams across each axis and across the corner, as the engine hands them over."""
    halo = 4 if MergerTraits.of(merger).owns else 0
    grid = TileGrid.regular("yx", shape=(24, 26), tile=(12, 13), halo=(halo, halo))
    labels = next(_tissues())[:24, :26]
    for offset in ((0, 1), (1, 0), (1, 1)):
        lower, upper = grid.at((0, 0)), grid.at(offset)
        region = common(lower.outer, upper.outer) if halo else None
        here = region or facing(lower, offset)
        there = region or facing(upper, [-step for step in offset])
        first, second = (runs.labels.astype(runs.values.dtype) for runs in map(Runs.of, (labels[here], labels[there])))
        yield Seam(lower=lower, upper=upper, offset=offset, labels=(first, second), region=region)


def _structure(dimensions: int, connectivity: int) -> NDArray[np.bool_]:
    structure: NDArray[np.bool_] = ndimage.generate_binary_structure(dimensions, connectivity)
    return structure


def _differs(what: str, labels: NDArray[Any], truth: NDArray[Any], cut: Grid) -> str:
    return (
        f"in tiles of {cut.tile} with halo {cut.halo} an image of {truth.shape} has {labels.max()} objects and "
        f"{(labels != truth).sum()} pixels that are not those of {what}, which has {truth.max()} objects"
    )
