"""What a run may touch: links lead where they lead, and what is no earlier output is never replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from runs import CALLS, components, expect, run
from stores import labels_of, make_image

from tilewright import AlreadyExists, InvalidOption, tile_process
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


@pytest.mark.parametrize("option", ["write_to", "stage_dir"])
def test_a_url_is_no_folder_to_write_to(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = make_image(tmp_path)
    with pytest.raises(InvalidOption, match=r"s3://bucket/x\.zarr is a URL"):
        tile_process(pixels, components, **{option: "s3://bucket/x.zarr"})
    assert not (tmp_path / "s3:").exists()
