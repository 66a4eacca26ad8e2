"""Errors of the disk as one message, removal of folders, and the state of files."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import NotReadable, NotWritable, TilewrightError

__all__ = ["check_kind", "check_metadata", "discard", "file_state", "read_whole", "write_whole", "writing_to"]

METADATA = 2**26  # bytes of the largest file of metadata that is read
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def writing_to(checkpoint: Path, path: Path) -> Iterator[None]:
    """Turn the system's errors into NotWritable, with the file, the free space and what to do."""
    try:
        yield
    except OSError as error:
        # An OSError without a number is not the disk's, and neither is a lost connection to a cluster.
        if isinstance(error, TilewrightError | ConnectionError) or error.errno is None:
            raise
        raise _described(error, checkpoint, path) from error


def _described(error: OSError, checkpoint: Path, path: Path) -> NotWritable:
    file = Path(os.fsdecode(error.filename2 or error.filename or checkpoint))
    place = next(folder for folder in (file, *file.absolute().parents) if folder.is_dir())
    if error.errno in FULL:
        advice = "free some room there, or give another place (checkpoint_dir, --checkpoint-dir, for the checkpoint)"
    else:
        advice = "make it writable, or choose another place"
    described = NotWritable(
        f"{os.strerror(error.errno or 0)}: {str(file)!r} cannot be written ({_free(place)}); {advice}, and re-run "
        f"the same command to resume. What was at {str(path)!r} before is unchanged"
    )
    described.errno = error.errno
    return described


def _free(folder: Path) -> str:
    free = f"{shutil.disk_usage(folder).free / 1e9:,.3g} GB free in {str(folder)!r}"
    if hasattr(os, "statvfs") and os.statvfs(folder).f_files and not os.statvfs(folder).f_favail:
        return f"{free}, but no more files can be made there"
    return free


def discard(folder: Path) -> None:
    """Remove a folder that tilewright made, if it is there. It is renamed first, so that it is never there in part.

    A kill leaves a folder whose name ends in `.gone`.
    """
    gone = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}.gone")
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def write_whole(file: Path, text: str, aside: Path | None = None) -> None:
    """Write a small file whole or not at all, by way of a new one in the folder `aside` (the file's own by default).

    A link in its place is replaced, and not followed.
    """
    partial = (aside or file.parent) / f"{file.name}.{secrets.token_hex(4)}.partial"
    with partial.open("x", encoding="utf-8") as opened:
        opened.write(text)
    partial.replace(file)


def read_whole(file: Path) -> str:
    """The text of a small file. OSError for a link and for what is not a file, such as a pipe, which never ends."""
    opened = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(opened, encoding="utf-8") as text:  # noqa: PTH123 - it is open already
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(file))
        return text.read()


def check_kind(path: Path) -> None:
    """NotReadable for what is there but is neither a file nor a folder: a pipe or a device may be read for ever."""
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise NotReadable(f"{str(path)!r} is {KINDS.get(kind, 'a special file')}, not a file; give a file or a folder")


def check_metadata(file: Path, most: int = METADATA) -> None:
    """NotReadable for a file of metadata that is not a regular file, or that is too large to be metadata."""
    state = file.stat()
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        raise NotReadable(f"{str(file)!r} is {KINDS.get(kind, 'a special file')}, not a file of metadata; remove it")
    if state.st_size > most:
        raise NotReadable(
            f"{str(file)!r} has {state.st_size:,} bytes, but metadata has at most {most:,}; export it again"
        )


def file_state(path: str | Path) -> tuple[int, int] | None:
    """A file's size in bytes and its time of change in nanoseconds; None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a million tiles have a few million chunks; Path.stat is slower
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
