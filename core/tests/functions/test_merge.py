"""`merge_tile_labels`: the join of tiles that were segmented elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from dask.array.overlap import overlap as with_overlap
from numpy.typing import NDArray
from scipy import ndimage
from truth import instances, raster_order

from tilewright import Image, InvalidLabels, NotReadable, merge_tile_labels

IMAGE = np.random.default_rng(1).random((60, 70)) < 0.5
WHOLE = ndimage.label(IMAGE)[0]


def components(tile: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile)[0]
    return labels


def segmented(image: NDArray[Any], chunks: Any, fn: Any = components) -> da.Array:
    array = da.from_array(image, chunks=chunks)
    return array.map_blocks(fn, dtype="int64", meta=np.empty((0,) * image.ndim, "int64"))


@pytest.mark.parametrize("chunks", [(16, 16), ((10, 50), (3, 60, 7))], ids=["regular", "irregular"])
@pytest.mark.parametrize("merged", [{}, {"sequential_labels": True}, {"n_workers": 1}])
def test_the_chunks_of_a_dask_array_are_the_tiles(chunks: Any, merged: dict[str, Any]) -> None:  # F20
    labels = merge_tile_labels(segmented(IMAGE, chunks), compute=True, **merged)
    np.testing.assert_array_equal(labels, WHOLE)


def test_each_chunk_is_computed_once() -> None:
    calls = []

    def counted(tile: NDArray[Any], block_info: Any = None) -> NDArray[Any]:
        calls.append(tile.shape)
        return components(tile)

    merge_tile_labels(segmented(IMAGE, (20, 35), counted), compute=True)
    assert calls == [(20, 35)] * 6


def test_a_zarr_array_in_a_store_is_merged_by_its_chunks_or_by_given_tiles(tmp_path: Path) -> None:
    tiles = segmented(IMAGE, (16, 16)).compute()
    store = zarr.create_group(tmp_path / "staged.zarr")
    store.create_array("raw_labels", data=tiles, chunks=(16, 16))
    store.create_array("large", data=tiles, chunks=(64, 64))
    out = tmp_path / "merged.zarr"
    by_chunks = merge_tile_labels(tmp_path / "staged.zarr", input_component="raw_labels", write_to=out)
    np.testing.assert_array_equal(by_chunks.compute(), WHOLE)
    given = merge_tile_labels(
        tmp_path / "staged.zarr", input_component="large", tile_shape=(16, 16), write_to=out, output_component="given"
    )
    np.testing.assert_array_equal(given.compute(), WHOLE)
    np.testing.assert_array_equal(merge_tile_labels(store["raw_labels"], compute=True), WHOLE)


def test_the_input_is_not_written_over_and_a_missing_one_is_named(tmp_path: Path) -> None:
    store = zarr.create_group(tmp_path / "staged.zarr")
    store.create_array("labels", data=segmented(IMAGE, (16, 16)).compute(), chunks=(16, 16))
    with pytest.raises(ValueError, match="holds pixels of the image"):
        merge_tile_labels(tmp_path / "staged.zarr", write_to=tmp_path / "staged.zarr", overwrite=True)
    with pytest.raises(NotReadable, match=r"no zarr array 'raw' in .*staged.zarr"):
        merge_tile_labels(tmp_path / "staged.zarr", input_component="raw")


def test_ids_that_are_unique_across_tiles_hold_an_object_together(tmp_path: Path) -> None:
    labels = np.zeros((4, 12), np.int64)
    labels[0, 0], labels[3, 11], labels[2, 5], labels[2, 6] = 7, 7, 9, 10
    one = np.zeros((4, 12), np.int64)
    one[0, 0], one[3, 11], one[2, 5:7] = 1, 1, 2
    tiles = da.from_array(labels, chunks=(4, 6))
    np.testing.assert_array_equal(merge_tile_labels(tiles, unique=True, compute=True), one)
    one[3, 11] = 3
    np.testing.assert_array_equal(merge_tile_labels(tiles, compute=True), one)


@pytest.mark.parametrize("depth", [4, (4, 9)])
def test_halos_of_dask_s_overlap_are_trimmed(depth: Any) -> None:
    by_axis = dict(enumerate(depth)) if isinstance(depth, tuple) else depth
    haloed = with_overlap(da.from_array(IMAGE, chunks=((20, 25, 15), (30, 40))), depth=by_axis, boundary="none")
    tiles = haloed.map_blocks(components, dtype="int64")
    np.testing.assert_array_equal(merge_tile_labels(tiles, overlap=depth, compute=True), WHOLE)


@pytest.mark.parametrize("depth", [3, 9, (9, 2)])
def test_halos_are_compared_by_the_merger_overlap(depth: Any) -> None:
    truth = np.arange(30).reshape(5, 6).repeat(9, 0).repeat(9, 1) + 1
    by_axis = dict(enumerate(depth)) if isinstance(depth, tuple) else depth
    haloed = with_overlap(da.from_array(truth, chunks=((9, 18, 18), (27, 9, 18))), depth=by_axis, boundary="none")
    tiles = haloed.map_blocks(instances, dtype="int64")
    merged = merge_tile_labels(tiles, overlap=depth, merger="overlap", compute=True)
    np.testing.assert_array_equal(merged, raster_order(truth))


def test_corners_join_with_connectivity_2() -> None:
    labels = np.zeros((4, 4), np.uint8)
    labels[1, 1] = labels[2, 2] = 1
    tiles = da.from_array(labels, chunks=(2, 2))
    assert [int(merge_tile_labels(tiles, connectivity=n).max()) for n in (1, 2)] == [2, 1]


def test_four_dimensions_are_tzyx_and_frames_stay_apart() -> None:
    labels = np.ones((3, 2, 4, 4), np.uint8)
    np.testing.assert_array_equal(merge_tile_labels(labels, compute=True)[:, 0, 0, 0], [1, 2, 3])
    movie = Image(data=labels[:, 0], axes="tyx")
    np.testing.assert_array_equal(merge_tile_labels(movie, compute=True)[:, 0, 0], [1, 2, 3])


def test_ids_may_be_any_whole_numbers_and_nothing_else() -> None:
    huge = np.zeros((8, 8), np.uint64)
    huge[0, 0], huge[7, 7] = 20_000_000, 2**64 - 1  # F21
    labels = merge_tile_labels(da.from_array(huge, chunks=4), compute=True)
    assert (labels[0, 0], labels[7, 7], labels.max()) == (1, 2, 2)
    with pytest.raises(InvalidLabels, match="-3"):
        merge_tile_labels(np.array([[0, -3]]))
