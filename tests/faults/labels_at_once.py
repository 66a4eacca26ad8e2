"""Let two runs write labels of two names into one image at a time, again and again: both are there and listed, always.

    python tests/faults/labels_at_once.py [--rounds 200]

The runs meet where each puts its labels into their place, while a reader looks. The image has no labels group at first;
in every second round it is consolidated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zarr
from changes import TILE, Case, apart, pixels
from runs import components

from tilewright import Grid, Pipeline
from tilewright_ome_zarr import sink

NAMES = ("a", "b")


def run(folder: Path, name: str) -> None:
    """A run whose labels are put into place together with those of the other."""
    register = sink.register

    def meet(*arguments: Any) -> None:
        (folder / f"{name}.here").touch()
        while not all((folder / f"{other}.here").exists() for other in NAMES):
            time.sleep(0.0005)
        register(*arguments)

    sink.register = meet
    Pipeline(segmenter=components, tiler=Grid(tile=TILE)).run(folder / "image.zarr", name=name, workers=1)


def look(folder: Path) -> None:
    """Read the image again and again until both runs are over: every label that is listed is there, whole."""
    while not (folder / "over").exists():
        check(folder, listed(folder))


def listed(folder: Path) -> list[str]:
    image = zarr.open_group(folder / "image.zarr", mode="r")
    return list(image["labels"].attrs["ome"]["labels"]) if "labels" in image else []


def check(folder: Path, names: list[str]) -> None:
    image = zarr.open_group(folder / "image.zarr", mode="r")
    for name in names:
        if not (image[f"labels/{name}/0"][:] == components(pixels())).all():
            raise AssertionError(f"a reader does not find the labels {name}")


def play(folder: Path, *, consolidated: bool) -> str:
    """What is wrong after a round, if anything."""

    def both() -> None:
        names = listed(folder)
        assert sorted(names) == list(NAMES), f"{names} are listed"
        check(folder, names)
        metadata = zarr.open_group(folder / "image.zarr", mode="r").metadata
        assert (metadata.consolidated_metadata is not None) == consolidated
        left = sorted(entry.name for entry in folder.iterdir())
        assert left == ["a.here", "b.here", "image.zarr", "over"], f"left behind: {left}"

    works = [lambda name=name: run(folder, name) for name in NAMES]
    processes = [start(work) for work in (*works, lambda: look(folder))]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes[:2]]
    (folder / "over").touch()
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(processes[2], 0)[1]))
    if any(statuses):
        return f"the runs and the reader ended with {statuses}"
    return apart(both)[1]


def start(work: Any) -> int:
    """A process that does something."""
    process = os.fork()
    if not process:
        status, text = 1, ""
        try:
            work()
            status = 0
        except BaseException as error:  # noqa: BLE001 - whatever comes is what this looks for
            text = f"{type(error).__name__}: {error}\n"
        os.write(2, text.encode())
        os._exit(status)
    return process


def main(rounds: int) -> int:
    right = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "round"
        for number in range(rounds):
            folder.mkdir()
            case = Case(kind="image", consolidated=number % 2 == 1)
            fault = apart(lambda case=case: case.prepare(folder))[1] or play(folder, consolidated=case.consolidated)
            right += not fault
            if fault:
                print(f"round {number}: {fault}", flush=True)
            shutil.rmtree(folder)
    print(f"{right} of {rounds} right")
    return 0 if right == rounds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write two names into one image at a time, again and again.")
    parser.add_argument("--rounds", type=int, default=200)
    sys.exit(main(parser.parse_args().rounds))
