"""`tilewright run`: from words on a command line to labels."""

from __future__ import annotations

import dataclasses
import json
import socket
import tomllib
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import pytest
import zarr
from distributed import LocalCluster

from tilewright.cli.plan import plan
from tilewright.cli.run import run
from tilewright.cli.scheduler import connected
from tilewright.errors import InvalidOption
from tilewright.run_options import PLANNED, RunOptions

from .conftest import Invoke, result_of, save

PARTS = ("--segmenter", "lab-components", "--writer", "zarr-array")


def recorded(path: Path) -> Any:
    """The parts of the pipeline that a run recorded in its labels."""
    return cast("dict[str, Any]", zarr.open_array(path, mode="r").attrs["tilewright"])["pipeline"]


def test_a_run_writes_the_labels_and_says_what_it_did(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = invoke("run", image, out, *PARTS, "--tile", "32")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"3 objects in 4 tiles\nlabels: {out}\ntime: ")
    assert "segment" in done.stdout.splitlines()[-1]
    labels = np.asarray(zarr.open_array(out, mode="r"))
    assert labels[3, 3] == 1
    assert set(np.unique(labels[28:40, 20:44])) == {2}


def test_each_output_of_a_segmenter_has_its_lines(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    parts = ("--segmenter", "lab-levels", "--writer", "zarr-array", "--tile", "32")
    out = tmp_path / "{output}"
    done = invoke("run", image, out, *parts, "--measure", "size")
    assert done.exit_code == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "all: 3 objects in 4 tiles"
    assert [line.split(" (")[0] for line in rest[:-1]] == [
        f"labels: {tmp_path / 'all'}",
        f"table:  {tmp_path / 'all'}.table.zarr",
        "none: 0 objects in 4 tiles",
        f"labels: {tmp_path / 'none'}",
        f"table:  {tmp_path / 'none'}.table.zarr",
    ]
    assert "segment: 4 of 4 tiles in " in done.stderr
    assert "write none: " in done.stderr
    plain = result_of(invoke("run", image, out, *parts, "--overwrite", "--json"))
    assert {name: each["n_objects"] for name, each in plain["outputs"].items()} == {"all": 3, "none": 0}
    planned = invoke("plan", image, *parts).stdout
    assert "objects: about 6 of all, 0 of none, those in several tiles counted in each" in planned
    refused = invoke("run", image, tmp_path / "one", *parts)
    assert refused.exit_code == 2
    assert "put {output} into it" in refused.stderr


def test_json_is_one_object_and_quiet_leaves_stderr_empty(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    done = invoke("run", image, tmp_path / "out", *PARTS, "--tile", "32,48", "--json", "--quiet")
    said = result_of(done)
    assert {key: said[key] for key in ("path", "n_objects", "n_tiles")} == {
        "path": str(tmp_path / "out"),
        "n_objects": 3,
        "n_tiles": 2,
    }
    assert {"segment", "join", "write", "finish"} <= set(json.loads(done.stdout)["seconds"])
    assert done.stderr == ""


def test_what_a_model_prints_stays_out_of_the_result(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    done = invoke("run", image, tmp_path / "out", *PARTS, "--set", "says=weights loaded", "--json", "--quiet")
    assert json.loads(done.stdout)["n_objects"] == 3
    assert "weights loaded" in done.stderr


@pytest.mark.parametrize("words", [("plan",), ("run", "--dry-run")])
def test_what_a_run_would_take_is_told_by_both_commands(
    words: tuple[str, ...], invoke: Invoke, image: Path, tmp_path: Path
) -> None:
    command, *more = words
    before = {path.name for path in tmp_path.iterdir()}
    done = invoke(command, image, *PARTS, "--tile", "32", "--set", "says=weights loaded", "--json", *more)
    told = json.loads(done.stdout)
    assert (told["tiles"], told["sampled"]) == (4, 4)
    assert told["stage"] == told["checkpoint"] > 0
    assert "weights loaded" in done.stderr
    assert invoke(command, image, *PARTS, "--tile", "32", *more).stdout.splitlines()[1] == "tiles:   4 of 32 × 32"
    assert {path.name for path in tmp_path.iterdir()} == before


def test_progress_in_a_log_is_a_line_at_the_end_of_each_stage(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    done = invoke("run", image, tmp_path / "out", *PARTS, "--tile", "32")
    assert "segment: 4 of 4 tiles in " in done.stderr
    assert "write: " in done.stderr
    assert len(done.stderr.splitlines()) <= 5


def test_a_set_option_is_read_by_its_type(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert result_of(invoke("run", image, out, *PARTS, "--set", "threshold=1", "--json"))["n_objects"] == 2
    segmenter = recorded(out)["segmenter"]
    assert segmenter["configuration"]["threshold"] == 1.0
    assert (segmenter["distribution"], segmenter["version"]) == ("cli-lab", "1.5")


@pytest.mark.parametrize(
    ("words", "tiler", "configuration"),
    [
        ((), "auto", {"halo": None}),
        (("--halo", "0,3"), "auto", {"halo": [0, 3]}),
        (("--tile", "32"), "grid", {"tile": 32, "halo": None}),
        (("--tile", "32,16", "--halo", "4"), "grid", {"tile": [32, 16], "halo": 4}),
        (("--tiler", "grid", "--halo", "4"), "grid", {"tile": None, "halo": 4}),
        (("--tiler-set", "memory=9000"), "auto", {"memory": 9000}),
    ],
)
def test_tile_means_grid_and_halo_alone_means_auto(
    invoke: Invoke, image: Path, tmp_path: Path, words: tuple[str, ...], tiler: str, configuration: dict[str, object]
) -> None:
    file = tmp_path / "saved.json"
    done = invoke("run", image, tmp_path / "out", *PARTS, *words, "--save-pipeline", file)
    assert done.exit_code == 0, done.stderr
    saved = json.loads(file.read_text())["tiler"]
    assert saved["name"] == tiler
    assert configuration.items() <= saved["configuration"].items()


def test_a_pipeline_file_gives_the_parts_and_words_override_them(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    invoke("run", image, tmp_path / "a", *PARTS, "--set", "threshold=1", "--halo", "5", "--save-pipeline", first)
    again = ("run", image, tmp_path / "b", "--pipeline", first, "--json")
    assert result_of(invoke(*again))["n_objects"] == 2
    words = ("--set", "hold_at=2", "--tile", "32", "--save-pipeline", second, "--overwrite")
    assert result_of(invoke(*again, *words))["n_tiles"] == 4
    saved = tomllib.loads(second.read_text())
    assert saved["segmenter"]["configuration"] == {"threshold": 1.0, "hold_at": 2}
    assert saved["tiler"]["configuration"] == {"tile": 32, "halo": 5}


def test_transforms_are_named_with_their_options_in_their_order(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    words = ("--set", "threshold=5", "--save-pipeline", file, "--json")
    transforms = ("--transform", "lab-shift:by=2.5,factors=1,0.5,name=a b=c", "--transform", "lab-shift")
    done = invoke("run", image, tmp_path / "out", *PARTS, *transforms, *words)
    assert result_of(done)["n_objects"] == 2  # of 1, 2 and 3, since 1 becomes 1.5 · 1 + 2.5 + 1
    first, second = tomllib.loads(file.read_text())["transforms"]
    assert first["configuration"] == {"by": 2.5, "factors": [1, 0.5], "name": "a b=c"}
    assert second["configuration"] == {"by": 1.0, "factors": [1.0], "name": ""}
    assert [each["name"] for each in recorded(tmp_path / "out")["transforms"]] == ["lab-shift", "lab-shift"]
    again = ("run", image, tmp_path / "again", "--pipeline", file, "--json")
    assert result_of(invoke(*again))["n_objects"] == 2
    others = ("--transform", "lab-shift:by=9", "--save-pipeline", file, "--overwrite")
    assert result_of(invoke(*again, *others))["n_objects"] == 1  # everything is above 5
    assert [each["configuration"]["by"] for each in tomllib.loads(file.read_text())["transforms"]] == [9]
    assert invoke("plan", image, *PARTS, *transforms).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lab-shift:by", "'lab-shift:by' is not of the form NAME or NAME:OPTION=VALUE,OPTION=VALUE"),
        (":by=2", "':by=2' is not of the form"),
        ("lab-shift:", "'lab-shift:' is not of the form"),
        ("lab-shft", "no installed plugin offers a transform 'lab-shft'"),
        ("lab-shift:bye=2", "transform 'lab-shift' of cli-lab 1.5 has no option 'bye'; did you mean 'by'?"),
        ("lab-shift:by=far", "by must be a number, not 'far'"),
    ],
)
def test_a_transform_that_is_said_wrong_is_refused(
    invoke: Invoke, image: Path, tmp_path: Path, words: str, message: str
) -> None:
    done = invoke("run", image, tmp_path / "out", *PARTS, "--transform", words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_another_part_than_the_files_starts_from_its_own_defaults(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    halo = ("--halo", "2", "--merger", "overlap", "--merger-set", "free=0.5")
    assert invoke("run", image, tmp_path / "a", *PARTS, *halo, "--save-pipeline", file).exit_code == 0
    words = ("--merger", "touch", "--merger-set", "connectivity=2", "--save-pipeline", file)
    assert invoke("run", image, tmp_path / "b", "--pipeline", file, *words).exit_code == 0
    assert json.loads(file.read_text())["merger"]["configuration"] == {"connectivity": 2}


def test_channels_levels_and_axes_reach_the_run(invoke: Invoke, tmp_path: Path) -> None:
    pixels = np.zeros((2, 8, 8), np.uint8)
    pixels[1, 2, 2] = 1
    path = save(tmp_path / "two.cyx.lab", pixels)
    refused = invoke("run", path, tmp_path / "out", *PARTS)
    assert refused.exit_code == 2
    assert "choose one with channel (--channel)" in refused.stderr
    for channel in ("dye1", "1", "-1"):
        words = ("--channel", channel, "--overwrite", "--json")
        assert result_of(invoke("run", path, tmp_path / "out", *PARTS, *words))["n_objects"] == 1
    refused = invoke("run", path, tmp_path / "out2", *PARTS, "--channels", "dye0, dye1")
    assert "channels ['dye0', 'dye1'] were asked for, but the segmenter takes one" in refused.stderr
    refused = invoke("run", path, tmp_path / "out2", *PARTS, "--level", "1")
    assert "reader 'lab' of cli-lab 1.5 has no option 'level'" in refused.stderr
    as_slices = invoke("run", path, tmp_path / "out2", *PARTS, "--axes", "zyx", "--json")
    assert result_of(as_slices)["n_objects"] == 1


def test_options_of_the_reader_need_no_name_of_it(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    done = invoke(
        "run", image, tmp_path / "out", *PARTS, "--reader-set", "axes=zx", "--save-pipeline", tmp_path / "p.json"
    )
    assert done.exit_code == 0
    assert json.loads((tmp_path / "p.json").read_text())["reader"]["configuration"] == {"axes": "zx"}


def test_labels_that_are_there_stay_without_overwrite(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    run = ("run", image, tmp_path / "out", *PARTS)
    assert invoke(*run).exit_code == 0
    refused = invoke(*run)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: ")
    assert "--overwrite" in refused.stderr
    assert invoke(*run, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--set", "thresold=1"), "did you mean 'threshold'?"),
        (("--set", "threshold=high"), "threshold must be a number, not 'high'"),
        (("--set", "threshold"), "'threshold' is not of the form OPTION=VALUE, such as sigma=2"),
        (
            ("--merger-set", "a=1"),
            "--merger-set sets options of a merger, but none is named; name it with --merger",
        ),
        (("--reader-set", "axis=yx"), "did you mean 'axes'?"),
        (("--tile", "a"), "tile must be a whole number"),
        (("--tile", "1,2,3"), "tile [1, 2, 3] has 3 numbers"),
        (("--segmenter", "lab-component"), "did you mean 'lab-components'?"),
        (("--segmenter", "lab-absent"), "segmenter 'lab-absent' of cli-lab 1.5 cannot be loaded"),
        (("--writer", "nothing"), "no installed plugin offers a writer 'nothing'"),
        (("--save-pipeline", "p.yaml"), "p.yaml must end in .json or .toml"),
        (("--pipeline", "nowhere.toml"), "nowhere.toml cannot be read: No such file or directory"),
        (("--workers", "2", "--scheduler", "tcp://localhost:1"), "--workers and --processes are for this machine"),
        (("--workers", "0"), "workers must be a whole number of at least 1, not 0"),
        (("--level", "-1"), "level must be a whole number of at least 0, not -1"),
        (("--empty", "nan"), "empty must be a number, not nan"),
        (("--join-z", "much"), "join_z must be True, False or a number, not 'much'"),
        (("--on-error", "stop"), "'stop' is not one of 'raise', 'skip'"),
        (("--name", "a/b"), "name 'a/b' is not a name for labels"),
        (("--channel", "0", "--channels", "1,2"), "give channel or channels, not both ('0' and ['1', '2'])"),
        (
            ("--retries", "-1", "--scheduler", "tcp://localhost:1"),
            "retries must be a whole number of at least 0, not -1",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    invoke: Invoke, image: Path, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    refused = invoke("run", image, tmp_path / "out", *PARTS, *words)
    assert refused.exit_code == 2
    assert expected in refused.stderr
    assert refused.stdout == ""
    assert list(tmp_path.iterdir()) == [image]


def test_the_options_of_a_run_are_those_of_the_command() -> None:
    taken = {option.name: option for option in run.params if isinstance(option, click.Option)}
    for field in dataclasses.fields(RunOptions):
        if field.name != "progress":
            assert taken[field.name].help == field.metadata["help"]
    assert {name for name in PLANNED if name in {option.name for option in plan.params}} == set(PLANNED)


def test_a_run_skips_tiles_without_a_pixel_above_a_value(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    done = invoke("run", image, tmp_path / "out", *PARTS, "--tile", "8", "--empty", "0", "--json")
    some = result_of(done)["n_skipped"]
    assert 0 < some < result_of(done)["n_tiles"] == 48
    done = invoke("run", image, tmp_path / "all", *PARTS, "--tile", "8", "--empty", "1e9", "--json")
    assert (result_of(done)["n_skipped"], result_of(done)["n_objects"]) == (48, 0)


def test_equal_ids_in_different_tiles_are_one_object_if_asked(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    apart = result_of(invoke("run", image, tmp_path / "apart", *PARTS, "--tile", "32", "--json"))["n_objects"]
    same = result_of(invoke("run", image, tmp_path / "same", *PARTS, "--tile", "32", "--same-ids", "--json"))
    assert (apart, same["n_objects"]) == (3, 1)


def test_a_checkpoint_is_kept_where_it_is_asked_to_be(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    words = ("--checkpoint-dir", tmp_path / "checkpoints", "--quiet")
    assert invoke("run", image, tmp_path / "out", *PARTS, *words).exit_code == 0
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert invoke("run", image, tmp_path / "kept", *PARTS, *words, "--keep-checkpoint").stderr == ""
    (kept,) = (tmp_path / "checkpoints").iterdir()
    assert kept.name.startswith("kept.")


def test_folders_above_the_output_are_made_if_asked_for(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    words = ("run", image, tmp_path / "new" / "deep" / "out", *PARTS, "--quiet")
    refused = invoke(*words)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"error: there is no folder {tmp_path / 'new'} for the output {words[2]}; ")
    assert "--make-parents" in refused.stderr
    assert invoke(*words, "--make-parents").exit_code == 0
    assert [entry.name for entry in words[2].parent.iterdir()] == ["out"]


def test_the_old_names_of_options_work_unlisted_with_a_warning_on_one_line(
    invoke: Invoke, image: Path, tmp_path: Path
) -> None:
    words = ("--stage-dir", tmp_path / "checkpoints", "--keep-stage", "--quiet")
    assert invoke("run", image, tmp_path / "out", *PARTS, *words).stderr.splitlines() == [
        "warning: --stage-dir is now --checkpoint-dir; the old name will be removed",
        "warning: --keep-stage is now --keep-checkpoint; the old name will be removed",
    ]
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert "stage-dir" not in invoke("run", "--help").stdout


def test_a_run_without_a_segmenter_names_the_installed_ones(invoke: Invoke, image: Path) -> None:
    refused = invoke("run", image)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: Missing option '--segmenter' (or '--pipeline'). Installed are: ")
    assert refused.stderr.count("\n") == 1
    assert "lab-components" in refused.stderr


def test_a_run_on_a_cluster_gives_the_same_labels(invoke: Invoke, image: Path, tmp_path: Path) -> None:
    here = result_of(invoke("run", image, tmp_path / "here", *PARTS, "--tile", "32", "--json"))
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster:
        words = ("--tile", "32", "--json", "--scheduler", cluster.scheduler_address)
        there = result_of(invoke("run", image, tmp_path / "there", *PARTS, *words))
    assert (there["n_objects"], there["n_tiles"]) == (here["n_objects"], here["n_tiles"])
    labels = {name: np.asarray(zarr.open_array(tmp_path / name, mode="r")) for name in ("here", "there")}
    np.testing.assert_array_equal(labels["there"], labels["here"])


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere"])
def test_a_wrong_address_is_said_within_the_time_limit(address: str) -> None:
    expected = f"no dask scheduler answers at '{address}' within 0.5 s .* re-run the same command"
    with pytest.raises(InvalidOption, match=expected), connected(address, timeout=0.5):
        pass


@pytest.mark.slow
def test_what_answers_but_is_not_a_scheduler_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        expected = f"no dask scheduler answers at '{address}' .*what answers there is not a scheduler"
        with pytest.raises(InvalidOption, match=expected), connected(address, timeout=0.5):
            pass


@pytest.mark.parametrize(("said", "why"), [(["--join-z"], "has axes 'yx'"), (["--join-z", "2"], "up to 1, not 2.0")])
def test_run_links_slices_only_where_there_are_some_and_from_an_iou(
    invoke: Invoke, image: Path, tmp_path: Path, said: list[str], why: str
) -> None:
    refused = invoke("run", image, tmp_path / "out.zarr", "--segmenter", "lab-components", *said, "--quiet")
    assert refused.exit_code == 2
    assert "join_z" in refused.stderr
    assert why in refused.stderr


def test_an_image_that_is_alone_is_opened_once_and_asked_for_no_others(
    invoke: Invoke, image: Path, tmp_path: Path
) -> None:
    calls = Path(f"{image}.calls")
    calls.touch()
    done = invoke("run", image, tmp_path / "folder" / "out.zarr", "--make-parents", "--segmenter", "lab-components")
    assert done.exit_code == 0, done.output
    assert calls.read_text().splitlines() == ["opened"]
    calls.write_text("")
    assert invoke("run", image, "--segmenter", "lab-components", "--dry-run").exit_code == 0
    assert calls.read_text().splitlines() == ["opened"]
