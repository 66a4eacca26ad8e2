"""Runs at the same time: one output has one run, and several outputs of one image do not get into each other's way."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from runs import Components, Stopped, components, expect, run, stopping_at
from stores import TILE, labels_of, make_image
from victim import Slow, SlowLabels, SlowTouch

from tilewright import Grid, OutputBusy, Pipeline
from tilewright.engine.checkpoint.lock import claimed
from tilewright.storage.machine import this_process

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "tilewright.cli", "run", "image.ome.zarr", "--name", "cells", "--overwrite"]
COMMAND += ["--segmenter", "threshold", "--set", "threshold=100"]
START = "import sys; from pathlib import Path; import victim; victim.main(Path(sys.argv[1]))"


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A slow run of its own process that has begun to segment, with components that bear this process's names."""
    process = subprocess.Popen([sys.executable, "-c", START, str(folder)], cwd=Path(__file__).parent)
    while not (folder / "calls").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def go_on(folder: Path) -> None:
    """The same run in this process."""
    segmenter = Slow(calls=str(folder / "calls"))
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=TILE), merger=SlowTouch(), writer=SlowLabels())
    pipeline.run(folder / "image.ome.zarr", name="cells", overwrite=True, workers=2)


def test_the_second_run_on_an_output_is_refused_and_goes_on_when_the_first_was_killed(tmp_path: Path) -> None:
    pixels = make_image(tmp_path, (256, 256))
    (tmp_path / "hold").touch()
    first = start(tmp_path)
    try:
        with pytest.raises(OutputBusy, match=f"process {first.pid} on {re.escape(socket.gethostname())}"):
            go_on(tmp_path)
        with pytest.raises(OutputBusy):
            run(tmp_path, resume=False)
        refused = subprocess.run(
            [*COMMAND, "--no-resume", "--quiet"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 2
        busy = f"error: another run is at work in {tmp_path / 'image.ome.zarr.labels.cells.tilewright'}"
        assert refused.stderr.startswith(busy)
        assert refused.stderr.count("\n") == 1
        assert first.poll() is None
        assert (tmp_path / "calls").stat().st_size <= 2, "nobody but the first has segmented, which is held"
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    (tmp_path / "hold").unlink()
    go_on(tmp_path)
    assert (tmp_path / "calls").stat().st_size <= 64 + 2, "but the two in flight nothing is done twice"
    expect(labels_of(tmp_path), pixels)


def test_one_output_has_one_run_wherever_the_stages_lie(tmp_path: Path) -> None:
    pixels = make_image(tmp_path, (256, 256))
    said = []

    def second(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("write", 4):
            with pytest.raises(OutputBusy, match=f"process {os.getpid()} on"):
                run(tmp_path, checkpoint_dir=tmp_path / "b")
            with pytest.raises(OutputBusy):
                run(tmp_path)
            said.append(stage)

    run(tmp_path, checkpoint_dir=tmp_path / "a", progress=second)
    assert said == ["write"]
    expect(labels_of(tmp_path), pixels)


def _named(folder: Path, name: str, above: int) -> str:
    run(folder, name=name, parts={"segmenter": Components(above=above)})
    return name


def _elsewhere(folder: Path, name: str, above: int) -> str:
    run(folder, destination=folder / name, parts={"segmenter": Components(above=above)})
    return name


def _in_processes(work: Any, folder: Path, said: dict[str, int]) -> None:
    with ProcessPoolExecutor(len(said), mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in [pool.submit(work, folder, name, above) for name, above in said.items()]:
            future.result()


def test_runs_to_several_outputs_of_one_image_are_all_right(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    outputs = {"a.zarr": 90, "b.ome.zarr": 100, "c.zarr": 110}
    _in_processes(_elsewhere, tmp_path, outputs)
    for name, above in outputs.items():
        found = zarr.open(tmp_path / name, mode="r")
        array = found if isinstance(found, zarr.Array) else found["0"]
        np.testing.assert_array_equal(array[:], components(pixels, above))
    assert not list(tmp_path.glob("*.tilewright"))


def test_labels_that_are_written_into_one_image_at_a_time_are_all_listed(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    names = {"nuclei": 90, "cells": 100, "spots": 110}
    _in_processes(_named, tmp_path, names)
    labels = zarr.open_group(tmp_path / "image.ome.zarr" / "labels", mode="r")
    assert sorted(labels.attrs["ome"]["labels"]) == sorted(names)
    for name, above in names.items():
        expect(labels[f"{name}/0"][:], pixels, above)


def test_a_lock_that_a_dead_process_left_is_no_hindrance(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("segment", 3))
    (stage,) = tmp_path.glob("*.tilewright")
    (stage / "lock").mkdir()
    (stage / "lock" / "0123").write_text(json.dumps(this_process() | {"start": "another of the same number"}))
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)


def _take(folder: Path, number: int) -> int:
    """Take the checkpoint as often as it can be had; how often somebody else was in it at the same time."""
    inside, together, taken = folder / "inside", 0, 0
    while taken < 40:
        try:
            with claimed([folder / "x.tilewright"], {"tilewright": number}, resume=False):
                together += inside.exists()
                inside.touch()
                time.sleep(0.0005)
                inside.unlink()
                (folder / "x.tilewright" / "plan.json").unlink()  # as at the end of a run: the folder goes, too
                taken += 1
        except OutputBusy:
            time.sleep(0.0001)
    return together


def test_a_stage_that_comes_and_goes_is_never_held_by_two(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_take, tmp_path, number) for number in range(3)]
        assert [future.result() for future in futures] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []
