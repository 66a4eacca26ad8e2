"""A file system that passes on to a folder, and fails as a disk or a network file system may: from the n-th call on."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import mfusepy

CONTROL = "fault"  # a file beside the folder: "write EIO 3" has the third call of `write` fail, and all after it


class Failing(mfusepy.Operations):
    """The files of a folder, as this file system shows them."""

    use_ns = True

    def __init__(self, folder: Path, control: Path) -> None:
        self._folder, self._control, self._calls = folder, control, 0

    def _at(self, path: str, operation: str) -> Path:
        """The path in the folder. OSError once the fault that the control file names has come."""
        if self._control.exists():
            wanted, number, first = self._control.read_text().split()
            self._calls += operation == wanted
            if operation == wanted and self._calls >= int(first):
                raise mfusepy.FuseOSError(getattr(errno, number))
        else:
            self._calls = 0
        return self._folder / path[1:]

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        state = self._at(path, "getattr").lstat()
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
        times = {f"st_{name}": getattr(state, f"st_{name}_ns") for name in ("atime", "mtime", "ctime")}
        return {name: getattr(state, name) for name in names} | times

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._at(path, "statfs"))
        return {name: getattr(found, name) for name in dir(found) if name.startswith("f_") and name != "f_fsid"}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(entry.name for entry in self._at(path, "readdir").iterdir())]

    def mkdir(self, path: str, mode: int) -> int:
        self._at(path, "mkdir").mkdir(mode)
        return 0

    def rmdir(self, path: str) -> int:
        self._at(path, "rmdir").rmdir()
        return 0

    def unlink(self, path: str) -> int:
        self._at(path, "unlink").unlink()
        return 0

    def rename(self, old: str, new: str) -> int:
        self._at(old, "rename").replace(self._folder / new[1:])
        return 0

    def chmod(self, path: str, mode: int) -> int:
        self._at(path, "chmod").chmod(mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path, "utimens"), ns=times)
        return 0

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path, "truncate"), length)
        return 0

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path, "create"), os.O_CREAT | os.O_RDWR | os.O_TRUNC, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path, "open"), flags & ~os.O_APPEND)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._at(path, "read")
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._at(path, "write")
        return os.pwrite(fh, data, offset)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._at(path, "fsync")
        return 0

    def release(self, path: str, fh: int) -> int:
        os.close(fh)
        return 0


if __name__ == "__main__":
    folder, mount = map(Path, sys.argv[1:])
    failing = Failing(folder, folder.with_name(CONTROL))
    mfusepy.FUSE(failing, str(mount), foreground=True, nothreads=True, attr_timeout=0)
