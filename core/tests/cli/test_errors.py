"""Every way to fail: one line, the right exit code, and a traceback for those who ask."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Invoke

Start = Callable[..., subprocess.Popen[str]]

FINE = ("--segmenter", "lab-components", "--writer", "zarr-array", "--quiet")
BROKEN = ("--segmenter", "lab-broken", "--writer", "zarr-array", "--quiet")
ONE_BY_ONE = ("--segmenter", "lab-components", "--writer", "zarr-array", "--tile", "8", "--workers", "1", "--quiet")


FAULTS = {
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/labels.zarr"),
    "denied": PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/labels.zarr"),
    "memory": MemoryError("Unable to allocate 3 TiB"),
    "files": OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/data/image.zarr"),
    "threads": RuntimeError("can't start new thread"),
    "bug": ZeroDivisionError("division\nby zero"),
    "interrupted": KeyboardInterrupt(),
}


@pytest.fixture
def fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the engine itself fail while it plans."""

    def inject(how: str) -> None:
        def fail(*_: object) -> None:
            raise FAULTS[how]

        monkeypatch.setattr("tilewright.engine.planning.chosen_iou", fail)

    return inject


@pytest.mark.parametrize(
    ("how", "code", "line"),
    [
        ("full", 2, f"error: {os.strerror(errno.ENOSPC)}: '/data/labels.zarr'"),
        ("denied", 2, f"error: {os.strerror(errno.EACCES)}: '/data/labels.zarr'"),
        ("memory", 2, "error: out of memory (Unable to allocate 3 TiB); give smaller tiles or fewer workers"),
        (
            "files",
            2,
            f"error: {os.strerror(errno.EMFILE)}: '/data/image.zarr'; this process has as many files open as it may; "
            "raise the limit (ulimit -n), or give fewer workers",
        ),
        (
            "threads",
            2,
            "error: the system starts no more threads (this user runs as many processes and threads as allowed; raise "
            "the limit (ulimit -u), or give fewer workers)",
        ),
        ("bug", 1, "internal error: ZeroDivisionError: division by zero; run with --debug and report it"),
        ("interrupted", 130, "interrupted"),
    ],
)
def test_an_error_of_ours_is_one_line_and_an_exit_code(
    invoke: Invoke, fault_of_ours: Callable[[str], None], image: Path, tmp_path: Path, how: str, code: int, line: str
) -> None:
    fault_of_ours(how)
    failed = invoke("run", image, tmp_path / "out", *FINE)
    assert (failed.exit_code, failed.stderr, failed.stdout) == (code, f"{line}\n", "")


@pytest.mark.parametrize(
    ("how", "raised"),
    [
        ("full", f"OSError: [Errno {errno.ENOSPC}] {os.strerror(errno.ENOSPC)}: '/data/labels.zarr'"),
        ("memory", "MemoryError: Unable to allocate 3 TiB"),
        ("bug", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_of_a_plugin_is_never_called_ours(
    invoke: Invoke, image: Path, tmp_path: Path, how: str, raised: str
) -> None:
    failed = invoke("run", image, tmp_path / "out", *BROKEN, "--set", f"how={how}")
    assert failed.exit_code == 2
    assert failed.stderr.startswith(
        f"error: segmenter 'lab-broken' of cli-lab 1.5 raised {raised}, while running prepare"
    )
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--bogus",), "error: No such option"),
        (("ran",), "error: No such command 'ran'"),
        (("run",), "error: Missing argument 'IMAGE'; see `tilewright run --help`"),
        (("run", "a.tif", "--level", "fine"), "error: Invalid value for '--level': 'fine' is not a valid integer; see"),
        (("run", "a.tif", "--overwritte"), "error: No such option"),
        (("plugins", "--kind", "model"), "error: Invalid value for '--kind': 'model' is not one of 'reader',"),
    ],
)
def test_a_command_that_is_misspelt_is_one_line_too(invoke: Invoke, words: tuple[str, ...], line: str) -> None:
    refused = invoke(*words)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert refused.stderr.startswith(line)


def test_a_segmenter_that_fails_is_named_on_one_line(start: Start, image: Path, tmp_path: Path) -> None:
    process = start("run", image, tmp_path / "out", *BROKEN, "--set", "how=in a tile")
    _, err = process.communicate()
    warning, error = err.splitlines()
    assert process.returncode == 2
    assert warning == "warning: the weights are old"
    assert error.startswith("error: segmenter 'lab-broken'")
    assert "the model is not loaded" in error


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_adds_the_traceback_before_the_line(
    invoke: Invoke, fault_of_ours: Callable[[str], None], image: Path, tmp_path: Path, place: str
) -> None:
    fault_of_ours("bug")
    command = ("run", image, tmp_path / "out", *FINE)
    failed = invoke("--debug", *command) if place == "before" else invoke(*command, "--debug")
    assert failed.exit_code == 1
    assert failed.stderr.startswith("Traceback (most recent call last):")
    assert failed.stderr.splitlines()[-1].startswith("internal error: ZeroDivisionError")


def test_a_path_that_is_not_there_is_an_error(invoke: Invoke, tmp_path: Path) -> None:
    for command in (("info", tmp_path / "no.lab"), ("run", tmp_path / "no.lab", "--segmenter", "lab-components")):
        failed = invoke(*command)
        assert failed.exit_code == 2
        assert failed.stderr.startswith("error: ")
        assert "no.lab' does not exist" in failed.stderr
        assert failed.stderr.count("\n") == 1


def test_a_broken_plugin_costs_one_line_and_no_run(start: Start, broken: Path, image: Path, tmp_path: Path) -> None:
    process = start("run", image, tmp_path / "out", *ONE_BY_ONE, "--tile", "64", paths=(broken,))
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert err.startswith("warning: plugin 'clibroken' of cli-broken 1.5 is left out: cannot be imported: Module")
    assert err.count("\n") == 1
    assert out.startswith("3 objects")


def test_a_reader_of_the_output_that_leaves_is_no_error(start: Start) -> None:
    process = start("plugins", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert "rror" not in said


def held(calls: Path, hold: Path, at: int) -> tuple[str, ...]:
    return ("--set", f"calls={calls}", "--set", f"hold={hold}", "--set", f"hold_at={at}")


def wait_for(process: subprocess.Popen[str], calls: Path, count: int) -> None:
    while not calls.exists() or calls.stat().st_size < count:
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.slow
def test_ctrl_c_stops_and_the_same_command_goes_on(start: Start, image: Path, tmp_path: Path) -> None:
    calls, hold = tmp_path / "calls", tmp_path / "hold"
    hold.touch()
    command = ("run", image, tmp_path / "out", *ONE_BY_ONE, *held(calls, hold, 12))
    process = start(*command)
    wait_for(process, calls, 12)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == "stopping when the tiles under way are done; Ctrl-C again stops at once\n"
    hold.unlink()
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == "interrupted; re-run the same command to resume\n"
    assert not (tmp_path / "out").exists()
    done_before = calls.stat().st_size
    process = start(*command)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.startswith("3 objects in 48 tiles")
    # Every tile once, but for those that were cut off between the segmenter and the stage.
    assert calls.stat().st_size < done_before + 48 - 6


def test_a_second_ctrl_c_stops_at_once(start: Start, image: Path, tmp_path: Path) -> None:
    calls, hold = tmp_path / "calls", tmp_path / "hold"
    hold.touch()
    process = start("run", image, tmp_path / "out", *ONE_BY_ONE, *held(calls, hold, 1))
    wait_for(process, calls, 1)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("stopping")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == "interrupted at once; re-run the same command to resume\n"
