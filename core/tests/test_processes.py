"""Runs whose workers are processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from networks import Local
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components

from tilewright import Grid, Pipeline, SegmenterFailed, WorkerLost
from tilewright.abc import Window
from tilewright.cli import main

pytestmark = pytest.mark.slow

MASK = np.random.default_rng(0).random((50, 60)) < 0.4


def test_processes_give_the_labels_of_the_whole_image_and_leave_no_process(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()

    def segmenter(pixels: NDArray[Any]) -> NDArray[Any]:  # a closure, which no ordinary pickle takes
        (seen / str(os.getpid())).touch()
        return Components()(pixels)

    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=10)).run(MASK, workers=2, processes=True)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(MASK)[0])
    workers = [int(path.name) for path in seen.iterdir()]
    assert workers
    assert os.getpid() not in workers
    assert not [pid for pid in workers if Path(f"/proc/{pid}/stat").exists()]


class Heavy:
    """A segmenter with weights, which counts how often it is made ready to be sent."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return Components()(pixels)

    def __getstate__(self) -> dict[str, int]:
        self.sent += 1
        return {"sent": 0}


class SentArray(np.ndarray[Any, np.dtype[Any]]):
    """An array in memory that counts how often it is sent."""

    sent = 0

    def __reduce__(self) -> Any:
        SentArray.sent += 1
        return super().__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()


def test_pixels_and_segmenter_are_sent_to_the_processes_that_segment_and_not_again() -> None:
    heavy, image = Heavy(), MASK.view(SentArray)
    result = Pipeline(segmenter=heavy, tiler=Grid(tile=10, halo=4), merger="overlap").run(
        image, workers=2, processes=True
    )
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(MASK)[0])
    assert (heavy.sent, SentArray.sent) == (1, 1)


def test_an_error_in_a_process_is_the_error_of_the_run_which_goes_on_later(tmp_path: Path) -> None:
    counted = Components(calls=tmp_path / "calls", fail_at=7)
    pipeline = Pipeline(segmenter=counted, tiler=Grid(tile=10), writer="zarr-array")
    with pytest.raises(SegmenterFailed, match="on purpose"):
        pipeline.run(MASK, tmp_path / "labels.zarr", workers=1, processes=True)
    before = counted.count()
    result = Pipeline(segmenter=counted, tiler=Grid(tile=10), writer="zarr-array").run(
        MASK, tmp_path / "labels.zarr", workers=2
    )
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(MASK)[0])
    assert counted.count() == 30 + 1
    assert before <= 30


def test_another_process_takes_over_from_one_that_dies(tmp_path: Path) -> None:
    died = tmp_path / "died"

    def segmenter(pixels: NDArray[Any]) -> NDArray[Any]:
        if len(list(tmp_path.glob("died*"))) < 2:
            died.with_suffix(f".{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Components()(pixels)

    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=10)).run(MASK, workers=2, processes=True)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(MASK)[0])
    assert len(list(tmp_path.glob("died*"))) >= 2


def test_a_tile_that_ends_every_process_ends_the_run_and_what_is_done_is_kept(tmp_path: Path) -> None:
    counted = Components(calls=tmp_path / "calls")

    def segmenter(pixels: NDArray[Any]) -> NDArray[Any]:
        if not (tmp_path / "mended").exists() and counted.count() >= 6:
            os._exit(7)
        return counted(pixels)

    def run() -> Any:
        pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=10), writer="zarr-array")
        return pipeline.run(MASK, tmp_path / "labels.zarr", workers=1, processes=True)

    with pytest.raises(WorkerLost, match=r"died, each in segmenter '.*' on tile .* smaller tiles, or workers more"):
        run()
    assert counted.count() == 6
    (tmp_path / "mended").touch()
    np.testing.assert_array_equal(run().labels.compute(), ndimage.label(MASK)[0])
    assert counted.count() == 30


DEATHS: dict[str, Callable[[], object]] = {
    "abort": os.abort,
    "exit": lambda: os._exit(0),
    "segfault": lambda: ctypes.string_at(0),
}


@pytest.mark.parametrize("death", DEATHS)
def test_the_tile_that_kills_its_processes_is_named_and_no_other(death: str, tmp_path: Path) -> None:
    image = np.ones((40, 40), int)
    image[10:20, 20:30] = 7
    die = DEATHS[death]

    def deadly(pixels: NDArray[Any]) -> NDArray[Any]:
        if pixels.max() == 7:
            die()
        return pixels

    pipeline = Pipeline(segmenter=deadly, tiler=Grid(tile=10), writer="zarr-array")
    with pytest.raises(WorkerLost, match=r"deadly' on tile \(1, 2\) \(y 10:20, x 20:30\)\. .* re-run") as raised:
        pipeline.run(image, tmp_path / "labels.zarr", workers=2, processes=True, on_error="skip")
    assert str(raised.value).count("tile (") == 1
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "labels.zarr").exists()


class DeadlyMerger:
    def __call__(self, seam: Any) -> Any:
        os._exit(1)


class DeadlyWriter:
    def __call__(self, path: str, spec: Any) -> Any:
        return self

    def write(self, region: Any, labels: Any) -> None:
        os._exit(1)

    def finish(self, provenance: Any) -> None: ...


class DeadlyToOpen:
    """What ends the process that it is sent to, as a library does that crashes when it is imported."""

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels

    def __reduce__(self) -> Any:
        return os._exit, (1,)


@dataclass(frozen=True, kw_only=True)
class DeadlyNetwork(Local):
    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        os._exit(1)


@pytest.mark.parametrize(
    ("parts", "culprit"),
    [
        ({"segmenter": DeadlyNetwork()}, r"segmenter '.*DeadlyNetwork' on batch \d of the image's windows\."),
        ({"merger": DeadlyMerger()}, r"merger '.*DeadlyMerger' on tile"),
        ({"writer": DeadlyWriter()}, r"writer '.*DeadlyWriter' on block"),
        ({"segmenter": DeadlyToOpen()}, r"the start of tile.*, where the segmenter and what it imports are loaded"),
    ],
    ids=["network", "merger", "writer", "start"],
)
def test_other_code_that_kills_its_processes_is_named_too(parts: dict[str, Any], culprit: str, tmp_path: Path) -> None:
    pipeline = Pipeline(**({"segmenter": Components(), "tiler": Grid(tile=10), "writer": "zarr-array"} | parts))
    with pytest.raises(WorkerLost, match=culprit):
        pipeline.run(MASK, tmp_path / "labels", workers=2, processes=True)


KILLED = """
import os, time
from pathlib import Path
import numpy as np
from tilewright import Grid, Pipeline

def segmenter(pixels):
    Path({folder!r}, str(os.getpid())).touch()
    while True:
        time.sleep(60)

if __name__ == "__main__":
    Pipeline(segmenter=segmenter, tiler=Grid(tile=4)).run(np.eye(8, dtype=int), workers=2, processes=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as Linux lists them")
def test_the_processes_of_a_run_that_is_killed_end_with_it(tmp_path: Path) -> None:
    script, seen = tmp_path / "script.py", tmp_path / "seen"
    seen.mkdir()
    script.write_text(KILLED.format(folder=str(seen)))
    run = subprocess.Popen([sys.executable, str(script)])
    wait_until(lambda: len(list(seen.iterdir())) == 2)
    run.kill()
    run.wait()
    wait_until(lambda: not [each for each in seen.iterdir() if Path(f"/proc/{each.name}").exists()])


def wait_until(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.05)


SCRIPT = """
import numpy as np
from tilewright import Grid, Pipeline
pipeline = Pipeline(segmenter=lambda pixels: pixels, tiler=Grid(tile=4))
{guard}print(pipeline.run(np.eye(8, dtype=int), workers=1, processes=True).n_objects)
"""


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':\n    "])
def test_a_script_must_say_what_its_workers_are_not_to_run(guard: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(guard=guard))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    if guard:
        assert (done.stdout, done.returncode) == ("2\n", 0), done.stderr
    else:
        assert done.returncode == 1
        assert done.stderr.count("Traceback") == 1
        assert 'outside of `if __name__ == "__main__":`' in done.stderr


def test_the_command_line_runs_on_processes(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image = zarr.create_array(tmp_path / "a.zarr", data=MASK.astype("u1"), chunks=(10, 10), dimension_names="yx")
    assert image.shape == MASK.shape
    said = ["run", str(tmp_path / "a.zarr"), str(tmp_path / "out.zarr"), "--segmenter", "threshold", "--processes"]
    said += ["--set", "threshold=0.5", "--set", "min_size=0", "--workers", "2", "--quiet", "--writer", "zarr-array"]
    done = CliRunner().invoke(main, said, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "out.zarr")[:], ndimage.label(MASK)[0])


def test_a_script_that_is_read_from_stdin_may_use_processes(tmp_path: Path) -> None:
    script = """
import numpy as np
from scipy import ndimage
from tilewright import Pipeline
def segment(pixels):
    return ndimage.label(pixels)[0]
if __name__ == "__main__":
    print(Pipeline(segmenter=segment).run(np.eye(50, dtype="u1"), processes=True, workers=2).n_objects, __file__)
"""
    done = subprocess.run(
        [sys.executable, "-"], input=script, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["50", "<stdin>"], done.stderr
