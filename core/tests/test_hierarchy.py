"""Consolidated metadata above a node that changes: right, or away, and back in the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tilewright import NotReadable
from tilewright.abc import changed_hierarchy, root_of

KILLED = """
import os, signal, sys
from pathlib import Path
from tilewright.abc import changed_hierarchy
root = Path(sys.argv[1])
with changed_hierarchy(root, root / "a" / "b"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def store(path: Path, zarr_format: Any, *consolidated: str) -> Path:
    root = zarr.create_group(path, zarr_format=zarr_format)
    inner = root.create_group("a", attributes={"names": []})
    inner.create_array("b", data=np.arange(4), chunks=(2,))
    with warnings.catch_warnings():  # zarr warns of each in its format 3
        warnings.simplefilter("ignore")
        for name in consolidated:
            zarr.consolidate_metadata(path / name, zarr_format=zarr_format)
    return path


def is_consolidated(path: Path) -> bool:
    return zarr.open_group(path, mode="r").metadata.consolidated_metadata is not None


def replace(path: Path, values: list[int], chunk: int) -> None:
    """Replace the array by one of other chunks, and name it above."""
    zarr_format = zarr.open_group(path, mode="r").metadata.zarr_format
    shutil.rmtree(path / "a" / "b")
    group = zarr.open_group(path / "a", mode="r+", use_consolidated=False)
    group.create_array("b", data=np.array(values), chunks=(chunk,))
    group.attrs["names"] = ["b"]
    assert group.metadata.zarr_format == zarr_format


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("consolidated", [(), ("",), ("a",), ("a", "")])
def test_what_was_consolidated_is_so_again_and_tells_of_the_change(
    zarr_format: int, consolidated: tuple[str, ...], tmp_path: Path
) -> None:
    path = store(tmp_path / "s.zarr", zarr_format, *consolidated)
    with changed_hierarchy(path, path / "a" / "b"):
        assert not is_consolidated(path)
        assert not is_consolidated(path / "a")
        replace(path, [7, 8, 9], 3)
    assert [is_consolidated(path), is_consolidated(path / "a")] == ["" in consolidated, "a" in consolidated]
    root = zarr.open_group(path, mode="r")
    assert root["a/b"][:].tolist() == [7, 8, 9]
    assert root["a"].attrs["names"] == ["b"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.zarr"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_failure_leaves_what_was_there_consolidated(zarr_format: int, tmp_path: Path) -> None:
    path = store(tmp_path / "s.zarr", zarr_format, "")
    with pytest.raises(ZeroDivisionError), changed_hierarchy(path, path / "a" / "b"):
        raise ZeroDivisionError
    assert is_consolidated(path)
    assert zarr.open_group(path, mode="r")["a/b"][:].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_after_a_kill_the_change_of_another_node_consolidates_again(zarr_format: int, tmp_path: Path) -> None:
    path = store(tmp_path / "s.zarr", zarr_format, "a", "")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert not is_consolidated(path)
    with changed_hierarchy(path, path / "c"):
        zarr.open_group(path, mode="r+", use_consolidated=False).create_array("c", data=np.ones(2))
    assert is_consolidated(path)
    assert is_consolidated(path / "a")
    assert zarr.open_group(path, mode="r")["c"][:].tolist() == [1, 1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.zarr"]


def test_the_root_is_the_outermost_group_across_small_gaps(tmp_path: Path) -> None:
    path = store(tmp_path / "s.zarr", 3)
    assert root_of(path / "a" / "b") == path
    assert root_of(path / "labels" / "cells") == path
    assert root_of(path / "x" / "y" / "z" / "cells") is None
    assert root_of(tmp_path) is None


def test_metadata_that_is_larger_than_any_is_refused_unread(tmp_path: Path) -> None:
    root = store(tmp_path / "a.zarr", 3)
    with (root / "zarr.json").open("wb") as file:
        file.truncate(8 * 2**30)
    with pytest.raises(NotReadable, match="metadata has at most"), changed_hierarchy(root, root / "a" / "b"):
        pass


@pytest.mark.parametrize("name", ["zarr.json", "inner/.zattrs", "inner/below/.zgroup"])
def test_a_pipe_among_metadata_that_is_to_be_consolidated_is_refused_before_the_change(
    name: str, tmp_path: Path
) -> None:
    root = store(tmp_path / "a.zarr", 3)
    zarr.open_group(root, mode="r+").create_group("other/inner/below")
    with pytest.warns(UserWarning, match="Consolidated"):
        zarr.consolidate_metadata(root)
    file = root / "other" / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(NotReadable, match="is a pipe"), changed_hierarchy(root, root / "a" / "b"):
        replace(root, [1], 1)
    assert is_consolidated(root)
    assert zarr.open_array(root / "a" / "b", mode="r").shape == (4,)
