"""`tilewright clean` finds what unfinished runs left, and touches nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from runs import Stopped, expect, run, stopping_at
from stores import labels_of, make_image

from tilewright.cli import main


def clean(*said: object) -> str:
    done = CliRunner().invoke(main, ["clean", *map(str, said)], prog_name="tilewright")
    assert done.exit_code == 0, done.stderr
    return done.stdout


def leave(folder: Path) -> Path:
    """A checkpoint that a stopped run left."""
    make_image(folder)
    with pytest.raises(Stopped):
        run(folder, progress=stopping_at("write", 1))
    (checkpoint,) = folder.glob("*.tilewright")
    return checkpoint


def test_a_stage_is_listed_and_removed_when_asked_for(tmp_path: Path) -> None:
    checkpoint = leave(tmp_path)
    said = clean(tmp_path)
    assert said.startswith(f"{checkpoint}  ")
    assert "MB, unfinished, for " + str(tmp_path / "image.ome.zarr/labels/cells") in said
    assert "1 found; --delete removes those that no run is using" in said
    assert checkpoint.exists()
    assert ", removed, for " in clean(tmp_path, "--delete")
    assert not checkpoint.exists()
    assert (labels_of(tmp_path) == 1).all()
    assert clean(tmp_path) == "0 found\n"


def test_stages_further_down_are_found_and_listing_one_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    checkpoint = leave(tmp_path / "a" / "b")
    assert str(checkpoint) in clean(tmp_path)
    run(tmp_path / "a" / "b")
    assert labels_of(tmp_path / "a" / "b").max() > 1


def test_both_folders_of_a_run_with_its_stage_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    make_image(tmp_path / "data")
    with pytest.raises(Stopped):
        run(tmp_path / "data", checkpoint_dir=tmp_path / "checkpoints", progress=stopping_at("write", 1))
    said = clean(tmp_path)
    assert "2 found" in said
    assert str(tmp_path / "data" / "image.ome.zarr.labels.cells.tilewright") in said
    assert "2 found" in clean(tmp_path, "--delete")
    assert not list((tmp_path / "data").glob("*.tilewright"))
    assert not any((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("record", [None, "", "[]", "{}", '{"version": 1}', "not json"])
def test_a_folder_of_that_name_that_is_not_ours_stays(record: str | None, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.tilewright"
    (mine / "packs").mkdir(parents=True)
    (mine / "packs" / "chapter.pack").write_text("years of work")
    if record is not None:
        (mine / "plan.json").write_text(record)
    assert clean(tmp_path, "--delete") == "0 found\n"
    assert (mine / "packs" / "chapter.pack").read_text() == "years of work"


def test_a_stage_under_another_name_stays(tmp_path: Path) -> None:
    moved = leave(tmp_path).rename(tmp_path / "kept")
    assert clean(tmp_path, "--delete") == "0 found\n"
    assert (moved / "plan.json").exists()


def test_what_somebody_put_into_a_stage_stays(tmp_path: Path) -> None:
    checkpoint = leave(tmp_path)
    (checkpoint / "notes.txt").write_text("mine")
    (checkpoint / "mine").mkdir()
    clean(tmp_path, "--delete")
    assert sorted(entry.name for entry in checkpoint.iterdir()) == ["mine", "notes.txt"]
    assert clean(tmp_path, "--delete") == "0 found\n"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkpoint_of_another_user_stays(tmp_path: Path) -> None:
    checkpoint = leave(tmp_path)
    os.chown(checkpoint, 65534, 65534)
    assert ", another user's, for " in clean(tmp_path, "--delete")
    assert (checkpoint / "plan.json").exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    checkpoint = leave(tmp_path / "elsewhere")
    (tmp_path / "here" / "x.tilewright").symlink_to(checkpoint)
    (tmp_path / "here" / "folder").symlink_to(checkpoint.parent)
    assert clean(tmp_path / "here", "--delete") == "0 found\n"
    assert (checkpoint / "plan.json").exists()


@pytest.mark.parametrize("name", ["packs", "output"])
def test_a_link_in_a_stage_costs_the_link_at_most(name: str, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.npy").write_text("years of work")
    checkpoint = tmp_path / "x.tilewright"
    checkpoint.mkdir()
    (checkpoint / "plan.json").write_text(json.dumps({"tilewright": "0.1.0"}))
    (checkpoint / name).symlink_to(thesis)
    (checkpoint / "chapter.npy").symlink_to(thesis / "chapter.npy")
    clean(tmp_path, "--delete")
    assert (thesis / "chapter.npy").read_text() == "years of work"


@pytest.mark.slow
def test_the_stage_of_a_run_that_is_at_work_stays(tmp_path: Path) -> None:
    pixels = make_image(tmp_path, (256, 256))
    (tmp_path / "hold").touch()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("victim.py")), str(tmp_path)])
    while not (tmp_path / "calls").exists():
        assert process.poll() is None
        time.sleep(0.01)
    said = clean(tmp_path, "--delete")
    (tmp_path / "hold").unlink()
    assert process.wait() == 0
    assert "a run is at work in it" in said
    expect(labels_of(tmp_path), pixels)


def test_a_folder_that_is_not_there_is_one_line() -> None:
    done = CliRunner().invoke(main, ["clean", "/nowhere/at/all"], prog_name="tilewright")
    assert done.exit_code == 2
    assert "/nowhere/at/all is not a folder" in done.stderr
