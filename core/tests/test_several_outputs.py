"""Segmenters with several outputs: each is what a segmenter that returns it alone gives, whoever works on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from measurers import Sums
from networks import Local
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import (
    AlreadyExists,
    Grid,
    Image,
    InvalidLabels,
    InvalidOption,
    Pipeline,
    Placement,
    check_same_labels,
    hookimpl,
    register,
    tile_process,
)
from tilewright.abc import Block, Column, Facts
from tilewright.components.registry import unregister

NAMES = ("nuclei", "cells")
RULES = ("clip", "touching", "inside")
LEVELS = {"nuclei": 0.75, "cells": 0.5}


@dataclass(frozen=True, kw_only=True)
class Both:
    """Components above two levels; `only` makes it a segmenter of one of them that declares no outputs."""

    only: str = ""
    merger: str = "touch"
    halo: int = 0
    min_size: int = 0
    calls: Path | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        return () if self.only else NAMES

    def __call__(self, pixels: NDArray[Any]) -> Any:
        if self.calls:
            with self.calls.open("ab", buffering=0) as file:
                file.write(b".")
        found = {name: ndimage.label(pixels > level)[0] for name, level in LEVELS.items()}
        return found[self.only] if self.only else found


def image_of(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), [1.0] * len(shape))
    return ((noise - noise.min()) / max(float(np.ptp(noise)), 1e-9)).astype(np.float32)


IMAGE = image_of(40, 50)


def whole(name: str, image: NDArray[Any] = IMAGE) -> NDArray[Any]:
    labels: NDArray[Any] = Both(only=name)(image)
    return labels


def files_of(path: Path) -> dict[str, bytes]:
    """The chunks of an array, byte for byte."""
    files = (each for each in sorted(path.rglob("*")) if each.is_file() and each.name != "zarr.json")
    return {str(each.relative_to(path)): each.read_bytes() for each in files}


@pytest.mark.slow
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 30), st.integers(1, 30)), st.tuples(*[st.integers(1, 5)] + [st.integers(1, 14)] * 2)
    ),
    tile=st.integers(3, 20),
    options=st.sampled_from(
        [
            {"merger": "touch"},
            {"merger": "touch", "halo": 2},
            {"merger": "overlap", "halo": 3},
            {"merger": "touch", "min_size": 4},
        ]
    ),
    chosen=st.sampled_from([{}, {"empty": 0.6}, {"same_ids": True}, *({"within_rule": rule} for rule in RULES)]),
    seed=st.integers(0, 5),
)
@settings(deadline=None, max_examples=20)
def test_each_output_equals_a_run_of_a_segmenter_that_returns_only_that_one(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    tile: int,
    options: dict[str, Any],
    chosen: dict[str, Any],
    seed: int,
) -> None:
    if options["merger"] == "overlap":
        # Which views it has of an object at the image's border depends on the tiles that the other output needs.
        chosen = {name: value for name, value in chosen.items() if name != "same_ids" and value in (0.6, "clip")}
    folder, image = tmp_path_factory.mktemp("run"), image_of(*shape, seed=seed)
    if "within_rule" in chosen:
        chosen = {**chosen, "within": image_of(*shape, seed=seed + 10) > 0.7}
    segmenter, tiler = Both(**options), Grid(tile=tile)
    result = Pipeline(segmenter=segmenter, tiler=tiler).run(image, folder / "{output}.zarr", **chosen)
    assert list(result.outputs) == list(NAMES)
    for name, each in result.outputs.items():
        alone = Pipeline(segmenter=replace(segmenter, only=name), tiler=tiler).run(
            image, folder / f"only-{name}.zarr", **chosen
        )
        assert files_of(each.path) == files_of(alone.path)
        assert each.labels.dtype == alone.labels.dtype
        assert (each.n_objects, each.n_skipped, each.n_undrawn) == (alone.n_objects, alone.n_skipped, alone.n_undrawn)


@pytest.mark.parametrize("chosen", [{}, {"join_z": True}])
def test_slices_of_each_output_are_linked(tmp_path: Path, chosen: dict[str, Any]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Planes(Both):
        axes: str = "yx"

    image = image_of(4, 30, 30)
    tiler = Grid(tile=(1, 12, 12))
    result = Pipeline(segmenter=Planes(), tiler=tiler).run(image, tmp_path / "{output}.zarr", **chosen)
    for name, each in result.outputs.items():
        alone = Pipeline(segmenter=Planes(only=name), tiler=tiler).run(image, **chosen)
        np.testing.assert_array_equal(each.labels.compute(), alone.labels.compute())


def test_ids_of_each_output_are_kept() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Kept:
        given: tuple[str, ...] = ("seeds",)
        outputs: tuple[str, ...] = ("same", "large")
        keeps_ids: bool = True

        def __call__(self, pixels: Any, *, given: Mapping[str, NDArray[np.uint64]]) -> Any:
            seeds = given["seeds"]
            return {"same": seeds, "large": np.where(seeds > 3, seeds + np.uint64(2**33), np.uint64(0))}

    seeds = np.random.default_rng(0).integers(0, 9, (30, 31)).astype(np.uint16)
    result = Pipeline(segmenter=Kept(), tiler=Grid(tile=8)).run(np.zeros((30, 31)), given={"seeds": seeds})
    np.testing.assert_array_equal(result.outputs["same"].labels.compute(), seeds)
    large = np.where(seeds > 3, seeds.astype(np.uint64) + np.uint64(2**33), np.uint64(0))
    np.testing.assert_array_equal(result.outputs["large"].labels.compute(), large)
    assert [each.n_objects for each in result.outputs.values()] == [8, 5]


def test_one_output_may_lack_objects_where_another_has_them(tmp_path: Path) -> None:
    def halves(pixels: NDArray[Any]) -> dict[str, Any]:
        labels = ndimage.label(pixels > 0.5)[0]
        return {"none": np.zeros_like(labels), "some": labels, "left": np.where(pixels < 0.6, 0, labels)}

    halves.outputs = ("none", "some", "left")  # type: ignore[attr-defined]
    result = Pipeline(segmenter=halves, tiler=Grid(tile=16)).run(IMAGE, tmp_path / "{output}.zarr")
    assert result.outputs["none"].n_objects == 0
    np.testing.assert_array_equal(result.outputs["some"].labels.compute(), whole("cells"))
    assert result.outputs["left"].labels.compute().any()


def test_a_single_output_has_its_name_and_the_result_is_that_of_it() -> None:
    def cells(pixels: NDArray[Any]) -> dict[str, Any]:
        return {"cells": ndimage.label(pixels > 0.5)[0]}

    cells.outputs = ("cells",)  # type: ignore[attr-defined]
    result = Pipeline(segmenter=cells, tiler=Grid(tile=16)).run(IMAGE)
    assert result.n_objects == result.outputs["cells"].n_objects
    np.testing.assert_array_equal(result.labels.compute(), whole("cells"))
    assert result.path.name == "cells"


# Networks, processes, failures


@dataclass(frozen=True, kw_only=True)
class LocalTwice(Local):
    """A network that is decoded at two levels."""

    outputs: tuple[str, ...] = ("low", "high")

    def decode(self, maps: Any, place: Placement) -> Any:
        return {
            name: Local.decode(replace(self, level=level), maps, place) for name, level in (("low", 0.4), ("high", 0.6))
        }

    def alone(self, name: str) -> Local:
        return Local(level={"low": 0.4, "high": 0.6}[name], log=self.log)


@pytest.mark.slow
def test_a_network_may_decode_several_outputs_of_one_prediction(tmp_path: Path) -> None:
    pixels = (image_of(40, 50) * 9).astype(np.int64)
    network = LocalTwice(log=tmp_path / "log")
    tiler = Grid(tile=13)
    result = Pipeline(segmenter=network, tiler=tiler).run(pixels)
    for name, each in result.outputs.items():
        alone = Pipeline(segmenter=LocalTwice().alone(name), tiler=tiler).run(pixels)
        np.testing.assert_array_equal(each.labels.compute(), alone.labels.compute())
        assert each.provenance["n_predicted"] == len((tmp_path / "log").read_text())


@pytest.mark.slow
def test_processes_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(
        "from scipy import ndimage\n"
        "def both(pixels):\n"
        "    return {'nuclei': ndimage.label(pixels > 0.75)[0], 'cells': ndimage.label(pixels > 0.5)[0]}\n"
        "both.outputs = ('nuclei', 'cells')\n"
    )
    (tmp_path / "main.py").write_text(
        "import numpy as np, sys, twice\n"
        "from tilewright import Grid, Pipeline\n"
        "if __name__ == '__main__':\n"
        "    pipeline = Pipeline(segmenter=twice.both, tiler=Grid(tile=9), writer='zarr-array')\n"
        "    pipeline.run(np.load('image.npy'), '{output}.zarr', processes=True, workers=2)\n"
    )
    np.save(tmp_path / "image.npy", IMAGE)
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True)
    for name in NAMES:
        np.testing.assert_array_equal(zarr.open_array(tmp_path / f"{name}.zarr")[:], whole(name))


def test_a_tile_that_fails_is_background_in_all_outputs_and_is_done_by_the_same_run(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()

    def both(pixels: NDArray[Any]) -> Any:
        if broken.exists() and pixels.shape != (16, 16):
            return {"nuclei": np.zeros(pixels.shape, int)}
        return Both()(pixels)

    both.outputs = NAMES  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=both, tiler=Grid(tile=16))
    with pytest.raises(InvalidLabels, match="returned the outputs 'nuclei', but declares outputs"):
        pipeline.run(IMAGE, tmp_path / "{output}.zarr")
    result = pipeline.run(IMAGE, tmp_path / "{output}.zarr", on_error="skip", resume=False)
    assert len(result.failed) == 6
    for each in result.outputs.values():
        assert each.failed == result.failed
        labels = each.labels.compute()
        assert labels[:32, :48].any()
        assert not labels[32:].any()
        assert not labels[:, 48:].any()
    broken.unlink()
    again = pipeline.run(IMAGE, tmp_path / "{output}.zarr", on_error="skip", overwrite=True)
    for name, each in again.outputs.items():
        np.testing.assert_array_equal(each.labels.compute(), whole(name))


def test_a_tile_whose_pixels_changed_is_made_anew_in_all_outputs(tmp_path: Path) -> None:
    path = tmp_path / "image.zarr"
    stored = zarr.create_array(path, data=IMAGE, chunks=(16, 16), dimension_names=("y", "x"))
    calls = tmp_path / "calls"
    pipeline = Pipeline(segmenter=Both(calls=calls), tiler=Grid(tile=16))
    places = {"destination": tmp_path / "{output}.zarr", "overwrite": True, "keep_checkpoint": True}
    pipeline.run(zarr.open_array(path), **places)
    assert calls.stat().st_size == 12
    changed = IMAGE.copy()
    changed[:16, :16] = 1 - changed[:16, :16]
    stored[:16, :16] = changed[:16, :16]
    result = pipeline.run(zarr.open_array(path), **places)
    assert calls.stat().st_size == 13
    for name, each in result.outputs.items():
        np.testing.assert_array_equal(each.labels.compute(), whole(name, changed))


KILLED = """
import os, signal, sys
import numpy as np
sys.path.insert(0, {tests!r})
from test_several_outputs import Both, IMAGE, NAMES
from measurers import Sums
from pathlib import Path
from tilewright import Grid, Pipeline

at, events = int(sys.argv[1]), 0

def progress(step, done, total):
    global events
    events += 1
    if not step.startswith("finish") and not placing:
        assert not any(Path(name + ".zarr").exists() for name in NAMES), "visible before all are written"
    if events == at:
        os.kill(os.getpid(), signal.SIGKILL)

plan = Path("nuclei.zarr.tilewright/plan.json")
placing = plan.exists() and "placing" in plan.read_text()
pipeline = Pipeline(segmenter=Both(calls=Path("calls")), tiler=Grid(tile=25), measure=Sums())
result = pipeline.run(IMAGE[None], "{{output}}.zarr", axes="cyx", channel=0, progress=progress, workers=1)
print(events)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_step_is_completed_by_the_same_command(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(KILLED.format(tests=str(Path(__file__).parent)))

    def run(folder: Path, at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(tmp_path / "run.py"), str(at)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    whole = tmp_path / "whole"
    whole.mkdir()
    done = run(whole, 0)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout)
    tables = [f"{name}.zarr.table.zarr" for name in NAMES]
    for chosen in (range(2, count + 1, 5), range(4, count + 1, 5), range(count - 8, count + 1)):
        folder = tmp_path / f"killed-{chosen.start}-{chosen.step}"
        folder.mkdir()
        for at in chosen:
            killed = run(folder, at)
            if killed.returncode == 0:
                break
            assert killed.returncode == -9, killed.stderr
        else:
            done = run(folder, 0)
            assert done.returncode == 0, done.stderr
        for name in (*(f"{name}.zarr" for name in NAMES), *tables):
            assert files_of(folder / name) == files_of(whole / name), name
        assert sorted(path.name for path in folder.glob("*.tilewright")) == [], "nothing is left"


# What is refused


@pytest.mark.parametrize(
    ("declared", "returned", "message"),
    [
        ((), lambda n: UserDict(a=n), r"returned a mapping, but declares no outputs; declare outputs = \('a',\)"),
        (("a", "b"), lambda n: n, r"returned ndarray, but declares outputs = \('a', 'b'\); return a mapping"),
        (("a", "b"), lambda n: {"a": n}, r"returned the outputs 'a', but declares outputs = \('a', 'b'\)"),
        (("a",), lambda n: {"a": n, "b": n}, r"returned the outputs 'a', 'b', but declares outputs = \('a',\)"),
        (("a", "b"), lambda _: {}, "returned the outputs of an empty mapping, but declares"),
        (("a", "b"), lambda n: {"a": n, "b": n[1:]}, r"returned shape \(39, 50\) .* is \(40, 50\), as its output 'b'"),
        (("a", "b"), lambda n: {"a": n, "b": n + 0.5}, "returned 0.5; labels are whole numbers.*, as its output 'b'"),
        (("a", "b"), lambda n: {"a": n, "b": n - 1}, "returned the negative label -1.*, as its output 'b'"),
        (("a", "b"), lambda n: {"a": None, "b": n}, r"returned None for pixels .*, as its output 'a'"),
        (
            (),
            lambda n: {"a": n, "b": n},
            r"returned a mapping, but declares no outputs; declare outputs = \('a', 'b'\)",
        ),
    ],
)
def test_what_does_not_fit_the_declaration_is_refused_with_both_and_whose_it_is(
    declared: tuple[str, ...], returned: Any, message: str
) -> None:
    def strange(pixels: NDArray[Any]) -> Any:
        return returned(np.zeros(pixels.shape, int))

    strange.outputs = declared  # type: ignore[attr-defined]
    with pytest.raises(InvalidLabels, match=message) as caught:
        Pipeline(segmenter=strange).run(IMAGE)
    assert "strange" in str(caught.value)
    assert "tile (0, 0)" in str(caught.value)


def test_what_prepare_returns_has_the_same_outputs() -> None:
    @dataclass(frozen=True)
    class Forgetful:
        outputs: ClassVar[tuple[str, ...]] = NAMES

        def prepare(self, image: Image) -> Any:
            return whole

        def __call__(self, pixels: NDArray[Any]) -> Any:
            return Both()(pixels)

    with pytest.raises(InvalidOption, match=r"declares outputs = \('nuclei', 'cells'\), but .* declares \(\)"):
        Pipeline(segmenter=Forgetful()).run(IMAGE)


def test_a_path_says_where_each_output_goes(tmp_path: Path) -> None:
    pipeline = Pipeline(segmenter=Both())
    with pytest.raises(InvalidOption, match=r"returns nuclei and cells, but the output .* is one path; put {output}"):
        pipeline.run(IMAGE, tmp_path / "labels.zarr")
    with pytest.raises(InvalidOption, match=r"the table .* is one path; put {output} into it"):
        Pipeline(segmenter=Both(), measure=Sums()).run(
            IMAGE, tmp_path / "{output}.zarr", table=tmp_path / "table.table.zarr"
        )
    with pytest.raises(InvalidOption, match=r"has {output} in it, but the segmenter does not name any outputs"):
        Pipeline(segmenter=Both(only="cells")).run(IMAGE, tmp_path / "{output}.zarr")
    with pytest.raises(
        InvalidOption, match=r"name is 'mine', but .*Both.* names its outputs nuclei, cells; leave name"
    ):
        pipeline.run(IMAGE, tmp_path / "{output}.zarr", name="mine")
    assert list(tmp_path.iterdir()) == []
    result = pipeline.run(IMAGE, tmp_path / "{output}" / "labels.zarr", make_parents=True)
    assert [each.path for each in result.outputs.values()] == [tmp_path / name / "labels.zarr" for name in NAMES]


def test_labels_of_one_output_are_not_at_the_path_of_anothers_table(tmp_path: Path) -> None:
    def both(pixels: NDArray[Any]) -> Any:
        return {"a": pixels > 0.5, "t-a": pixels > 0.7}

    both.outputs = ("a", "t-a")  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=both, measure=Sums(), writer="zarr-array")
    with pytest.raises(InvalidOption, match=r"would be at .*/t-a\.table\.zarr; give other paths"):
        pipeline.run(IMAGE, tmp_path / "{output}.table.zarr", table=tmp_path / "t-{output}.table.zarr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", NAMES)
def test_no_output_is_written_where_one_of_them_is_taken(tmp_path: Path, taken: str) -> None:
    zarr.create_array(tmp_path / f"{taken}.zarr", data=np.ones((3, 3)))
    pipeline, path = Pipeline(segmenter=Both()), tmp_path / "{output}.zarr"
    with pytest.raises(AlreadyExists, match=rf"{taken}\.zarr exists"):
        pipeline.run(IMAGE, path)
    assert [each.name for each in tmp_path.iterdir()] == [f"{taken}.zarr"]
    result = pipeline.run(IMAGE, path, overwrite=True)
    for name, each in result.outputs.items():
        np.testing.assert_array_equal(each.labels.compute(), whole(name))


def test_no_output_overwrites_the_image(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "cells.zarr", data=IMAGE)
    with pytest.raises(InvalidOption, match="would overwrite the image"):
        Pipeline(segmenter=Both()).run(zarr.open_array(tmp_path / "cells.zarr"), tmp_path / "{output}.zarr", axes="yx")


def test_a_result_of_several_outputs_refuses_what_each_has_of_its_own() -> None:
    result = Pipeline(segmenter=Both()).run(IMAGE)
    for name in ("labels", "n_objects", "path", "table", "provenance", "data", "n_undrawn"):
        with pytest.raises(InvalidOption, match=rf"outputs nuclei, cells, .*result\.outputs\['nuclei'\]\.{name}"):
            getattr(result, name)
    with pytest.raises(AttributeError, match="has no attribute 'lables'"):
        _ = result.lables  # type: ignore[attr-defined]
    assert (result.n_tiles, result.n_skipped, result.failed) == (1, 0, ())
    assert set(result.seconds) == {"segment", "join", "write", "finish"}
    assert "nuclei" in repr(result)
    assert "<h4>cells</h4>" in result._repr_html_()


def test_the_labels_of_one_output_can_be_given_to_another_run_and_those_of_all_cannot() -> None:
    result = Pipeline(segmenter=Both()).run(IMAGE)

    def same(pixels: Any, *, given: Mapping[str, Any]) -> Any:
        return given["seeds"]

    same.given, same.keeps_ids = ("seeds",), True  # type: ignore[attr-defined]
    copied = Pipeline(segmenter=same).run(IMAGE, given={"seeds": result.outputs["cells"]})
    np.testing.assert_array_equal(copied.labels.compute(), result.outputs["cells"].labels.compute())
    with pytest.raises(InvalidOption, match=r"take that of one: result\.outputs\['nuclei'\]"):
        Pipeline(segmenter=same).run(IMAGE, given={"seeds": result})


# Measuring


@dataclass(frozen=True, kw_only=True)
class Inside:
    """The largest id of an output that each object meets."""

    given: tuple[str, ...] = ("nuclei",)

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {f"in-{name}": Column(dtype="uint64") for name in self.given}

    def __call__(self, block: Block) -> dict[str, Any]:
        ids = np.arange(1, block.n + 1)
        return {f"in-{name}": ndimage.maximum(block.given[name], block.labels, ids) for name in self.given}


def test_each_output_has_a_table_of_its_own(tmp_path: Path) -> None:
    for chosen in ({}, {"table": tmp_path / "t-{output}.table.zarr"}):
        result = Pipeline(segmenter=Both(), tiler=Grid(tile=16), measure=Sums()).run(
            IMAGE, tmp_path / "{output}.zarr", overwrite=True, **chosen
        )
        for name, each in result.outputs.items():
            alone = Pipeline(segmenter=Both(only=name), tiler=Grid(tile=9), measure=Sums()).run(IMAGE)
            assert each.table is not None
            assert alone.table is not None
            for column in alone.table.names:
                np.testing.assert_array_equal(each.table[column], alone.table[column])
            check_same_labels(each.table.provenance, each.provenance)
            assert each.table.path == tmp_path / (f"t-{name}.table.zarr" if chosen else f"{name}.zarr.table.zarr")


def test_a_measurer_may_be_given_another_output_of_the_same_run(tmp_path: Path) -> None:
    result = Pipeline(segmenter=Both(), tiler=Grid(tile=16), measure=Inside()).run(
        IMAGE, tmp_path / "{output}.zarr", measure_pixels=300
    )
    nuclei, cells = (whole(name) for name in NAMES)
    table = result.outputs["cells"].table
    assert table is not None
    np.testing.assert_array_equal(
        table["in-nuclei"], ndimage.maximum(nuclei, cells, np.arange(1, cells.max() + 1)).astype(int)
    )
    own = result.outputs["nuclei"].table
    assert own is not None
    np.testing.assert_array_equal(own["in-nuclei"], own["label"])


def test_given_labels_cannot_have_the_name_of_an_output() -> None:
    with pytest.raises(InvalidOption, match=r"'nuclei' is given, but .* returns an output of that name"):
        Pipeline(segmenter=Both(), measure=Inside()).run(IMAGE, given={"nuclei": np.zeros((40, 50), int)})
    with pytest.raises(InvalidOption, match="needs the label image 'tissue', but none of that name is given"):
        Pipeline(segmenter=Both(), measure=Inside(given=("tissue",))).run(IMAGE)

    def same(pixels: Any, *, given: Any) -> Any:
        return {"nuclei": given["nuclei"]}

    same.given, same.outputs = ("nuclei",), ("nuclei",)  # type: ignore[attr-defined]
    with pytest.raises(InvalidOption, match="names other than those of the given labels, but 'nuclei' is in given too"):
        Pipeline(segmenter=same).run(IMAGE, given={"nuclei": np.zeros((40, 50), int)})


# What is told


def test_provenance_names_the_output_and_all_others(tmp_path: Path) -> None:
    result = Pipeline(segmenter=Both(), writer="zarr-array").run(IMAGE, tmp_path / "{output}.zarr")
    for name, each in result.outputs.items():
        written = dict(zarr.open_array(each.path).attrs)["tilewright"]
        assert json.loads(json.dumps(each.provenance)) == written
        assert (written["output"], written["outputs"]) == (name, list(NAMES))


def test_watchers_learn_of_which_output_a_step_is() -> None:
    events: list[Any] = []

    class Watching:
        @hookimpl
        def tilewright_tile_done(self, event: Any) -> None:
            events.append(event)

        @hookimpl
        def tilewright_run_finished(self, event: Any) -> None:
            events.append(event)

    register(Watching(), "watching")
    steps: list[str] = []
    try:
        result = Pipeline(segmenter=Both(), tiler=Grid(tile=25)).run(
            IMAGE, progress=lambda step, done, total: steps.append(step)
        )
    finally:
        unregister("watching")
    *done, finished = events
    assert {(each.step, each.output) for each in done} == {("segment", "")} | {
        (step, name) for step in ("join", "write", "finish") for name in NAMES
    }
    assert set(steps) == {"segment", *(f"{step} {name}" for step in ("join", "write", "finish") for name in NAMES)}
    assert finished.objects == sum(each.n_objects for each in result.outputs.values())


def test_a_forecast_counts_the_objects_of_each_output() -> None:
    pipeline = Pipeline(segmenter=Both(), tiler=Grid(tile=25))
    forecast = pipeline.plan(IMAGE)
    result = pipeline.run(IMAGE)
    alone = {name: Pipeline(segmenter=Both(only=name), tiler=Grid(tile=25)).plan(IMAGE) for name in NAMES}
    assert forecast.outputs == {name: each.objects for name, each in alone.items()}
    assert forecast.objects == sum(forecast.outputs.values()) >= sum(e.n_objects for e in result.outputs.values())
    assert forecast.checkpoint > max(each.checkpoint for each in alone.values())


# Functions


@pytest.mark.parametrize("compute", [True, False])
def test_tile_process_returns_a_mapping(tmp_path: Path, compute: bool) -> None:
    for place in ({}, {"write_to": tmp_path / "out.zarr"}):
        labels = tile_process(IMAGE, Both(), tile_shape=(16, 16), compute=compute, **place)
        assert list(labels) == list(NAMES)
        for name, each in labels.items():
            np.testing.assert_array_equal(np.asarray(each), whole(name))
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    assert sorted(group["labels"].array_keys()) == ["cells", "nuclei"]
    tile_process(IMAGE, Both(), write_to=tmp_path / "out.zarr", output_component="{output}-labels", measure=Sums())
    assert sorted(zarr.open_group(tmp_path / "out.zarr", mode="r").array_keys()) == ["cells-labels", "nuclei-labels"]


def test_an_array_of_tile_process_holds_the_folder_that_others_share() -> None:
    labels = tile_process(IMAGE, Both())
    cells = labels.pop("cells")
    del labels
    np.testing.assert_array_equal(cells.compute(), whole("cells"))


def test_tile_process_measures_each_output() -> None:
    labels, tables = tile_process(IMAGE, Both(), measure=Sums(), compute=True)
    assert {name: len(table) for name, table in tables.items()} == {name: each.max() for name, each in labels.items()}


def test_tile_process_hands_several_channels_to_a_function_with_outputs() -> None:
    def both(pixels: NDArray[Any]) -> Any:
        return Both()(pixels.max(0))

    both.outputs = NAMES  # type: ignore[attr-defined]
    labels = tile_process(Image(np.stack([IMAGE, IMAGE / 2]), "cyx"), both, channels=[0, 1], compute=True)
    np.testing.assert_array_equal(labels["cells"], whole("cells"))
