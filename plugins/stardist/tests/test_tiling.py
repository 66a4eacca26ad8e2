"""Tiles change nothing: real networks on nuclei that touch. The long form is benchmarks/tiling.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synth import make

from tilewright import Grid, Image, Pipeline, Result, compare
from tilewright_stardist.normalization import normalized
from tilewright_stardist.segmenter import StarDist

pytestmark = pytest.mark.slow


def tiled(segmenter: StarDist, image: Image, **grid: Any) -> NDArray[Any]:
    return np.asarray(Pipeline(segmenter=segmenter, tiler=Grid(**grid)).run(image).labels)


def assert_same(whole: NDArray[Any], labels: NDArray[Any]) -> None:
    """Every object of the piece is there once, with 90 % of it and more shared, and nothing else is."""
    found = compare(whole, labels, thresholds=[0.9])
    assert found.n_reference == found.n_predicted
    assert found[0.9].ap == 1.0
    assert not any(len(getattr(found, name)) for name in ("fused", "split", "lost", "doubled"))


def assert_equal(labels: NDArray[Any], whole: NDArray[Any]) -> None:
    """The same pixels are the same objects, whose ids differ."""
    (first, of), (other, of_other) = (
        np.unique(each, return_index=True, return_inverse=True)[1:] for each in (labels, whole)
    )
    np.testing.assert_array_equal(labels > 0, whole > 0)
    np.testing.assert_array_equal(first[of.ravel()], other[of_other.ravel()])


def untiled(segmenter: StarDist, pixels: NDArray[Any]) -> NDArray[Any]:
    """StarDist's own labels of an image in one piece."""
    labels: NDArray[Any] = segmenter._network.model.predict_instances(normalized(pixels, segmenter.limits or ()))[0]
    return labels


@pytest.fixture(scope="module")
def tissue() -> Image:
    return Image(data=make((520, 600), "tissue", seed=4)[0], axes="yx")


@pytest.mark.parametrize("preset", ["medium", "dense", "tissue"])
def test_an_image_in_tiles_is_segmented_as_in_one_piece(preset: str, small2d: str) -> None:
    pixels, truth = make((560, 600), preset, seed=4)
    image = Image(data=pixels, axes="yx")
    segmenter = StarDist(model=small2d).prepare(image)
    library = untiled(segmenter, pixels)
    assert compare(truth, library, thresholds=[0.5])[0.5].ap > 0.95, "the network is trained on nuclei like these"
    whole = segmenter(pixels)
    for tile, halo in (((256, 256), None), ((300, 277), 48), ((100, 512), None)):
        labels = tiled(segmenter, image, tile=tile, halo=halo)
        assert_same(library, labels)
        assert_equal(labels, whole)


def test_a_volume_in_tiles_is_segmented_as_in_one_piece(small3d: str) -> None:
    pixels, truth = make((32, 72, 96), "dense", seed=4, radius=6.0)
    image = Image(data=pixels, axes="zyx")
    segmenter = StarDist(model=small3d).prepare(image)
    library = untiled(segmenter, pixels)
    assert compare(truth, library, thresholds=[0.5])[0.5].ap > 0.9
    labels = tiled(segmenter, image, tile=(32, 72, 48))
    assert_same(library, labels)
    assert_equal(labels, segmenter(pixels))


@pytest.mark.parametrize("tile", [100, 256, 700])
def test_each_window_goes_through_the_network_once_and_windows_change_nothing(
    tile: int, small2d: str, tissue: Image
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Budgeted(Grid):
        memory: int  # the budget of windows

    segmenter = StarDist(model=small2d).prepare(tissue)
    library = untiled(segmenter, np.asarray(tissue.data))
    for memory, count in ((50_000_000, 9), (2**31, 1)):
        result = Pipeline(segmenter=segmenter, tiler=Budgeted(tile=tile, memory=memory)).run(tissue)
        assert result.provenance["n_predicted"] == count
        assert_same(library, np.asarray(result.labels))


def test_kept_candidates_serve_other_thresholds_without_the_network(
    small2d: str, tissue: Image, tmp_path: Path
) -> None:
    def run(name: str, keep: bool, **thresholds: float) -> Result:
        pipeline = Pipeline(segmenter=StarDist(model=small2d, **thresholds), tiler=Grid(tile=256))
        return pipeline.run(tissue, tmp_path / name, keep_predictions=keep, overwrite=True)

    assert run("kept.zarr", True).provenance["n_predicted"] == 1
    for number, thresholds in enumerate(({"prob_threshold": 0.06}, {"prob_threshold": 0.8, "nms_threshold": 0.05})):
        again, fresh = run("kept.zarr", True, **thresholds), run(f"fresh{number}.zarr", False, **thresholds)
        assert (again.provenance["n_predicted"], fresh.provenance["n_predicted"]) == (0, 1)
        np.testing.assert_array_equal(again.labels.compute(), fresh.labels.compute())


def test_two_processes_find_what_one_call_finds(small2d: str, tissue: Image) -> None:
    segmenter = StarDist(model=small2d).prepare(tissue)
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=200)).run(tissue, workers=2, processes=True)
    assert_equal(np.asarray(result.labels), segmenter(np.asarray(tissue.data)))


def test_planes_of_a_stack_and_channels_are_seen_once_each(small2d: str, small_rgb: str) -> None:
    plane = make((120, 140), "dense", seed=6)[0]
    stack = np.stack([[plane, plane[::-1]], [plane[:, ::-1], plane.max() - plane]])
    segmenter = StarDist(model=small2d).prepare(Image(data=stack, axes="tzyx"))
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=64)).run(Image(data=stack, axes="tzyx"))
    assert result.provenance["n_predicted"] == 4
    for at in np.ndindex(2, 2):
        assert_equal(result.labels.compute()[at], segmenter(stack[at]))
    colours = np.stack([plane, plane // 2, plane + 9], axis=-1)
    image = Image(data=colours, axes="yxc")
    of_colours = StarDist(model=small_rgb, per_channel=True).prepare(image)
    result = Pipeline(segmenter=of_colours, tiler=Grid(tile=64)).run(image)
    assert_equal(np.asarray(result.labels), of_colours(colours.transpose(2, 0, 1)))


def test_percentiles_of_each_tile_would_change_what_is_found(small2d: str) -> None:
    """What `prepare` is for: the same tiles, each stretched by itself."""
    pixels = make((512, 512), "tissue", seed=4)[0]
    pixels[:, 256:] //= 3  # a dim half
    image = Image(data=pixels, axes="yx")
    prepared = StarDist(model=small2d).prepare(image)
    alone = StarDist(model=small2d)

    def unprepared(part: NDArray[Any]) -> NDArray[Any]:
        return alone(part)

    whole = prepared(pixels)
    agreed = tiled(prepared, image, tile=256)
    apart = Pipeline(segmenter=unprepared, tiler=Grid(tile=256, halo=72), merger="overlap").run(image).labels.compute()
    assert compare(whole, agreed, thresholds=[0.9])[0.9].ap == 1.0
    assert compare(whole, apart, thresholds=[0.9])[0.9].ap < 0.98
