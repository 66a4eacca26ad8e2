"""Tile shapes keep what they promise about memory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import auto_overlap, auto_tile_shape, auto_tile_shape_cellpose
from tilewright.functions.memory import available_memory

MIB = 2**20


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    st.sampled_from(["u1", "u2", "f4", "f8"]),
    st.integers(8, 2**31),
    st.integers(2**10, 2**40),
    st.integers(1, 64),
)
def test_a_tile_is_never_more_than_asked_for(
    shape: list[int], dtype: str, target: int, memory: int, workers: int
) -> None:  # F22
    itemsize = np.dtype(dtype).itemsize
    share = memory // (4 * workers)
    if share < itemsize:
        with pytest.raises(ValueError, match="is more than the"):
            auto_tile_shape(shape, dtype, target_bytes=target, available_memory=memory, n_workers=workers)
        return
    tile = auto_tile_shape(shape, dtype, target_bytes=target, available_memory=memory, n_workers=workers)
    assert math.prod(tile) * itemsize <= min(target, share)
    assert len(tile) == len(shape)
    assert all(1 <= t <= n for t, n in zip(tile, shape, strict=True))
    assert set(tile[:-3]) <= {1}
    room = [i for i, n in enumerate(shape) if i >= len(shape) - 3 and tile[i] < n]
    assert all((math.prod(tile) // tile[i]) * (2 * tile[i] + 2) * itemsize > min(target, share) for i in room), (
        "half full"
    )


def test_one_mebibyte_is_kept() -> None:  # F22
    tile = auto_tile_shape((1000, 4000, 4000), "uint16", target_bytes=MIB)
    assert MIB / 2 < math.prod(tile) * 2 <= MIB
    assert max(tile) - min(tile) <= 1, "near to a cube"


def test_a_flat_axis_is_taken_whole_and_the_others_take_the_rest() -> None:
    assert auto_tile_shape((4, 9000, 9000), "u1", target_bytes=4 * 100**2, available_memory=2**34) == (4, 100, 100)


def test_the_gpu_s_memory_counts_if_given_and_the_ceiling_stays() -> None:
    assert auto_tile_shape((4096, 4096), "u1", use_gpu=True, gpu_memory=2 * MIB) == (1024, 1024)
    assert auto_tile_shape((2**14, 2**14), "u1", use_gpu=True, gpu_memory=2**40) == (8192, 8192)


def test_use_gpu_without_a_gpu_goes_by_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.functions.shapes.gpu_left", lambda: None)
    assert len(auto_tile_shape((64, 4096, 4096), "u2", use_gpu=True)) == 3


def test_cellpose_tiles_are_planes_or_the_whole_of_z() -> None:
    memory = 4 * 2**30
    flat = auto_tile_shape_cellpose((3, 2, 60, 9000, 9000), "u2", available_memory=memory, n_workers=1)
    deep = auto_tile_shape_cellpose((60, 9000, 9000), "u2", do_3D=True, available_memory=memory, n_workers=1)
    assert flat[:3] == (1, 1, 1)
    assert 0.9 < math.prod(flat) * 2 * 20 / (memory - 2 * 2**30) <= 1
    assert deep[0] == 60
    assert 0.9 < math.prod(deep) * 2 * 20 * 3 / (memory - 2 * 2**30) <= 1
    assert auto_tile_shape_cellpose((500, 700), "u2", available_memory=memory) == (500, 700)


def test_cellpose_tiles_show_four_diameters_whatever_the_memory() -> None:
    tile = auto_tile_shape_cellpose((9, 5000, 5000), "u2", diameter=30, available_memory=2**31 + MIB, n_workers=4)
    assert tile == (1, 120, 120)


@pytest.mark.parametrize(("diameter", "safety", "halo"), [(30, 1, 30), (30.2, 1, 31), (10, 1.1, 11), (20, 1.5, 30)])
def test_the_halo_is_an_object_wide(diameter: float, safety: float, halo: int) -> None:
    assert auto_overlap(diameter, safety) == halo


def _machine(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": cgroup, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_a_control_group_s_limit_is_known_less_what_is_used_but_not_for_a_cache(tmp_path: Path) -> None:
    root = _machine(
        tmp_path,
        "0::/user/job",
        {
            "sys/fs/cgroup/user/job/memory.max": "max",
            "sys/fs/cgroup/user/memory.max": str(100 * MIB),
            "sys/fs/cgroup/user/memory.current": str(70 * MIB),
            "sys/fs/cgroup/user/memory.stat": f"anon 5\ninactive_file {20 * MIB}",
        },
    )
    assert available_memory(root, {}) == 50 * MIB


def test_a_control_group_of_the_first_version_is_known(tmp_path: Path) -> None:
    root = _machine(
        tmp_path,
        "3:cpu,cpuacct:/other\n4:memory:/docker/1",
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
            "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": str(64 * MIB),
            "sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes": str(4 * MIB),
        },
    )
    assert available_memory(root, {}) == 60 * MIB


@pytest.mark.parametrize(
    "job",
    [{"SLURM_MEM_PER_NODE": "1024"}, {"SLURM_MEM_PER_CPU": "256", "SLURM_CPUS_ON_NODE": "4"}],
    ids=["node", "cpu"],
)
def test_a_slurm_job_s_memory_is_known(tmp_path: Path, job: dict[str, str]) -> None:
    assert 0 < available_memory(tmp_path, job) < 1024 * MIB
    assert available_memory(tmp_path, {"SLURM_MEM_PER_NODE": "0"}) > 0
