"""Several images at one path: which they are, and one run over all of them that can be killed and repeated."""

from __future__ import annotations

import csv
import gc
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import tifffile
import zarr
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from pyarrow import parquet
from scipy import ndimage
from stores import field_pixels as pixels
from stores import make_plate as plate

from tilewright import Collection, Image, InvalidOption, Pipeline, Workflow, open_image
from tilewright.cli import main
from tilewright.workflow.done import ImageDone
from tilewright.workflow.table import tabled
from tilewright_threshold.methods import threshold_of

pytestmark = pytest.mark.slow

THRESHOLD = {"name": "threshold", "configuration": {"threshold": 0.5}}
NAMES = ["A/1/0", "A/1/1", "A/2/0", "A/2/1"]
MEASURE = {"name": "size", "configuration": {"properties": ["area"]}}


def whole(seed: int, side: int = 64) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels(seed, side) > 0.5)[0]
    return labels


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def labels_of(image: Path, name: str = "labels") -> NDArray[Any]:
    return np.asarray(open_image(image / "labels" / name).data[:])


def test_the_fields_of_a_plate_are_its_images(tmp_path: Path) -> None:
    found = Collection.open(plate(tmp_path / "plate.ome.zarr"))
    assert list(found) == ["A/1/0", "A/1/1", "A/2/0", "A/2/1"]
    assert list(found.only("A/2/*")) == ["A/2/0", "A/2/1"]
    np.testing.assert_array_equal(open_image(found["A/2/1"]).data[:], pixels(3))
    with pytest.raises(InvalidOption, match="no image has a name like 'B"):
        found.only("B/*")


def test_one_command_does_all_fields_of_a_plate(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    done = command("run", image, "--segmenter", "threshold", "--set", "threshold=0.5")
    assert done.exit_code == 0, done.output
    for seed, name in enumerate(NAMES):
        np.testing.assert_array_equal(labels_of(image / name), whole(seed))
    assert f"{sum(int(whole(seed).max()) for seed in range(4))} objects in 4 images" in done.output
    again = command("run", image, "--segmenter", "threshold", "--set", "threshold=0.5", "--quiet")
    assert again.exit_code == 0
    assert again.output.count("unchanged") == 4


@pytest.mark.parametrize("name", ["plate", "plate.v2", "plate.zarr.old"])
def test_a_plate_whose_name_does_not_say_zarr_has_labels_in_its_fields_too(tmp_path: Path, name: str) -> None:
    image, file = plate(tmp_path / name), tmp_path / "cells.toml"
    steps = {"nuclei": {"segmenter": THRESHOLD}, "grown": {"segmenter": "expand", "given": {"nuclei": "nuclei"}}}
    Workflow(steps=steps).save(file)
    done = command("run", image, "--workflow", file)
    assert done.exit_code == 0, done.output
    for seed, field in enumerate(NAMES):
        np.testing.assert_array_equal(labels_of(image / field, "nuclei"), whole(seed))
    assert command("run", image, "--workflow", file, "--quiet").output.count("unchanged") == 4
    one = command("run", image / "A/1/0", "--segmenter", "threshold", "--set", "threshold=0.5", "--name", "one")
    assert one.exit_code == 0, one.output
    assert sorted(zarr.open_group(image / "A/1/0/labels").attrs["ome"]["labels"]) == ["grown", "nuclei", "one"]


def test_an_output_folder_has_a_folder_for_each_image(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    done = command(
        "run", image, tmp_path / "out", "--segmenter", "threshold", "--set", "threshold=0.5", "--only", "A/1/*"
    )
    assert done.exit_code == 0, done.output
    found = sorted(str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").glob("*/*/*/*"))
    assert found == ["A/1/0/labels.ome.zarr", "A/1/1/labels.ome.zarr"]
    np.testing.assert_array_equal(open_image(tmp_path / "out/A/1/1/labels.ome.zarr").data[:], whole(1))


def test_a_broken_field_is_listed_and_done_alone_once_it_is_repaired(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    chunk = image / "A/1/1/0/c/0/0"
    kept = chunk.read_bytes()
    chunk.write_bytes(b"broken")
    arguments = ("run", image, "--segmenter", "threshold", "--set", "threshold=0.5", "--json")
    done = command(*arguments)
    assert done.exit_code == 3
    assert "A/1/1: error:" in done.output
    assert "1 image failed" in done.output
    np.testing.assert_array_equal(labels_of(image / "A/2/1"), whole(3))
    chunk.write_bytes(kept)
    done = command(*arguments, "--quiet")
    assert done.exit_code == 0
    steps = {name: each["steps"]["labels"] for name, each in json.loads(done.output)["images"].items()}
    assert [name for name, step in steps.items() if step["seconds"]] == ["A/1/1"]
    np.testing.assert_array_equal(labels_of(image / "A/1/1"), whole(1))


def test_images_with_tiles_that_failed_are_done_alone_with_overwrite(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    chunk = image / "A/1/1/0/c/0/0"
    kept = chunk.read_bytes()
    chunk.write_bytes(b"broken")
    arguments = ("run", image, "--segmenter", "threshold", "--set", "threshold=0.5", "--tile", "32", "--json")
    done = command(*arguments, "--on-error", "skip")
    assert done.exit_code == 3
    assert "1 image failed; re-run the same command with --overwrite to do just those" in done.output
    chunk.write_bytes(kept)
    done = command(*arguments, "--on-error", "skip", "--overwrite", "--quiet")
    assert done.exit_code == 0, done.output
    images = json.loads(done.output)["images"].items()
    assert [name for name, each in images if each["steps"]["labels"]["seconds"]] == ["A/1/1"]
    np.testing.assert_array_equal(labels_of(image / "A/1/1"), whole(1))


def test_one_table_tells_the_image_of_each_row(tmp_path: Path) -> None:
    image, table = plate(tmp_path / "plate.ome.zarr"), tmp_path / "plate.csv"
    done = command(
        "run", image, "--segmenter", "threshold", "--set", "threshold=0.5", "--measure", "size", "--table", table
    )
    assert done.exit_code == 0, done.output
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = [
        (name, label, np.count_nonzero(whole(seed) == label))
        for seed, name in enumerate(NAMES)
        for label in range(1, int(whole(seed).max()) + 1)
    ]
    assert [(row["image"], int(row["label"]), int(float(row["area"]))) for row in rows] == expected
    for name, problem in (("plate.h5ad", "'h5ad' of tilewright-measure"), ("no/a.csv", "there is no folder")):
        wrong = command("run", image, "--segmenter", "threshold", "--measure", "size", "--table", tmp_path / name)
        assert wrong.exit_code == 2
        assert problem in wrong.output
    wrong = command("run", image, "--segmenter", "threshold", "--table", table)
    assert wrong.exit_code == 2
    assert "nothing is measured" in wrong.output


def test_the_table_of_all_images_in_parquet_has_the_dtypes_and_units_of_theirs(tmp_path: Path) -> None:
    image, table = plate(tmp_path / "plate.ome.zarr"), tmp_path / "plate.parquet"
    arguments = ("run", image, "--segmenter", "threshold", "--set", "threshold=0.5", "--measure", "size")
    done = command(*arguments, "--table", table, "--jobs", "2")
    assert done.exit_code == 0, done.output
    read = parquet.read_table(table)
    assert read.schema.field("image").type == pyarrow.string()
    assert read.schema.field("label").type == pyarrow.uint64()
    assert read.schema.field("area").metadata == {b"unit": b"micrometer^2"}
    expected = [(name, n + 1) for seed, name in enumerate(NAMES) for n in range(int(whole(seed).max()))]
    assert list(zip(*read.select(["image", "label"]).to_pydict().values(), strict=True)) == expected
    assert list(json.loads(parquet.read_metadata(table).metadata[b"tilewright"])["images"]) == NAMES
    again = command(*arguments, "--table", tmp_path / "again", "--table-format", "parquet", "--quiet")
    assert again.exit_code == 0, again.output
    assert parquet.read_table(tmp_path / "again").equals(read)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_is_put_into_place_at_the_end_and_no_image_is_kept_until_then(tmp_path: Path, jobs: int) -> None:
    images, table = Collection.open(plate(tmp_path / "plate.ome.zarr")), tmp_path / "plate.csv"
    table.write_text("an earlier one")
    kept: list[weakref.ref[ImageDone]] = []
    for each in images.running(Pipeline(segmenter=THRESHOLD, measure=[MEASURE]), jobs=jobs, table=table):
        assert table.read_text() == "an earlier one"
        gc.collect()
        assert not any(before() for before in kept)
        kept.append(weakref.ref(each))
    assert len(kept) == 4
    assert len(table.read_text().splitlines()) - 1 == sum(int(whole(seed).max()) for seed in range(4))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_that_ends_in_an_error_leaves_the_earlier_one_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    images, table = Collection.open(plate(tmp_path / "plate.ome.zarr")), tmp_path / f"plate.{suffix}"
    first, second = (Pipeline(segmenter=THRESHOLD, measure=[each]) for each in (MEASURE, "size"))
    parts = [images.only("A/1/*").run(first), images.only("A/2/*").run(second)]
    table.write_text("an earlier one")
    done: list[str] = []
    with pytest.raises(
        InvalidOption, match=r"image A/2/0 has the columns .* and those before it have .* measure the same"
    ):
        done.extend(each.name for each in tabled(itertools.chain(*parts), table, None))
    assert done == NAMES, "the images after it are done too"
    running = images.running(first, table=table, overwrite=True)
    next(running)
    running.close()  # type: ignore[attr-defined]  # it is a generator
    assert table.read_text() == "an earlier one"
    assert not list(tmp_path.glob(".*.partial"))


@pytest.mark.parametrize("jobs", [1, 3])
def test_images_at_once_have_the_labels_that_they_have_one_by_one(tmp_path: Path, jobs: int) -> None:
    image = plate(tmp_path / "plate.ome.zarr", wells=3)
    done = Collection.open(image).run(Pipeline(segmenter=THRESHOLD), tmp_path / "out", jobs=jobs, name="nuclei")
    assert [each.name for each in done] == ["A/1/0", "A/1/1", "A/2/0", "A/2/1", "B/1/0", "B/1/1"]
    for seed, each in enumerate(done):
        assert each.error is None
        np.testing.assert_array_equal(each.labels["nuclei"].labels.compute(), whole(seed))


def test_a_workflow_runs_on_every_field(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    steps = {"nuclei": {"segmenter": THRESHOLD}, "grown": {"segmenter": "expand", "given": {"nuclei": "nuclei"}}}
    Workflow(steps=steps).save(tmp_path / "cells.toml")
    done = command("run", image, "--workflow", tmp_path / "cells.toml", "--only", "A/*/0")
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(labels_of(image / "A/2/0", "nuclei"), whole(2))
    assert labels_of(image / "A/2/0", "grown").astype(bool).sum() > whole(2).astype(bool).sum()


def test_the_one_table_of_a_workflow_is_one_table_of_a_plate_too(tmp_path: Path) -> None:
    image, file, table = plate(tmp_path / "plate.ome.zarr"), tmp_path / "cells.toml", tmp_path / "plate.parquet"
    steps: dict[str, Any] = {
        "nuclei": {"segmenter": THRESHOLD},
        "bright": {"segmenter": THRESHOLD, "measure": [MEASURE]},
    }
    Workflow(steps=steps).save(file)
    done = command("run", image, "--workflow", file, "--table", table)
    assert done.exit_code == 0, done.output
    assert parquet.read_table(table).num_rows == sum(int(whole(seed).max()) for seed in range(4))
    steps["nuclei"]["measure"] = [MEASURE]
    Workflow(steps=steps).save(file)
    refused = command("run", image, "--workflow", file, "--table", table)
    assert refused.exit_code == 2
    assert "there are 2 (nuclei, bright)" in refused.output
    assert command("run", image / "A/1/0", "--workflow", file, "--table", table).exit_code == 2


def test_a_last_step_that_changes_is_the_only_one_repeated_on_a_plate(tmp_path: Path) -> None:
    image, file, table = plate(tmp_path / "plate.ome.zarr", wells=6), tmp_path / "cells.toml", "cells.csv"
    steps: dict[str, Any] = {
        "nuclei": {"segmenter": THRESHOLD},
        "grown": {"segmenter": "expand", "given": {"nuclei": "nuclei"}},
        "rings": {"segmenter": "ring", "given": {"nuclei": "grown"}},
        "filled": {"segmenter": "fill-holes", "given": {"nuclei": "grown"}},
        "cells": {"segmenter": "expand", "given": {"nuclei": "filled"}, "measure": [MEASURE], "table": table},
    }
    arguments = ("run", image, tmp_path / "out", "--workflow", file, "--json", "--quiet")
    Workflow(steps=steps).save(file)
    assert command(*arguments).exit_code == 0
    steps["cells"]["segmenter"] = {"name": "expand", "configuration": {"distance": 3}}
    Workflow(steps=steps).save(file)
    refused = command(*arguments)
    assert refused.exit_code == 3
    assert refused.output.count("is not what step 'cells' makes") == 12
    done = command(*arguments, "--overwrite")
    assert done.exit_code == 0, done.output
    images = json.loads(done.output)["images"]
    repeated = [name for each in images.values() for name, step in each["steps"].items() if not step["unchanged"]]
    assert repeated == ["cells"] * 12


@pytest.mark.parametrize("where", ["without an output folder", "absolute"])
def test_a_table_of_a_step_at_one_path_for_all_images_is_refused(tmp_path: Path, where: str) -> None:
    absolute = where == "absolute"
    step = {"segmenter": THRESHOLD, "measure": [MEASURE], "table": tmp_path / "a.csv" if absolute else "a.csv"}
    image, workflow = Collection.open(plate(tmp_path / "plate.ome.zarr")), Workflow(steps={"cells": step})
    with pytest.raises(InvalidOption, match="of step 'cells' would be one path for 4 images"):
        image.run(workflow, tmp_path / "out" if absolute else None, overwrite=True)
    assert not (tmp_path / "out").exists()


def test_files_of_a_folder_are_images_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed, name in enumerate(("first.tif", "second.tif")):
        tifffile.imwrite(folder / name, pixels(seed))
    done = command(
        "run", folder, tmp_path / "out", "--only", "*", "--segmenter", "threshold", "--set", "threshold=0.5", "--quiet"
    )
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(open_image(tmp_path / "out/second/labels.ome.tif").data[:], whole(1))


def test_the_one_image_of_a_path_is_run_as_before(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    done = command("run", image / "A/1/0", tmp_path / "out.zarr", "--segmenter", "threshold", "--set", "threshold=0.5")
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(open_image(tmp_path / "out.zarr").data[:], whole(0))


def test_a_plate_that_is_killed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    template = plate(tmp_path / "template.ome.zarr", wells=6)
    arguments = ["--segmenter", "threshold", "--set", "threshold=0.5", "--tile", "16", "--measure", "size", "--quiet"]

    def start(image: Path) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tilewright.cli", "run", str(image), *arguments]
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    never, killed = tmp_path / "never.ome.zarr", tmp_path / "killed.ome.zarr"
    for image in (never, killed):
        shutil.copytree(template, image)
    begun = time.monotonic()
    assert start(never).wait() == 0
    spent, random = time.monotonic() - begun, np.random.default_rng(0)
    for _ in range(3):
        process = start(killed)
        time.sleep(spent * random.uniform(0.2, 0.5))
        assert process.poll() is None, "it ended before it was killed"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert start(killed).wait() == 0
    for name in Collection.open(never):
        one, other = (
            {str(f.relative_to(image / name)): f.read_bytes() for f in (image / name).rglob("c/*/*") if f.is_file()}
            for image in (never, killed)
        )
        assert one == other


OTSU = {"name": "threshold", "configuration": {"threshold": "otsu"}}


@dataclass(frozen=True, kw_only=True)
class AboveMean:
    """Connected components above the mean of the image that it was prepared on, which is not an option of it."""

    def prepare(self, image: Image) -> AboveMean:
        made = AboveMean()
        object.__setattr__(made, "mean", float(np.mean(image[...])))
        return made

    def __call__(self, block: NDArray[Any]) -> NDArray[Any]:
        labels: NDArray[Any] = ndimage.label(block > self.mean)[0]  # type: ignore[attr-defined]
        return labels


def test_images_that_are_prepared_together_have_one_threshold(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    done = command(
        "run", image, "--segmenter", "threshold", "--set", "threshold=otsu", "--shared-prepare", "--json", "--quiet"
    )
    assert done.exit_code == 0, done.output
    together = threshold_of(Image(np.stack([pixels(seed) for seed in range(4)]), axes="tyx"), "otsu")
    assert together not in [threshold_of(Image(pixels(seed), axes="yx"), "otsu") for seed in range(4)]
    for seed, name in enumerate(NAMES):
        np.testing.assert_array_equal(labels_of(image / name), ndimage.label(pixels(seed) > together)[0])
    again = command("run", image, "--segmenter", "threshold", "--set", "threshold=otsu", "--shared-prepare", "--quiet")
    assert again.output.count("unchanged") == 4


def test_what_is_prepared_together_is_prepared_once_and_is_not_mixed_with_what_is_not(tmp_path: Path) -> None:
    images = Collection.open(plate(tmp_path / "plate.ome.zarr"))
    pipeline, mean = Pipeline(segmenter=AboveMean()), np.mean([pixels(seed) for seed in range(4)])
    for seed, each in enumerate(images.run(pipeline, shared_prepare=True)):
        np.testing.assert_array_equal(each.labels["labels"].labels.compute(), ndimage.label(pixels(seed) > mean)[0])
    assert not any(each.results["labels"].seconds for each in images.run(pipeline, shared_prepare=True))
    for each in images.run(pipeline):
        assert "there several images are prepared together" in str(each.error)


def test_other_images_than_those_that_were_prepared_together_are_refused_once(tmp_path: Path) -> None:
    folder, out = tmp_path / "scans", tmp_path / "out"
    folder.mkdir()
    for seed in (1, 2):
        np.save(folder / f"scan{seed}.npy", pixels(seed))
    options = ("--segmenter", "threshold", "--set", "threshold=otsu", "--writer", "ome-zarr", "--shared-prepare")
    arguments = ("run", folder, out, "--only", "*", *options)
    assert command(*arguments).exit_code == 0
    np.save(folder / "scan0.npy", pixels(0))
    refused = command(*arguments)
    assert refused.exit_code == 2
    assert "images that are prepared together 2 there, 3 now" in refused.output
    assert refused.output.count("\n") == 1
    assert not (out / "scan0").exists()
    assert command(*arguments, "--overwrite", "--quiet").output.count("unchanged") == 0
    together = threshold_of(Image(np.stack([pixels(seed) for seed in range(3)]), axes="tyx"), "otsu")
    found = open_image(out / "scan1/labels.ome.zarr").data[:]
    np.testing.assert_array_equal(found, ndimage.label(pixels(1) > together)[0])


def test_transforms_are_prepared_together_and_what_belongs_to_one_image_is_not(tmp_path: Path) -> None:
    images = Collection.open(plate(tmp_path / "plate.ome.zarr"))
    steps: dict[str, Any] = {
        "nuclei": {"segmenter": OTSU, "transforms": [{"name": "background", "configuration": {"size": 9}}, "rescale"]},
        "filled": {"segmenter": "fill-holes", "given": {"nuclei": "nuclei"}},
    }
    done = images.run(Workflow(steps=steps), tmp_path / "out", shared_prepare=True)
    assert [each.error for each in done] == [None] * 4
    found = [each.results["nuclei"].provenance["pipeline"] for each in done]
    assert len({each["segmenter"]["configuration"]["threshold"] for each in found}) == 1
    assert len({str(each["transforms"][1]["configuration"]["limits"]) for each in found}) == 1
    for each in done:
        nuclei = each.results["nuclei"].labels.compute()
        filled = each.results["filled"].labels.compute()
        np.testing.assert_array_equal(filled > 0, ndimage.binary_fill_holes(nuclei > 0) & (filled > 0))
        assert each.results["filled"].provenance["made_from"]["shared"] is None


def test_images_that_are_not_alike_and_pipelines_that_prepare_nothing_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pixels(0))
    np.save(tmp_path / "b.npy", pixels(0).astype(np.float64))
    images = Collection(images={name: str(tmp_path / f"{name}.npy") for name in "ab"})
    with pytest.raises(InvalidOption, match=r"a\.npy has the dtype float32, and .*b\.npy has float64"):
        images.run(Pipeline(segmenter=OTSU), tmp_path / "out", shared_prepare=True)
    with pytest.raises(InvalidOption, match="no segmenter or transform prepares anything"):
        images.run(Pipeline(segmenter=above_half), tmp_path / "out", shared_prepare=True)
    one = command(
        "run",
        tmp_path / "a.npy",
        tmp_path / "one.zarr",
        "--segmenter",
        "threshold",
        "--set",
        "threshold=otsu",
        "--shared-prepare",
    )
    assert one.exit_code == 2
    assert "--shared-prepare is for several images" in one.output


def above_half(block: NDArray[Any]) -> NDArray[Any]:
    CALLS.append(block.shape)
    labels: NDArray[Any] = ndimage.label(block > 0.5)[0]
    return labels


CALLS: list[tuple[int, ...]] = []


def test_the_plan_of_a_plate_is_the_sum_of_its_images_and_times_few_tiles(tmp_path: Path) -> None:
    CALLS.clear()
    images = Collection.open(plate(tmp_path / "plate.ome.zarr", wells=4, fields=3))
    pipeline = Pipeline(segmenter=above_half, tiler={"name": "grid", "configuration": {"tile": 16}})
    totals = images.plan(pipeline, sample=4)
    assert len(CALLS) == 5  # the first tile is done twice
    each = [pipeline.plan(path, sample=0) for path in images.images.values()]
    total = totals.steps["labels"]
    assert (total.images, total.tiles, total.bytes) == (12, sum(one.tiles for one in each), 12 * pixels(0).nbytes)
    assert total.memory == max(one.memory for one in each)
    assert total.sampled == 4
    assert not totals.errors


def test_images_of_other_sizes_are_planned_by_themselves_and_those_that_cannot_be_read_are_listed(
    tmp_path: Path,
) -> None:
    for name, side in (("a", 64), ("b", 64), ("c", 96)):
        np.save(tmp_path / f"{name}.npy", pixels(0, side))
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY but broken")
    images = Collection(images={name: str(tmp_path / f"{name}.npy") for name in "abcd"})
    totals = images.plan(Pipeline(segmenter=above_half, tiler={"name": "grid", "configuration": {"tile": 32}}))
    assert totals.steps["labels"].tiles == 4 + 4 + 9
    assert totals.steps["labels"].sampled == 8
    assert list(totals.errors) == ["d"]


def test_the_command_plan_and_a_dry_run_say_the_sums_of_a_plate_and_write_nothing(tmp_path: Path) -> None:
    image, file = plate(tmp_path / "plate.ome.zarr"), tmp_path / "cells.toml"
    before = sorted(tmp_path.rglob("*"))
    arguments = (image, "--segmenter", "threshold", "--tile", "16")
    for words in (("plan", *arguments), ("run", *arguments, "--dry-run")):
        done = command(*words)
        assert done.exit_code == 0, done.output
        assert "images:  4 (65.5 kB)\ntiles:   64\n" in done.output
    assert "tiles:   32\n" in command("plan", *arguments, "--only", "A/1/*").output
    assert sorted(tmp_path.rglob("*")) == before
    steps = {"nuclei": {"segmenter": THRESHOLD}, "grown": {"segmenter": "expand", "given": {"nuclei": "nuclei"}}}
    Workflow(steps=steps).save(file)
    told = json.loads(command("plan", image, tmp_path / "out", "--workflow", file, "--json").output)["steps"]
    assert {name: (each["images"], each["tiles"]) for name, each in told.items()} == {"nuclei": (4, 4), "grown": (4, 4)}
    assert told["grown"]["waiting"] == ["nuclei"]
    assert "time:    not known until nuclei are there" in command("plan", image, "--workflow", file).output


def test_info_lists_the_images_of_a_plate_with_their_sizes(tmp_path: Path) -> None:
    image = plate(tmp_path / "plate.ome.zarr")
    (image / "A/2/0/0/zarr.json").write_text("{")
    done = command("info", image)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[:3] == ["4 images", "A/1/0  yx 64 × 64 float32 (16.4 kB)", "A/1/1  yx 64 × 64 float32 (16.4 kB)"]
    assert lines[3].startswith("A/2/0  error: ")
    told = json.loads(command("info", image, "--json").output)
    assert told["n_images"] == 4
    assert told["images"]["A/1/1"]["shape"] == [64, 64]
    assert "error" in told["images"]["A/2/0"]
    assert command("info", image / "A/1/0").output.startswith("image")


def test_labels_of_several_series_of_a_file_need_a_folder(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as file:
        for side in (64, 80):
            file.write(np.kron(np.eye(2), np.full((side // 2, side // 2), 99)).astype(np.uint8))
    images = Collection.open(tmp_path / "two.ome.tif")
    threshold = Pipeline(segmenter="threshold")
    with pytest.raises(InvalidOption, match=r"labels of the 2 images in .*two\.ome\.tif would be at one path"):
        images.run(threshold)
    assert [each.name for each in tmp_path.iterdir()] == ["two.ome.tif"]
    assert [each.images for each in images.plan(threshold).steps.values()] == [2]
    done = images.run(threshold, tmp_path / "labels")
    assert [each.error for each in done] == [None, None]
    assert images.only("Image0").run(threshold)[0].error is None
