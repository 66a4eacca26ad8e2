"""A forecast beside the run that it foretells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components

from tilewright import Forecast, Grid, Image, Pipeline
from tilewright.cli import main


@settings(max_examples=20)
@given(data=st.data())
def test_tiles_and_halos_are_counted_as_the_run_reads_them(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=3))
    tiler = Grid(tile=data.draw(st.integers(1, 12)), halo=data.draw(st.integers(0, 9)))
    seen: list[tuple[int, ...]] = []

    def watched(pixels: NDArray[Any]) -> NDArray[Any]:
        seen.append(pixels.shape)
        return np.zeros(pixels.shape, np.uint8)

    watched.context = data.draw(st.integers(0, 5))  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=watched, tiler=tiler)
    image = Image(np.zeros(shape, np.uint16), axes="zyx"[-len(shape) :])
    told = pipeline.plan(image, sample=0)
    assert seen == []
    result = pipeline.run(image, workers=1)
    assert told.tiles == result.n_tiles == len(seen)
    assert told.overhead == pytest.approx(sum(map(np.prod, seen)) / np.prod(shape))
    assert told.memory == max(map(np.prod, seen)) * (2 * 2 + 16)


def test_with_every_tile_sampled_the_objects_and_the_disk_are_those_of_the_run(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((64, 64)) < 0.3
    pipeline = Pipeline(segmenter=Components(), tiler=Grid(tile=16), writer="zarr-array")
    told = pipeline.plan(mask, sample=99, workers=2)
    assert told.sampled == told.tiles == 16
    assert told.objects == sum(ndimage.label(tile)[1] for row in np.split(mask, 4) for tile in np.split(row, 4, axis=1))
    assert told.seconds > 0
    pipeline.run(mask, tmp_path / "labels.zarr", keep_checkpoint=True)
    kept = sum(pack.stat().st_size for pack in (tmp_path / "labels.zarr.tilewright" / "packs").iterdir())
    assert 0.5 * kept < told.checkpoint < kept, "the joins and blocks are noted there too"


def test_a_forecast_leaves_nothing_behind_and_runs_no_tile_that_was_not_asked_for(tmp_path: Path) -> None:
    counted = Components(calls=tmp_path / "calls")
    told = Pipeline(segmenter=counted, tiler=Grid(tile=8)).plan(np.ones((64, 64), np.uint8), sample=3)
    assert (told.sampled, counted.count()) == (3, 4), "the first one twice"
    assert [path.name for path in tmp_path.iterdir()] == ["calls"]


def test_an_image_without_pixels_has_a_forecast() -> None:
    told = Pipeline(segmenter=Components(), tiler=Grid(tile=8)).plan(np.ones((0, 9), np.uint8))
    assert (told.tiles, told.sampled, told.overhead, told.seconds) == (0, 0, 0, 0)
    assert isinstance(told, Forecast)


def test_the_command_says_what_a_run_would_take(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image = zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), chunks=(16, 16), dtype="u1", dimension_names="yx")
    image[:] = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    said = ["plan", str(tmp_path / "a.zarr"), "--segmenter", "threshold", "--tile", "32", "--halo", "8"]
    plain = CliRunner().invoke(main, said, catch_exceptions=False)
    assert plain.exit_code == 0
    assert "tiles:   4 of 32 × 32, halo 8 × 8" in plain.output
    assert "read:    1.56 times the image's pixels" in plain.output
    facts = json.loads(CliRunner().invoke(main, [*said, "--json"], catch_exceptions=False).output)
    assert (facts["tiles"], facts["sampled"], facts["halo"]) == (4, 4, [8, 8])
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
