"""What a network said of its windows: a file for each batch of them, which is there for as long as a tile needs it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ...errors import SegmenterFailed
from ...storage.disk import write_whole
from .log import decode, encode

__all__ = ["PREDICTIONS", "Predictions"]

PREDICTIONS = "predictions"  # a folder of the checkpoint
FAILED = ".failed"
HEAD = 16  # bytes of a file before its table: the length of the table, and the guard of the windows' pixels


class Predictions:
    """The files of batches in a folder. Each is written whole or not at all, by any worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def guard(self, batch: int) -> int | None:
        """What the pixels of a batch's windows were when it was predicted; None if it is not there."""
        try:
            with self._path(batch).open("rb") as file:
                return int.from_bytes(file.read(HEAD)[8:], "little")
        except FileNotFoundError:
            return None

    def write(self, batch: int, guard: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep the arrays of a batch."""
        table, data = encode(arrays)
        self.folder.mkdir(exist_ok=True)
        aside = self.folder / f"{batch}.{secrets.token_hex(4)}.partial"
        aside.write_bytes(b"".join([len(table).to_bytes(8, "little"), guard.to_bytes(8, "little"), table, data]))
        aside.replace(self._path(batch))

    def read(self, batch: int, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Some of the arrays of a batch. SegmenterFailed if it could not be predicted."""
        path = self._path(batch)
        if not path.exists() and path.with_suffix(FAILED).exists():
            raise SegmenterFailed(path.with_suffix(FAILED).read_text(encoding="utf-8"))
        with path.open("rb", buffering=0) as file:
            length = int.from_bytes(file.read(HEAD)[:8], "little")
            table = file.read(length)

            def data(offset: int, size: int) -> bytes:
                file.seek(HEAD + length + offset)
                return file.read(size)

            return decode(table, names, data)

    def fail(self, batch: int, reason: str) -> None:
        """Note why a batch could not be predicted, for the tiles that need it."""
        self.folder.mkdir(exist_ok=True)
        write_whole(self._path(batch).with_suffix(FAILED), reason)

    def size(self, batch: int) -> int:
        """The bytes of a batch's file; 0 if it is not there."""
        try:
            return self._path(batch).stat().st_size
        except FileNotFoundError:
            return 0

    def drop(self, batch: int) -> None:
        """No tile needs the batch any more."""
        for path in (self._path(batch), self._path(batch).with_suffix(FAILED)):
            path.unlink(missing_ok=True)

    def _path(self, batch: int) -> Path:
        return self.folder / f"{batch:08d}.maps"
