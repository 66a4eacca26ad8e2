"""How much memory the network takes, and a tile, so that tiles can be chosen for it."""

from __future__ import annotations

import math

from .options import Options
from .weights import newer

__all__ = ["needed"]

MIB = 2**20

# Measured with networks of the shipped widths (`benchmarks/memory.py --standard`), rounded up.
PATCH = {True: 260 * MIB, False: 76 * MIB}  # by generation: what the network holds of one patch, on its way through
PIXEL = 260  # of a plane: the blended patches, the flows, the steps along them, the masks
VOXEL = 200  # of a volume, whose planes go through one by one


def needed(options: Options, shape: tuple[int, ...]) -> int:
    """Bytes beside the weights for a batch of patches and the labels of a tile of a shape."""
    voxels = math.prod(shape) * (VOXEL if options.do_3D else PIXEL) * max(1.0, options.scale**2)
    return int(voxels + options.batch_size * PATCH[newer()])
