"""Input that is broken, odd or hostile: each gets the right labels, or one line that says what is wrong and where."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from runs import components
from stores import TILE, multiscales

from tilewright import Grid, Image, Pipeline, TilewrightError
from tilewright.cli import main

IMAGE = "image.ome.zarr"
PIXELS = np.random.default_rng(0).integers(0, 200, (64, 96)).astype(np.uint16)


def store(folder: Path, pixels: NDArray[Any] = PIXELS, axes: str = "yx", version: str = "0.5", **options: Any) -> Path:
    """An image of one level."""
    path = folder / IMAGE
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    said = multiscales(axes, version)
    if version == "0.4":
        said["multiscales"][0]["version"] = "0.4"
        group.attrs.put({"multiscales": said["multiscales"]})
    else:
        group.attrs.put({"ome": said})
        options.setdefault("dimension_names", list(axes))
    options.setdefault("chunks", tuple(max(1, min(TILE, n)) for n in pixels.shape))
    array = group.create_array("0", shape=pixels.shape, dtype=pixels.dtype, **options)
    if pixels.size:
        array[...] = pixels
    return path


def invoke(*said: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in said], prog_name="tilewright")


def segment(image: Path, *more: object) -> Result:
    """The command line on an image, whose labels go into its store."""
    threshold = ("--segmenter", "threshold", "--set", "threshold=100")
    return invoke("run", image, image.with_name("out.zarr"), "--tile", TILE, "--quiet", *threshold, *more)


def labels_of(folder: Path) -> NDArray[Any]:
    found = zarr.open(folder / "out.zarr", mode="r")
    return np.asarray(found["0"][...] if isinstance(found, zarr.Group) else found[...])


def one_line(done: Result, *said: str) -> None:
    """It ended with 2 and one line that says all that."""
    assert done.exit_code == 2, (done.exit_code, done.stderr, done.exception)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for each in said:
        assert each in done.stderr


# Right labels


def nan(folder: Path) -> NDArray[Any]:
    pixels = PIXELS.astype(np.float32)
    pixels[::5, ::3] = np.nan
    pixels[1::5, ::3] = np.inf
    pixels[2::5, ::3] = -np.inf
    store(folder, pixels)
    return pixels


def big_endian(folder: Path) -> NDArray[Any]:
    store(folder, PIXELS.astype(">u2"), version="0.4")
    return PIXELS


def missing_chunk(folder: Path) -> NDArray[Any]:
    path, pixels = store(folder, fill_value=150), PIXELS.copy()
    (path / "0" / "c" / "1" / "1").unlink()
    pixels[32:, 32:64] = 150
    return pixels


def single(shape: tuple[int, ...], axes: str) -> Callable[[Path], NDArray[Any]]:
    def make(folder: Path) -> NDArray[Any]:
        pixels = np.random.default_rng(1).integers(0, 200, shape).astype(np.uint8)
        pixels.flat[0] = 200
        store(folder, pixels, axes)
        return pixels

    return make


RIGHT: dict[str, Callable[[Path], NDArray[Any]]] = {
    "NaN and infinity": nan,
    "big endian": big_endian,
    "a chunk that is missing has the fill value": missing_chunk,
    "one pixel": single((1, 1), "yx"),
    "one row": single((1, 70), "yx"),
    "one column": single((70, 1), "yx"),
    "one plane": single((1, 40, 40), "zyx"),
    "no depth and no width": single((40, 40, 1), "zyx"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_odd_input_gets_the_labels_of_the_whole(name: str, tmp_path: Path) -> None:
    pixels = RIGHT[name](tmp_path)
    done = segment(tmp_path / IMAGE)
    assert done.exit_code == 0, done.stderr
    np.testing.assert_array_equal(labels_of(tmp_path), components(pixels))


@pytest.mark.parametrize("shape", [(0, 40), (40, 0), (0, 0)])
def test_an_image_without_pixels_has_labels_without_pixels(shape: tuple[int, int]) -> None:
    result = Pipeline(segmenter=components, tiler=Grid(tile=8)).run(np.zeros(shape, np.uint8))
    assert result.n_objects == 0
    assert result.labels.shape == shape


@pytest.mark.parametrize("largest", [2**31, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("same_ids", [False, True])
def test_ids_up_to_the_largest_that_there_is(largest: int, same_ids: bool) -> None:
    ids = np.zeros((20, 30), np.uint64)
    ids[2:5, 2:25] = largest
    ids[8:12, 5:9] = largest - 1
    ids[15:18, 1:29] = 7

    def given(pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels

    result = Pipeline(segmenter=given, tiler=Grid(tile=8)).run(ids, same_ids=same_ids)
    expected = np.select([ids == largest, ids == largest - 1, ids == 7], [1, 2, 3], 0)
    np.testing.assert_array_equal(result.labels.compute(), expected)


# One line that says what is wrong


def change(path: Path, file: str, edit: Callable[[dict[str, Any]], object]) -> None:
    where = path / file
    said = json.loads(where.read_text())
    edit(said)
    where.write_text(json.dumps(said))


def truncated(folder: Path) -> None:
    chunk = store(folder) / "0" / "c" / "1" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-7])


def empty_chunk(folder: Path) -> None:
    (store(folder) / "0" / "c" / "1" / "2").write_bytes(b"")


def garbage(folder: Path) -> None:
    (store(folder) / "0" / "c" / "1" / "2").write_bytes(b"\x28\xb5\x2f\xfd" + b"\xff" * 400)


def corrupt(text: str, file: str = "0/zarr.json") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (store(folder) / file).write_text(text)

    return make


def array_metadata(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: change(store(folder), "0/zarr.json", lambda said: said.update(changes))


def no_chunks(folder: Path) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [0, 0]}}
    change(store(folder), "0/zarr.json", lambda said: said.update(chunk_grid=grid))


def spacing(step: float | str | None) -> Callable[[Path], None]:
    def edit(said: dict[str, Any]) -> None:
        dataset = said["attributes"]["ome"]["multiscales"][0]["datasets"][0]
        dataset["coordinateTransformations"][0]["scale"] = [1.0, step]

    return lambda folder: change(store(folder), "zarr.json", edit)


def complex_pixels(folder: Path) -> None:
    store(folder, PIXELS.astype(np.complex64))


def objects(folder: Path) -> None:
    """Pickled objects, as zarr v2 may hold them: they are never loaded."""
    path = store(folder, version="0.4")
    change(path, "0/.zarray", lambda said: said.update(dtype="|O", filters=[{"id": "pickle"}], fill_value=None))
    for chunk in (path / "0").rglob("[0-9]"):
        if chunk.is_file():
            chunk.write_bytes(b"cos\nsystem\n(S'touch " + str(folder / "harmed").encode() + b"'\ntR.")


def strings(folder: Path) -> None:
    path = store(folder, version="0.4")
    change(path, "0/.zarray", lambda said: said.update(dtype="<U4", fill_value=""))


def out_of_the_store(folder: Path) -> None:
    shutil.copytree(store(folder) / "0", folder / "secret")
    edit = lambda said: said["attributes"]["ome"]["multiscales"][0]["datasets"][0].update(path="../secret")  # noqa: E731
    change(folder / IMAGE, "zarr.json", edit)


def link_out_of_the_store(folder: Path) -> None:
    path = store(folder)
    (path / "0").rename(folder / "secret")
    (path / "0").symlink_to(folder / "secret")


WRONG: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "truncated chunk": (truncated, ("cannot be read at tile (1, 2) (y 32:64, x 64:96)",)),
    "empty chunk": (empty_chunk, ("cannot be read at tile (1, 2)",)),
    "garbage in a chunk": (garbage, ("cannot be read at tile (1, 2)",)),
    "corrupt array metadata": (corrupt("{"), ("level '0'", "cannot be read")),
    "array metadata that is a list": (corrupt("[]"), ("level '0'", "cannot be read")),
    "corrupt group metadata": (corrupt('{"zarr_format": 3', "zarr.json"), ("cannot be read",)),
    "group metadata of bytes": (corrupt("\0\0\0", "zarr.json"), ("cannot be read",)),
    "negative shape": (array_metadata(shape=[-5, 96]), ("level '0'",)),
    "a shape of text": (array_metadata(shape=["a", 96]), ("level '0'", "cannot be read")),
    "unknown codec": (array_metadata(codecs=[{"name": "evil"}]), ("level '0'", "cannot be read")),
    "unknown dtype": (array_metadata(data_type="evil64"), ("level '0'", "cannot be read")),
    "another number of dimensions": (array_metadata(shape=[64]), ("level '0'",)),
    "chunks of no length": (no_chunks, ("image.ome.zarr/0", "in chunks of (0, 0)")),
    "negative spacing": (spacing(-1.0), ("spacing -1.0 along x", "positive")),
    "no spacing": (spacing(0.0), ("spacing 0.0 along x",)),
    "spacing of text": (spacing("wide"), ("scale", "is invalid")),
    "spacing of null": (spacing(None), ("scale", "is invalid")),
    "complex numbers": (complex_pixels, ("dtype complex64; pixels must be real numbers",)),
    "pickled objects": (objects, ("image.ome.zarr",)),
    "texts": (strings, ("image.ome.zarr",)),
    "a level outside of the store": (out_of_the_store, ("'../secret'", "leads out of the store")),
    "a link out of the store": (link_out_of_the_store, ("'0'", "leads out of the store")),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make, said = WRONG[name]
    make(tmp_path)
    one_line(segment(tmp_path / IMAGE), *said)
    assert not (tmp_path / "out.zarr").exists()
    assert not (tmp_path / "harmed").exists()
    assert invoke("info", tmp_path / IMAGE).exit_code in (0, 2)


# Sizes that are only claimed


def absurd(folder: Path, shape: tuple[int, int], chunk: tuple[int, int]) -> Path:
    path = store(folder)
    grid = {"name": "regular", "configuration": {"chunk_shape": list(chunk)}}
    change(path, "0/zarr.json", lambda said: said.update(shape=list(shape), chunk_grid=grid))
    return path


@pytest.mark.parametrize(
    ("shape", "chunk", "tile", "said"),
    [
        ((10**7, 10**7), (TILE, TILE), TILE, "tiles are more than"),
        ((10**15, 10**15), (1024, 1024), TILE, "tiles along one axis are more than"),
        ((10**15, 10**15), (1, 1), 1, "tiles along one axis are more than"),
        ((10**7, 10**7), (10**7, 10**7), 8192, "cannot be read at tile (0, 0)"),
        ((2**62, 2**62), (2**62, 2**62), 2**61, "cannot be read at tile (0, 0)"),
    ],
)
def test_an_absurd_size_is_refused_without_memory_for_it(
    shape: tuple[int, int], chunk: tuple[int, int], tile: int, said: str, tmp_path: Path
) -> None:
    path = absurd(tmp_path, shape, chunk)
    tracemalloc.start()
    try:
        assert invoke("info", path).exit_code == 0
        one_line(segment(path, "--tile", tile, "--workers", 1), said)
        assert tracemalloc.get_traced_memory()[1] < 600e6  # three tiles of 8192² are under way, 134 MB each
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(10**6, 10**6), (10**15, 10**15), (2**62, 2**62)])
def test_tiles_for_a_memory_budget_are_no_danger_either(size: tuple[int, int], tmp_path: Path) -> None:
    image = Image(data=zarr.open_array(absurd(tmp_path, size, size) / "0", mode="r"), axes="yx")  # type: ignore[arg-type]
    tracemalloc.start()
    try:
        with pytest.raises((TilewrightError, KeyboardInterrupt)):
            Pipeline(segmenter=components).run(image, progress=_interrupt)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def _interrupt(stage: str, done: int, total: int) -> None:
    raise KeyboardInterrupt


# Files that say what to run


@pytest.mark.parametrize(
    "record",
    [
        {"segmenter": {"name": "os:system", "configuration": {"command": "touch harmed"}}},
        {"segmenter": {"name": "threshold", "configuration": {"threshold": "__import__('os').system('touch harmed')"}}},
        {"segmenter": "!!python/object/apply:os.system ['touch harmed']"},
        {"segmenter": {"name": "threshold"}, "target": "os:system"},
        {"segmenter": {"name": "threshold", "target": "os:system"}},
        [1, 2],
        "text",
    ],
)
def test_a_pipeline_file_is_data(record: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(tmp_path)
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(record))
    one_line(invoke("run", tmp_path / IMAGE, tmp_path / "out.zarr", "--pipeline", file, "--quiet"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [IMAGE, "pipeline.json"]


def test_labels_go_nowhere_but_to_their_image(tmp_path: Path) -> None:
    """A store whose `labels` is a link must not make a run write, or even replace, what lies elsewhere."""
    path = store(tmp_path)
    (tmp_path / "home" / "cells").mkdir(parents=True)
    (tmp_path / "home" / "cells" / "thesis.txt").write_text("years of work")
    (path / "labels").symlink_to(tmp_path / "home")
    said = ("run", path, "--name", "cells", "--overwrite", "--quiet", "--segmenter", "threshold")
    one_line(invoke(*said), "leads out of the store")
    one_line(invoke("run", path, path / "labels" / "cells", *said[4:]), "leads out of the store")
    assert (tmp_path / "home" / "cells" / "thesis.txt").read_text() == "years of work"
    assert [entry.name for entry in (tmp_path / "home").iterdir()] == ["cells"]
