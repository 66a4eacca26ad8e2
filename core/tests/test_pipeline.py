"""The pipeline as a value, where its output may go, and that a run which was cut short goes on."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components

from tilewright import (
    AlreadyExists,
    Auto,
    CheckpointMismatch,
    Grid,
    Image,
    InvalidOption,
    NotWritable,
    Overlap,
    Pipeline,
    SegmenterFailed,
    Spec,
    Touch,
    UnknownComponent,
    hookimpl,
    register,
)
from tilewright.builtin.zarr_array import ZarrArray
from tilewright.components.registry import unregister


@dataclass(frozen=True, kw_only=True)
class Lab:
    size: float = 3.0
    ids: tuple[int, ...] = ()
    mode: str | None = "fast"
    anything: Any = None

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(pixels)[0]
        return labels


class Hooks:
    @hookimpl
    def tilewright_segmenters(self) -> list[Spec]:
        return [Spec(name="lab", target=f"{__name__}:Lab")]


@pytest.fixture(autouse=True)
def lab() -> Iterator[None]:
    register(Hooks(), "lab")
    yield
    unregister("lab")


PARTS: list[dict[str, Any]] = [
    {"segmenter": "lab"},
    {"segmenter": Lab(size=0.1, ids=(1, 2)), "tiler": Grid(tile=(3, 4), halo=2), "merger": Touch(connectivity=2)},
    {"segmenter": {"name": "lab", "configuration": {"size": 7}}, "tiler": Auto(memory=10**6), "merger": "overlap"},
    {"segmenter": Lab(), "reader": "ome-zarr", "writer": {"name": "ome-zarr", "configuration": {"pyramid": False}}},
]


def mask(size: int = 40, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((size, size)) < 0.5


# A value


def test_pipelines_of_equal_parts_are_equal_however_they_are_said() -> None:
    said = Pipeline(segmenter="lab", tiler={"name": "grid", "configuration": {"tile": [3, 4]}}, merger="touch")
    made = Pipeline(segmenter=Lab(), tiler=Grid(tile=(3, 4)), merger=Touch())
    assert said == made
    assert hash(said) == hash(made)
    assert said != Pipeline(segmenter=Lab(size=4.0), tiler=Grid(tile=(3, 4)), merger=Touch())
    assert said != Pipeline(segmenter=Lab(), tiler=Grid(tile=(3, 4)))


@pytest.mark.parametrize("parts", PARTS)
def test_a_pipeline_can_be_pickled_and_printed(parts: dict[str, Any]) -> None:
    pipeline = Pipeline(**parts)
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline
    assert "Lab(size=" in repr(pipeline)
    assert "tiler=" in repr(pipeline)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_a_pipeline_comes_back_from_a_file(parts: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    pipeline = Pipeline(**parts)
    path = tmp_path / f"pipeline{suffix}"
    pipeline.save(path)
    assert Pipeline.load(path) == pipeline
    assert Pipeline.load(str(path)) == pipeline
    assert Pipeline.from_dict(pipeline.to_dict()) == pipeline


def test_what_toml_cannot_hold_is_refused_and_json_holds_it(tmp_path: Path) -> None:
    pipeline = Pipeline(segmenter=Lab(mode=None))
    pipeline.save(tmp_path / "a.json")
    assert Pipeline.load(tmp_path / "a.json") == pipeline
    with pytest.raises(InvalidOption, match=r"a\.toml cannot hold .*segmenter.*; use \.json"):
        pipeline.save(tmp_path / "a.toml")
    assert not (tmp_path / "a.toml").exists()


def test_an_option_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"a\.json cannot hold .*segmenter"):
        Pipeline(segmenter=Lab(anything={1, 2})).save(tmp_path / "a.json")


@pytest.mark.parametrize("segmenter", [lambda pixels: pixels, np.abs, Components()])
def test_what_is_no_plugins_is_not_saved_but_recorded(segmenter: Any, tmp_path: Path) -> None:
    pipeline = Pipeline(segmenter=segmenter)
    assert pipeline.to_dict()["segmenter"]["name"]
    with pytest.raises(InvalidOption, match="does not come from a plugin, so a file cannot name it; register it"):
        pipeline.save(tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "is not a pipeline file"),
        ("a.json", "[1]", "it holds list, not a table of parts"),
        ("a.json", '"lab"', "it holds str"),
        ("a.toml", "segmenter = ", "is not a pipeline file"),
        ("a.json", "\x00\x01", "is not a pipeline file"),
        ("a.yaml", "segmenter: lab", "is not a pipeline file"),
        ("a.json", "{}", "has no segmenter; its parts are reader, tiler, segmenter, merger, writer"),
        ("a.json", '{"segmenter": "lab", "tile": 3}', "has the unknown part 'tile'; its parts are"),
        ("a.json", '{"segmenter": {"name": "lab", "configuration": {"siez": 3}}}', "did you mean 'size'"),
        ("a.json", '{"segmenter": {"name": "lab", "configuration": {"size": "3"}}}', "size must be a number, not '3'"),
        ("a.json", '{"segmenter": 5}', "5 is not a segmenter"),
        ("a.json", '{"segmenter": null}', "None is not a segmenter"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InvalidOption) as raised:
        Pipeline.load(path)
    assert said in str(raised.value)


def test_a_file_that_names_an_unknown_component_or_is_missing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"segmenter": {"name": "labb"}}')
    with pytest.raises(UnknownComponent, match="did you mean 'lab'"):
        Pipeline.load(tmp_path / "a.json")
    with pytest.raises(InvalidOption, match=r"b\.json cannot be read: No such file or directory; check the path"):
        Pipeline.load(tmp_path / "b.json")
    with pytest.raises(InvalidOption, match=r"must end in \.json or \.toml"):
        Pipeline(segmenter="lab").save(tmp_path / "c.txt")
    with pytest.raises(NotWritable, match=r"cannot be saved to .*c\.json: No such file or directory; choose another"):
        Pipeline(segmenter="lab").save(tmp_path / "missing" / "c.json")


# Results


def test_a_result_says_what_ran() -> None:
    calls: list[tuple[str, int, int]] = []
    pixels = mask()
    pipeline = Pipeline(segmenter=Lab(), tiler=Grid(tile=10, halo=1))
    result = pipeline.run(pixels, name="cells", progress=lambda *args: calls.append(args))
    whole, count = ndimage.label(pixels)
    assert (result.n_objects, result.n_tiles, result.n_skipped) == (count, 16, 0)
    assert result.path.name == "cells"
    assert {"segment", "join", "write", "finish"} == set(result.seconds)
    assert all(seconds >= 0 for seconds in result.seconds.values())
    assert isinstance(result.labels, dask.array.Array)
    assert result.labels.dtype == np.uint32
    np.testing.assert_array_equal(result.labels.compute(), whole)
    recorded = result.provenance
    assert recorded["pipeline"]["segmenter"] == pipeline.to_dict()["segmenter"]
    assert recorded["pipeline"]["merger"]["name"] == "touch"
    assert recorded["tiles"] == {"axes": "yx", "largest": (10, 10), "halo": (1, 1), "count": 16}
    assert recorded["n_objects"] == count
    assert json.loads(json.dumps(recorded))
    assert Pipeline.from_dict(recorded["pipeline"]).segmenter == Lab()
    for stage in ("segment", "join", "write"):
        (first, *_, last) = [(done, total) for name, done, total in calls if name == stage]
        assert first[0] == 0
        assert last[0] == last[1] > 0


def test_what_is_recorded_is_what_ran_and_not_what_was_asked_for() -> None:
    result = Pipeline(segmenter=Lab(), tiler=Grid(tile=1000)).run(mask(20))
    assert result.provenance["tiles"]["largest"] == (20, 20)


@pytest.mark.slow
def test_labels_without_a_destination_live_as_long_as_somebody_holds_them() -> None:
    import gc

    result = Pipeline(segmenter=Lab(), tiler=Grid(tile=10)).run(mask())
    path, labels = result.path, result.labels
    del result
    gc.collect()
    assert labels.compute().any()
    del labels
    gc.collect()
    assert not path.exists()
    assert not path.parent.exists()


@pytest.mark.parametrize("workers", [0, -3, 1.5, "2", True])
def test_a_number_of_workers_that_is_none_is_refused(workers: Any) -> None:
    with pytest.raises(InvalidOption, match=r"workers must be a whole number.*, not"):
        Pipeline(segmenter=Lab()).run(mask(), workers=workers)


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ([[1, 2]], {}, "list is not an image; give a path, an Image, or an array"),
        (None, {}, "NoneType is not an image"),
        (np.zeros((2, 2, 2, 2)), {}, "an array of 4 dimensions needs its axes; pass axes, such as 'tzyx'"),
        (np.zeros((2, 2)), {"level": 1}, "level 1 was asked for, but ndarray in memory has one level"),
        (np.zeros((2, 2)), {"name": "../up"}, "name '../up' is not a name for labels"),
        (np.zeros((2, 2)), {"name": ""}, "name '' is not a name for labels"),
    ],
)
def test_a_source_or_choice_that_cannot_be_is_refused(source: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        Pipeline(segmenter=Lab()).run(source, **options)
    assert said in str(raised.value)


# Where the output goes


def to_array(**options: Any) -> Pipeline:
    return Pipeline(segmenter=Lab(), tiler=Grid(tile=10), writer="zarr-array", **options)


def stored(path: Path, pixels: NDArray[Any]) -> zarr.Array[Any]:
    return zarr.create_array(path, data=pixels.astype("u1"), chunks=(10, 10), dimension_names=list("yx"))


@pytest.mark.parametrize("kind", ["array", "folder", "file"])
def test_what_is_there_already_is_kept_unless_it_is_to_be_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    if kind == "array":
        to_array().run(mask(), path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    calls = tmp_path.parent / f"{tmp_path.name}-calls"
    with pytest.raises(AlreadyExists, match=r"labels\.zarr exists; .*overwrite=True \(--overwrite\)"):
        Pipeline(segmenter=Components(calls=calls), writer="zarr-array").run(mask(), path)
    assert not calls.exists(), "refused before any work"
    assert sorted(tmp_path.rglob("*")) == before


def test_overwriting_replaces_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    to_array().run(mask(60), path)
    result = to_array().run(mask(20), path, overwrite=True)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(mask(20))[0])
    assert zarr.open_array(path).shape == (20, 20)
    assert [entry.name for entry in tmp_path.iterdir()] == ["labels.zarr"]


PLACES: list[tuple[str, str]] = [
    ("the image itself", "image.zarr"),
    ("the image by another way", "other/../image.zarr"),
    ("a folder that holds the image", "."),
    ("a level of the image", "image.zarr/0"),
    ("a new folder in the image", "image.zarr/result"),
    ("all of the image's labels", "image.zarr/labels"),
    ("all of the image's tables", "image.zarr/tables"),
    ("a link to the image", "link.zarr"),
]


@pytest.mark.parametrize("how", ["path", "image", "array"])
@pytest.mark.parametrize(("what", "place"), PLACES)
def test_a_run_never_writes_over_its_source(what: str, place: str, how: str, tmp_path: Path) -> None:
    path = tmp_path / "image.zarr"
    array = stored(path, mask())
    (tmp_path / "other").mkdir()
    (tmp_path / "link.zarr").symlink_to(path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    pipeline = to_array(reader="ome-zarr" if how == "path" else None)
    source: Any = path if how == "path" else array
    if how == "image":
        source = Image(data=array, axes="yx", source=str(path))
    with pytest.raises(InvalidOption, match="would overwrite the image"):
        pipeline.run(source, tmp_path / place, overwrite=True)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_a_run_never_writes_over_the_memory_map_that_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "pixels.raw"
    mask().astype("u1").tofile(path)
    pixels = np.memmap(path, "u1", "r", shape=(40, 40))
    with pytest.raises(InvalidOption, match="would overwrite the image"):
        to_array().run(pixels, path, overwrite=True)
    assert path.stat().st_size == 1600


def test_labels_may_go_into_the_labels_of_their_image(tmp_path: Path) -> None:
    stored(tmp_path / "image.zarr", mask())
    result = to_array().run(tmp_path / "image.zarr", tmp_path / "image.zarr" / "labels" / "cells")
    assert result.path == tmp_path / "image.zarr" / "labels" / "cells"


@pytest.mark.parametrize("url", ["s3://bucket/labels.zarr", "https://host/labels.zarr"])
def test_a_destination_that_is_no_local_path_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match=r"is a URL, but writer .* writes to local folders only"):
        to_array().run(mask(), url)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_path_is_refused_as_a_destination() -> None:
    with pytest.raises(InvalidOption, match="5 is int, not a path to write labels to"):
        to_array().run(mask(), 5)  # type: ignore[arg-type]


def test_a_suffix_that_no_writer_claims_is_refused_with_the_writers_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownComponent, match=r"no installed writer claims the suffix .*labels\.npy"):
        Pipeline(segmenter=Lab()).run(mask(), tmp_path / "labels.npy")


def test_outputs_in_one_folder_have_stages_of_their_own(tmp_path: Path) -> None:
    for name in ("a.zarr", "b.zarr"):
        to_array().run(mask(), tmp_path / name, keep_checkpoint=True)
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["a.zarr", "a.zarr.tilewright", "b.zarr", "b.zarr.tilewright"]


# Going on


def failing(calls: Path, at: int, **options: Any) -> Pipeline:
    return Pipeline(
        segmenter=Components(calls=calls, fail_at=at), **{"tiler": Grid(tile=10), "writer": "zarr-array", **options}
    )


@pytest.mark.parametrize("at", [1, 2, 9, 16])
def test_a_run_that_failed_at_a_tile_goes_on_with_those_that_are_missing(at: int, tmp_path: Path) -> None:
    calls, pixels = tmp_path / "calls", mask()
    pipeline = failing(calls, at)
    with pytest.raises(SegmenterFailed, match="on purpose"):
        pipeline.run(pixels, tmp_path / "labels", workers=1)
    assert not (tmp_path / "labels").exists()
    assert at <= calls.stat().st_size <= at + 4, "tiles under way are finished"
    (tmp_path / "mended").touch()
    result = pipeline.run(pixels, tmp_path / "labels", workers=2)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(pixels)[0])
    assert calls.stat().st_size == 16 + 1
    assert not (tmp_path / "labels.tilewright").exists()


def halted(folder: Path) -> Callable[..., Any]:
    """A run that failed half-way, and what runs it again with changes."""
    base: dict[str, Any] = {"tiler": Grid(tile=10), "writer": "zarr-array"}

    def run(pixels: Any = None, *, segmenter: Any = None, parts: Any = None, **options: Any) -> Any:
        pipeline = Pipeline(
            segmenter=segmenter or Components(calls=folder / "calls", fail_at=5), **{**base, **(parts or {})}
        )
        return pipeline.run(mask() if pixels is None else pixels, folder / "labels", workers=1, **options)

    with pytest.raises(SegmenterFailed):
        run()
    (folder / "mended").touch()
    return run


CHANGES: list[tuple[str, dict[str, Any]]] = [
    (r"connectivity 1 there, 2 now \(segmenter\)", {"segmenter": Components(connectivity=2)}),
    ("segmenter truth.Components there", {"segmenter": lambda pixels: ndimage.label(pixels)[0]}),
    (r"connectivity 1 there, 2 now \(merger\)", {"parts": {"merger": Touch(connectivity=2)}}),
    (r"tiles of \(10, 10\) there, \(12, 12\) now", {"parts": {"tiler": Grid(tile=12)}}),
    (r"halo \(0, 0\) there, \(1, 1\) now", {"parts": {"tiler": Grid(tile=10, halo=1)}}),
    ("empty None there, 0.5 now", {"empty": 0.5}),
    ("same_ids False there, True now", {"same_ids": True}),
    ("the image is another one", {"pixels": mask(seed=1)}),
    ("dtype of the image bool there, uint8 now", {"pixels": mask().astype(np.uint8)}),
]


@pytest.mark.parametrize(("difference", "change"), CHANGES)
def test_another_run_does_not_go_on_with_its_tiles(difference: str, change: dict[str, Any], tmp_path: Path) -> None:
    run = halted(tmp_path)
    with pytest.raises(CheckpointMismatch, match=f"is that of another run: {difference}"):
        run(**change)
    done = (tmp_path / "calls").stat().st_size
    whole = run(resume=False)
    np.testing.assert_array_equal(whole.labels.compute(), ndimage.label(mask())[0])
    assert (tmp_path / "calls").stat().st_size == done + 16


def segmenters_that_differ() -> Iterator[tuple[Any, Any]]:
    def closing_over(threshold: Any) -> Any:
        return lambda pixels: ndimage.label(pixels > threshold)[0]

    def with_helper(depth: int) -> Any:
        def helper(n: int) -> int:
            return helper(n - 1) if n else depth

        return lambda pixels: ndimage.label(pixels > helper(2))[0]

    class Plain:
        def __init__(self, threshold: float) -> None:
            self.threshold, self.me = threshold, self

        def __call__(self, pixels: NDArray[Any]) -> Any:
            return ndimage.label(pixels > self.threshold)[0]

    yield closing_over(0.2), closing_over(0.3)
    yield closing_over(np.arange(5000)), closing_over(np.arange(5000) * (np.arange(5000) != 2500))
    yield with_helper(1), with_helper(2)
    yield Plain(0.2), Plain(0.3)
    yield Plain(0.2).__call__, Plain(0.3).__call__
    table = np.arange(5000)
    yield Lab(anything=table), Lab(anything=table * (table != 2500))


@pytest.mark.parametrize("pair", list(segmenters_that_differ()))
def test_segmenters_that_differ_in_what_they_hold_are_told_apart(pair: tuple[Any, Any]) -> None:
    from tilewright.engine.fingerprint import identity

    one, other = (identity("segmenter", segmenter) for segmenter in pair)
    assert one == identity("segmenter", pair[0])
    assert one != other


def test_the_identity_of_a_large_map_is_found_in_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    from tilewright.storage.identity import Identity

    path = tmp_path / "pixels.raw"
    with path.open("wb") as file:
        file.truncate(2**26)
    pixels = np.memmap(path, "u1", "r+", shape=(2**13, 2**13))
    tracemalloc.start()
    try:
        before = Identity(pixels).text
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    pixels[7000, 10] = 1
    assert Identity(pixels).text != before
    assert Identity(pixels.T).text != Identity(pixels).text


def test_another_channel_of_an_array_does_not_go_on_with_the_tiles_of_the_first(tmp_path: Path) -> None:
    pixels = np.stack([mask(), mask(seed=1)])
    pipeline = failing(tmp_path / "calls", 5)
    with pytest.raises(SegmenterFailed):
        pipeline.run(pixels, tmp_path / "labels", axes="cyx", channel=0, workers=1)
    (tmp_path / "mended").touch()
    with pytest.raises(CheckpointMismatch, match="channels"):
        pipeline.run(pixels, tmp_path / "labels", axes="cyx", channel=1)
    pixels[0, 3, 3] ^= True
    with pytest.raises(CheckpointMismatch, match="the image is another one"):
        pipeline.run(pixels, tmp_path / "labels", axes="cyx", channel=0)


HELD = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from tilewright import Grid, Pipeline
    from truth import Components

    folder = Path(sys.argv[1])
    counted = Components(calls=folder / "calls")

    def held(pixels):
        labels = counted(pixels)
        while counted.count() >= 9 and (folder / "hold").exists():
            time.sleep(0.01)
        return labels

    mask = np.random.default_rng(0).random((60, 60)) < 0.5
    pipeline = Pipeline(segmenter=held, tiler=Grid(tile=10, halo=1), writer="zarr-array")
    pipeline.run(mask, folder / "labels", workers=2)
"""


@pytest.mark.slow
def test_a_process_that_was_killed_goes_on_with_the_tiles_that_are_missing(tmp_path: Path) -> None:
    script, calls, hold = tmp_path / "held.py", tmp_path / "calls", tmp_path / "hold"
    script.write_text(dedent(HELD))
    hold.touch()
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen(command, env=environment)
    while (calls.stat().st_size if calls.exists() else 0) < 9:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    hold.unlink()
    before = calls.stat().st_size
    assert 9 <= before <= 10
    assert not (tmp_path / "labels").exists()
    subprocess.run(command, env=environment, check=True)
    labels = zarr.open_array(tmp_path / "labels", mode="r")[...]
    np.testing.assert_array_equal(labels, ndimage.label(np.random.default_rng(0).random((60, 60)) < 0.5)[0])
    assert calls.stat().st_size - before >= 36 - before
    assert calls.stat().st_size <= 36 + 2, "at most the tiles under way are segmented again"


# A cluster


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_a_cluster_of_processes_gives_the_same_labels_with_a_lambda(merger: str, tmp_path: Path) -> None:
    pixels, structure = mask(60), np.ones((3, 3))
    segmenter: Any = lambda block: ndimage.label(block, structure)[0]  # noqa: E731 - the point is that it is one
    parts: dict[str, Any] = {"tiler": Grid(tile=15, halo=4), "segmenter": segmenter}
    parts["merger"] = Touch(connectivity=2) if merger == "touch" else Overlap()
    result = Pipeline(**parts).run(pixels, tmp_path / "labels.zarr", axes="yx")
    assert result.n_tiles == 16
    if merger == "touch":
        np.testing.assert_array_equal(result.labels.compute(), ndimage.label(pixels, structure)[0])
    from distributed import Client

    Client.current().close  # noqa: B018 - the run leaves the client as it was
    assert Client.current().status == "running"


@pytest.mark.slow
@pytest.mark.usefixtures("client")
def test_each_tile_is_segmented_once_on_a_cluster_and_the_workers_share_them(tmp_path: Path) -> None:
    pixels, calls = mask(60), tmp_path / "calls"

    def workers() -> list[str]:
        return [path.name.split("-")[0] for path in tmp_path.glob("*.call")]

    def counted(block: Any) -> Any:
        (tmp_path / f"{os.getpid()}-{time.monotonic_ns()}.call").touch()
        while len(set(workers())) < 2:  # neither goes on without the other
            time.sleep(0.01)
        return ndimage.label(block)[0]

    result = Pipeline(segmenter=counted, tiler=Grid(tile=10)).run(pixels, tmp_path / "labels.zarr", axes="yx")
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(pixels)[0])
    assert len(workers()) == 36
    assert len(set(workers())) == 2
    assert str(os.getpid()) not in workers()
    assert not calls.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("client")
def test_an_error_on_a_cluster_is_the_segmenters_and_leaves_no_output(tmp_path: Path) -> None:
    def fails(block: Any) -> Any:
        raise ZeroDivisionError("no cells")

    with pytest.raises(SegmenterFailed, match=r"tile \(\d, \d\) .* raised ZeroDivisionError: no cells"):
        Pipeline(segmenter=fails, tiler=Grid(tile=10)).run(mask(), tmp_path / "labels.zarr", axes="yx")
    assert not (tmp_path / "labels.zarr").exists()


def test_the_plain_writer_can_be_named_by_its_class() -> None:
    assert Pipeline(segmenter=Lab(), writer=ZarrArray).writer == ZarrArray()
