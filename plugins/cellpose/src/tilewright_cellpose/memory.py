"""How much memory a call takes, so that tiles can be chosen for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import patches
from .options import Options
from .weights import newer

__all__ = ["needed"]

MIB = 2**20

# Measured with networks of the shipped widths (`benchmarks/memory.py --standard`), rounded up.
PATCH = {True: 260 * MIB, False: 76 * MIB}  # by generation: what the network holds of one patch, on its way through
PIXEL = 260  # of a plane: the blended patches, the flows, the steps along them, the masks
VOXEL = 200  # of a volume, whose planes go through one by one


def needed(options: Options, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes beside the weights for a tile of a shape and dtype, whose last two axes are y and x."""
    scaled = [max(1, math.ceil(n * options.scale)) for n in shape[-2:]]
    count = math.prod(patches.count(n) for n in scaled)
    pixels = math.prod(shape) * (VOXEL if options.do_3D else PIXEL) * max(1.0, options.scale**2)
    return int(pixels + math.prod(shape) * dtype.itemsize + min(count, options.batch_size) * PATCH[newer()])
