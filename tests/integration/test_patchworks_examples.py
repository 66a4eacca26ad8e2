"""Every example of patchworks 0.2.0's README and docs, run with `from tilewright import ...` on real nuclei.

The image is `docs/demo/data/img2d.tif`, 512 × 512 pixels, in OME-Zarr. What is compared is each object's pixels: the
labels of a run on tiles with those of the same function on the whole image, or with what its tiles must give where the
function, as in the README, takes a threshold from each tile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import small_cellpose
import zarr
from functions.nuclei import LEVEL, NUCLEI, threshold, write_ome_zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import (
    auto_overlap,
    auto_tile_shape,
    auto_tile_shape_cellpose,
    estimate_empty_tiles,
    load_ome_zarr,
    make_local_cluster,
    merge_tile_labels,
    relabel_sequential_array,
    relabel_sequential_zarr,
    tile_process,
)
from tilewright.plugins.cellpose import cellpose_fn

pytestmark = pytest.mark.slow

STARDIST = Path(__file__).parents[2] / "plugins" / "stardist" / "tests" / "models"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `image.zarr`, two z-slices of nuclei in chunks of one slice's quarter."""
    write_ome_zarr(tmp_path / "image.zarr", stack(), "zyx", (1, 256, 256))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stack() -> NDArray[Any]:
    return np.stack([NUCLEI, NUCLEI.T])


def otsu(values: NDArray[Any]) -> float:
    """The threshold that leaves the two classes the least variance: what scikit-image's `threshold_otsu` finds."""
    levels, counts = np.unique(values, return_counts=True)
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * levels)[:-1]
    above, rest = values.size - below, (counts * levels).sum() - sums
    return float(levels[np.argmax(below * above * (rest / above - sums / below) ** 2)])


def by_tiles(image: NDArray[Any], tile: tuple[int, ...], mask: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Connected components of the foreground that each tile alone gives."""
    blocks = da.from_array(image, chunks=tile).map_blocks(mask, dtype=bool)
    labels: NDArray[Any] = ndimage.label(blocks.compute())[0]
    return labels


def test_threshold(folder: Path) -> None:
    def my_fn(tile: NDArray[Any]) -> NDArray[Any]:
        return ndimage.label(tile > otsu(tile))[0].astype("int32")

    result = tile_process("image.zarr", my_fn, compute=True)
    assert result.shape == (2, 512, 512)
    np.testing.assert_array_equal(result, by_tiles(stack(), (1, 256, 256), lambda tile: tile > otsu(tile)))


def test_threshold_of_an_image_in_one_chunk_is_that_of_the_whole(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", NUCLEI, "yx", (512, 512))
    result = tile_process(tmp_path / "image.zarr", lambda tile: ndimage.label(tile > otsu(tile))[0], compute=True)
    np.testing.assert_array_equal(result, ndimage.label(otsu(NUCLEI) < NUCLEI)[0])
    assert result.max() > 100, "the image has 125 nuclei"


def test_custom_function(folder: Path) -> None:
    def smoothed(tile: NDArray[Any]) -> NDArray[Any]:
        blurred = ndimage.gaussian_filter(tile.astype("float32"), sigma=1.5)
        return blurred > blurred.mean()

    def my_custom_fn(tile: NDArray[Any]) -> NDArray[Any]:
        return ndimage.label(smoothed(tile))[0].astype("int32")

    labels = tile_process("image.zarr", my_custom_fn, tile_shape=(1, 512, 512))
    np.testing.assert_array_equal(labels.compute(), by_tiles(stack(), (1, 512, 512), smoothed))


def matched(one: NDArray[Any], other: NDArray[Any], iou: float = 0.75) -> float:
    """The F1 score of objects of two label images that agree."""
    pairs, shared = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1, return_counts=True)
    of_one, of_other = np.bincount(one.ravel()), np.bincount(other.ravel())
    union = of_one[pairs[0]] + of_other[pairs[1]] - shared
    hits = ((pairs > 0).all(axis=0) & (shared >= iou * union)).sum()
    return 2 * hits / (len(np.unique(one)) + len(np.unique(other)) - 2)


def test_stardist_function(folder: Path) -> None:
    """The README's function around a real StarDist network, the small one of the plugin's tests."""
    from stardist.models import StarDist2D

    model = StarDist2D(None, name="nuclei_small", basedir=str(STARDIST))
    low, high = np.percentile(stack(), (1, 99.8))  # of the whole, not of each tile, which would differ

    def stardist_fn(tile: NDArray[Any]) -> NDArray[Any]:
        img = tile[0] if tile.ndim == 3 and tile.shape[0] == 1 else tile
        norm = (img.astype("float32") - low) / (high - low)
        labels, _ = model.predict_instances(norm)
        return labels.astype("int32")[None] if tile.ndim == 3 else labels.astype("int32")

    labels = tile_process(
        "image.zarr", stardist_fn, tile_shape=(1, 200, 200), overlap=48, merger="overlap", write_to="labels.zarr"
    )
    for z in range(2):
        plane = relabel_sequential_array(labels[z].compute())
        assert matched(plane, stardist_fn(stack()[z])) > 0.98
    fused = tile_process("image.zarr", stardist_fn, tile_shape=(1, 200, 200), overlap=48)
    assert fused.max().compute() < labels.max().compute(), "`touch` fuses nuclei that meet at a seam"


def test_cellpose_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's call, with Cellpose as it is and a model that needs no GPU and no download."""
    small_cellpose.narrow()
    quarter = NUCLEI[:256, :256]
    planes = np.stack([quarter, quarter.T])
    write_ome_zarr(tmp_path / "image.zarr", planes, "zyx", (1, 256, 256))
    monkeypatch.chdir(tmp_path)
    fn = cellpose_fn(str(small_cellpose.SMALL), gpu=False, diameter=30)
    tile_fn = functools.partial(auto_tile_shape_cellpose, diameter=30, use_gpu=True, gpu_memory=2**31 + 40 * 2 * 130**2)
    assert tile_fn((2, 256, 256), "uint16") == (1, 183, 184)
    for shape in ((1, 2048, 2048), tile_fn):
        labels = tile_process(
            "image.zarr", fn, tile_shape=shape, overlap=auto_overlap(30), write_to="labels.zarr", progress=True,
            overwrite=True,
        )  # fmt: skip
        for z in range(2):
            plane = relabel_sequential_array(labels[z].compute())
            assert plane.max() > 15, "30 nuclei lie in a quarter of the image"
            assert matched(plane, fn(planes[z]).astype(int)) > 0.9


def test_auto_tiles(folder: Path) -> None:
    whole = threshold(stack())
    labels = tile_process("image.zarr", threshold, tile_shape="auto", use_gpu=True, compute=True)
    np.testing.assert_array_equal(labels, whole)
    small = functools.partial(auto_tile_shape, target_bytes=2**15)
    np.testing.assert_array_equal(tile_process("image.zarr", threshold, tile_shape=small, compute=True), whole)


def test_skip_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    volume = np.zeros((4, 1024, 1024), np.uint16)
    volume[1, 512:, :512] = NUCLEI
    write_ome_zarr(tmp_path / "image.zarr", volume, "zyx", (1, 256, 256))
    monkeypatch.chdir(tmp_path)

    info = estimate_empty_tiles("image.zarr", tile_shape=(2, 256, 256))
    assert info["empty_fraction"] == 28 / 32
    assert info["threshold"] < LEVEL
    seen = []

    def fn(tile: NDArray[Any]) -> NDArray[Any]:
        seen.append(tile.shape)
        return threshold(tile)

    for given in (info["threshold"], None):
        seen.clear()
        labels = tile_process(
            "image.zarr", fn, tile_shape=(2, 256, 256), skip_empty=True, empty_threshold=given, write_to="labels.zarr",
            overwrite=True,
        )  # fmt: skip
        assert len(seen) == 4
        np.testing.assert_array_equal(labels.compute(), threshold(volume))


def test_cluster(folder: Path) -> None:
    client, cluster = make_local_cluster(use_gpu=True, dashboard_address=":0")
    try:
        tile_process("image.zarr", threshold, write_to="labels.zarr", progress=True)
    finally:
        client.close()
        cluster.close()
    np.testing.assert_array_equal(zarr.open_group("labels.zarr", mode="r")["labels"][:], threshold(stack()))


def test_contiguous_labels(folder: Path) -> None:
    labels = tile_process("image.zarr", threshold, write_to="labels.zarr", sequential_labels=True)
    whole = threshold(stack())
    np.testing.assert_array_equal(labels.compute(), whole)
    gaps = zarr.open_group("labels.zarr")["labels"]
    gaps[:] = np.where(whole > 0, whole * 7 + 3, 0)
    assert relabel_sequential_zarr("labels.zarr") == whole.max()
    np.testing.assert_array_equal(zarr.open_group("labels.zarr", mode="r")["labels"][:], whole)


def test_merge_only_from_dask(folder: Path) -> None:
    zarr.create_array(folder / "plain.zarr", data=stack(), chunks=(1, 256, 256))
    image = da.from_zarr("plain.zarr").rechunk((1, 200, 200))
    labeled = image.map_blocks(threshold, dtype="int32", meta=np.empty((0,) * image.ndim, dtype="int32"))
    merged = merge_tile_labels(labeled, write_to="labels.zarr", progress=True)
    np.testing.assert_array_equal(merged.compute(), threshold(stack()))


def test_merge_only_from_zarr(folder: Path) -> None:
    labeled = load_ome_zarr("image.zarr").map_blocks(threshold, dtype="int32").compute()
    zarr.create_group("my_staged_labels.zarr").create_array("raw_labels", data=labeled, chunks=(1, 256, 256))
    merged = merge_tile_labels(
        "my_staged_labels.zarr", input_component="raw_labels", write_to="merged.zarr", sequential_labels=True
    )
    np.testing.assert_array_equal(merged.compute(), threshold(stack()))
