"""`tilewright run` and `plan` with a workflow: what they print, and the options that they refuse beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tilewright.run_options import SHARED, RunOptions

from .conftest import Invoke, result_of

STEPS = """
[steps.low]
segmenter = {name = "lab-components", configuration = {calls = "CALLS"}}
writer = {name = "zarr-array"}
tiler = {name = "grid", configuration = {tile = 32}}

[steps.high]
segmenter = {name = "lab-components", configuration = {threshold = 1.0}}
writer = {name = "zarr-array"}
"""


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    path = tmp_path / "steps.toml"
    path.write_text(STEPS.replace("CALLS", str(tmp_path / "calls")))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_run_prints_a_line_for_each_step_and_which_it_is_at(
    invoke: Invoke, image: Path, steps: Path, out: Path
) -> None:
    done = invoke("run", image, out, "--workflow", steps)
    assert done.exit_code == 0, done.stderr
    low, high = done.stdout.splitlines()
    assert low.startswith("low:  3 objects, ")
    assert low.endswith(f" s, labels {out}/low")
    assert high.startswith("high: 2 objects, ")
    assert high.endswith(f"labels {out}/high")
    shown = done.stderr.splitlines()
    assert shown.index("step 1 of 2: low") < shown.index("step 2 of 2: high")
    assert any(line.startswith("segment: 4 of 4 tiles") for line in shown)


def test_the_same_command_again_runs_nothing(invoke: Invoke, image: Path, steps: Path, out: Path) -> None:
    invoke("run", image, out, "--workflow", steps)
    calls = (steps.with_name("calls")).stat().st_size
    done = invoke("run", image, out, "--workflow", steps, "--quiet")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split(", ")[1] for line in done.stdout.splitlines()] == ["unchanged", "unchanged"]
    assert steps.with_name("calls").stat().st_size == calls


def test_json_has_an_object_for_each_step(invoke: Invoke, image: Path, steps: Path, out: Path) -> None:
    for unchanged in (False, True):
        printed = result_of(invoke("run", image, out, "--workflow", steps, "--json", "--quiet"))["steps"]
        assert isinstance(printed, dict)
        assert {name: (each["n_objects"], each["unchanged"]) for name, each in printed.items()} == {
            "low": (3, unchanged),
            "high": (2, unchanged),
        }


def test_a_changed_step_is_refused_or_with_overwrite_repeated_alone(
    invoke: Invoke, image: Path, steps: Path, out: Path
) -> None:
    invoke("run", image, out, "--workflow", steps)
    steps.write_text(steps.read_text().replace("threshold = 1.0", "threshold = 2.0"))
    done = invoke("run", image, out, "--workflow", steps, "--quiet")
    assert done.exit_code == 2
    assert "step 'high' makes: threshold 1.0 there, 2.0 now (segmenter)" in done.stderr
    done = invoke("run", image, out, "--workflow", steps, "--quiet", "--overwrite")
    assert [" unchanged," in line for line in done.stdout.splitlines()] == [True, False]


OPTIONS = [each.name for each in dataclasses.fields(RunOptions) if each.name not in SHARED]
PARTS = ("segmenter", "set", "transform", "tile", "halo", "tiler", "merger", "reader", "writer", "measure", "pipeline")
VALUES = {
    "set": "a=1",
    "given": "nuclei=a.tif",
    "transform": "gaussian",
    "level": "1",
    "spacing": "1.5",
    "empty": "1",
    "within_rule": "clip",
}


@pytest.mark.parametrize("name", [*OPTIONS, *PARTS, "save_pipeline"])
def test_options_that_the_steps_hold_are_refused_by_name(
    invoke: Invoke, image: Path, steps: Path, out: Path, name: str
) -> None:
    flag = f"--{name.replace('_', '-')}"
    words = [flag] if name in ("same_ids", "keep_predictions", "join_z") else [flag, VALUES.get(name, "1")]
    done = invoke("run", image, out, "--workflow", steps, *words)
    assert done.exit_code == 2
    assert f"{flag} is given beside --workflow, whose steps have their own parts and options" in done.stderr
    assert not list(out.iterdir())


def test_options_of_the_whole_run_are_taken(invoke: Invoke, image: Path, steps: Path, out: Path) -> None:
    words = ("--workers", 1, "--retries", 1, "--keep-checkpoint", "--make-parents", "--no-resume", "--axes", "yx")
    done = invoke("run", image, out / "deeper", "--workflow", steps, "--quiet", *words)
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (out / "deeper").iterdir()} == {
        "low", "low.tilewright", "high", "high.tilewright",
    }  # fmt: skip


def test_plan_tells_of_each_step_and_so_does_a_dry_run(invoke: Invoke, image: Path, steps: Path, out: Path) -> None:
    done = invoke("plan", image, out, "--workflow", steps)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "step 1 of 2: low"
    assert "tiles:   4 of 32 × 32" in lines
    assert "step 2 of 2: high" in lines
    dry = invoke("run", image, out, "--workflow", steps, "--dry-run")
    assert [line for line in dry.stdout.splitlines() if not line.startswith("time")] == [
        line for line in lines if not line.startswith("time")
    ]
    assert not list(out.iterdir())
    invoke("run", image, out, "--workflow", steps)
    again = invoke("plan", image, out, "--workflow", steps).stdout
    assert again.splitlines() == ["step 1 of 2: low, unchanged", "step 2 of 2: high, unchanged"]
    told = json.loads(invoke("plan", image, out, "--workflow", steps, "--json").stdout)
    assert {name: each["done"] for name, each in told["steps"].items()} == {"low": True, "high": True}


def test_plan_takes_an_output_for_a_workflow_alone(invoke: Invoke, image: Path, out: Path) -> None:
    done = invoke("plan", image, out, "--segmenter", "lab-components")
    assert done.exit_code == 2
    assert "is for --workflow" in done.stderr


@pytest.mark.parametrize("text", ["[steps.a]\nsegmenter = 'lab-nothing'\n", "[steps.a]\n", "nonsense"])
def test_a_wrong_file_is_one_line(invoke: Invoke, image: Path, steps: Path, out: Path, text: str) -> None:
    steps.write_text(text)
    done = invoke("run", image, out, "--workflow", steps)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
