"""Let the disk be full at every write in turn, and the same run go on once there is room.

    python tests/faults/full.py [--every 1] [--writer zarr-array]

A run's writes are counted first: files opened for writing, folders made, files moved, and appends to the stage's packs,
of which half is written before the disk is full. Then a run fails at each of them: at that one alone, and at that one
and all that follow. Held to: the error is one line that names the file and the room that is left; the earlier labels
are readable and listed; afterwards the same run ends with the labels of the whole image.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from runs import Components, components
from stores import TILE, labels_of, make_image

from tilewright import Grid, NotWritable, Pipeline
from tilewright.engine.checkpoint.log import _Pack

EVENTS = {"open", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate"}


class Disk:
    """A disk on which writes below a folder are counted, and fail from a number on."""

    def __init__(self) -> None:
        self.folder, self.writes, self.full_from, self.full_until = "", 0, 0, 0
        self._lock = threading.Lock()
        sys.addaudithook(self._heard)
        written = _Pack._write

        def half(pack: Any, record: bytes) -> None:
            if self.folder and self._counted():
                written(pack, record[: len(record) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), pack._file.name)
            written(pack, record)

        _Pack._write = half  # type: ignore[method-assign]  # an append raises no audit event

    def watch(self, folder: Path, full_from: int = sys.maxsize, full_until: int = sys.maxsize) -> None:
        self.writes, self.full_from, self.full_until = 0, full_from, full_until
        self.folder = str(folder)

    def rest(self) -> None:
        self.folder = ""

    def _counted(self) -> bool:
        with self._lock:
            self.writes += 1
            return self.full_from <= self.writes <= self.full_until

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder or event not in EVENTS:
            return
        path = arguments[0]
        if isinstance(path, int) or not os.fsdecode(path).startswith(self.folder):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if self._counted():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fsdecode(path))


def run(folder: Path, writer: str) -> None:
    pipeline = Pipeline(
        segmenter=Components(),
        tiler=Grid(tile=TILE),
        writer={"name": writer, "configuration": {"chunks": TILE} if writer == "ome-zarr" else {}},
    )
    destination = folder / "labels.zarr" if writer == "zarr-array" else None
    pipeline.run(folder / "image.ome.zarr", destination, name="cells", overwrite=True, workers=1)


def play(folder: Path, disk: Disk, writer: str, expected: NDArray[Any], full: tuple[int, int]) -> str:
    """What is wrong after a run on a full disk and the next one, if anything."""
    disk.watch(folder, *full)
    try:
        run(folder, writer)
    except NotWritable as error:
        said = str(error)
        if "\n" in said or "GB free" not in said or str(folder) not in said or error.errno != errno.ENOSPC:
            return f"it was said: {said}"
    except Exception as error:  # noqa: BLE001 - whatever else comes is what this looks for
        return f"it was raised: {error!r}"
    finally:
        disk.rest()
    seen = labels_of(folder, writer)
    if not ((seen == 1).all() or np.array_equal(seen, expected)):
        return "the labels are neither the earlier ones nor the new ones"
    run(folder, writer)
    if not np.array_equal(labels_of(folder, writer), expected):
        return "the labels are not those of the whole image"
    left = {entry.name for entry in folder.iterdir()} - {"image.ome.zarr", "labels.zarr"}
    left |= {entry.name for entry in (folder / "image.ome.zarr" / "labels").iterdir()} - {"cells", "zarr.json"}
    return f"left behind: {left}" if left else ""


def main(every: int, writer: str) -> int:
    disk, wrong, played = Disk(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        template = Path(name) / "template"
        template.mkdir()
        expected = components(make_image(template))

        def fresh() -> Path:
            return Path(shutil.copytree(template, Path(name) / "run"))

        folder = fresh()
        disk.watch(folder)
        run(folder, writer)
        disk.rest()
        writes = disk.writes
        shutil.rmtree(folder)
        for number in range(1, writes + 1, every):
            for until in (number, sys.maxsize):
                said = play(fresh(), disk, writer, expected, (number, until))
                shutil.rmtree(Path(name) / "run")
                played += 1
                if said:
                    wrong += 1
                    print(
                        f"full at write {number} of {writes}{' alone' if until == number else ''}: {said}", flush=True
                    )
    print(f"{played - wrong} of {played} right, on a disk that is full at writes 1 to {writes}")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fail a run at every write in turn, and let it go on.")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--writer", choices=["ome-zarr", "zarr-array"], default="ome-zarr")
    said = parser.parse_args()
    sys.exit(main(said.every, said.writer))
