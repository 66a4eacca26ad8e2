"""What a run may touch: links lead where they lead, and what is no earlier output is never replaced."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from runs import CALLS, Stopped, components, expect, run, stopping_at
from stores import labels_of, make_image

from tilewright import AlreadyExists, InvalidOption, merge_tile_labels, tile_process
from tilewright.storage import replace as swap


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_labels_go_into_an_image_that_a_link_leads_to(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    link = tmp_path / "elsewhere" / "link.zarr"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "image.ome.zarr")
    run(tmp_path, image=link)
    expect(labels_of(tmp_path), pixels)
    assert names(link.parent) == ["link.zarr"]


@pytest.mark.parametrize("writer", ["zarr-array", "ome-zarr"])
def test_labels_at_a_link_are_built_beside_what_it_leads_to(writer: str, tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    real, link = tmp_path / "scratch" / "real.zarr", tmp_path / "out.zarr"
    real.parent.mkdir()
    link.symlink_to(real)
    for _ in range(2):
        seen: list[bool] = []

        def progress(stage: str, done: int, total: int, seen: list[bool] = seen) -> None:
            seen.append((real.parent / "real.zarr.tilewright").exists())

        result = run(tmp_path, parts={"writer": writer}, destination=link, progress=progress)
        assert all(seen)
        expect(result.labels.compute(), pixels)
    assert link.is_symlink()
    assert names(real.parent) == ["real.zarr"]


def test_a_group_that_is_a_link_is_written_to_where_it_leads(tmp_path: Path) -> None:
    pixels = make_image(tmp_path)
    real, link = tmp_path / "scratch" / "real.zarr", tmp_path / "out.zarr"
    real.mkdir(parents=True)
    link.symlink_to(real)
    for overwrite in (False, True):
        tile_process(pixels, components, tile_shape=(32, 32), write_to=link, overwrite=overwrite)
    expect(np.asarray(zarr.open_array(real / "labels")[:]), pixels)
    assert link.is_symlink()
    assert names(real.parent) == ["real.zarr"]


@pytest.mark.parametrize("writer", ["zarr-array", "ome-zarr"])
@pytest.mark.parametrize("what", ["folder", "file", "link to a folder"])
def test_what_is_no_earlier_output_is_not_replaced_by_overwrite(writer: str, what: str, tmp_path: Path) -> None:
    make_image(tmp_path)
    CALLS.clear()
    mine, target = tmp_path / "mine", tmp_path / "out.zarr"
    if what == "file":
        target.write_text("thesis")
    else:
        (mine if "link" in what else target).mkdir()
        if "link" in what:
            target.symlink_to(mine)
        (target / "thesis.txt").write_text("thesis")
    with pytest.raises(AlreadyExists, match="so it is not an earlier output"):
        run(tmp_path, parts={"writer": writer}, destination=target)
    assert (target if what == "file" else target / "thesis.txt").read_text() == "thesis"
    assert not CALLS
    assert not list(tmp_path.glob("*.tilewright"))


def test_an_output_that_cannot_be_moved_into_place_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Any:
        if self.name == "new":
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="cross-device"):
        swap.replace_folder(tmp_path / "new", tmp_path / "old")
    assert names(tmp_path / "old") == ["old"]


URLS = [
    "s3://bucket/x.zarr",
    "s3:/bucket/x.zarr",
    Path("gs://bucket/x.zarr"),
    "zip::x.zip",
    "memory::x",
    "simplecache::a",
]


@pytest.mark.parametrize("option", ["write_to", "stage_dir"])
@pytest.mark.parametrize("url", URLS, ids=str)
def test_a_url_is_not_a_folder_to_write_to(
    option: str, url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = make_image(tmp_path)
    before = names(tmp_path)
    with pytest.raises(InvalidOption, match=f"{re.escape(str(url))} is a URL, .* copy them there after"):
        tile_process(pixels, components, **{option: url})
    assert names(tmp_path) == before


@pytest.mark.parametrize("url", ["file:/tmp/x.zarr", "file:///tmp/x.zarr", "FILE:/tmp/x.zarr"])
def test_a_url_of_a_file_is_answered_with_its_path(url: str) -> None:
    with pytest.raises(InvalidOption, match=r"is a URL; give the path alone, /tmp/x\.zarr"):
        tile_process(np.ones((4, 4)), components, write_to=url)


@pytest.mark.parametrize("name", ["10:30.zarr", "a::b.zarr", "x:y.zarr"])
def test_a_name_with_a_colon_is_a_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tile_process(np.ones((4, 4)), components, write_to=f"./{name}")
    assert (tmp_path / name).is_dir()


@pytest.mark.parametrize("writer", ["zarr-array", "ome-zarr", "ome-tiff", "geojson"])
def test_folders_above_an_output_are_not_made(writer: str, tmp_path: Path) -> None:
    make_image(tmp_path)
    CALLS.clear()
    out, missing = tmp_path / "mistyped" / "deep" / "out", re.escape(str(tmp_path / "mistyped"))
    with pytest.raises(InvalidOption, match=f"there is no folder {missing} for the output .* make_parents=True"):
        run(tmp_path, parts={"writer": writer}, destination=out)
    with pytest.raises(InvalidOption, match=f"there is no folder {missing} for the checkpoint .* make_parents=True"):
        run(tmp_path, parts={"writer": writer}, destination=tmp_path / "out", checkpoint_dir=out)
    assert names(tmp_path) == ["image.ome.zarr", "labels.zarr"]
    assert not CALLS


@pytest.mark.parametrize("writer", ["zarr-array", "ome-zarr", "ome-tiff", "geojson"])
def test_folders_above_an_output_are_made_if_asked_for(writer: str, tmp_path: Path) -> None:
    make_image(tmp_path)
    places = {"destination": tmp_path / "new" / "deep" / "out", "checkpoint_dir": tmp_path / "kept" / "deep"}
    with pytest.raises(Stopped):
        run(tmp_path, parts={"writer": writer}, progress=stopping_at("write"), make_parents=True, **places)
    result = run(tmp_path, parts={"writer": writer}, make_parents=True, **places)
    assert result.path == places["destination"]
    assert names(tmp_path / "new" / "deep") == ["out"]
    assert names(tmp_path / "kept" / "deep") == []


def test_a_file_above_an_output_is_refused_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("years of work")
    with pytest.raises(InvalidOption, match=r"notes\.txt is not a folder, so the output .* cannot be in it"):
        tile_process(np.ones((4, 4)), components, write_to=tmp_path / "notes.txt" / "g.zarr", make_parents=True)


def test_a_folder_above_a_group_is_not_made_but_the_groups_in_it_are(tmp_path: Path) -> None:
    for function, given in ((tile_process, (components,)), (merge_tile_labels, ())):
        where = {"write_to": tmp_path / function.__name__ / "deep" / "g.zarr"}
        with pytest.raises(InvalidOption, match=f"there is no folder .*{function.__name__} for .* make_parents=True"):
            function(np.ones((4, 4), int), *given, **where)
        function(np.ones((4, 4), int), *given, **where, make_parents=True)
        assert zarr.open_group(where["write_to"], mode="r")["labels"].shape == (4, 4)
    tile_process(np.ones((4, 4)), components, write_to=tmp_path / "g.zarr", output_component="a/b/labels")
    assert zarr.open_group(tmp_path / "g.zarr", mode="r")["a/b/labels"].shape == (4, 4)


def test_no_link_in_a_checkpoint_is_followed(tmp_path: Path) -> None:
    make_image(tmp_path)
    thesis, checkpoint = tmp_path / "thesis", tmp_path / "out.zarr.tilewright"
    thesis.write_text("years of work")
    for name in ("plan.json.partial", "packs", "output", "tiles.npy"):
        checkpoint.mkdir()
        (checkpoint / name).symlink_to(thesis)
        with pytest.raises(AlreadyExists, match=r"holds a link|is not a checkpoint"):
            run(tmp_path, destination=tmp_path / "out.zarr")
        assert thesis.read_text() == "years of work"
        (checkpoint / name).unlink()
        checkpoint.rmdir()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("option", [{}, {"resume": False}, {"checkpoint_dir": "checkpoints"}])
def test_a_checkpoint_of_another_user_is_not_adopted(
    option: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_image(tmp_path)
    with pytest.raises(Stopped):
        run(tmp_path, destination=tmp_path / "out.zarr", progress=stopping_at("join"), **option)
    (checkpoint,) = [entry for entry in tmp_path.rglob("*.tilewright") if (entry / "packs").exists()]
    os.chown(checkpoint, 65534, 65534)
    with pytest.raises(AlreadyExists, match="belongs to another user"):
        run(tmp_path, destination=tmp_path / "out.zarr", **option)
    assert (checkpoint / "packs").exists()
