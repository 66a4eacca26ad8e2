"""Errors of the disk as one message, removal of folders, and the state of files."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import NotReadable, NotWritable, TilewrightError

__all__ = [
    "KINDS",
    "LONGEST_NAME",
    "LONGEST_PATH",
    "MACHINE",
    "advice",
    "check_file",
    "check_metadata",
    "discard",
    "file_state",
    "fitting",
    "read_whole",
    "write_whole",
    "writing_to",
]

METADATA = 2**26  # bytes of the largest file of metadata that is read
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MACHINE = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}  # which say nothing of the file
LONGEST_NAME, LONGEST_PATH = 255, 4096  # bytes, of most file systems and of Linux
ELSEWHERE = "choose another place"
ADVICE = {
    errno.ENOSPC: "free some room there, or give another place (checkpoint_dir, --checkpoint-dir, for the checkpoint)",
    errno.EFBIG: "have the limit on the size of a file raised (ulimit -f), or give another place",
    errno.EDQUOT: "your own quota there is used up: remove files of yours, or give another place (checkpoint_dir, "
    "--checkpoint-dir, for the checkpoint)",
    errno.EROFS: "that file system is mounted read-only; make it writable, or choose another place",
    errno.EACCES: "make it writable, or choose another place",
    errno.EPERM: "make it writable, or choose another place",
    errno.EMFILE: "this process has as many files open as it may; raise the limit (ulimit -n), or give fewer workers",
    errno.ENFILE: "all programs of this machine together have as many files open as they may; end some of them",
    errno.EAGAIN: "this user runs as many processes and threads as allowed; raise the limit (ulimit -u), or give "
    "fewer workers",
    errno.ENOMEM: "the machine has no memory left; give smaller tiles or fewer workers",
    errno.ENOLCK: "that file system grants no locks, because it has none or its lock service does not answer; choose "
    "another place",
    errno.ENAMETOOLONG: "give a shorter name, or a folder that is less deep",
    errno.EIO: "the disk, or the network to it, fails; check it, or choose another place",
    errno.ESTALE: "the network file system was mounted anew or its server restarted; check it",
    errno.ENOENT: "somebody removed it during the run, or it is on a disk that went away; check it",
}


@contextmanager
def writing_to(checkpoint: Path, path: Path | str) -> Iterator[None]:
    """Turn the system's errors into NotWritable, with what is wrong, with which file, and what to do."""
    try:
        yield
    except OSError as error:
        # An OSError without a number is not the disk's, and neither is a lost connection to a cluster.
        if isinstance(error, TilewrightError | ConnectionError) or error.errno is None:
            raise
        raise _described(error, checkpoint, path) from error


def advice(error: OSError) -> str:
    """What to do about an error of the system."""
    return ADVICE.get(error.errno or 0, ELSEWHERE)


def _described(error: OSError, checkpoint: Path, path: Path | str) -> NotWritable:
    reason = os.strerror(error.errno or 0)
    if error.errno not in MACHINE:
        file = Path(os.fsdecode(error.filename2 or error.filename or checkpoint))
        reason += f": {str(file)!r} cannot be written"
        if error.errno in FULL:
            reason += f" ({_free(next(folder for folder in (file, *file.absolute().parents) if folder.is_dir()))})"
    described = NotWritable(
        f"{reason}; {advice(error)}, and re-run the same command to resume. What was at {str(path)!r} before is "
        "unchanged"
    )
    described.errno = error.errno
    return described


def fitting(stem: str, suffix: str, prefix: str = "") -> str:
    """A file's name of these parts; a stem with which it would be longer than a name may be ends in a digest."""
    room = LONGEST_NAME - len(os.fsencode(prefix + suffix))
    name = os.fsencode(stem)
    if len(name) > room:
        digest = hashlib.blake2b(name, digest_size=6).hexdigest()
        stem = name[: room - len(digest) - 1].decode(errors="ignore") + "-" + digest
    return prefix + stem + suffix


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


def check_file(file: str | Path, state: os.stat_result, what: str = "a file") -> None:
    """NotReadable for a state that is not a regular file's: a pipe or a device may be read for ever."""
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        raise NotReadable(f"{str(file)!r} is {KINDS.get(kind, 'a special file')}, not {what}; put the right file there")


def check_metadata(file: Path, most: int = METADATA) -> None:
    """NotReadable for a file of metadata that is not a regular file, or that is too large to be metadata."""
    state = file.stat()
    check_file(file, state, "a file of metadata")
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
