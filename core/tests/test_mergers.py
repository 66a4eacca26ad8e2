"""Which labels on two sides of a seam are one object, case by case; the laws are in `test_laws`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import instances, voronoi

from tilewright import Grid, InvalidLabels, InvalidOption, Overlap, Pipeline, Seam, TileGrid, Touch
from tilewright.labels.pairs import count_pairs


def run(truth: NDArray[Any], merger: Any, tile: Any, halo: Any = 0, **options: Any) -> NDArray[Any]:
    labels: NDArray[Any] = (
        Pipeline(segmenter=instances, tiler=Grid(tile=tile, halo=halo), merger=merger)
        .run(truth, **options)
        .labels.compute()
    )
    return labels


def pixels_set(shape: tuple[int, ...], *positions: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    for position in positions:
        mask[position] = 1
    return mask


@settings(max_examples=60)
@given(st.data())
def test_count_pairs_counts_what_numpy_counts(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    dtypes = [data.draw(st.sampled_from(["u1", "u2", "u4"])) for _ in range(2)]
    size = int(np.prod(shape))
    ids = st.lists(st.integers(0, 255) | st.integers(0, 3), min_size=size, max_size=size)
    lower, upper = (np.array(data.draw(ids), dtype).reshape(shape) for dtype in dtypes)
    stacked = np.stack([lower.ravel().astype(int), upper.ravel().astype(int)], 1)
    unique, counts = np.unique(stacked, axis=0, return_counts=True) if size else (np.zeros((0, 2), int), [])
    np.testing.assert_array_equal(count_pairs(lower, upper), np.column_stack([unique, counts]))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("offset", [o for o in itertools.product((0, 1), repeat=3) if any(o)])
def test_touch_joins_the_pixels_that_scipy_joins(dimensions: int, offset: tuple[int, ...]) -> None:
    """Two tiles of 2 pixels a side that meet at any offset, each full of single-pixel objects."""
    offset = offset[:dimensions]
    if not any(offset):
        offset = (1,) * dimensions
    shape = tuple(2 * (o + 1) for o in offset)
    grid = TileGrid.regular("zyx"[-dimensions:], shape=shape, tile=(2,) * dimensions, halo=(0,) * dimensions)
    tiles = grid[0], grid.at(offset)
    ids = np.arange(1, 2**dimensions + 1, dtype=np.uint8).reshape((2,) * dimensions)
    faces = tuple(
        ids[tuple((slice(1, 2) if side == 0 else slice(0, 1)) if o else slice(None) for o in offset)] for side in (0, 1)
    )
    for connectivity in range(1, dimensions + 1):
        pairs = Touch(connectivity=connectivity)(
            Seam(lower=tiles[0], upper=tiles[1], offset=offset, labels=(faces[0], faces[1]))
        )
        expected = set()
        for a, b in itertools.product(np.ndindex(ids.shape), repeat=2):
            step = np.abs(np.array(b) + 2 * np.array(offset) - np.array(a))
            if step.max() == 1 and step.sum() <= connectivity:
                expected.add((int(ids[a]), int(ids[b])))
        assert set(map(tuple, pairs.tolist())) == expected
        assert len(pairs) == len(expected)


@pytest.mark.parametrize("connectivity", [1, 2, 3])
@pytest.mark.parametrize("difference", [d for d in itertools.product((0, 1), repeat=3) if any(d)])
def test_contact_by_face_edge_or_corner_joins_as_the_connectivity_says(
    connectivity: int, difference: tuple[int, ...]
) -> None:
    mask = pixels_set((4, 4, 4), (1, 1, 1), tuple(1 + d for d in difference))
    structure = ndimage.generate_binary_structure(3, connectivity)

    def segmenter(pixels: NDArray[Any]) -> Any:
        return ndimage.label(pixels, structure)[0]

    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=2), merger=Touch(connectivity=connectivity))
    np.testing.assert_array_equal(pipeline.run(mask).labels.compute(), ndimage.label(mask, structure)[0])


@pytest.mark.parametrize("corner", [(1, 2), (2, 1)])
def test_a_contact_by_a_falling_or_rising_corner_in_two_dimensions(corner: tuple[int, int]) -> None:
    mask = pixels_set((4, 4), (1, 1), (2, 2)) if corner == (1, 2) else pixels_set((4, 4), (1, 2), (2, 1))
    for connectivity, objects in ((1, 2), (2, 1)):
        structure = ndimage.generate_binary_structure(2, connectivity)
        pipeline = Pipeline(
            segmenter=lambda pixels, structure=structure: ndimage.label(pixels, structure)[0],
            tiler=Grid(tile=2),
            merger=Touch(connectivity=connectivity),
        )
        assert pipeline.run(mask).n_objects == objects


@pytest.mark.parametrize("connectivity", [0, -1])
def test_a_connectivity_below_one_is_refused(connectivity: int) -> None:
    with pytest.raises(InvalidOption, match=f"connectivity must be at least 1, not {connectivity}"):
        Touch(connectivity=connectivity)


@pytest.mark.parametrize("halo", [1, 8, 24, 60])
def test_j1_sixty_cells_that_fill_the_image_stay_sixty(halo: int) -> None:
    truth = voronoi((150, 150), 60, 0)
    np.testing.assert_array_equal(run(truth, "overlap", 50, halo), truth)


def test_j1_two_cells_whose_border_is_the_seam_stay_two() -> None:
    truth = np.ones((20, 20), np.int64)
    truth[:, 10:] = 2
    np.testing.assert_array_equal(run(truth, "overlap", 10, 4), truth)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_j2_a_comb_whose_base_is_beyond_the_halo_is_one_object(merger: str, transposed: bool) -> None:
    comb = np.zeros((40, 30), np.uint8)
    comb[:6, :] = 1
    comb[:, ::6] = 1
    comb = np.ascontiguousarray(comb.T) if transposed else comb
    assert ndimage.label(comb[20:] if not transposed else comb[:, 20:])[1] == 5
    np.testing.assert_array_equal(run(comb, merger, 20, 4), comb)


@pytest.mark.parametrize("halo", [3, 6])
def test_j3_a_cell_that_one_tile_splits_fuses_nothing_else(halo: int) -> None:
    """The left tile cuts the middle cell in two; each half touches another cell that nobody may join to it."""
    truth = np.zeros((24, 40), np.int64)
    truth[2:22, 16:25] = 2
    truth[2:22, 4:16] = 1
    truth[2:22, 25:36] = 3

    def splitting(pixels: NDArray[Any]) -> NDArray[Any]:
        labels = instances(pixels)
        if pixels[0, 0] == 0 and (pixels == 1).any() and not (pixels == 3).all():
            lower = (pixels == 2) & (np.arange(pixels.shape[0])[:, None] >= 12)
            labels[lower] = labels.max() + 1
        return labels

    labels = (
        Pipeline(segmenter=splitting, tiler=Grid(tile=(24, 20), halo=(0, halo)), merger="overlap")
        .run(truth)
        .labels.compute()
    )
    for name in np.unique(labels[labels > 0]):
        assert len(np.unique(truth[labels == name])) == 1, "an object of the result lies in one cell of the truth"
    assert len(np.unique(labels[truth == 1])) == len(np.unique(labels[truth == 3])) == 1


SHAPES: dict[str, Any] = {
    "a ring through four corners": (((np.hypot(*(np.indices((32, 32)) - 15.5)) - 10) ** 2 < 4).astype(int), 16),
    "a U that enters a tile twice": ("U", 10),
    "an S through nine tiles": ("S", 10),
    "a spiral": ("spiral", 8),
    "a cross on the corner": ("cross", 16),
    "longer than three tiles": ("bar", 6),
}


def draw(name: Any) -> NDArray[Any]:
    mask = np.zeros((32, 32), np.int64)
    if name == "U":
        mask[3:25, 4:7] = mask[3:25, 15:18] = mask[22:25, 4:18] = 1
    elif name == "S":
        mask[2:5, 3:28] = mask[2:16, 3:6] = mask[13:16, 3:28] = mask[13:28, 25:28] = mask[25:28, 3:28] = 1
    elif name == "spiral":
        for turn in range(0, 12, 4):
            mask[turn, turn : 31 - turn] = mask[turn : 31 - turn, 30 - turn] = 1
            mask[30 - turn, turn : 31 - turn] = mask[turn + 4 : 31 - turn, turn] = 1
            mask[turn + 4, turn : turn + 5] = 1
    elif name == "cross":
        mask[15:17, 4:28] = mask[4:28, 15:17] = 1
    else:
        mask[10:13, 1:31] = 1
    return mask


@pytest.mark.parametrize("halo", [1, 3, 9])
@pytest.mark.parametrize("merger", ["touch", "overlap"])
@pytest.mark.parametrize("name", SHAPES)
def test_an_object_of_any_shape_is_one_object(name: str, merger: str, halo: int) -> None:
    shape, tile = SHAPES[name]
    mask = shape if isinstance(shape, np.ndarray) else draw(shape)
    assert ndimage.label(mask)[1] == 1
    np.testing.assert_array_equal(run(mask, merger, tile, halo), mask)


@pytest.mark.parametrize("shift", range(-3, 3))
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_thin_objects_on_across_and_beside_a_seam_are_found_whole(merger: str, shift: int) -> None:
    truth = np.zeros((40, 120), np.int64)
    for number, thin in enumerate((1, 3, 5)):
        truth[20 + shift : 20 + shift + thin, 40 * number + 2 : 40 * number + 38] = number + 1
    for halo in (1, 2, 7):
        np.testing.assert_array_equal(run(truth, merger, 20, halo), truth)
        np.testing.assert_array_equal(run(np.ascontiguousarray(truth.T), merger, 20, halo), truth.T)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_small_objects_at_every_place_around_a_corner_are_one_object(merger: str, size: int) -> None:
    for y, x in itertools.product(range(8 - size, 9), repeat=2):
        truth = np.zeros((16, 16), np.int64)
        truth[y : y + size, x : x + size] = 1
        np.testing.assert_array_equal(run(truth, merger, 8, 2), truth)


@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_an_object_larger_than_halo_and_tile_is_one_object(merger: str) -> None:
    truth = (np.hypot(*(np.indices((64, 64)) - 31.5)) < 28).astype(int)
    for tile, halo in ((8, 2), (16, 3), (13, 20), (40, 1)):
        np.testing.assert_array_equal(run(truth, merger, tile, halo), truth)


def test_tiles_in_whose_overlap_nothing_lies_join_nothing() -> None:
    truth = np.zeros((30, 30), np.int64)
    truth[3:6, 3:6], truth[3:6, 23:26] = 1, 2
    np.testing.assert_array_equal(run(truth, "overlap", 15, 3), truth)


def test_more_than_a_hundred_thousand_objects_in_a_tile_keep_their_ids() -> None:
    mask = np.zeros((700, 640), np.uint8)
    mask[::2, ::2] = 1
    result = Pipeline(segmenter=lambda pixels: ndimage.label(pixels)[0], tiler=Grid(tile=(700, 320))).run(mask)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(mask)[0])
    assert result.n_objects == 112_000


@pytest.mark.parametrize(
    ("tile", "halo", "said"),
    [(8, 0, "along y, x the halo is 0"), ((8, 8), (0, 2), "along y the halo"), ((16, 8), (0, 0), "along x the halo")],
)
def test_overlap_without_an_overlap_is_refused(tile: Any, halo: Any, said: str) -> None:
    with pytest.raises(InvalidOption, match=f"merger 'overlap' compares what two tiles saw, but {said}"):
        run(np.zeros((16, 16), int), "overlap", tile, halo)


def test_overlap_needs_no_halo_where_there_is_one_tile_or_nothing_joins() -> None:
    truth = np.ones((3, 8, 8), int)
    assert run(truth, "overlap", (1, 8, 8), 0, axes="tyx").max() == 3
    assert run(truth, "overlap", 8, 0).max() == 1


RUBBISH = {
    "a number": lambda seam: 5,
    "nothing": lambda seam: None,
    "three columns": lambda seam: np.ones((1, 3), int),
    "one dimension": lambda seam: np.array([1, 1]),
    "floats": lambda seam: np.ones((1, 2)),
    "ragged rows": lambda seam: [[1, 1], [1]],
    "booleans": lambda seam: np.ones((1, 2), bool),
    "a label that is not there": lambda seam: np.array([[1, 99]]),
    "background": lambda seam: np.array([[0, 1]]),
    "a negative label": lambda seam: np.array([[1, -1]]),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_a_merger_that_returns_rubbish_is_refused_on_one_line_that_names_the_seam(name: str) -> None:
    with pytest.raises(InvalidLabels) as raised:
        run(np.ones((4, 8), int), RUBBISH[name], 4)
    message = str(raised.value)
    assert message.startswith("merger '")
    assert "tiles (0, 0) and (0, 1)" in message
    assert "\n" not in message


def test_a_merger_may_be_any_function_and_sees_each_seam_once() -> None:
    seams: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def rows_only(seam: Seam) -> Any:
        seams.append((seam.lower.index, seam.upper.index))
        assert seam.region is None
        assert seam.labels[0].shape == seam.labels[1].shape
        assert seam.offset == tuple(np.subtract(seam.upper.index, seam.lower.index))
        return [[1, 1]] if seam.offset == (1, 0) else []

    labels = run(np.ones((8, 8), int), rows_only, 4)
    assert labels[:, :4].max() == labels[:, :4].min() == 1
    assert labels[:, 4:].max() == labels[:, 4:].min() == 2
    corners = [
        ((0, 0), (0, 1)),
        ((0, 0), (1, 0)),
        ((0, 0), (1, 1)),
        ((0, 1), (1, 0)),
        ((0, 1), (1, 1)),
        ((1, 0), (1, 1)),
    ]
    assert sorted(seams) == corners


def test_a_merger_is_not_asked_about_tiles_without_objects() -> None:
    def never(seam: Seam) -> Any:
        raise AssertionError("asked")

    truth = np.zeros((12, 12), int)
    truth[1, 1] = truth[10, 10] = 1
    assert run(truth, never, 4).max() == 2


@pytest.mark.parametrize("options", [{"free": 0.0}, {"same": 1.0}, {"best_at": 1}])
def test_a_perfect_segmenter_needs_none_of_overlaps_options(options: dict[str, Any]) -> None:
    truth = voronoi((60, 60), 20, 1)
    np.testing.assert_array_equal(run(truth, Overlap(**options), 20, 6), truth)


def test_the_pipelines_merger_wins_over_the_segmenters_and_that_over_touch() -> None:
    def segmenter(pixels: NDArray[Any]) -> Any:
        return instances(pixels)

    assert Pipeline(segmenter=segmenter).effective_merger() == Touch()
    segmenter.merger = "overlap"  # type: ignore[attr-defined]  # functions take attributes
    assert Pipeline(segmenter=segmenter).effective_merger() == Overlap()
    assert Pipeline(segmenter=segmenter, merger=Touch(connectivity=2)).effective_merger() == Touch(connectivity=2)
