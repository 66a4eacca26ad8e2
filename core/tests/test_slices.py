"""Slices that were segmented one by one, linked along z: against Cellpose's meaning written out object by object."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import squares
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import instances, raster_order, voronoi

from tilewright import CheckpointMismatch, Grid, InvalidOption, Pipeline

Labels = NDArray[Any]


def components(pixels: Labels) -> Any:
    return ndimage.label(pixels)[0]


components.axes = "yx"  # type: ignore[attr-defined]  # functions take attributes


def cells(pixels: Labels) -> Any:
    return instances(pixels)


cells.axes, cells.merger = "yx", "overlap"  # type: ignore[attr-defined]  # likewise


def ids(labels: Labels) -> list[int]:
    return [int(i) for i in np.unique(labels) if i]


def iou(one: Labels, other: Labels) -> float:
    return float((one & other).sum() / (one | other).sum())


def stitched(slices: Labels, least: float) -> Labels:
    """What Cellpose's `stitch3D` makes of slices with ids from 1 on: each object goes on with the id of its best match.

    A match counts from the least IoU on, and only if no other object of the same slice has a higher one with it. The
    slice before has its new ids, so of equal matches the older counts, and two that got one id are one object there.
    """
    result = np.zeros(slices.shape, np.int64)
    following = 1
    for z, here in enumerate(slices):
        before = result[z - 1] if z else np.zeros_like(here)
        table = {(a, b): iou(here == a, before == b) for a, b in itertools.product(ids(here), ids(before))}
        for a in ids(here):
            fit = [b for b in ids(before) if table[a, b] == max(table[other, b] for other in ids(here))]
            best = max((b for b in fit if table[a, b] >= least), key=lambda b: (table[a, b], -b), default=None)
            mask = here == a
            result[z][mask] = following if best is None else best
            following += best is None
    return raster_order(result)


@st.composite
def stacks(draw: st.DrawFn) -> NDArray[np.bool_]:
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 12), st.integers(1, 12)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    noise = random.random(shape)  # unsmoothed it has many objects of a few pixels, and so many equal IoUs
    return (
        noise if draw(st.booleans()) else ndimage.gaussian_filter(noise, (draw(st.sampled_from([0, 1])), 1, 1))
    ) > 0.5


grids = st.builds(
    Grid, tile=st.tuples(st.integers(1, 3), st.integers(2, 13), st.integers(2, 13)), halo=st.integers(0, 3)
)


@pytest.mark.slow
@settings(max_examples=60)
@given(stacks(), grids, st.sampled_from([0.05, 0.25, 0.5, 1.0]))
def test_linked_components_are_those_of_the_definition(mask: Labels, tiler: Grid, least: float) -> None:
    result = Pipeline(segmenter=components, tiler=tiler).run(mask, join_z=least)
    expected = stitched(np.stack([ndimage.label(each)[0] for each in mask]), least)
    np.testing.assert_array_equal(result.labels.compute(), expected)
    assert result.n_objects == expected.max()


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(0, 99), st.integers(2, 13), st.integers(1, 5))
def test_linked_cells_that_touch_are_those_of_the_definition(
    depth: int, count: int, seed: int, tile: int, halo: int
) -> None:
    truth = np.stack([voronoi((12, 14), count, seed + z) for z in range(depth)])
    result = Pipeline(segmenter=cells, tiler=Grid(tile=tile, halo=halo)).run(truth, join_z=0.2)
    np.testing.assert_array_equal(result.labels.compute(), stitched(truth, 0.2))


def drifting(*starts: int, length: int = 6) -> NDArray[np.bool_]:
    """One object a slice, each beginning where it is said: 5 of 7 pixels are shared if it moves by one."""
    mask = np.zeros((len(starts), 2, 20), bool)
    for plane, start in zip(mask, starts, strict=True):
        plane[:, start : start + length] = start >= 0
    return mask


@pytest.mark.parametrize(
    ("join_z", "objects"), [(False, 3), (True, 1), (5 / 7, 1), (np.nextafter(5 / 7, 1), 3), (1.0, 3)]
)
def test_slices_are_linked_from_the_iou_that_is_said(join_z: Any, objects: int) -> None:
    assert Pipeline(segmenter=components).run(drifting(3, 4, 5), join_z=join_z).n_objects == objects


def test_an_empty_slice_ends_an_object_and_each_time_point_has_its_own() -> None:
    assert Pipeline(segmenter=components).run(drifting(3, -9, 3), join_z=True).n_objects == 2
    stack = np.stack([drifting(3, 3), drifting(3, 3)])
    assert Pipeline(segmenter=components).run(stack, axes="tzyx", join_z=True).n_objects == 2


def test_of_two_that_overlap_equally_well_both_go_on_with_the_object_before() -> None:
    """As in Cellpose; where an object overlaps two of the slice before equally well, it goes on with the older one."""
    mask = np.zeros((3, 1, 7), bool)
    mask[1, 0, :] = True
    mask[0, 0, :3] = mask[0, 0, 4:] = mask[2, 0, :3] = mask[2, 0, 4:] = True
    labels = Pipeline(segmenter=components).run(mask, join_z=True).labels.compute()
    assert labels[:, 0].tolist() == [[1, 1, 1, 0, 2, 2, 2], [1] * 7, [1, 1, 1, 0, 1, 1, 1]]


def test_two_that_continue_one_object_are_one_object_for_the_next_slice() -> None:
    """Alone, each half would have an IoU of a half with the whole that follows; together they have one of 1."""
    mask = np.zeros((3, 1, 9), bool)
    mask[0, 0, 1:8] = mask[2, 0, 1:8] = True
    mask[1, 0, 1:4] = mask[1, 0, 5:8] = True
    assert Pipeline(segmenter=components).run(mask, join_z=0.4).n_objects == 1
    assert Pipeline(segmenter=components).run(mask[1:], join_z=0.4).n_objects == 2


def test_of_two_equal_ones_before_the_chain_that_began_first_goes_on() -> None:
    """The left object begins in the second slice, the right one in the first."""
    mask = np.zeros((3, 1, 7), bool)
    mask[0, 0, 4:] = mask[1, 0, 4:] = mask[1, 0, :3] = mask[2, 0, :] = True
    labels = Pipeline(segmenter=components).run(mask, join_z=True).labels.compute()
    assert labels[:, 0].tolist() == [[0] * 4 + [1] * 3, [2, 2, 2, 0, 1, 1, 1], [1] * 7]


def by_value(pixels: Labels) -> Any:
    return pixels.astype(np.int64)


by_value.axes = "yx"  # type: ignore[attr-defined]  # likewise


@pytest.mark.slow
@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(2, 7), st.integers(0, 99))
def test_with_equal_ids_in_several_slices_nothing_is_lost_and_they_stay_one_object(
    depth: int, length: int, seed: int
) -> None:
    ids = np.random.default_rng(seed).integers(0, 6, (depth, 1, length))
    pipeline = Pipeline(segmenter=by_value, tiler=Grid(tile=(1, 4, 3)))
    labels = pipeline.run(ids, same_ids=True, join_z=0.2).labels.compute()
    np.testing.assert_array_equal(labels > 0, ids > 0)
    assert all(len(np.unique(labels[ids == each])) <= 1 for each in range(1, 6))


def test_objects_too_small_in_one_slice_count_with_all_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "min_size", 13, raising=False)
    assert Pipeline(segmenter=components).run(drifting(3, 4, 9), join_z=True).n_objects == 1


@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_the_result_does_not_depend_on_workers_or_on_having_been_stopped(merger: str, tmp_path: Path) -> None:
    mask = squares((6, 40, 40), 9, 6)
    mask[3] = np.roll(mask[3], 2, axis=1)
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=10, halo=2), merger=merger)
    expected = pipeline.run(mask, join_z=0.3, workers=1)
    stopped: dict[str, Any] = {"join_z": 0.3, "checkpoint_dir": tmp_path, "keep_checkpoint": True, "overwrite": True}
    seen: list[str] = []

    def stop(stage: str, done: int, total: int) -> None:
        seen.append(stage)
        if stage == "link" and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(mask, tmp_path / "labels.zarr", progress=stop, **stopped)
    assert seen[-1] == "link"
    with pytest.raises(CheckpointMismatch, match=r"join_z 0\.3 there, 0\.4 now"):
        pipeline.run(mask, tmp_path / "labels.zarr", **stopped | {"join_z": 0.4})
    again = pipeline.run(mask, tmp_path / "labels.zarr", workers=3, **stopped)
    np.testing.assert_array_equal(again.labels.compute(), expected.labels.compute())
    assert expected.provenance["join_z"] == 0.3


@pytest.mark.parametrize("join_z", [0, -1, 1.5, float("nan")])
def test_an_iou_that_there_cannot_be_is_refused(join_z: float) -> None:
    with pytest.raises(InvalidOption, match=r"join_z must be True, False or an IoU above 0 and up to 1, not "):
        Pipeline(segmenter=components).run(drifting(3), join_z=join_z)


def test_slices_that_are_not_segmented_one_by_one_are_not_linked() -> None:
    with pytest.raises(
        InvalidOption, match="this segmenter is handed z, and its objects join along it; leave join_z out"
    ):
        Pipeline(segmenter=lambda pixels: ndimage.label(pixels)[0]).run(drifting(3), join_z=True)
    with pytest.raises(InvalidOption, match="the image has axes 'yx', without z; leave join_z out"):
        Pipeline(segmenter=components).run(drifting(3)[0], join_z=True)
