"""Tiles, batches and workers change nothing: labels are those of the whole image, pixel by pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_model
from numpy.typing import NDArray
from synth import make

from tilewright import Grid, Image, Pipeline
from tilewright_bioimageio.segmenter import BioImageModel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")]


def tiled(model: BioImageModel, image: Image, tile: Any, **options: Any) -> NDArray[Any]:
    return np.asarray(Pipeline(segmenter=model, tiler=Grid(tile=tile)).run(image, **options).labels)


def numbered(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels numbered by their first pixel, as those of a run are."""
    ids, first, which = np.unique(labels, return_index=True, return_inverse=True)
    order = np.zeros(len(ids), int)
    order[np.argsort(np.where(ids == 0, -1, first))] = np.arange(len(ids))
    return (order + (ids[0] != 0))[which].reshape(labels.shape)


@pytest.mark.parametrize("preset", ["medium", "dense", "tissue"])
@pytest.mark.parametrize("boundaries", [None, "seam"])
def test_an_image_in_tiles_is_segmented_as_in_one_piece(model: str, preset: str, boundaries: str | None) -> None:
    pixels = make((260, 300), preset, seed=4)[0]
    image = Image(data=pixels, axes="yx")
    network = BioImageModel(model=model, boundaries=boundaries, weights="onnx", window=(1, 96, 96))
    whole = numbered(network(pixels))
    assert whole.max() > 30
    for tile in ((64, 64), (100, 177), (300, 40)):
        np.testing.assert_array_equal(tiled(network, image, tile), whole)


def test_a_volume_in_tiles_is_segmented_as_in_one_piece(folder: Path) -> None:
    pixels = make((24, 72, 96), "dense", seed=4, radius=6.0)[0]
    steps = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["z", "y", "x"]}}]
    small_model.write(folder, space="zyx", preprocessing=steps, sizes={"z": {"min": 12, "step": 4}}, halo=5)
    network = BioImageModel(model=str(folder), boundaries=1, diameter=14, window=(16, 48, 48))
    whole = numbered(network(pixels))
    assert whole.max() > 10
    for tile in ((12, 40, 50), (24, 72, 30)):
        np.testing.assert_array_equal(tiled(network, Image(data=pixels, axes="zyx"), tile), whole)


@pytest.mark.parametrize(
    "options", [{"padding": 0, "halo": 0}, {"stride": 2, "halo": 3}, {"sizes": {"y": 64, "x": 48}}]
)
def test_windows_of_every_kind_lie_over_the_image_and_not_over_tiles(
    folder: Path, dense: NDArray[Any], options: dict[str, Any]
) -> None:
    network = BioImageModel(model=str(small_model.write(folder, **options)), boundaries=1, window=(1, 64, 64))
    whole = numbered(network(dense))
    for tile in (50, 77):
        np.testing.assert_array_equal(tiled(network, Image(data=dense, axes="yx"), tile), whole)


@pytest.mark.parametrize("weights", ["onnx", "torchscript"])
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_batches_change_nothing(model: str, dense: NDArray[Any], weights: Any, batch: int) -> None:
    one, other = (BioImageModel(model=model, weights=weights, window=(1, 48, 48), batch=n) for n in (4, batch))
    np.testing.assert_array_equal(one(dense), other(dense))


def test_a_model_of_one_window_at_a_time_is_given_one(folder: Path, tmp_path: Path, dense: NDArray[Any]) -> None:
    def alone(record: dict[str, Any]) -> None:
        record["inputs"][0]["axes"][0]["size"] = 1

    any_number = small_model.write(tmp_path / "any")
    one = small_model.change(small_model.write(folder), alone)
    labels = [BioImageModel(model=str(each), window=(1, 48, 48))(dense) for each in (any_number, one)]
    np.testing.assert_array_equal(*labels)


def test_planes_and_channels_of_a_stack_are_seen_once_each(folder: Path, dense: NDArray[Any]) -> None:
    stack = np.stack([[dense, dense[::-1]], [dense[:, ::-1], dense.max() - dense]])
    image = Image(data=np.stack([stack, stack // 2, stack + 9], axis=-1), axes="tzyxc")
    network = BioImageModel(model=str(small_model.write(folder, channels=3)), boundaries=1).prepare(image)
    result = Pipeline(segmenter=network, tiler=Grid(tile=64)).run(image)
    assert result.provenance["n_predicted"] == 4
    for at in np.ndindex(2, 2):
        alone = network(np.moveaxis(np.asarray(image.data)[at], -1, 0))
        np.testing.assert_array_equal(numbered(np.asarray(result.labels)[at]), numbered(alone))


def test_processes_find_what_one_call_finds(model: str, dense: NDArray[Any]) -> None:
    network = BioImageModel(model=model, boundaries=1, window=(1, 64, 64))
    labels = tiled(network, Image(data=dense, axes="yx"), 50, workers=2, processes=True)
    np.testing.assert_array_equal(labels, numbered(network(dense)))


def test_kept_predictions_serve_other_thresholds_without_the_network(
    model: str, dense: NDArray[Any], tmp_path: Path
) -> None:
    def run(name: str, keep: bool, **thresholds: float) -> Any:
        network = BioImageModel(model=model, boundaries=1, window=(1, 64, 64), **thresholds)  # type: ignore[arg-type]
        pipeline = Pipeline(segmenter=network, tiler=Grid(tile=80))
        image = Image(data=dense, axes="yx")
        return pipeline.run(image, tmp_path / name, keep_predictions=keep, overwrite=True)

    assert run("kept.zarr", True).provenance["n_predicted"] > 0
    thresholds = {"threshold": 0.6, "seed_threshold": 0.3, "min_size": 20}
    again, fresh = run("kept.zarr", True, **thresholds), run("fresh.zarr", False, **thresholds)
    assert again.provenance["n_predicted"] == 0 < fresh.provenance["n_predicted"]
    np.testing.assert_array_equal(again.labels.compute(), fresh.labels.compute())
