"""How much memory the network takes, and a tile, so that batches and tiles can be chosen for it."""

from __future__ import annotations

import math

from .options import Options
from .weights import device, free, newer

__all__ = ["batch", "needed"]

MIB = 2**20

# Measured with networks of the shipped widths (`benchmarks/memory.py --standard`), rounded up.
PATCH = {True: 260 * MIB, False: 76 * MIB}  # by generation: what the network holds of one patch, on its way through
PIXEL = 260  # of a plane: the blended patches, the flows, the steps along them, the masks
USUAL, MOST = 8, 64  # patches: Cellpose's own batch, and one that keeps the largest GPU busy
VOXEL = 200  # of a volume, whose planes go through one by one


def batch(options: Options) -> int:
    """Patches that go through the network at a time: on a GPU as many as half of its free memory holds."""
    if options.batch_size != "auto":
        return options.batch_size
    memory = free(device(options.gpu))
    return USUAL if memory is None else max(1, min(MOST, memory // 2 // PATCH[newer()]))


def needed(options: Options, shape: tuple[int, ...]) -> int:
    """Bytes beside the weights for a batch of patches and the labels of a tile of a shape.

    A batch that is chosen by the free memory counts as one of the usual size.
    """
    patches = USUAL if options.batch_size == "auto" else options.batch_size
    voxels = math.prod(shape) * (VOXEL if options.do_3D else PIXEL) * max(1.0, options.scale**2)
    return int(voxels + patches * PATCH[newer()])
