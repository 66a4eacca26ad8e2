"""What the system says of its disks: that it cannot write, and what has changed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import NotWritable, TilewrightError

__all__ = ["discard", "file_state", "writing_to"]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing_to(checkpoint: Path, path: Path) -> Iterator[None]:
    """Turn errors of the system on either into NotWritable, which says which file, what is free, and what to do."""
    try:
        yield
    except OSError as error:
        # An OSError without a number is nobody's refusal to write; a lost connection is the cluster's.
        if isinstance(error, TilewrightError | ConnectionError) or error.errno is None:
            raise
        raise _described(error, checkpoint, path) from error


def _described(error: OSError, checkpoint: Path, path: Path) -> NotWritable:
    file = Path(os.fsdecode(error.filename2 or error.filename or checkpoint))
    place = next(folder for folder in (file, *file.absolute().parents) if folder.is_dir())
    if error.errno in FULL:
        advice = "free some room there, or give another place (checkpoint_dir, --checkpoint-dir, for the checkpoint)"
    else:
        advice = "see to it that it can be written, or choose another place"
    described = NotWritable(
        f"{os.strerror(error.errno or 0)}: {str(file)!r} cannot be written ({_free(place)}); {advice}, and repeat the "
        f"run: it goes on with what is done. What was at {str(path)!r} before is as it was"
    )
    described.errno = error.errno
    return described


def _free(folder: Path) -> str:
    free = f"{shutil.disk_usage(folder).free / 1e9:,.3g} GB free in {str(folder)!r}"
    if hasattr(os, "statvfs") and os.statvfs(folder).f_files and not os.statvfs(folder).f_favail:
        return f"{free}, but no more files can be made there"
    return free


def discard(folder: Path) -> None:
    """Remove a folder of our own making, if it is there: out of sight first, so that nobody finds half of it.

    A kill leaves a folder whose name ends in `.gone`.
    """
    gone = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}.gone")
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def file_state(path: str | Path) -> tuple[int, int] | None:
    """Size and time of change, in bytes and nanoseconds; None where there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a million tiles have a few million chunks; Path.stat is slower
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
