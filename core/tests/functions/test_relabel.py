"""Contiguous numbers: background stays background, nothing is as long as the largest id, a kill loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tilewright import (
    AlreadyExists,
    InvalidLabels,
    NotReadable,
    OutputBusy,
    relabel_sequential_array,
    relabel_sequential_zarr,
    tile_process,
)
from tilewright.functions.ids import SortedIds

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "<i4", ">i8"]


def reference(labels: NDArray[Any]) -> NDArray[np.int64]:
    ids = sorted(set(labels.ravel().tolist()) - {0})
    return np.array([0 if n == 0 else ids.index(n) + 1 for n in labels.ravel().tolist()]).reshape(labels.shape)


@given(
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 2**64 - 1), min_size=0, max_size=30),
)
def test_objects_are_numbered_in_the_order_of_their_ids(dtype: str, values: list[int]) -> None:
    most = np.iinfo(dtype).max
    labels = np.array([value % (most + 1) for value in values], dtype)
    np.testing.assert_array_equal(relabel_sequential_array(labels), reference(labels))


@pytest.mark.parametrize(
    ("labels", "right"),
    [([5, 7], [1, 2]), ([0, 500000, 500000, 7], [0, 2, 2, 1]), ([0, 0], [0, 0]), ([], []), ([True, False], [1, 0])],
)
def test_background_stays_background_and_is_not_made_of_an_object(labels: list[int], right: list[int]) -> None:  # F7
    array = np.array(labels, None if labels else int)
    np.testing.assert_array_equal(relabel_sequential_array(array), right)


@pytest.mark.parametrize(("labels", "wrong"), [([-1, 0, 3, 7], "-1"), ([0.5, 2], "float64"), (["a"], "<U1")])
def test_what_is_no_label_is_refused(labels: list[Any], wrong: str, tmp_path: Path) -> None:  # F7
    with pytest.raises(InvalidLabels, match=wrong):
        relabel_sequential_array(np.array(labels))
    if wrong != "<U1":
        zarr.create_group(tmp_path / "s.zarr").create_array("labels", data=np.array(labels))
        with pytest.raises(InvalidLabels, match=wrong):
            relabel_sequential_zarr(tmp_path / "s.zarr")
        np.testing.assert_array_equal(zarr.open_group(tmp_path / "s.zarr")["labels"][:], labels)
        assert [entry.name for entry in (tmp_path / "s.zarr").iterdir() if entry.is_dir()] == ["labels"]


def test_more_than_65535_objects_get_a_wider_dtype() -> None:
    assert relabel_sequential_array(np.arange(65536)).dtype == np.uint16
    assert relabel_sequential_array(np.arange(65537)).dtype == np.uint32


def test_nothing_is_as_long_as_the_largest_label(tmp_path: Path) -> None:  # F21
    labels = np.zeros((8, 8), np.uint64)
    labels[0, 0], labels[1, 1] = 20_000_000, 2**63
    zarr.create_group(tmp_path / "s.zarr").create_array("labels", data=labels)
    tile_process(labels, lambda tile: tile, tile_shape=(4, 4), compute=True)  # what is imported is not counted
    tracemalloc.start()
    assert relabel_sequential_array(labels).max() == 2
    assert relabel_sequential_zarr(tmp_path / "s.zarr") == 2
    assert tile_process(labels, lambda tile: tile, tile_shape=(4, 4), compute=True).max() == 2
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


@settings(max_examples=15)
@given(st.data())
def test_a_zarr_array_is_renumbered_in_place(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    most = int(np.iinfo(dtype).max)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    labels = np.array([0, 1, 3, most, most - 1, 100], dtype)[rng.integers(0, 6, (13, 17))]
    labels = np.where(labels == 0, 1, labels).astype(dtype) if data.draw(st.booleans()) else labels
    store = tmp_path_factory.mktemp("relabel") / "s.zarr"
    zarr_format = data.draw(st.sampled_from([2, 3]))
    shards = {"shards": (8, 10)} if zarr_format == 3 and data.draw(st.booleans()) else {}
    fill = data.draw(st.sampled_from([0, 3]))
    array = zarr.create_group(store, zarr_format=zarr_format).create_array(
        "cells", shape=(13, 17), chunks=(4, 5), dtype=dtype, fill_value=fill, attributes={"mine": 1}, **shards
    )
    array[:] = labels
    before = zarr.open_group(store, mode="r")["cells"].metadata
    count = relabel_sequential_zarr(store, "cells")
    again = zarr.open_group(store, mode="r")["cells"]
    np.testing.assert_array_equal(again[:], reference(labels))
    assert count == reference(labels).max()
    assert again.metadata == before, "dtype, chunks, codecs, fill value and attributes are the old ones"
    assert [entry.name for entry in store.iterdir() if entry.is_dir()] == ["cells"]


def test_labels_that_are_contiguous_are_not_written_again(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    zarr.create_group(store).create_array("labels", data=np.array([0, 1, 2, 3]))
    before = (store / "labels" / "zarr.json").stat().st_ino
    assert relabel_sequential_zarr(store) == 3
    assert (store / "labels" / "zarr.json").stat().st_ino == before


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "s.zarr").create_group("labels")
    with pytest.raises(NotReadable, match="no zarr array 'labels' in"):
        relabel_sequential_zarr(tmp_path / "s.zarr")
    with pytest.raises(NotReadable, match="no zarr array 'cells' in"):
        relabel_sequential_zarr(tmp_path / "s.zarr", "cells")
    with pytest.raises(NotReadable):
        relabel_sequential_zarr(tmp_path / "nothing.zarr")
    assert not (tmp_path / "nothing.zarr").exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "s.zarr").create_array("labels", data=np.array([0, 9]))
    mine = tmp_path / "s.zarr" / "labels.tilewright-relabel" / "mine"
    mine.mkdir(parents=True)
    with pytest.raises(AlreadyExists, match="was not made by it"):
        relabel_sequential_zarr(tmp_path / "s.zarr")
    assert mine.exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from tilewright import relabel_sequential_zarr
from tilewright.storage import replace
calls = 0
def dying(path, *rest, **more):
    global calls
    calls += 1
    if calls == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *rest, **more)
real, {what} = {what}, dying
relabel_sequential_zarr(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("what", "at"), [("Path.mkdir", 2), ("replace.recover", 1), ("replace._exchange", 1), ("replace.recover", 2)]
)
def test_a_kill_at_any_instant_leaves_labels_that_the_same_call_finishes(tmp_path: Path, what: str, at: int) -> None:
    labels = np.random.default_rng(0).integers(0, 2**40, (20, 20))
    store = tmp_path / "s.zarr"
    zarr.create_group(store).create_array("labels", data=labels, chunks=(5, 5))
    script = KILLED.format(what=what, at=at)
    killed = subprocess.run([sys.executable, "-c", script, str(store)], check=False)
    assert killed.returncode == -signal.SIGKILL
    swapped = (what, at) == ("replace.recover", 2)
    found = zarr.open_group(store, mode="r")["labels"][:]
    np.testing.assert_array_equal(found, reference(labels) if swapped else labels)
    assert relabel_sequential_zarr(store) == len(np.unique(labels)) - (0 in labels)
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["labels"][:], reference(labels))
    assert [entry.name for entry in store.iterdir() if entry.is_dir()] == ["labels"]


WAITING = """
import sys
from tilewright import relabel_sequential_zarr
from tilewright.functions import relabel
def waiting(*said):
    print("at work", flush=True)
    sys.stdin.readline()
    return write(*said)
write, relabel._write = relabel._write, waiting
relabel_sequential_zarr(sys.argv[1])
"""


def test_two_at_once_on_one_array_do_not_break_it(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 2**40, (20, 20))
    store = tmp_path / "s.zarr"
    zarr.create_group(store).create_array("labels", data=labels, chunks=(5, 5))
    command = [sys.executable, "-c", WAITING, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "at work\n"
        with pytest.raises(OutputBusy, match="is being relabelled by another process"):
            relabel_sequential_zarr(store)
        first.communicate("go on\n")
    assert first.returncode == 0
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["labels"][:], reference(labels))
    assert [entry.name for entry in store.iterdir() if entry.is_dir()] == ["labels"]


def test_an_empty_folder_that_a_kill_left_is_in_nobodys_way(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "s.zarr").create_array("labels", data=np.array([0, 9]))
    (tmp_path / "s.zarr" / "labels.tilewright-relabel").mkdir()
    assert relabel_sequential_zarr(tmp_path / "s.zarr") == 1


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 60), max_size=12), max_size=12), st.integers(2, 20))
def test_ids_are_sorted_out_of_memory_as_in_it(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[int]], in_memory: int
) -> None:
    ids = SortedIds(tmp_path_factory.mktemp("ids"), in_memory)
    for block in blocks:
        ids.add(np.array(block, np.uint64))
    assert ids.table().tolist() == sorted({number for block in blocks for number in block} - {0})


@pytest.mark.parametrize("name", ["labels/zarr.json", "labels/c/0"])
def test_a_pipe_in_the_store_is_refused_and_nobody_waits_for_it(name: str, tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr").create_array("labels", data=np.array([0, 7, 7, 9]), shards=(4,), chunks=(2,))
    (tmp_path / "a.zarr" / name).unlink()
    os.mkfifo(tmp_path / "a.zarr" / name)
    with pytest.raises(NotReadable, match="is a pipe"):
        relabel_sequential_zarr(tmp_path / "a.zarr", "labels")
