"""A run that was stopped resumes with what it has done, wherever it was stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from runs import CALLS, Components, Stopped, expect, run, stopping_at
from stores import TILES, checkpoint_of, labels_of

from tilewright import AlreadyExists, CheckpointMismatch, InvalidOption
from tilewright.engine.checkpoint.log import Checkpoint

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("stage", "done"), [("segment", 2), ("segment", 5), ("join", 0), ("join", 3), ("write", 1), ("finish", 0)]
)
def test_nothing_is_segmented_twice(stage: str, done: int, pixels: NDArray[Any], tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at(stage, done))
    assert (labels_of(tmp_path) == 1).all()
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES
    assert not list(tmp_path.glob("*.tilewright"))


def test_a_run_may_be_stopped_after_every_tile(pixels: NDArray[Any], tmp_path: Path) -> None:
    for done in range(1, TILES + 1):
        with pytest.raises(Stopped):
            run(tmp_path, workers=1, progress=stopping_at("segment", done))
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES


def test_a_first_try_that_recorded_no_tile_is_in_nobodys_way(pixels: NDArray[Any], tmp_path: Path) -> None:
    out, other = tmp_path / "out.zarr", {"segmenter": Components(above=110)}
    with pytest.raises(Stopped):
        run(tmp_path, destination=out, progress=stopping_at("segment"))
    with pytest.raises(Stopped):
        run(tmp_path, parts=other, destination=out, progress=stopping_at("segment", 1))
    with pytest.raises(CheckpointMismatch, match=r"above 110 there, 100 now \(segmenter\)"):
        run(tmp_path, destination=out)
    expect(run(tmp_path, parts=other, destination=out).labels.compute(), pixels, 110)


def test_a_try_elsewhere_that_recorded_no_tile_costs_another_run_none(pixels: NDArray[Any], tmp_path: Path) -> None:
    """Beside the output a run leaves its record too, wherever its tiles are."""
    out, there = tmp_path / "out.zarr", tmp_path / "checkpoints"
    with pytest.raises(Stopped):
        run(tmp_path, destination=out, checkpoint_dir=there, progress=stopping_at("write", 1))
    with pytest.raises(Stopped):
        run(tmp_path, parts={"segmenter": Components(above=90)}, destination=out, progress=stopping_at("segment"))
    expect(run(tmp_path, destination=out, checkpoint_dir=there).labels.compute(), pixels)
    assert len(CALLS) == TILES


def test_what_the_writer_refuses_is_said_before_any_tile_is_segmented(pixels: NDArray[Any], tmp_path: Path) -> None:
    uneven = {"writer": {"name": "ome-zarr", "configuration": {"chunks": 16, "shards": 24}}}
    with pytest.raises(InvalidOption, match="multiples of the chunks"):
        run(tmp_path, parts=uneven, destination=tmp_path / "out.ome.zarr")
    assert not CALLS


def test_another_writer_goes_on_with_the_tiles_and_not_with_what_was_written(
    pixels: NDArray[Any], tmp_path: Path
) -> None:
    out = tmp_path / "out.ome.zarr"
    for chunks in (16, 64, 32):
        parts = {"writer": {"name": "ome-zarr", "configuration": {"chunks": chunks}}}
        if chunks < 32:
            with pytest.raises(Stopped):
                run(tmp_path, parts=parts, destination=out, progress=stopping_at("write", 1))
        elif chunks > 32:
            with pytest.raises(Stopped):
                run(tmp_path, parts=parts, destination=out, progress=stopping_at("finish", 0))
        else:
            run(tmp_path, parts=parts, destination=out)
    assert len(CALLS) == TILES
    written = zarr.open_array(out / "0")
    assert written.chunks == (32, 32)
    expect(np.asarray(written[:]), pixels)


@pytest.mark.parametrize("writer", ["ome-tiff", "geojson", "ome-zarr", "zarr-array"])
def test_a_kill_while_the_work_folder_is_removed_leaves_no_half_of_it_to_go_on_with(
    writer: str, pixels: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(folder: Path, **_: Any) -> None:
        if Path(folder).name.startswith("output") and Path(folder).exists():
            for file in sorted(Path(folder).rglob("*.json")):
                file.unlink()
            raise Stopped
        rmtree(folder, ignore_errors=True)

    rmtree, out, parts = shutil.rmtree, tmp_path / "out", {"writer": writer}
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", dying)
        with pytest.raises(Stopped):
            run(tmp_path, parts=parts, destination=out)
    run(tmp_path, parts=parts, destination=out)
    assert len(CALLS) == TILES
    assert not list(tmp_path.glob("*.tilewright"))


def test_overwrite_keeps_a_stage_and_without_it_a_finished_output_is_refused(
    pixels: NDArray[Any], tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("join"))
    with pytest.raises(AlreadyExists):
        run(tmp_path, overwrite=False)
    run(tmp_path, overwrite=True)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES


def test_a_stage_elsewhere_goes_on_too(pixels: NDArray[Any], tmp_path: Path) -> None:
    (tmp_path / "fast").mkdir()
    with pytest.raises(Stopped):
        run(tmp_path, checkpoint_dir=tmp_path / "fast", progress=stopping_at("write", 1))
    run(tmp_path, checkpoint_dir=tmp_path / "fast")
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["fast", "image.ome.zarr", "labels.zarr"]
    assert not any((tmp_path / "fast").iterdir())


def test_after_a_power_cut_what_was_written_is_written_again(
    pixels: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks that are noted as written need not be on the disk; the tiles, which were synced, stay."""
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("write", 6))
    lost = [file for file in (checkpoint_of(tmp_path) / "output").rglob("*") if file.is_file() and "c" in file.parts]
    assert lost
    for file in lost:
        file.unlink()
    (tmp_path / "boot_id").write_text("another start of the machine")
    monkeypatch.setattr("tilewright.storage.machine.BOOT", tmp_path / "boot_id")
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES


def test_joins_made_on_other_ids_of_a_tile_do_not_count(pixels: NDArray[Any], tmp_path: Path) -> None:
    """A tile may be staged twice (its worker was lost), with other ids (networks on a GPU differ from call to call)."""
    with pytest.raises(Stopped):
        run(tmp_path, progress=stopping_at("write"))
    (tmp_path / "again").mkdir()
    stage, again = Checkpoint(checkpoint_of(tmp_path)), Checkpoint(tmp_path / "again")
    for record in stage.records():
        if record.kind == "tile":
            arrays = stage.read(record.place)
            count = int(arrays["head"][0])
            for name in set(arrays) - {"head", "first", "lengths"}:
                arrays[name] = np.where(arrays[name], count + 1 - arrays[name].astype(np.int64), 0)
            again.append("tile", record.number, arrays | {"first": arrays["first"][::-1]})
    stage.close()
    again.close()
    (pack,) = (tmp_path / "again" / "packs").iterdir()
    pack.rename(checkpoint_of(tmp_path) / "packs" / "ffffffff.pack")  # the last one counts
    run(tmp_path)
    expect(labels_of(tmp_path), pixels)
    assert len(CALLS) == TILES
