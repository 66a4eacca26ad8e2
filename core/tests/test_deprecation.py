"""Names that have changed: the old ones work as before, and warn the line that uses them."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import tilewright
from tilewright import CheckpointMismatch, Pipeline, TileDone, errors

IMAGE = np.eye(8, dtype=np.uint8)


def components(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    return np.asarray(ndimage.label(pixels)[0])


def test_the_options_of_a_run_are_taken_under_their_old_names(tmp_path: Path) -> None:
    pipeline, checkpoints = Pipeline(segmenter=components), tmp_path / "checkpoints"
    with (
        pytest.warns(DeprecationWarning, match="^stage_dir is now checkpoint_dir; the old name will be") as dirs,
        pytest.warns(DeprecationWarning, match="^keep_stage is now keep_checkpoint; the old name will be removed$"),
    ):
        pipeline.run(IMAGE, tmp_path / "labels.zarr", stage_dir=checkpoints, keep_stage=True)  # type: ignore[call-arg]
    assert {warning.filename for warning in dirs} == {__file__}
    (kept,) = checkpoints.iterdir()
    assert kept.name.startswith("labels.zarr.")


@pytest.mark.parametrize("home", ["tilewright", "tilewright.errors"])
def test_the_error_of_another_checkpoint_is_caught_under_its_old_name(home: str) -> None:
    with pytest.warns(DeprecationWarning, match="^StageMismatch is now CheckpointMismatch") as warned:
        renamed = importlib.import_module(home).StageMismatch
    assert {warning.filename for warning in warned} == {__file__}
    assert renamed is CheckpointMismatch
    with pytest.raises(renamed):
        raise CheckpointMismatch("another image")


def test_a_script_that_catches_the_old_name_works_and_is_warned_at_its_line(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from tilewright import CheckpointMismatch, StageMismatch\n"
        "try:\n    raise CheckpointMismatch('another image')\nexcept StageMismatch as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "another image\n"
    assert done.stderr.startswith(f"{script}:1: DeprecationWarning: StageMismatch is now CheckpointMismatch;")


def test_only_the_new_name_is_listed() -> None:
    for module in (tilewright, errors):
        assert "CheckpointMismatch" in module.__all__
        assert "StageMismatch" not in {*module.__all__, *dir(module)}
    with pytest.raises(AttributeError, match=r"module 'tilewright\.errors' has no attribute 'Mismatch'"):
        _ = errors.Mismatch  # type: ignore[attr-defined]  # on purpose


def test_a_watcher_that_reads_the_old_field_of_a_step_still_works() -> None:
    with pytest.warns(DeprecationWarning, match=r"^TileDone\.stage is now TileDone\.step") as warned:
        assert TileDone(step="join", done=1, total=2).stage == "join"
    assert {warning.filename for warning in warned} == {__file__}


def test_a_forecast_tells_the_size_of_the_checkpoint_under_its_old_name() -> None:
    forecast = Pipeline(segmenter=components).plan(IMAGE)
    with pytest.warns(DeprecationWarning, match=r"^Forecast\.stage is now Forecast\.checkpoint") as warned:
        assert forecast.stage == forecast.checkpoint > 0
    assert {warning.filename for warning in warned} == {__file__}


MOVED = {
    "hookspecs": ("tilewright.components.hookspecs", ("hookimpl", "tilewright_readers", "tilewright_run_finished")),
    "ownership": ("tilewright.abc", ("NOTHING", "Copies", "Decision", "Evidence", "upheld")),
    "sinks": ("tilewright.abc", ("LabelSpec", "Sink", "Writer")),
}


@pytest.mark.parametrize(("old", "name"), [(old, name) for old, (_, names) in MOVED.items() for name in names])
def test_a_name_is_found_in_the_module_that_it_was_in(old: str, name: str) -> None:
    code = f"from tilewright.{old} import {name} as moved"
    here: dict[str, object] = {}
    with pytest.warns(
        DeprecationWarning, match=rf"^tilewright\.{old}\.{name} is now tilewright\..*\.{name}; "
    ) as warned:
        exec(compile(code, "plugin.py", "exec"), here)
    assert here["moved"] is getattr(importlib.import_module(MOVED[old][0]), name)
    assert [warning.filename for warning in warned] == ["plugin.py"]


@pytest.mark.parametrize("old", MOVED)
def test_a_module_that_has_moved_has_no_other_names(old: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'tilewright.{old}' has no attribute 'Write'"):
        _ = importlib.import_module(f"tilewright.{old}").Write
