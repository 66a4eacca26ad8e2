"""Putting a finished output into its place, so that a reader sees the old one or the new one, each complete."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from ..errors import AlreadyExists
from .disk import fitting, write_whole
from .hierarchy import is_node

__all__ = ["check_replaceable", "place_folder", "recover", "replace_folder"]

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # Linux, renameat2(2)


def check_replaceable(path: Path) -> None:
    """AlreadyExists if a file, or a folder that is not a zarr store, is at the path, even if overwriting is allowed.

    A mistyped destination would otherwise remove a folder of documents.
    """
    if path.is_dir() and (is_node(path) or not any(path.iterdir())):
        return
    if path.exists():
        what = "has no zarr metadata" if path.is_dir() else "is not a folder"
        raise AlreadyExists(
            f"{path} exists and {what}, so it is not an earlier output; move it away, or write elsewhere"
        )


def replace_folder(aside: Path, path: Path) -> None:
    """Move a finished folder to its path; a folder that was there is removed afterwards.

    Both must lie on one file system. Where the system can swap two names in one step (Linux), the output is never
    missing; elsewhere it is missing between two renames. After a kill the same call completes the move.
    """
    place_folder(aside, path)
    recover(aside, path)


def place_folder(aside: Path, path: Path) -> None:
    """The first half of `replace_folder`: an output that was there is kept aside until `recover` is called."""
    recover(aside, path)
    if not aside.exists():
        return
    _flush(aside)
    if not path.exists():
        aside.rename(path)
        return
    write_whole(_noted(aside), str(aside.stat().st_ino))  # the names do not tell after the swap which is the new one
    if not _exchange(aside, path):
        _move_over(aside, path)


def _flush(folder: Path) -> None:
    """Have the system write all data of a folder's file system to the disk.

    A name may get there before its data: without this, a power cut after the swap could leave empty files in place of
    the earlier labels. The file system is synced once, because a million chunks would be a million waits.
    """
    sync = getattr(ctypes.CDLL(None), "syncfs", None) if sys.platform.startswith("linux") else None
    if sync is None:
        getattr(os, "sync", lambda: None)()  # Windows has neither
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def recover(aside: Path, path: Path) -> None:
    """Remove the output that was replaced, and clear up after a kill during the swap.

    After a swap the folder aside is the old output, and is removed. Between two renames there is no output at the path:
    the old one is moved back.
    """
    note = _noted(aside)
    if _old(path).exists() and path.exists():
        shutil.rmtree(_old(path), ignore_errors=True)
    elif _old(path).exists():
        _old(path).rename(path)
    if note.exists() and path.exists() and path.stat().st_ino == int(note.read_text()):
        shutil.rmtree(aside, ignore_errors=True)
    note.unlink(missing_ok=True)


def _noted(aside: Path) -> Path:
    return aside.with_name(f"{aside.name}.inode")


def _old(path: Path) -> Path:
    """Where the old output is between two renames: beside its path, because the checkpoint may be discarded."""
    return path.with_name(fitting(path.name, ".replaced", "."))


def _move_over(aside: Path, path: Path) -> None:
    path.rename(_old(path))
    try:
        aside.rename(path)
    except OSError:  # they lie on two file systems after all
        _old(path).rename(path)
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    done: int = rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    return done == 0
