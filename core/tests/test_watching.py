"""Plugins that watch runs: told what happens in plain values, and never able to end what they watch."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fakes import install
from scipy import ndimage

from tilewright import Grid, Pipeline, RunFinished, RunPlanned, SegmenterFailed
from tilewright.cli import main

MASK = np.random.default_rng(0).random((40, 40)) < 0.5
WATCHING = """
seen = []

@hookimpl
def tilewright_run_planned(event):
    seen.append(event)

@hookimpl
def tilewright_tile_done(event):
    seen.append(event)

@hookimpl
def tilewright_run_finished(event):
    seen.append(event)
"""


def components(pixels: Any) -> Any:
    return ndimage.label(pixels)[0]


def breaks(pixels: Any) -> Any:
    raise RuntimeError("no\nGPU")


def run(
    path: Path, segmenter: Callable[..., Any] = components, progress: Callable[[str, int, int], None] | None = None
) -> Any:
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=10), writer="zarr-array")
    return pipeline.run(MASK, path, workers=1, progress=progress)


def test_a_watcher_is_told_of_the_plan_of_every_stage_and_of_the_end(site: Path, tmp_path: Path) -> None:
    install(site, "lab-watch", WATCHING)
    told: list[tuple[str, int, int]] = []
    result = run(tmp_path / "labels", progress=lambda *event: told.append(event))
    from lab_watch import seen  # type: ignore[import-not-found]  # installed above

    planned, *steps, finished = seen
    assert planned.pipeline["segmenter"] == {"name": f"{components.__module__}.components"}
    assert planned == RunPlanned(
        run=planned.run,
        pipeline=planned.pipeline,
        source="image",
        destination=str(tmp_path / "labels"),
        axes="yx",
        shape=(40, 40),
        tiles=16,
        segmenter=f"{components.__module__}.components",
        tile=(10, 10),
        halo=(0, 0),
        merger="touch",
    )
    assert finished == RunFinished(
        run=planned.run,
        pipeline=planned.pipeline,
        destination=str(tmp_path / "labels"),
        objects=result.n_objects,
        tiles=16,
        seconds=result.seconds,
    )
    assert [(step.step, step.done, step.total) for step in steps] == told
    assert {step.run for step in steps} == {planned.run}
    segmented = [tile for step in steps if step.step == "segment" for tile in step.tiles]
    assert len({tile.index for tile in segmented}) == 16
    assert {tile.region for tile in segmented if tile.index == (1, 3)} == {((10, 20), (30, 40))}
    assert sum(tile.objects for tile in segmented) >= result.n_objects
    assert [step.done for step in steps if step.step == "segment"][-1] == 16
    assert {step.step for step in steps} == {"segment", "join", "write", "finish"}


def test_a_run_that_fails_is_finished_too_with_its_error(site: Path, tmp_path: Path) -> None:
    install(site, "lab-watch", WATCHING)
    with pytest.raises(SegmenterFailed):
        run(tmp_path / "labels", breaks)
    from lab_watch import seen

    assert isinstance(seen[0], RunPlanned)
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].error.startswith("SegmenterFailed: ")
    assert seen[-1].error.endswith("RuntimeError: no GPU")
    assert seen[-1].objects == 0


@pytest.mark.parametrize("hook", ["run_planned", "tile_done", "run_finished"])
@pytest.mark.parametrize("fault", ["raise RuntimeError('no network')", "raise SystemExit('no network')"])
def test_a_watcher_that_fails_costs_one_warning_and_not_the_run(
    hook: str, fault: str, site: Path, tmp_path: Path
) -> None:
    install(site, "lab-broken", f"@hookimpl\ndef tilewright_{hook}(event):\n    {fault}\n", version="0.3")
    install(site, "lab-watch", WATCHING)
    with pytest.warns(RuntimeWarning, match=f"'lab_broken' of lab-broken 0.3 failed in tilewright_{hook}") as warned:
        result = run(tmp_path / "labels")
    assert len(warned) == 1
    assert "no network" in str(warned[0].message)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(MASK)[0])
    from lab_watch import seen

    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].error == ""


def test_a_watcher_may_leave_out_hooks_and_arguments(site: Path, tmp_path: Path) -> None:
    install(site, "lab-watch", "seen = []\n@hookimpl\ndef tilewright_run_finished():\n    seen.append(1)\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tmp_path / "labels")
    from lab_watch import seen

    assert seen == [1]


def test_the_progress_that_the_caller_gave_may_end_the_run(tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "labels", progress=stop)


def test_a_watcher_with_a_misspelt_hook_is_broken(site: Path, tmp_path: Path) -> None:
    install(site, "lab-watch", "@hookimpl\ndef tilewright_tiles_done(event):\n    pass\n")
    with pytest.warns(RuntimeWarning, match="did you mean 'tilewright_tile_done'"):
        run(tmp_path / "labels")


def test_watchers_are_listed(site: Path) -> None:
    install(site, "lab-watch", WATCHING)
    assert "watches runs: lab_watch (lab-watch 1.0)" in CliRunner().invoke(main, ["plugins"]).stdout
    assert CliRunner().invoke(main, ["plugins", "lab-watch"]).exit_code == 0


def test_events_are_read_without_any_library() -> None:
    code = "import sys; from tilewright import TileDone; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_listener_to_the_logger_learns_of_the_plan_the_steps_and_what_is_reused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tilewright")
    run(tmp_path / "labels")
    lines = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(
        r"run \w{16}: 'image' to '.*labels': yx of \(40, 40\) in 16 tiles of \(10, 10\) with .*", lines[0]
    )
    assert "segment begins: 16, 0 of them reused" in lines
    assert [line for line in lines if line.startswith("join ends: ")]
    assert re.fullmatch(
        r"run \w{16} is finished: \d+ objects in 16 tiles, 0 of them empty and 0 failed, in .* s", lines[-1]
    )
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_failed_and_retried_tiles_are_logged_and_only_failures_are_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tilewright")
    attempts: list[int] = []

    def weak(pixels: Any) -> Any:
        attempts.append(1)
        if len(attempts) == 1 or pixels[0, 0]:
            raise RuntimeError("no memory")
        return components(pixels)

    pipeline = Pipeline(segmenter=weak, tiler=Grid(tile=20), writer="zarr-array")
    image = np.zeros((40, 40), bool)
    image[20, 20] = True
    result = pipeline.run(image, tmp_path / "labels", workers=1, retries=1, on_error="skip")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == f"a tile is left as background: {result.failed[0]}"
    assert "tile 0 was segmented after 1 attempts that failed" in caplog.text
