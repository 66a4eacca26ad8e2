"""Workflows with the plugins of this repository: what is run, what is done already, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import (
    AlreadyExists,
    Grid,
    Image,
    InvalidOption,
    Pipeline,
    Result,
    Workflow,
    open_image,
)
from tilewright.cli import main
from tilewright_filters.seeded_watershed import SeededWatershed

pytestmark = pytest.mark.slow

SHAPE = (96, 128)
TILED = Grid(tile=48)
AXES = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx")]
STEPS = ("nuclei", "cells", "ring", "cytoplasm")


def pixels(seed: int = 0, shape: tuple[int, int] = SHAPE, count: int = 30) -> NDArray[np.uint16]:
    """Two channels: small spots, and larger ones around them."""
    chance = np.random.default_rng(seed)
    spots = np.zeros(shape)
    spots[chance.integers(0, shape[0], count), chance.integers(0, shape[1], count)] = 1
    channels = [ndimage.gaussian_filter(spots, sigma) * 6.3 * sigma**2 for sigma in (1.5, 4.0)]
    return (np.stack(channels) * 1000 + chance.normal(50, 2, (2, *shape))).astype(np.uint16)


def write_image(path: Path, seed: int = 0) -> Path:
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("0", data=pixels(seed), chunks=(1, 48, 64), dimension_names=["c", "y", "x"])
    scale = {"type": "scale", "scale": [1.0, 0.5, 0.5]}
    multiscale = {"axes": AXES, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}
    channels = [{"label": name} for name in ("DAPI", "MEM")]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "image.ome.zarr")


def part(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def workflow(**changes: Mapping[str, Any]) -> Workflow:
    """Nuclei, cells around them, rings of the nuclei and the cells without these; changes: of a step, by its name."""
    steps: dict[str, dict[str, Any]] = {
        "nuclei": {
            "segmenter": part("threshold", threshold=400.0, sigma=1.0),
            "channel": "DAPI",
            "tiler": Grid(tile=48, halo=8),
        },
        "cells": {
            "segmenter": part("seeded-watershed", threshold=200.0, reach=40),
            "channel": "MEM",
            "given": {"nuclei": "nuclei"},
            "tiler": TILED,
        },
        "ring": {"segmenter": part("ring", distance=3.0), "given": {"nuclei": "nuclei"}},
        "cytoplasm": {
            "segmenter": part("combine-labels", method="difference", given=("cells", "nuclei")),
            "given": {"cells": "cells", "nuclei": "nuclei"},
            "measure": ("size", "intensity"),
        },
    }
    return Workflow(steps={name: {**step, **changes.get(name, {})} for name, step in steps.items()})


def ran(results: Mapping[str, Result]) -> list[str]:
    """The steps that were run."""
    return [name for name, result in results.items() if result.seconds]


def labels_in(image: Path, name: str) -> NDArray[Any]:
    return np.asarray(zarr.open_array(image / "labels" / name / "0", mode="r")[:])


# What is run


def test_the_labels_are_those_of_the_pipelines_run_by_hand(image: Path, tmp_path: Path) -> None:
    results = workflow().run(image)
    assert ran(results) == list(STEPS)
    by_hand = write_image(tmp_path / "by-hand.ome.zarr")
    paths = {name: by_hand / "labels" / name for name in STEPS}
    for name, step in workflow().steps.items():
        given = {of: paths[of] for of in step.options.given or {}}
        step.pipeline.run(by_hand, name=name, channel=step.options.channel, given=given or None)
        np.testing.assert_array_equal(labels_in(image, name), labels_in(by_hand, name))
        np.testing.assert_array_equal(results[name].labels.compute(), labels_in(by_hand, name))


def test_a_second_run_runs_nothing_and_gives_the_same_results(image: Path) -> None:
    first, second = workflow().run(image), workflow().run(image)
    assert ran(second) == []
    for name in STEPS:
        one, other = first[name], second[name]
        assert (one.path, one.n_objects, one.n_tiles) == (other.path, other.n_objects, other.n_tiles)
        assert json.dumps(one.provenance) == json.dumps(other.provenance)
        np.testing.assert_array_equal(one.labels.compute(), other.labels.compute())
    table, again = first["cytoplasm"].table, second["cytoplasm"].table
    assert table is not None
    assert again is not None
    assert (table.names, len(table)) == (again.names, len(again))
    assert json.dumps(table.provenance) == json.dumps(again.provenance)
    np.testing.assert_array_equal(table["area"], again["area"])


CHANGES = [
    ("nuclei", {"segmenter": part("threshold", threshold=300.0, sigma=1.0)}, list(STEPS)),
    ("cells", {"segmenter": part("seeded-watershed", threshold=150.0, reach=40)}, ["cells", "cytoplasm"]),
    ("ring", {"segmenter": part("ring", distance=2.0)}, ["ring"]),
    ("ring", {"tiler": TILED}, ["ring"]),
    ("cytoplasm", {"segmenter": part("combine-labels", method="union", given=("cells", "nuclei"))}, ["cytoplasm"]),
    ("cytoplasm", {"measure": ("size",)}, ["cytoplasm"]),
    ("cytoplasm", {"measure_channels": ["MEM"]}, ["cytoplasm"]),
]


@pytest.mark.parametrize(("step", "change", "expected"), CHANGES)
def test_a_changed_step_repeats_itself_and_what_follows_alone(
    image: Path, step: str, change: dict[str, Any], expected: list[str]
) -> None:
    workflow().run(image)
    changed = workflow(**{step: change})
    with pytest.raises(AlreadyExists, match=f"step '{step}' makes: .* there, .* now.*repeats only what differs"):
        changed.run(image)
    assert ran(workflow().run(image)) == []  # what was refused has changed nothing
    assert ran(changed.run(image, overwrite=True)) == expected
    assert ran(changed.run(image, overwrite=True)) == ran(changed.run(image)) == []


def test_a_step_that_makes_the_same_labels_anew_repeats_nothing_after_it(image: Path) -> None:
    workflow().run(image)
    nuclei = {"segmenter": part("threshold", threshold=400.0, sigma=1.0, connectivity=2)}
    assert ran(workflow(nuclei=nuclei).run(image, overwrite=True))[:1] == ["nuclei"]
    before = labels_in(image, "nuclei")
    shutil.rmtree(image / "labels" / "nuclei")
    assert ran(workflow(nuclei=nuclei).run(image)) == ["nuclei"]
    np.testing.assert_array_equal(labels_in(image, "nuclei"), before)


def test_options_that_decide_nothing_repeat_nothing(image: Path) -> None:
    workflow().run(image)
    again = workflow().run(image, workers=1, retries=2, on_error="skip", keep_checkpoint=True, overwrite=True)
    assert ran(again) == []


def noting(calls: list[int]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Connected components that note every call, and so are changed by it."""

    def segment(pixels: NDArray[Any]) -> NDArray[Any]:
        calls.append(1)
        return ndimage.label(pixels > 400)[0]

    return segment


def test_a_component_that_changes_while_it_works_is_the_same_one_in_the_next_run(image: Path) -> None:
    calls: list[int] = []
    steps = Workflow(steps={"nuclei": {"segmenter": noting(calls), "channel": 0}})
    assert ran(steps.run(image)) == ["nuclei"]
    assert calls
    assert ran(steps.run(image)) == []
    calls.append(5)
    with pytest.raises(AlreadyExists, match="has changed since"):
        steps.run(image)


def test_other_code_of_a_function_is_another_step(image: Path) -> None:
    def above(level: int) -> Workflow:
        return Workflow(steps={"a": {"segmenter": lambda pixels: ndimage.label(pixels > level)[0], "channel": 0}})

    assert ran(above(400).run(image)) == ["a"]
    assert ran(above(400).run(image)) == []
    with pytest.raises(AlreadyExists, match="code of segmenter"):
        above(300).run(image)


# What is done


def test_a_step_is_done_wherever_its_image_has_been_moved(image: Path, tmp_path: Path) -> None:
    workflow().run(image)
    moved = tmp_path / "elsewhere" / "moved.ome.zarr"
    moved.parent.mkdir()
    shutil.move(image, moved)
    table = next(tmp_path.glob("*.table.zarr"))
    shutil.move(table, moved.with_name(table.name.replace("image", "moved")))
    assert ran(workflow().run(moved)) == []


def test_a_copy_without_times_is_known_by_its_labels(image: Path, tmp_path: Path) -> None:
    steps = Workflow(steps={"nuclei": workflow().steps["nuclei"]})
    folder = tmp_path / "out"
    steps.run(image, folder, make_parents=True)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    for file in copy.rglob("c/*/*"):
        os.utime(file)  # newer than the metadata
    assert ran(steps.run(image, copy)) == []


def test_other_pixels_of_the_image_repeat_all(image: Path) -> None:
    workflow().run(image)
    array = zarr.open_array(image / "0", mode="r+")
    array[0, :10, :10] = 2000
    with pytest.raises(AlreadyExists, match="step 'nuclei' makes: pixels"):
        workflow().run(image)
    assert ran(workflow().run(image, overwrite=True))[:2] == ["nuclei", "cells"]


def test_a_step_that_looks_at_no_pixels_is_done_if_they_change_where_nothing_is(image: Path) -> None:
    steps = Workflow(steps={name: workflow().steps[name] for name in ("nuclei", "ring")})
    steps.run(image)
    array = zarr.open_array(image / "0", mode="r+")
    array[1, :10, :10] = 2000  # a channel in which no nuclei are found
    assert ran(steps.run(image, overwrite=True)) == ["nuclei"]


def test_a_file_that_an_option_names_counts_with_what_it_holds(image: Path, tmp_path: Path) -> None:
    table = tmp_path / "nuclei.csv"

    def kept(least: float) -> Workflow:
        keep = part("keep", table=str(table), column="area", least=least)
        found = part("threshold", threshold=400.0)
        return Workflow(
            steps={
                "nuclei": {"segmenter": found, "channel": "DAPI", "measure": "size", "table": table},
                "large": {"segmenter": keep, "given": {"nuclei": "nuclei"}},
            }
        )

    assert kept(2.0).plan(image)["large"].waiting == ("nuclei",)
    assert ran(kept(2.0).run(image)) == ["nuclei", "large"]
    assert ran(kept(2.0).run(image)) == []
    table.write_text(table.read_text().replace(",true", ",True"))
    with pytest.raises(AlreadyExists, match=r"step 'large' makes: the file .*nuclei.csv has changed"):
        kept(2.0).run(image)


def test_labels_that_are_removed_are_made_again_and_those_made_of_them_are_not(image: Path) -> None:
    workflow().run(image)
    shutil.rmtree(image / "labels" / "cells")
    assert ran(workflow().run(image)) == ["cells"]


def edit(array: Any) -> None:
    array[:4, :4] = 77


@pytest.mark.parametrize("of", ["nuclei", "cytoplasm"])
def test_labels_that_were_edited_are_not_replaced_silently(image: Path, of: str) -> None:
    workflow().run(image)
    time.sleep(0.05)  # some file systems tell times apart by hundredths of a second
    edit(zarr.open_array(image / "labels" / of / "0", mode="r+"))
    with pytest.raises(AlreadyExists, match=f"step '{of}' makes: its labels were changed after"):
        workflow().run(image)
    assert labels_in(image, of)[0, 0] == 77
    assert ran(workflow().run(image, overwrite=True)) == [of]
    assert labels_in(image, of)[0, 0] != 77


def test_labels_that_were_edited_count_as_given_labels_with_what_they_are_now(image: Path) -> None:
    steps = workflow()
    steps.run(image)
    nuclei = str(image / "labels" / "nuclei")
    corrected = Workflow(
        steps={
            "cells": replace(
                steps.steps["cells"], options=replace(steps.steps["cells"].options, given={"nuclei": nuclei})
            )
        }
    )
    assert ran(corrected.run(image)) == []  # the same labels, by another name
    time.sleep(0.05)
    edit(zarr.open_array(image / "labels" / "nuclei" / "0", mode="r+"))
    with pytest.raises(AlreadyExists, match="step 'cells' makes: given"):
        corrected.run(image)
    assert ran(corrected.run(image, overwrite=True)) == ["cells"]
    assert 77 in labels_in(image, "cells")


@pytest.mark.parametrize("table", ["cells.csv", "cells.parquet", "cells.table.zarr"])
def test_a_step_without_its_table_is_not_done(image: Path, tmp_path: Path, table: str) -> None:
    steps, path = workflow(cytoplasm={"table": tmp_path / table}), tmp_path / table
    steps.run(image)
    before = path.read_bytes() if path.is_file() else None
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(AlreadyExists, match="there is no table"):
        steps.run(image)
    assert ran(steps.run(image, overwrite=True)) == ["cytoplasm"]
    assert path.exists()
    assert before is None or path.suffix != ".csv" or path.read_bytes() == before


def test_a_table_that_belongs_to_other_labels_is_not_that_of_the_step(image: Path, tmp_path: Path) -> None:
    steps = workflow(cytoplasm={"table": tmp_path / "cells.table.zarr"})
    steps.run(image)
    Pipeline(segmenter=noting([]), measure="size").run(
        image, tmp_path / "other.zarr", channel=0, table=tmp_path / "cells.table.zarr", overwrite=True
    )
    with pytest.raises(AlreadyExists, match=r"table .* is another one"):
        steps.run(image)


def test_labels_of_another_run_are_refused_even_if_they_are_the_same(image: Path) -> None:
    nuclei = workflow().steps["nuclei"]
    nuclei.pipeline.run(image, name="nuclei", channel="DAPI")
    with pytest.raises(AlreadyExists, match="it does not tell that a workflow made it"):
        workflow().run(image)
    assert not (image / "labels" / "cells").exists()
    assert ran(workflow().run(image, overwrite=True)) == list(STEPS)


def test_labels_of_another_workflow_with_the_same_step_are_done(image: Path) -> None:
    Workflow(steps={"nuclei": workflow().steps["nuclei"]}).run(image)
    assert ran(workflow().run(image)) == ["cells", "ring", "cytoplasm"]


def test_labels_of_another_version_are_told_with_both(image: Path) -> None:
    workflow().run(image)
    file = image / "labels" / "nuclei" / "zarr.json"
    file.write_text(file.read_text().replace('"tilewright": "', '"tilewright": "0.0.'))
    with pytest.raises(AlreadyExists, match=r"tilewright 0\.0\..* there, .* now"):
        workflow().run(image)
    assert ran(workflow().run(image, overwrite=True)) == ["nuclei"]


def test_foreign_files_at_the_destination_are_refused(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "nuclei.ome.zarr").mkdir(parents=True)
    (folder / "nuclei.ome.zarr" / "thesis.txt").write_text("mine")
    with pytest.raises(AlreadyExists):
        workflow().run(image, folder)
    with pytest.raises(AlreadyExists, match="not an earlier output"):
        workflow().run(image, folder, overwrite=True)
    assert (folder / "nuclei.ome.zarr" / "thesis.txt").read_text() == "mine"


# Where it goes


@pytest.mark.parametrize(
    ("writer", "suffix"),
    [(None, ".ome.zarr"), ("zarr-array", ""), ("ome-tiff", ".ome.tif"), ("ome-zarr", ".ome.zarr")],
)
def test_labels_in_a_folder_have_the_name_of_their_step_and_the_suffix_of_their_writer(
    image: Path, tmp_path: Path, writer: str | None, suffix: str
) -> None:
    steps = {name: step for name, step in workflow().steps.items() if name in ("nuclei", "cells")}
    of = Workflow(
        steps={name: replace(step, pipeline=replace(step.pipeline, writer=writer)) for name, step in steps.items()}
    )
    results = of.run(image, tmp_path / "out", make_parents=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"cells{suffix}", f"nuclei{suffix}"]
    assert ran(results) == ["nuclei", "cells"]
    again = of.run(image, tmp_path / "out")
    assert ran(again) == []
    for name in steps:
        np.testing.assert_array_equal(again[name].labels.compute(), results[name].labels.compute())


def test_a_table_with_a_relative_path_lies_in_the_folder(image: Path, tmp_path: Path) -> None:
    steps = workflow(cytoplasm={"table": "cells.csv"})
    results = steps.run(image, tmp_path / "out", make_parents=True)
    assert results["cytoplasm"].table is not None
    assert results["cytoplasm"].table.path == tmp_path / "out" / "cells.csv"
    assert ran(steps.run(image, tmp_path / "out")) == []


def test_the_labels_of_a_tiff_lie_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "image.ome.tif"
    tifffile.imwrite(path, pixels(), metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "MEM"]}})
    steps = workflow(cytoplasm={"measure": ()})
    assert ran(steps.run(path)) == list(STEPS)
    assert (tmp_path / "image.cells.ome.tif").exists()
    assert ran(steps.run(path)) == []


def test_an_array_is_segmented_into_temporary_folders_or_into_one_that_is_named(tmp_path: Path) -> None:
    steps = workflow(nuclei={"channel": 0}, cells={"channel": 1})
    results = steps.run(pixels(), axes="cyx")
    assert results["cells"].n_objects == results["nuclei"].n_objects > 10
    assert ran(steps.run(pixels(), tmp_path / "out", axes="cyx", make_parents=True)) == list(STEPS)
    assert ran(steps.run(pixels(), tmp_path / "out", axes="cyx")) == []
    with pytest.raises(AlreadyExists, match="pixels"):
        steps.run(pixels(seed=1), tmp_path / "out", axes="cyx")


def test_two_stages_keep_all_cells_with_the_ids_of_their_nuclei(tmp_path: Path) -> None:
    """Nuclei as seeds of cells: 209 nuclei, of which a pipeline over two channels made 202 cells."""
    chance = np.random.default_rng(1)
    nuclei, membranes = chance.normal(100, 5, (1200, 1600)), chance.normal(50, 5, (1200, 1600))
    yy, xx = np.mgrid[:1200, :1600]
    for _ in range(250):
        y, x = chance.uniform(0, 1200), chance.uniform(0, 1600)
        squared = (yy - y) ** 2 + (xx - x) ** 2
        nuclei += 400 * np.exp(-squared / (2 * 7**2))
        membranes += 200 * np.exp(-squared / (2 * 18**2))
    image = Image(np.stack([nuclei, membranes]).astype(np.uint16), "cyx", channels=("DAPI", "MEM"))

    def found(pixels: NDArray[Any]) -> NDArray[Any]:
        smooth = ndimage.gaussian_filter(ndimage.median_filter(pixels, 3).astype(float), 2)
        return ndimage.label(smooth > 200)[0]

    found.halo = 10  # type: ignore[attr-defined]  # as a function declares it
    results = Workflow(
        steps={
            "nuclei": {"segmenter": found, "tiler": Grid(tile=400), "channel": "DAPI"},
            "cells": {
                "segmenter": SeededWatershed(threshold=90.0),
                "tiler": Grid(tile=400),
                "channel": "MEM",
                "given": {"nuclei": "nuclei"},
            },
        }
    ).run(image, tmp_path)
    seeds, cells = (results[name].labels.compute() for name in ("nuclei", "cells"))
    np.testing.assert_array_equal(seeds, found(image.data[0]))
    assert results["cells"].n_objects == results["nuclei"].n_objects == 209
    np.testing.assert_array_equal(cells[seeds > 0], seeds[seeds > 0])
    np.testing.assert_array_equal(np.unique(cells), np.unique(seeds))


# What is refused before the first step


@pytest.mark.parametrize(
    ("step", "change", "error"),
    [
        ("cells", {"given": None}, "needs the label image 'nuclei'"),
        ("cells", {"channel": "GFP"}, "GFP"),
        ("cytoplasm", {"given": {"cells": "cells", "nuclei": "nuclei", "other": "nuclei"}}, "'other'"),
        ("cytoplasm", {"given": {"cells": "cells", "nuclei": "nucleii"}}, "nucleii"),
        ("cytoplasm", {"level": 7}, "7"),
    ],
)
def test_what_is_wrong_with_a_later_step_is_known_before_the_first(
    image: Path, step: str, change: dict[str, Any], error: str
) -> None:
    with pytest.raises((InvalidOption, OSError), match=error):
        workflow(**{step: change}).run(image)
    assert not (image / "labels").exists()


def test_tiles_that_failed_are_done_with_overwrite_and_what_follows_is_repeated(image: Path) -> None:
    def failing(bad: bool) -> Callable[[NDArray[Any]], NDArray[Any]]:
        path = image.with_name("broken")
        path.touch() if bad else path.unlink(missing_ok=True)

        def segment(pixels: NDArray[Any]) -> NDArray[Any]:
            if path.exists() and pixels.max() == pixels_max:
                raise ValueError("broken")
            return ndimage.label(pixels > 400)[0]

        return segment

    pixels_max = int(pixels()[0].max())
    steps = {"tiler": TILED, "channel": 0}
    cells = {"segmenter": part("expand", distance=2.0), "given": {"nuclei": "nuclei"}}
    first = Workflow(steps={"nuclei": {"segmenter": failing(bad=True), **steps}, "cells": cells}).run(
        image, on_error="skip"
    )
    assert len(first["nuclei"].failed) == 1
    again = Workflow(steps={"nuclei": {"segmenter": failing(bad=False), **steps}, "cells": cells})
    with pytest.raises(AlreadyExists, match="1 of its tiles failed"):
        again.run(image)
    assert ran(again.run(image, overwrite=True)) == ["nuclei", "cells"]
    assert ran(again.run(image)) == []


def test_the_command_lists_tiles_that_failed_with_their_step(image: Path, tmp_path: Path) -> None:
    steps = Workflow(steps={name: workflow().steps[name] for name in ("nuclei", "ring")})
    steps.save(tmp_path / "steps.toml")
    (image / "0" / "c" / "0" / "1" / "1").write_bytes(b"damaged")
    command = ["run", str(image), "--workflow", str(tmp_path / "steps.toml"), "--quiet", "--on-error", "skip"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 3
    assert "error: step nuclei: " in done.stderr
    assert "re-run the command with --overwrite to do just those" in done.stderr
    assert "ring:" in done.stdout


def test_a_run_that_was_stopped_goes_on_with_the_step_that_it_was_in(image: Path) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if step == "2 of 4, cells: write":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workflow().run(image, progress=stop)
    seen: list[tuple[str, int, int]] = []
    results = workflow().run(image, progress=lambda *event: seen.append(event))
    assert ran(results) == ["cells", "ring", "cytoplasm"]
    first = next(event for event in seen if event[0] == "2 of 4, cells: segment")
    assert first[1] == first[2] > 1  # no tile is segmented again


def test_provenance_names_the_inputs_by_what_they_hold(image: Path) -> None:
    results = workflow().run(image)
    made, contents = (
        results["cytoplasm"].provenance["made_from"],
        {name: result.provenance["content"]["fingerprint"] for name, result in results.items()},
    )
    assert made["given"] == {name: contents[name] for name in ("cells", "nuclei")}
    assert made["pixels"] == results["nuclei"].provenance["made_from"]["pixels"]
    assert len(set(contents.values())) == len(STEPS)
    assert str(image) not in str(made)


# What it would take


def test_a_plan_tells_of_every_step_and_which_are_done(image: Path) -> None:
    plan = workflow().plan(image)
    assert [plan[name].tiles for name in STEPS] == [6, 6, 1, 1]
    assert [plan[name].waiting for name in STEPS] == [(), ("nuclei",), ("nuclei",), ("cells", "nuclei")]
    assert plan["nuclei"].sampled == 6
    assert plan["cells"].sampled == 0 < plan["cells"].memory
    assert not any(each.done for each in plan.values())
    assert not (image / "labels").exists()
    workflow().run(image)
    assert all(each.done and not each.waiting for each in workflow().plan(image).values())
    changed = workflow(cells={"segmenter": part("seeded-watershed", threshold=150.0, reach=40)}).plan(image)
    assert [changed[name].done for name in STEPS] == [True, False, True, False]
    assert changed["cytoplasm"].waiting == ("cells",)


def test_given_labels_of_a_step_may_be_any_labels(image: Path, tmp_path: Path) -> None:
    nuclei = ndimage.label(pixels()[0] > 400)[0].astype(np.uint32)
    steps = Workflow(steps={"rings": {"segmenter": part("ring", distance=3.0), "given": {"nuclei": nuclei}}})
    assert ran(steps.run(image)) == ["rings"]
    assert ran(steps.run(image)) == []
    path = tmp_path / "nuclei.tif"
    tifffile.imwrite(path, nuclei, metadata={"axes": "YX"})
    by_path = Workflow(steps={"cells": {"segmenter": part("expand", distance=3.0), "given": {"nuclei": path}}})
    assert ran(by_path.run(image)) == ["cells"]
    assert ran(by_path.run(image)) == []
    tifffile.imwrite(path, nuclei * 2, metadata={"axes": "YX"})
    with pytest.raises(AlreadyExists, match="given"):
        by_path.run(image)
    assert open_image(image / "labels" / "cells").data[:].max() == nuclei.max()


def test_a_step_with_several_outputs_makes_labels_of_their_names(image: Path, tmp_path: Path) -> None:
    def both(pixels: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {name: ndimage.label(pixels > level)[0] for name, level in (("spots", 400), ("wide", 150))}

    both.outputs = ("spots", "wide")  # type: ignore[attr-defined]  # as a function declares them
    rings = {"segmenter": part("ring", distance=2.0, given=("spots",)), "given": {"spots": "spots"}}
    steps = Workflow(steps={"both": {"segmenter": both, "channel": 0}, "rings": rings})
    assert ran(steps.run(image)) == ["both", "rings"]
    results = steps.run(image)
    assert ran(results) == []
    assert sorted(results["both"].outputs) == ["spots", "wide"]
    assert results["both"].outputs["spots"].n_objects == labels_in(image, "spots").max()
    shutil.rmtree(image / "labels" / "wide")
    assert ran(steps.run(image)) == ["both"]
    assert ran(steps.run(image, tmp_path / "out", make_parents=True)) == ["both", "rings"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.ome.zarr" for name in ("rings", "spots", "wide")
    ]
    assert ran(steps.run(image, tmp_path / "out")) == []
    with pytest.raises(InvalidOption, match="two steps make labels of the name 'spots'"):
        Workflow(steps={"spots": rings, "both": {"segmenter": both}})


def test_the_region_of_a_step_may_be_the_labels_of_another_one(image: Path) -> None:
    def steps(level: float) -> Workflow:
        nuclei = {"segmenter": part("threshold", threshold=400.0), "channel": "DAPI"}
        return Workflow(
            steps={
                "tissue": {"segmenter": part("threshold", threshold=level, sigma=4.0), "channel": "MEM"},
                "nuclei": {**nuclei, "within": "tissue", "within_rule": "inside"},
            }
        )

    assert steps(250.0).plan(image)["nuclei"].waiting == ("within",)
    assert "within tissue" in repr(steps(250.0))
    assert ran(steps(250.0).run(image)) == ["tissue", "nuclei"]
    assert ran(steps(250.0).run(image)) == []
    assert not labels_in(image, "nuclei")[labels_in(image, "tissue") == 0].any()
    shutil.rmtree(image / "labels" / "tissue")
    assert ran(steps(250.0).run(image)) == ["tissue"]
    assert ran(steps(300.0).run(image, overwrite=True)) == ["tissue", "nuclei"]
    whole = Pipeline(segmenter=part("threshold", threshold=400.0))
    region = image / "labels" / "tissue"
    alone = whole.run(image, image.with_name("a.zarr"), channel="DAPI", within=region, within_rule="inside")
    np.testing.assert_array_equal(labels_in(image, "nuclei"), alone.labels.compute())
