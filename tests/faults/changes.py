"""Kill a run before every change of a file in turn, and let the same command end with the result.

    python tests/faults/changes.py [--every 1] [--case "image added"]

Changes are files that are opened for writing, made, moved or removed, folders that are made or removed, and appends to
a checkpoint's packs, of which half is written before the kill. After each kill, a reader must find the earlier output
or the new one, whole, through consolidated metadata where there is some. Then the same command must end with the labels
of the whole image, with everything listed and consolidated as before, and nothing left behind.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from runs import components
from stores import multiscales

import tilewright_geojson.writer  # noqa: F401 - imported before the processes part, which saves each the time
import tilewright_ome_zarr.writer
import tilewright_tiff.writer  # noqa: F401 - likewise
from tilewright import AlreadyExists, Grid, Pipeline, Workflow, open_image, tile_process
from tilewright.components.registry import registry
from tilewright.engine import execution  # noqa: F401 - likewise
from tilewright.engine.checkpoint.log import _Pack

TILE = 32
IMAGES = ("image", "outputs", "workflow")  # the kinds that write labels of an image
SHAPE = (32, 64)
EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run whose every change is a place to be killed at.

    kind: what is written: labels of an image, an array of a group, or an output of its own by a writer of that name;
        `outputs` are two labels of an image by a segmenter that returns both, `workflow` is a workflow of one step.
    zarr_format, consolidated: of the image or the group. overwrite: an earlier output is there. other: the image has
    other labels already. elsewhere: the checkpoint has a folder of its own.
    """

    kind: str
    zarr_format: int = 3
    overwrite: bool = False
    other: bool = False
    consolidated: bool = False
    elsewhere: bool = False

    def __str__(self) -> str:
        words = ["replaced" if self.overwrite else "added" if self.other else "first", f"zarr{self.zarr_format}"]
        words += ["consolidated"] * self.consolidated + ["elsewhere"] * self.elsewhere
        return " ".join([self.kind, *words])

    @property
    def output(self) -> str:
        names = {
            "image": "image.zarr",
            "outputs": "image.zarr",
            "workflow": "image.zarr",
            "group": "group.zarr",
            "zarr-array": "out.zarr",
            "ome-zarr": "out.ome.zarr",
        }
        return names.get(self.kind) or {"ome-tiff": "out.ome.tif", "geojson": "out.geojson"}[self.kind]

    def prepare(self, folder: Path) -> None:
        """The image, and what is there before."""
        image = _group(folder / "image.zarr", self.zarr_format, _attributes(self.zarr_format))
        _array(image, "0", pixels())
        if self.kind in IMAGES and (self.other or self.overwrite):
            names = ["nuclei"] * self.other + ["cells"] * self.overwrite
            names += ["bright"] * (self.kind == "outputs" and self.overwrite)
            labels = _group(folder / "image.zarr" / "labels", self.zarr_format, _listing(self.zarr_format, names))
            for name in names:
                attributes = _attributes(self.zarr_format, label=True)
                _array(labels.create_group(name, attributes=attributes), "0", old())
        elif self.kind == "group":
            group = _group(folder / "group.zarr", self.zarr_format, {})
            _array(group, "other", old())
            if self.overwrite:
                _array(group, "labels", old())
        elif self.overwrite:
            Pipeline(segmenter=ones, tiler=Grid(tile=TILE), writer=self.kind).run(pixels(), folder / self.output)
        if self.consolidated:
            zarr.consolidate_metadata(folder / self.output)

    def run(self, folder: Path) -> None:
        options: dict[str, Any] = {"overwrite": self.overwrite}
        if self.elsewhere:
            options["stage_dir" if self.kind == "group" else "checkpoint_dir"] = folder / "checkpoints"
        if self.kind == "group":
            group = folder / "group.zarr"
            tile_process(pixels(), components, tile_shape=(TILE, TILE), write_to=group, **options)
            return
        writer: Any = self.kind
        if self.kind in IMAGES:
            writer = tilewright_ome_zarr.writer.OmeZarrLabels(chunks=(16, TILE))
        several = self.kind == "outputs"
        pipeline = Pipeline(segmenter=_both if several else components, tiler=Grid(tile=TILE), writer=writer)
        destination = None if self.kind in IMAGES else folder / self.output
        if self.kind == "workflow":
            Workflow(steps={"cells": pipeline}).run(folder / "image.zarr", workers=1, **options)
            return
        options |= {} if several else {"name": "cells"}
        pipeline.run(folder / "image.zarr", destination, workers=1, **options)

    def seen(self, folder: Path) -> NDArray[Any] | None:
        """The labels as a reader finds them; None if there are none."""
        path = folder / self.output
        if self.kind in IMAGES:
            return self._listed(zarr.open_group(path, mode="r"))
        if self.kind == "group":
            group = zarr.open_group(path, mode="r")
            np.testing.assert_array_equal(group["other"][:], old())
            return np.asarray(group["labels"][:]) if "labels" in group else None
        if not path.exists():
            return None
        if self.kind == "geojson":
            return _counted(path)
        return np.asarray(open_image(path).data[:])

    def _listed(self, image: Any) -> NDArray[Any] | None:
        if "labels" not in image:
            return None
        labels = image["labels"]
        names = (labels.attrs["ome"] if self.zarr_format == 3 else labels.attrs)["labels"]
        own = _both.outputs if self.kind == "outputs" else ("cells",)  # type: ignore[attr-defined]
        for name in set(names) - set(own):
            np.testing.assert_array_equal(labels[f"{name}/0"][:], old())
        if not self.other and self.kind != "outputs" and set(names) != set(labels):
            raise AssertionError(f"{names} are listed of {sorted(labels)}")
        found = [labels[f"{name}/0"][:] if name in names else np.zeros(SHAPE) for name in own]
        return np.concatenate(found) if set(names) & set(own) else None

    def expected(self) -> NDArray[Any]:
        if self.kind == "outputs":
            return np.concatenate(list(_both(pixels()).values()))
        labels = components(pixels())
        return np.array([labels.max()]) if self.kind == "geojson" else labels

    def before(self) -> NDArray[Any] | None:
        if not self.overwrite:
            return None
        if self.kind == "outputs":
            return np.concatenate([old(), old()])
        return np.array([1]) if self.kind == "geojson" else old()

    def is_whole(self, seen: NDArray[Any] | None) -> bool:
        """Whether a reader finds the earlier output or the new one; of two, the first may be new and the other not."""
        wanted = [self.before(), self.expected()]
        if self.kind == "outputs":
            after, before = wanted[1], np.zeros((2 * SHAPE[0], SHAPE[1])) if wanted[0] is None else wanted[0]
            wanted.append(np.concatenate([after[: SHAPE[0]], before[SHAPE[0] :]]))
        return any(same(seen, each) for each in wanted)

    def check_tidy(self, folder: Path) -> None:
        left = {entry.name for entry in folder.iterdir()} - {"image.zarr", self.output, "checkpoints"}
        left |= {file.name for file in folder.rglob("*.partial")}
        left |= {file.name for file in (folder / "checkpoints").glob("*")}
        if left:
            raise AssertionError(f"left behind: {left}")
        if self.kind in (*IMAGES, "group"):
            metadata = zarr.open_group(folder / self.output, mode="r").metadata
            if (metadata.consolidated_metadata is not None) != self.consolidated:
                raise AssertionError("the metadata are not consolidated as they were")


def cases() -> Iterator[Case]:
    """Every writer, with and without an earlier output, a checkpoint elsewhere, and consolidated metadata."""
    for kind in ("image", "group"):
        for zarr_format in (2, 3):
            for consolidated in (False, True):
                for overwrite in (False, True):
                    made: dict[str, Any] = {"kind": kind, "zarr_format": zarr_format, "consolidated": consolidated}
                    yield Case(**made, overwrite=overwrite, elsewhere=zarr_format == 2)
                    if kind == "image" and not overwrite:
                        yield Case(**made, other=True, elsewhere=zarr_format == 3)
    for overwrite in (False, True):
        yield Case(kind="outputs", overwrite=overwrite, consolidated=overwrite, elsewhere=overwrite)
        yield Case(kind="workflow", overwrite=overwrite, consolidated=overwrite, elsewhere=overwrite)
    for kind in ("ome-zarr", "zarr-array", "ome-tiff", "geojson"):
        for overwrite in (False, True):
            for elsewhere in (False, True):
                yield Case(kind=kind, overwrite=overwrite, elsewhere=elsewhere)


def pixels() -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint16)


def old() -> NDArray[Any]:
    return np.ones(SHAPE, np.uint32)


def _both(block: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {"bright": components(block, 150), "cells": components(block)}


_both.outputs = ("bright", "cells")  # type: ignore[attr-defined]


def ones(block: NDArray[Any]) -> NDArray[Any]:
    return np.ones(block.shape, np.uint8)


def _counted(path: Path) -> NDArray[Any]:
    import json

    return np.array([len(json.loads(path.read_text())["features"])])


def _group(path: Path, zarr_format: Any, attributes: dict[str, Any]) -> Any:
    return zarr.create_group(path, attributes=attributes, zarr_format=zarr_format)


def _array(group: Any, name: str, data: NDArray[Any]) -> None:
    named = {"dimension_names": ["y", "x"]} if group.metadata.zarr_format == 3 else {}
    keys = {} if named else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    group.create_array(name, data=data, chunks=(TILE, TILE), **named, **keys)


def _attributes(zarr_format: int, *, label: bool = False) -> dict[str, Any]:
    version = "0.5" if zarr_format == 3 else "0.4"
    attributes = multiscales(version=version) | ({"image-label": {"version": version}} if label else {})
    if zarr_format == 3:
        return {"ome": attributes}
    attributes["multiscales"][0]["version"] = attributes.pop("version")
    return attributes


def _listing(zarr_format: int, names: list[str]) -> dict[str, Any]:
    return {"labels": names} if zarr_format == 2 else {"ome": {"version": "0.5", "labels": names}}


class Killer:
    """Kills this process before a change of a file below a folder, by the change's number; counts them otherwise."""

    def __init__(self, folder: Path, at: int) -> None:
        self.folder, self.at, self.changes = os.fsencode(folder), at, 0
        self._lock = threading.Lock()
        written = _Pack._write

        def half(pack: Any, record: bytes) -> None:
            if self._is_time():
                written(pack, record[: len(record) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            written(pack, record)

        _Pack._write = half  # type: ignore[method-assign]  # an append raises no audit event
        sys.addaudithook(self._heard)

    def _is_time(self) -> bool:
        with self._lock:
            self.changes += 1
            return self.changes == self.at

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._is_change(event, arguments) and self._is_time():
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_change(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "ctypes.call_function":  # the exchange of two names
            return any(isinstance(each, bytes) and each.startswith(self.folder) for each in arguments[1])
        if event not in EVENTS or isinstance(arguments[0], int):
            return False
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return False
        # A folder is removed by the names in it, relative to an open folder.
        within = event in ("os.remove", "os.rmdir") and arguments[1] != -1
        return within or os.fsencode(arguments[0]).startswith(self.folder)


def apart(work: Callable[[], Any]) -> tuple[int, str]:
    """Do something in a process of its own, since zarr's threads do not survive a fork; how it ended, what it says."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        try:
            os.write(writing, str(work() or "").encode())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever comes is what this looks for
            os.write(writing, traceback.format_exc()[-3000:].encode())
            os._exit(1)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:  # noqa: PTH123 - a pipe
        text = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text


def play(case: Case, folder: Path, at: int) -> str:
    """What is wrong when a run is killed before that change, if anything."""

    def killed() -> str:
        killer = Killer(folder, at)
        case.run(folder)
        return str(killer.changes)

    def look() -> None:
        seen = case.seen(folder)
        assert case.is_whole(seen), f"a reader finds {seen}"

    def again() -> None:
        over = not list(folder.glob("*.tilewright/plan.json")) and same(case.seen(folder), case.expected())
        try:
            case.run(folder)
            case.check_tidy(folder)
        except AlreadyExists:
            if case.overwrite or not over:  # the run was over when it was killed, but for what held its folder
                raise
        assert same(case.seen(folder), case.expected()), "the labels are not those of the whole image"

    status, text = apart(killed)
    if status != -signal.SIGKILL:
        return f"it was not killed: {text}" if status else ""
    for what, step in (("after the kill", look), ("the same command", again)):
        status, text = apart(step)
        if status:
            return f"{what}: {text}"
    return ""


def same(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def count(case: Case, template: Path, folder: Path) -> int:
    """The changes of a run that nobody kills."""
    shutil.copytree(template, folder)

    def run() -> int:
        killer = Killer(folder, 0)
        case.run(folder)
        return killer.changes

    status, text = apart(run)
    shutil.rmtree(folder)
    if status:
        raise SystemExit(f"{case}: {text}")
    return int(text)


def main(cases: Iterable[Case], every: int, only: str) -> int:
    wrong = played = 0
    registry()  # once, and not in every process
    for offset, case in enumerate(each for each in cases if only in str(each)):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
            template, folder = Path(name) / "template", Path(name) / "run"
            template.mkdir()
            if apart(lambda case=case, template=template: case.prepare(template))[0]:
                raise SystemExit(f"{case} could not be prepared")
            changes = count(case, template, folder)
            for at in range(1 + offset % every, changes + 1, every):
                shutil.copytree(template, folder)
                fault = play(case, folder, at)
                shutil.rmtree(folder)
                played += 1
                if fault:
                    wrong += 1
                    print(f"{case}: killed before change {at} of {changes}: {fault}", flush=True)
        print(f"{case}: {changes} changes", flush=True)
    print(f"{played - wrong} of {played} right")
    return 1 if wrong else 0


def command(cases: Iterable[Case], description: str) -> None:
    """The cases, as the command line of a harness says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--case", default="", help="only cases whose names contain it")
    arguments = parser.parse_args()
    sys.exit(main(cases, arguments.every, arguments.case))


if __name__ == "__main__":
    command(cases(), "Kill a run before every change of a file, and let it end.")
