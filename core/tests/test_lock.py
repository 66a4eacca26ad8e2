"""A held folder: one holder at a time, and none that is dead, without a lock of the file system."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tilewright.errors import AlreadyExists, OutputBusy
from tilewright.storage import lock as locks
from tilewright.storage.lock import held, hold
from tilewright.storage.machine import is_alive, this_process

HOLDING = """
import sys, time
from pathlib import Path
from tilewright.storage.lock import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out.tilewright"


def left_by(folder: Path, **process: object) -> Path:
    """The file of a holder that is this process in all but what is given."""
    file = folder / "lock" / "0123"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(this_process() | process))
    return file


def test_a_folder_is_held_once_and_goes_when_it_is_let_go(folder: Path) -> None:
    with held(folder), pytest.raises(OutputBusy, match=rf"at work in {folder} \(process {os.getpid()} on "):
        hold(folder)
    assert not folder.exists()


def test_what_is_in_a_folder_stays_when_it_is_let_go(folder: Path) -> None:
    with held(folder):
        (folder / "work").touch()
    assert [entry.name for entry in folder.iterdir()] == ["work"]


def test_a_killed_process_holds_nothing(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(OutputBusy, match=f"process {process.pid} on"):
            hold(folder)
        process.send_signal(signal.SIGKILL)
    with held(folder):
        pass
    assert not folder.exists()


def test_another_process_of_the_same_number_is_not_the_holder(folder: Path) -> None:
    left_by(folder, start="1")
    with held(folder) as taken:
        taken.check()


def test_a_holder_of_another_machine_is_waited_for_until_it_has_been_silent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE", 0.5)
    left_by(folder, host="elsewhere")
    with held(folder) as taken:
        taken.check()


def test_a_holder_of_another_machine_that_lives_keeps_its_folder(folder: Path) -> None:
    file, over = left_by(folder, host="elsewhere"), threading.Event()

    def live() -> None:
        while not over.wait(0.05):
            os.utime(file)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(live)
        with pytest.raises(OutputBusy, match="on elsewhere"):
            hold(folder)
        over.set()
    assert file.exists()


def test_a_holder_that_died_long_ago_elsewhere_is_not_waited_for(folder: Path) -> None:
    file = left_by(folder, host="elsewhere")
    os.utime(file, (time.time() - 3600,) * 2)
    before = time.monotonic()
    with held(folder):
        assert time.monotonic() - before < locks.LEASE


def test_a_process_notices_that_its_folder_was_taken_over(folder: Path) -> None:
    with held(folder) as taken:
        (file,) = (folder / "lock").iterdir()
        file.unlink()
        with held(folder), pytest.raises(OutputBusy, match="has taken over"):
            taken.check()


@pytest.mark.parametrize("left", ["lock.0123", "lock.0123/0123", "lock", "lock of an earlier version", "torn file"])
def test_what_a_kill_left_while_a_folder_was_taken_is_in_nobodys_way(
    left: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE", 0.5)
    folder.mkdir()
    if left == "torn file":
        (folder / "lock").mkdir()
        (folder / "lock" / "0123").write_text('{"proc')
    elif " " in left:
        (folder / "lock").touch()
    elif "/" in left:
        (folder / "lock.0123").mkdir()
        (folder / left).touch()
    else:
        (folder / left).mkdir()
    with held(folder):
        pass
    assert not folder.exists()


def test_a_link_is_not_followed(folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(AlreadyExists, match="is a link or a file"):
        hold(folder)
    assert not list(elsewhere.iterdir())
    folder.unlink()
    folder.mkdir()
    (folder / "lock").symlink_to(elsewhere)
    with held(folder):
        pass
    assert elsewhere.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_not_taken(folder: Path) -> None:
    folder.mkdir(mode=0o777)
    os.chown(folder, 65534, 65534)
    with pytest.raises(AlreadyExists, match="belongs to another user"):
        hold(folder)
    assert not list(folder.iterdir())


def test_the_folder_above_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hold(tmp_path / "missing" / "out.tilewright")
    assert not list(tmp_path.iterdir())


def test_a_process_of_another_container_is_not_judged_by_its_number() -> None:
    assert is_alive(this_process())
    assert is_alive(this_process() | {"boot": "another start, or another container"}) is None
    assert is_alive({}) is None
    assert is_alive({"process": "1", "host": "x"}) is None
