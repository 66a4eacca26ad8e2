"""Putting a finished output into its place, so that a reader finds the old one or the new one whole."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from ..errors import AlreadyExists

__all__ = ["check_replaceable", "recover", "replace_folder"]

ZARR = ("zarr.json", ".zgroup", ".zarray")
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # Linux, renameat2(2)


def check_replaceable(path: Path) -> None:
    """AlreadyExists, even for who wants to overwrite, for a file or a folder that is no zarr store.

    Whoever mistypes a destination would lose a folder of documents.
    """
    if path.is_dir() and (any((path / name).is_file() for name in ZARR) or not any(path.iterdir())):
        return
    if path.exists():
        what = "holds no zarr metadata" if path.is_dir() else "is no folder"
        raise AlreadyExists(f"{path} exists and {what}, so it is no earlier output; move it away, or write elsewhere")


def replace_folder(aside: Path, path: Path) -> None:
    """Put a finished folder into its place; what was there is removed afterwards.

    Both must lie on one file system. Where the system can swap two names in one step (Linux), the output is never
    missing; elsewhere for the instant between two renames. After a kill the same call finishes what was begun.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(aside, path)
    if not aside.exists():
        return
    _flush(aside)
    if not path.exists():
        aside.rename(path)
        return
    _note(aside)
    if not _exchange(aside, path):
        _move_over(aside, path)
    recover(aside, path)
    shutil.rmtree(_old(path), ignore_errors=True)


def _flush(folder: Path) -> None:
    """Have the system put everything of a folder's file system on the disk.

    A name may get there before the data that it stands for: without this a power cut right behind the swap could leave
    empty files in the place of labels that were there before. Once for the file system, because a million chunks
    are a million waits.
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
    """Clear up after a kill amid the swap.

    Right behind it the folder aside is the old one, not one to go on filling. Between two renames nothing is in place:
    then what was there is put back.
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
    """Where the earlier output is between two renames: beside its place, because the checkpoint may be discarded."""
    return path.with_name(f".{path.name}.replaced")


def _note(aside: Path) -> None:
    """Keep which folder is the new one, since after the swap the names no longer tell."""
    partial = aside.with_name(f"{aside.name}.inode.partial")
    partial.write_text(str(aside.stat().st_ino))
    partial.replace(_noted(aside))


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
