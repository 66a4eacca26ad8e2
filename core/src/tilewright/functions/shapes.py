"""How large tiles and halos should be: `auto_overlap`, `auto_tile_shape` and `auto_tile_shape_cellpose`."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..components.options import checked_arguments
from ..components.quantities import real_number, whole_number
from ..errors import InvalidOption
from ..storage.machine import cpus
from .memory import available_memory as memory_left
from .memory import gpu_memory as gpu_left

__all__ = ["TARGET_BYTES", "auto_overlap", "auto_tile_shape", "auto_tile_shape_cellpose"]

logger = logging.getLogger("tilewright")

TARGET_BYTES = 64 * 2**20
COPIES = (
    4  # of a tile's pixels in one worker's hands: the tile, what the function makes of it, its labels twice as wide
)
MOST_SPATIAL = 3


@checked_arguments
def auto_overlap(diameter: float, safety: float = 1.0) -> int:
    """The halo in pixels for objects of a diameter: one object, `safety` times, rounded up and at least 1.

    >>> auto_overlap(30), auto_overlap(10, safety=1.1), auto_overlap(0.2)
    (30, 11, 1)
    """
    for what, value in (("diameter", diameter), ("safety", safety)):
        if not 0 < real_number(what, value) < math.inf:
            raise InvalidOption(f"{what} must be a positive number, not {value!r}")
    return max(1, math.ceil(round(diameter * safety, 9)))  # 10 * 1.1 is a hair above 11


@checked_arguments
def auto_tile_shape(
    shape: Sequence[int],
    dtype: Any,
    target_bytes: int = TARGET_BYTES,
    use_gpu: bool = False,
    gpu_memory: int | None = None,
    available_memory: int | None = None,
    n_workers: int | None = None,
    verbose: bool = False,
) -> tuple[int, ...]:
    """A tile shape near to a cube whose pixels take at most `target_bytes`, and never more than the memory allows.

    The last three axes are cut; those before (`t`, `c`) get length 1. A worker may take its share of the memory for
    four tiles' pixels, or with `use_gpu` one tile may take half of the GPU's. Memory that is not given is asked for:
    what is free within the limits of control groups and SLURM, rounded down to a power of two, so that a repeated run
    finds the same tiles. Without a GPU that can be asked, `use_gpu` goes by the machine's memory.

    InvalidOption if a single pixel is more than that.

    >>> auto_tile_shape((128, 2048, 2048), "uint16", available_memory=2**34, n_workers=2)
    (128, 512, 512)
    >>> auto_tile_shape((3, 2, 128, 2048, 2048), "uint16", target_bytes=2**20, available_memory=2**34, n_workers=2)
    (1, 1, 80, 80, 81)
    """
    shape, itemsize = _lengths(shape), np.dtype(dtype).itemsize
    whole_number("target_bytes", target_bytes, least=1)
    memory = _memory(use_gpu, gpu_memory, available_memory)
    share = memory // 2 if use_gpu and memory else memory // (COPIES * _workers(n_workers))
    voxels = min(target_bytes, share) // itemsize
    if not voxels:
        raise InvalidOption(
            f"a pixel of {itemsize} bytes is more than the {min(target_bytes, share)} bytes that a tile may take, by "
            f"target_bytes {target_bytes} and memory {memory}; give more, or fewer workers"
        )
    split = max(0, len(shape) - MOST_SPATIAL)
    tile = (1,) * split + _cube(shape[split:], voxels)
    if verbose:
        logger.info("tiles of %s for %s %s: %d bytes", tile, shape, np.dtype(dtype), math.prod(tile) * itemsize)
    return tile


@checked_arguments
def auto_tile_shape_cellpose(
    shape: Sequence[int],
    dtype: Any,
    diameter: float | None = None,
    do_3D: bool = False,  # noqa: N803 - Cellpose's own spelling
    use_gpu: bool = False,
    gpu_memory: int | None = None,
    available_memory: int | None = None,
    n_workers: int | None = None,
    model_memory_bytes: int = 2 * 2**30,
    cellpose_memory_factor: int = 20,
    verbose: bool = False,
) -> tuple[int, ...]:
    """A tile shape for Cellpose: single planes, or with `do_3D` the whole of z, as wide as the memory allows.

    Cellpose takes `cellpose_memory_factor` times a tile's pixels (three times that in 3-D) besides its model, which
    the workers of a process share. A tile is at least four diameters wide, whatever the memory.

    InvalidOption if the model leaves nothing of the memory.

    >>> auto_tile_shape_cellpose((128, 2048, 2048), "uint16", diameter=30, available_memory=2**33, n_workers=2)
    (1, 2048, 2048)
    >>> auto_tile_shape_cellpose((128, 2048, 2048), "uint16", do_3D=True, available_memory=2**33, n_workers=2)
    (128, 457, 458)
    """
    shape, itemsize = _lengths(shape), np.dtype(dtype).itemsize
    whole_number("cellpose_memory_factor", cellpose_memory_factor, least=1)
    if diameter is not None:
        auto_overlap(diameter)  # which refuses what is no diameter
    memory = _memory(use_gpu, gpu_memory, available_memory)
    usable = memory - model_memory_bytes
    if usable <= 0:
        raise InvalidOption(
            f"the model takes {model_memory_bytes} bytes, which leaves nothing of {memory}; "
            "give model_memory_bytes if it takes less, or more memory"
        )
    depth = shape[-3] if do_3D and len(shape) >= MOST_SPATIAL else 1
    orientations = 3 if do_3D and len(shape) >= MOST_SPATIAL else 1
    workers = 1 if use_gpu else _workers(n_workers)
    pixels = usable // (workers * cellpose_memory_factor * orientations * depth * itemsize)
    least = 1 if diameter is None else math.ceil(4 * diameter)
    plane = (min(n, max(side, least)) for n, side in zip(shape[-2:], _cube(shape[-2:], max(1, pixels)), strict=True))
    tile = ((1,) * (len(shape) - 3) + (depth,) if len(shape) >= MOST_SPATIAL else ()) + tuple(plane)
    if verbose:
        logger.info("Cellpose tiles of %s for %s %s, %d bytes usable", tile, shape, np.dtype(dtype), usable)
    return tile


def _cube(lengths: Sequence[int], voxels: int) -> tuple[int, ...]:
    """Lengths as equal as can be whose product is at most `voxels`: the shortest axis takes what it can first."""
    cube, left = list(lengths), voxels
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    for position, i in enumerate(order):
        cube[i] = max(1, min(lengths[i], _root(left, len(order) - position)))
        left //= cube[i]
    return tuple(cube)


def _root(value: int, degree: int) -> int:
    """The largest whole number whose power is at most the value."""
    root = round(math.pow(value, 1 / degree))
    return root if root**degree <= value else root - 1


def _memory(use_gpu: bool, gpu: int | None, host: int | None) -> int:
    if use_gpu and gpu is None:
        gpu = gpu_left()
        if gpu is None:
            logger.warning("no GPU tells its memory, so tiles are sized for this machine's")
    found = gpu if use_gpu and gpu is not None else host
    if found is None:
        return 1 << (memory_left().bit_length() - 1)
    return whole_number("memory", found, least=1)


def _workers(said: int | None) -> int:
    return cpus() if said is None else whole_number("n_workers", said, least=1)


def _lengths(shape: Sequence[int]) -> tuple[int, ...]:
    if not len(shape) or min(shape) < 1:
        raise InvalidOption(f"shape {tuple(shape)} must have positive lengths")
    return tuple(int(length) for length in shape)
