"""Where labels go, and that nothing of the user's is deleted or overwritten on the way."""

from __future__ import annotations

import contextlib
import gc
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import AlreadyExists, Image, InvalidOption, NotReadable, merge_tile_labels, tile_process

IMAGE = np.random.default_rng(0).random((30, 40)) < 0.5
WHOLE = ndimage.label(IMAGE)[0]


def components(tile: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile)[0]
    return labels


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for what `tempfile` makes."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.mark.parametrize("component", ["labels", "cells", "labels/cells/of mine"])
def test_labels_are_an_array_in_a_group(tmp_path: Path, component: str) -> None:
    out = tmp_path / "new folder" / "out.zarr"
    out.parent.mkdir()
    lazy = tile_process(IMAGE, components, tile_shape=(8, 8), write_to=out, output_component=component)
    np.testing.assert_array_equal(lazy.compute(), WHOLE)
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")[component][:], WHOLE)
    np.testing.assert_array_equal(da.from_zarr(str(out), component=component).compute(), WHOLE)
    assert [entry.name for entry in out.parent.iterdir()] == ["out.zarr"], "no checkpoint is left"


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [False, True])
def test_a_group_keeps_what_it_holds(tmp_path: Path, zarr_format: Any, consolidated: bool) -> None:
    out = tmp_path / "out.zarr"
    group = zarr.create_group(out, zarr_format=zarr_format, attributes={"mine": 1})
    group.create_array("other", data=np.arange(5))
    if consolidated:
        with pytest.warns(UserWarning, match="not part in the") if zarr_format == 3 else contextlib.nullcontext():
            zarr.consolidate_metadata(out)
    (out / "notes.txt").write_text("mine")
    tile_process(IMAGE, components, tile_shape=(8, 8), write_to=out)
    again = zarr.open_group(out, mode="r")
    np.testing.assert_array_equal(again["labels"][:], WHOLE)
    np.testing.assert_array_equal(again["other"][:], range(5))
    assert again.attrs["mine"] == 1
    assert (out / "notes.txt").read_text() == "mine"


def test_an_output_is_replaced_only_if_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    tile_process(IMAGE, components, write_to=out)
    with pytest.raises(AlreadyExists, match=r"out.zarr/labels exists; .*overwrite=True"):
        tile_process(~IMAGE, components, write_to=out)
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["labels"][:], WHOLE)
    labels = tile_process(~IMAGE, components, write_to=out, overwrite=True)
    np.testing.assert_array_equal(labels.compute(), components(~IMAGE))


@pytest.mark.parametrize("what", ["file", "folder", "array", "group as component", "array as parent"])
def test_what_is_no_earlier_output_is_never_replaced(tmp_path: Path, what: str) -> None:
    out, component = tmp_path / "out.zarr", "labels"
    if what == "file":
        out.write_text("mine")
    elif what == "folder":
        (out / "mine").mkdir(parents=True)
    elif what == "array":
        zarr.create_array(out, data=np.arange(3))
    elif what == "group as component":
        zarr.create_group(out).create_group("labels").create_array("nuclei", data=np.arange(3))
    else:
        zarr.create_group(out).create_array("labels", data=np.arange(3))
        component = "labels/cells"
    before = _content(tmp_path)
    with pytest.raises(AlreadyExists, match="exists and is"):
        tile_process(IMAGE, components, write_to=out, output_component=component, overwrite=True)
    assert _content(tmp_path) == before


@pytest.mark.parametrize("how", ["dask", "dask inlined", "zarr array", "image of zarr", "memory map"])
def test_the_arrays_that_an_image_is_read_from_are_not_written_over(tmp_path: Path, how: str) -> None:  # F17
    stored = zarr.create_group(tmp_path / "in.zarr").create_array("0", data=IMAGE.astype("u1"), chunks=(10, 10))
    component, image = "0", stored
    if how.startswith("dask"):
        image = da.from_zarr(str(tmp_path / "in.zarr"), component="0", inline_array="inlined" in how) + 1
    elif how == "image of zarr":
        image = Image(data=stored, axes="yx")
    elif how == "memory map":
        image = np.memmap(tmp_path / "in.zarr" / "raw", "u1", "w+", shape=(9, 9))
        component = "raw"
    before = _content(tmp_path)
    with pytest.raises((InvalidOption, AlreadyExists)):
        tile_process(image, components, write_to=tmp_path / "in.zarr", output_component=component, overwrite=True)
    assert _content(tmp_path) == before


def test_two_runs_side_by_side_in_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:  # F5
    (tmp_path / "_bb_stage.zarr").mkdir()
    (tmp_path / "_bb_stage.zarr" / "mine").touch()
    meet = threading.Barrier(2)

    def together(tile: NDArray[Any]) -> NDArray[Any]:
        if tile[0, 0] == tile[0, 0]:
            meet.wait()
        return components(tile)

    found: dict[str, NDArray[Any]] = {}

    def run(name: str, image: NDArray[Any]) -> None:
        found[name] = tile_process(
            image,
            together,
            tile_shape=(15, 20),
            write_to=tmp_path / name,
            stage_dir=tmp_path,
            compute=True,
            use_gpu=True,
        )

    threads = [threading.Thread(target=run, args=each) for each in [("a.zarr", IMAGE), ("b.zarr", ~IMAGE)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found["a.zarr"], WHOLE)
    np.testing.assert_array_equal(found["b.zarr"], components(~IMAGE))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["_bb_stage.zarr", "a.zarr", "b.zarr"]
    assert (tmp_path / "_bb_stage.zarr" / "mine").exists()


def test_outputs_of_one_name_share_a_stage_folder_in_peace(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    for folder, image in (("a", IMAGE), ("b", ~IMAGE)):
        (tmp_path / folder).mkdir()
        tile_process(image, components, write_to=tmp_path / folder / "out.zarr", stage_dir=checkpoints, keep_stage=True)
    assert len(list(checkpoints.iterdir())) == 2
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "a" / "out.zarr", mode="r")["labels"][:], WHOLE)


def test_a_folder_with_a_stage_s_name_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "out.zarr.labels.tilewright"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    with pytest.raises(AlreadyExists, match=r"out.zarr.labels.tilewright is not a checkpoint of tilewright"):
        tile_process(IMAGE, components, write_to=tmp_path / "out.zarr", resume=False, overwrite=True)
    assert (mine / "thesis.tex").read_text() == "mine"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_the_stage_may_lie_on_another_file_system(tmp_path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as checkpoints:
        for image, overwrite in ((IMAGE, False), (~IMAGE, True)):
            labels = tile_process(
                image,
                components,
                tile_shape=(8, 8),
                write_to=tmp_path / "out.zarr",
                stage_dir=checkpoints,
                overwrite=overwrite,
            )
            np.testing.assert_array_equal(labels.compute(), components(image))
        assert list(Path(checkpoints).iterdir()) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.zarr"]


def test_a_stage_is_kept_if_asked_for_and_repeats_the_run_without_the_function(tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    def counted(tile: NDArray[Any]) -> NDArray[Any]:
        with calls.open("a") as file:
            file.write(".")
        return components(tile)

    for _ in range(2):
        labels = tile_process(
            IMAGE, counted, tile_shape=(10, 10), write_to=tmp_path / "out.zarr", keep_stage=True, overwrite=True
        )
    np.testing.assert_array_equal(labels.compute(), WHOLE)
    assert calls.stat().st_size == 12
    assert (tmp_path / "out.zarr.labels.tilewright").is_dir()


@pytest.mark.slow
def test_temporary_labels_live_as_long_as_the_array_that_was_returned(scratch: Path) -> None:
    labels = tile_process(IMAGE, components, tile_shape=(8, 8))
    derived = (labels > 0)[3:20].rechunk((5, 5))
    del labels
    gc.collect()
    np.testing.assert_array_equal(derived.compute(), IMAGE[3:20])
    (optimized,) = dask.optimize(derived)
    del derived
    gc.collect()
    np.testing.assert_array_equal(optimized.compute(), IMAGE[3:20])
    del optimized
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_temporary_labels_that_are_gone_are_no_zeros(scratch: Path) -> None:
    labels = tile_process(IMAGE, components)
    sent = pickle.dumps(labels)
    here = pickle.loads(sent)
    np.testing.assert_array_equal(here.compute(), WHOLE)
    del labels
    gc.collect()
    with pytest.raises(NotReadable, match="are gone, because the array of them was dropped"):
        here.compute()


@pytest.mark.parametrize(
    "run", [tile_process, lambda image, fn, **k: merge_tile_labels(image, **k)], ids=["run", "merge"]
)
def test_computed_labels_leave_nothing_behind(scratch: Path, run: Any) -> None:
    run(IMAGE, components, compute=True)
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_a_failed_run_without_output_leaves_nothing_behind(scratch: Path) -> None:
    def failing(tile: NDArray[Any]) -> NDArray[Any]:
        raise ValueError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        tile_process(IMAGE, failing)
    assert list(scratch.iterdir()) == []


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
