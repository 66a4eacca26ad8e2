"""Which pixels and which code a checkpoint is of: what has changed is done again, or refused with what differs."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from runs import CALLS, Components, Stopped, components, expect, run, stopping_at
from stores import LEVEL, TILE, TILES, checkpoint_of, labels_of, make_image, multiscales

from tilewright import CheckpointMismatch, Grid, Image, Overlap, Pipeline, SegmenterFailed
from tilewright.storage import identity

pytestmark = pytest.mark.slow


def make_segmenter(above: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def segmenter(pixels: NDArray[Any]) -> NDArray[Any]:
        return components(pixels, above)

    return segmenter


def with_default(above: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def segmenter(pixels: NDArray[Any], above: int = above) -> NDArray[Any]:
        return components(pixels, above)

    return segmenter


def from_source(text: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The function `segmenter` of a script."""
    script: dict[str, Any] = {"components": components, "__name__": "script"}
    exec(text, script)  # a script that is edited between two runs, which is the case in hand
    segmenter: Callable[[NDArray[Any]], NDArray[Any]] = script["segmenter"]
    return segmenter


PLAIN = "def segmenter(pixels):\n    return components(pixels, {})\n"
CONSTANT = "ABOVE = {}\ndef segmenter(pixels):\n    return components(pixels, ABOVE)\n"
TABLE = "TABLE = {{'above': [{}]}}\ndef segmenter(pixels):\n    return components(pixels, TABLE['above'][0])\n"
HELPER = "def cut(pixels):\n    return components(pixels, {})\ndef segmenter(pixels):\n    return cut(pixels)\n"
CLASS = (
    "from dataclasses import dataclass\n@dataclass(frozen=True, kw_only=True)\nclass Segmenter:\n"
    "    def __call__(self, pixels):\n        return components(pixels, {})\nsegmenter = Segmenter()\n"
)

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "level": ({}, {"level": 1}, "reader"),
    "tile": ({}, {"parts": {"tiler": Grid(tile=48)}}, "tiles of .* there, .* now"),
    "tiler": ({"parts": {"tiler": Grid(tile=48)}}, {"parts": {"tiler": "auto"}}, "tiles of .* there, .* now"),
    "halo": ({}, {"parts": {"tiler": Grid(tile=TILE, halo=4)}}, r"halo .0, 0. there, .4, 4. now"),
    "option": ({}, {"parts": {"segmenter": Components(above=120)}}, "segmenter"),
    "array option": (
        {"parts": {"segmenter": Components(weights=np.zeros(9999))}},
        {"parts": {"segmenter": Components(weights=np.r_[np.zeros(9998), 1])}},
        "segmenter",
    ),
    "merger": (
        {"parts": {"tiler": Grid(tile=TILE, halo=8)}},
        {"parts": {"tiler": Grid(tile=TILE, halo=8), "merger": Overlap()}},
        "merger",
    ),
    "merger option": (
        {"parts": {"tiler": Grid(tile=TILE, halo=8), "merger": Overlap()}},
        {"parts": {"tiler": Grid(tile=TILE, halo=8), "merger": Overlap(same=0.6)}},
        "merger",
    ),
    "code": (
        {"parts": {"segmenter": from_source(PLAIN.format(100))}},
        {"parts": {"segmenter": from_source(PLAIN.format(120))}},
        "segmenter",
    ),
    "closure": ({"parts": {"segmenter": make_segmenter(100)}}, {"parts": {"segmenter": make_segmenter(120)}}, "segm"),
    "default": ({"parts": {"segmenter": with_default(100)}}, {"parts": {"segmenter": with_default(120)}}, "segm"),
    "constant of the script": (
        {"parts": {"segmenter": from_source(CONSTANT.format(100))}},
        {"parts": {"segmenter": from_source(CONSTANT.format(120))}},
        "segmenter",
    ),
    "number of numpy's": (
        {"parts": {"segmenter": make_segmenter(np.uint16(100))}},  # type: ignore[arg-type]  # the case in hand
        {"parts": {"segmenter": make_segmenter(np.uint16(120))}},  # type: ignore[arg-type]  # likewise
        "segmenter",
    ),
    "table of the script": (
        {"parts": {"segmenter": from_source(TABLE.format(100))}},
        {"parts": {"segmenter": from_source(TABLE.format(120))}},
        "segmenter",
    ),
    "function that the segmenter calls": (
        {"parts": {"segmenter": from_source(HELPER.format(100))}},
        {"parts": {"segmenter": from_source(HELPER.format(120))}},
        "segmenter",
    ),
    "code of a class in the script": (
        {"parts": {"segmenter": from_source(CLASS.format(100))}},
        {"parts": {"segmenter": from_source(CLASS.format(120))}},
        "segmenter",
    ),
    "empty": ({}, {"empty": 100.0}, "empty"),
    "same ids": ({}, {"same_ids": True}, "same_ids"),
}


@pytest.fixture
def pyramid(tmp_path: Path) -> NDArray[Any]:
    """An image with two channels and two levels."""
    pixels = make_image(tmp_path)
    shutil.rmtree(tmp_path / "image.ome.zarr")
    image = zarr.open_group(tmp_path / "image.ome.zarr", mode="w", zarr_format=3)
    said = multiscales("cyx")
    said["multiscales"][0]["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0, 2.0]}]}
    )
    image.attrs["ome"] = said
    both = np.stack([pixels, pixels[::-1]])
    image.create_array("0", data=both, chunks=(1, TILE, TILE), dimension_names=["c", "y", "x"])
    image.create_array("1", data=both[:, ::2, ::2], chunks=(1, TILE, TILE), dimension_names=["c", "y", "x"])
    return both


@pytest.mark.parametrize("name", [*CHANGES, "channel"])
def test_a_run_with_something_changed_reuses_no_tile_and_says_what_differs(
    name: str, pyramid: NDArray[Any], tmp_path: Path
) -> None:
    before, after, key = CHANGES.get(name, ({}, {"channel": 1}, "channels"))
    before, after = ({"channel": 0, **said} for said in (before, after))
    before, after = ({"destination": tmp_path / "out.zarr", **said} for said in (before, after))
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"), **before)
    packs = {file: file.stat().st_size for file in (checkpoint_of(tmp_path) / "packs").iterdir()}
    with pytest.raises(CheckpointMismatch, match=rf"is that of another run: .*{key}.*resume=False"):
        run(tmp_path, **after)
    assert packs == {file: file.stat().st_size for file in (checkpoint_of(tmp_path) / "packs").iterdir()}, "it stays"
    result = run(tmp_path, resume=False, **after)
    plane = pyramid[1 if name == "channel" else 0]
    if name == "level":
        plane = plane[::2, ::2]
    if name not in ("same ids", "merger", "merger option", "array option", "empty"):
        above = 120 if key.startswith("segm") else LEVEL
        expect(result.labels.compute(), plane, above)
    whole = Path(result.path).with_name("whole.zarr")
    fresh = run(tmp_path, **{**after, "destination": whole})
    np.testing.assert_array_equal(result.labels.compute(), fresh.labels.compute())


def test_the_same_function_made_again_is_the_same(pixels: NDArray[Any], tmp_path: Path) -> None:
    for make in (make_segmenter, with_default, lambda above: from_source(HELPER.format(above))):
        with pytest.raises(Stopped):
            run(tmp_path, parts={"segmenter": make(100)}, progress=stopping_at("write"))
        calls = CALLS.copy()
        with pytest.raises(Stopped):
            run(tmp_path, parts={"segmenter": make(100)}, progress=stopping_at("segment", TILES))
        assert calls == CALLS
        run(tmp_path, parts={"segmenter": make(100)})
        expect(labels_of(tmp_path), pixels)


def test_a_chunk_that_was_rewritten_costs_its_tile(pixels: NDArray[Any], tmp_path: Path) -> None:
    for stage in ("join", "write", "finish"):
        CALLS.clear()
        with pytest.raises(Stopped):
            run(tmp_path, progress=stopping_at(stage))
        changed = 255 - pixels[32:, 32:64]
        zarr.open_array(tmp_path / "image.ome.zarr" / "0", mode="r+")[32:, 32:64] = changed
        pixels[32:, 32:64] = changed
        run(tmp_path)
        expect(labels_of(tmp_path), pixels)
        assert len(CALLS) == TILES + 1


def test_a_tile_that_was_made_anew_is_not_made_anew_at_every_start(pixels: NDArray[Any], tmp_path: Path) -> None:
    chunk = tmp_path / "image.ome.zarr" / "0" / "c" / "0" / "0"
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"))
    for time in range(1, 6):
        os.utime(chunk, (time, time))
        for _ in range(2):
            with pytest.raises(Stopped):
                run(tmp_path, progress=stopping_at("join"))
        assert len(CALLS) == TILES + time
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)


def test_blocks_that_were_written_of_other_tiles_do_not_count(pixels: NDArray[Any], tmp_path: Path) -> None:
    """Objects that are no more must not stay in blocks that are background now."""
    with pytest.raises(Stopped):
        run(tmp_path, workers=1, parts={"writer": {"name": "ome-zarr", "configuration": {"chunks": TILE}}},
            progress=stopping_at("write", TILES))  # fmt: skip
    image = zarr.open_array(tmp_path / "image.ome.zarr" / "0", mode="r+")
    image[:32] = pixels[:32] = 0
    run(tmp_path, parts={"writer": {"name": "ome-zarr", "configuration": {"chunks": TILE}}})
    expect(labels_of(tmp_path), pixels)


def test_a_halo_makes_the_neighbours_of_a_rewritten_chunk_anew_too(pixels: NDArray[Any], tmp_path: Path) -> None:
    parts = {"tiler": Grid(tile=TILE, halo=2)}
    with pytest.raises(Stopped):
        run(tmp_path, parts=parts, progress=stopping_at("join"))
    image = zarr.open_array(tmp_path / "image.ome.zarr" / "0", mode="r+")
    image[:32, :32] = pixels[:32, :32] = 0
    CALLS.clear()
    run(tmp_path, parts=parts)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == 4, "the tile and those whose halo reaches into it"


def test_a_chunk_that_appears_or_goes_is_a_change(pixels: NDArray[Any], tmp_path: Path) -> None:
    chunk = tmp_path / "image.ome.zarr" / "0" / "c" / "1" / "1"
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"))
    kept = chunk.read_bytes()
    chunk.unlink()
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"))
    assert len(CALLS) == TILES + 1
    chunk.write_bytes(kept)
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES + 2


def test_a_source_of_another_shape_or_type_is_refused(pixels: NDArray[Any], tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"), destination=tmp_path / "out.zarr")
    shutil.rmtree(tmp_path / "image.ome.zarr" / "0")
    image = zarr.open_group(tmp_path / "image.ome.zarr", mode="r+")
    image.create_array("0", data=pixels.astype(np.int32), chunks=(TILE, TILE), dimension_names=["y", "x"])
    with pytest.raises(CheckpointMismatch, match="dtype of the image uint16 there, int32 now"):
        run(tmp_path, destination=tmp_path / "out.zarr")


@dataclass(frozen=True, kw_only=True)
class Numpy:
    """A reader of .npy files."""

    def __call__(self, path: str) -> Image:
        return Image(data=np.load(path, mmap_mode="r"), axes="yx", source=path)


def test_a_single_file_that_was_replaced_is_refused(pixels: NDArray[Any], tmp_path: Path) -> None:
    path, parts = tmp_path / "image.npy", {"reader": Numpy()}
    np.save(path, pixels)
    with pytest.raises(Stopped):
        run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr", progress=stopping_at("join"))
    np.save(path, pixels[::-1])
    os.utime(path, (1, 1))
    with pytest.raises(CheckpointMismatch, match="the image's files have changed since"):
        run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr")


def stopped(tmp_path: Path, image: Any, **parts: Any) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, image=image, parts=parts, destination=tmp_path / "out.zarr", progress=stopping_at("join"))


def test_small_files_that_were_copied_again_are_known_by_their_content(pixels: NDArray[Any], tmp_path: Path) -> None:
    path, parts = tmp_path / "image.npy", {"reader": Numpy()}
    np.save(path, pixels)
    stopped(tmp_path, path, **parts)
    for time in (1, 2):  # also when the run is stopped again
        copy = path.read_bytes()
        path.unlink()
        path.write_bytes(copy)
        os.utime(path, (time, time))
        stopped(tmp_path, path, **parts)
    result = run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr")
    expect(result.labels.compute(), pixels)
    assert len(CALLS) == TILES


class FromFile:
    """An array that opens its file for every region."""

    def __init__(self, path: str) -> None:
        self.path, first = path, np.load(path)
        self.shape, self.dtype = first.shape, first.dtype

    def __getitem__(self, region: Any) -> Any:
        return np.load(self.path)[region]


@dataclass(frozen=True, kw_only=True)
class Reopening:
    def __call__(self, path: str) -> Image:
        return Image(data=FromFile(path), axes="yx", source=path)


def test_tiles_of_other_content_in_between_are_not_reused(pixels: NDArray[Any], tmp_path: Path) -> None:
    path, parts = tmp_path / "image.npy", {"reader": Reopening()}
    np.save(path, pixels)
    np.save(tmp_path / "other.npy", pixels[::-1])

    def progress(step: str, done: int, total: int) -> None:
        if (step, done) == ("segment", 2):
            (tmp_path / "other.npy").replace(path)
        if (step, done) == ("segment", 4):
            raise Stopped

    with pytest.raises(Stopped):
        run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr", progress=progress, workers=1)
    np.save(path, pixels)
    result = run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr")
    expect(result.labels.compute(), pixels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1] + b"\xff", "their size is the same, but not their content"),
        (lambda data: data + b"\xff", r"changed since: [\d,]+ bytes there, [\d,]+ now"),
    ],
    ids=["content", "size"],
)
def test_what_has_changed_of_a_file_is_in_the_message(
    change: Callable[[bytes], bytes], words: str, pixels: NDArray[Any], tmp_path: Path
) -> None:
    path, parts = tmp_path / "image.npy", {"reader": Numpy()}
    np.save(path, pixels)
    stopped(tmp_path, path, **parts)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointMismatch, match=words):
        run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr")


def test_of_large_files_the_message_says_that_the_time_is_another(
    pixels: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "SMALL", 100)
    path, parts = tmp_path / "image.npy", {"reader": Numpy()}
    np.save(path, pixels)
    stopped(tmp_path, path, **parts)
    os.utime(path, (1, 1))
    with pytest.raises(
        CheckpointMismatch, match=r"or were copied again: .* 1970-01-01T00:00:01\+00:00 now, their size"
    ):
        run(tmp_path, image=path, parts=parts, destination=tmp_path / "out.zarr")


def test_chunks_that_were_copied_again_are_read_again_and_the_log_says_so(
    pixels: NDArray[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(tmp_path, None)
    for file in (tmp_path / "image.ome.zarr" / "0" / "c").rglob("*"):
        os.utime(file, (1, 1))
    result = run(tmp_path, destination=tmp_path / "out.zarr")
    expect(result.labels.compute(), pixels)
    assert f"{TILES} tiles are segmented again: their pixels, or the size or time of their files" in caplog.text


def test_an_array_in_memory_is_known_by_its_pixels(pixels: NDArray[Any], tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    with pytest.raises(Stopped):
        run(tmp_path, image=pixels.copy(), destination=out, progress=stopping_at("join"))
    run(tmp_path, image=pixels.copy(), destination=out, keep_checkpoint=True)
    assert len(CALLS) == TILES
    with pytest.raises(CheckpointMismatch, match="the image is another one"):
        run(tmp_path, image=pixels + 1, destination=out)


@dataclass
class Lazy:
    """An array of a script's own."""

    pixels: NDArray[Any]

    def __post_init__(self) -> None:
        self.shape, self.dtype, self.ndim = self.pixels.shape, self.pixels.dtype, self.pixels.ndim

    def __getitem__(self, region: Any) -> NDArray[Any]:
        return self.pixels[region]


def by_hdf5(folder: Path, pixels: NDArray[Any]) -> Any:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "image.h5", "a") as file:
        file.pop("image", None)
        file["image"] = pixels
    return h5py.File(folder / "image.h5", "r")["image"]


def stored(folder: Path, pixels: NDArray[Any]) -> Any:
    return zarr.create_array(folder / "a.zarr", data=pixels, chunks=(TILE, TILE), overwrite=True)


def stacked(folder: Path, pixels: NDArray[Any]) -> Any:
    both = np.stack([pixels, pixels])
    return zarr.create_array(folder / "a.zarr", data=both, chunks=(1, TILE, TILE), overwrite=True)


def in_memory(_: Path, pixels: NDArray[Any]) -> Any:
    return zarr.create_array(zarr.storage.MemoryStore(), data=pixels, chunks=(TILE, TILE))


def zipped(folder: Path, pixels: NDArray[Any]) -> Any:
    (folder / "a.zip").unlink(missing_ok=True)
    with zarr.storage.ZipStore(folder / "a.zip", mode="w") as store:
        zarr.create_array(store, data=pixels, chunks=(TILE, TILE))
    return zarr.open_array(zarr.storage.ZipStore(folder / "a.zip"), mode="r")


def served(folder: Path, pixels: NDArray[Any]) -> Any:
    """Read from a web server, which is asked for its bytes and tells nothing else."""
    stored(folder, pixels)
    return zarr.open_array(f"http://127.0.0.1:{port_of(folder)}/a.zarr", mode="r")


@functools.cache
def port_of(folder: Path) -> int:
    """That of a web server of a folder, which ends with the tests."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


INDIRECT: dict[str, Callable[[Path, NDArray[Any]], Any]] = {
    "dask": lambda folder, pixels: dask.array.from_zarr(stored(folder, pixels)),  # type: ignore[no-untyped-call]
    "dask of a view": lambda folder, pixels: dask.array.from_zarr(stacked(folder, pixels))[1],  # type: ignore[no-untyped-call]
    "one channel": lambda folder, pixels: Image(data=stacked(folder, pixels), axes="cyx").select(1),
    "hdf5": by_hdf5,
    "an array of a script": lambda _, pixels: Lazy(pixels),
    "zarr in memory": in_memory,
    "dask of zarr in memory": lambda folder, pixels: dask.array.from_array(in_memory(folder, pixels), name="a"),  # type: ignore[no-untyped-call]
    "zarr in a zip": zipped,
    "zarr on a server": served,
}
UNTOLD = {"an array of a script", "zarr on a server"}
"""Nothing tells of a change of these but their pixels."""

DONE_AGAIN = UNTOLD | {"one channel"}
"""A run that resumes segments the tiles again that changed; of the others it is refused."""


@pytest.mark.parametrize("kind", INDIRECT)
def test_pixels_that_changed_behind_an_array_are_not_mixed_with_old_tiles(
    kind: str, pixels: NDArray[Any], tmp_path: Path
) -> None:
    make, out = INDIRECT[kind], tmp_path / "out.zarr"
    with pytest.raises(Stopped):
        run(tmp_path, image=make(tmp_path, pixels), destination=out, progress=stopping_at("join"))
    changed = pixels[::-1].copy()
    if kind not in DONE_AGAIN:
        with pytest.raises(CheckpointMismatch, match=r"files have changed since|the image is another one"):
            run(tmp_path, image=make(tmp_path, changed), destination=out)
    result = run(tmp_path, image=make(tmp_path, changed), destination=out, resume=kind in DONE_AGAIN)
    expect(result.labels.compute(), changed)


def test_of_an_array_that_tells_nothing_only_the_tiles_that_changed_are_done_again(
    pixels: NDArray[Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.zarr"
    with pytest.raises(Stopped):
        run(tmp_path, image=Lazy(pixels), destination=out, progress=stopping_at("join"))
    done, changed = len(CALLS), pixels.copy()
    changed[0, 0] += 1
    expect(run(tmp_path, image=Lazy(changed), destination=out).labels.compute(), changed)
    assert len(CALLS) == done + 1


@pytest.mark.parametrize("make", INDIRECT.values(), ids=INDIRECT)
def test_the_same_array_goes_on_however_it_is_read(
    make: Callable[[Path, NDArray[Any]], Any], pixels: NDArray[Any], tmp_path: Path
) -> None:
    image, out = make(tmp_path, pixels), tmp_path / "out.zarr"
    with pytest.raises(Stopped):
        run(tmp_path, image=image, destination=out, progress=stopping_at("join"))
    expect(run(tmp_path, image=image, destination=out).labels.compute(), pixels)
    assert len(CALLS) == TILES


@dataclass(frozen=True, kw_only=True)
class Planes:
    """A reader of a folder of .npy files, one for each z."""

    def __call__(self, path: str) -> Image:
        planes = [np.load(file) for file in sorted(Path(path).glob("*.npy"))]
        return Image(data=np.stack(planes), axes="zyx", source=path)


def test_a_file_that_was_replaced_in_a_folder_that_a_reader_read_is_a_change(
    pixels: NDArray[Any], tmp_path: Path
) -> None:
    folder, parts = tmp_path / "planes", {"reader": Planes(), "tiler": Grid(tile=(1, TILE, TILE))}
    folder.mkdir()
    for z in range(2):
        np.save(folder / f"{z}.npy", pixels)
    with pytest.raises(Stopped):
        run(tmp_path, image=folder, parts=parts, destination=tmp_path / "out.zarr", progress=stopping_at("join"))
    np.save(folder / "1.npy", pixels[::-1])
    with pytest.raises(CheckpointMismatch, match="the image's files have changed since"):
        run(tmp_path, image=folder, parts=parts, destination=tmp_path / "out.zarr")


OPENED: list[Any] = []
MODEL: Any = None


def with_a_model_of_its_own(pixels: NDArray[Any]) -> NDArray[Any]:
    """Opened at the first call, as a model is; the tile in the corner fails until the list is filled."""
    global MODEL  # noqa: PLW0603 - as scripts do
    if MODEL is None:
        MODEL = np.ones(3)
    if pixels.shape[1] < TILE and not OPENED:
        raise RuntimeError("out of memory")
    return components(pixels, above=0)


def test_what_a_function_opens_at_its_first_call_does_not_make_it_another(tmp_path: Path) -> None:
    pixels = np.ones((2 * TILE, 3 * TILE // 2), "u1")
    pipeline = Pipeline(segmenter=with_a_model_of_its_own, tiler=Grid(tile=TILE), writer="zarr-array")
    with pytest.raises(SegmenterFailed, match="out of memory"):
        pipeline.run(pixels, tmp_path / "labels.zarr", workers=1)
    assert MODEL is not None
    OPENED.append("room")  # changed by the script and not by the function: this is another run
    with pytest.raises(CheckpointMismatch, match="segmenter"):
        pipeline.run(pixels, tmp_path / "labels.zarr", workers=1)
    OPENED.clear()
    with pytest.raises(SegmenterFailed, match="out of memory"):
        pipeline.run(pixels, tmp_path / "labels.zarr", workers=1)


class Above:
    """Its threshold lies in a table that a method adds to, which hides nothing."""

    def __init__(self, level: int) -> None:
        self.table, self.calls = {"level": level}, 0

    def remember(self, key: str, value: int) -> None:
        self.table.update({key: value})

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        self.calls += 1
        return components(pixels, above=self.table["level"])


def test_other_values_in_an_instance_are_another_run_and_its_own_counting_is_not(tmp_path: Path) -> None:
    pixels = np.zeros((2 * TILE, 2 * TILE), "u1")
    pixels[2:5, 2:5], pixels[-5:-2, -5:-2] = 50, 200

    def go(segmenter: Above, **options: Any) -> int:
        pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=TILE), writer="zarr-array")
        options = {"keep_checkpoint": True, "overwrite": True} | options
        return pipeline.run(pixels, tmp_path / "labels.zarr", workers=1, **options).n_objects

    low = Above(10)
    assert go(low) == 2
    assert low.calls == 4
    assert go(low) == 2, "the same instance, whose count has changed"
    assert low.calls == 4, "nothing is segmented again"
    with pytest.raises(CheckpointMismatch, match="segmenter"):
        go(Above(100))
    assert go(Above(100), resume=False) == 1
