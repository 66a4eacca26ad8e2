"""The network over a plane, in patches that lie on one lattice in every tile.

Cellpose places its patches by the size of the array that it is given, and what the network says of a pixel depends on
where in its patch the pixel lies: the whole patch is averaged into a style (Cellpose 3) or seen by a transformer with
positions (Cellpose 4). Patches that begin at multiples of one step from the array's first pixel are the same in every
tile that begins at such a multiple.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .weights import newer

__all__ = ["across", "side", "starts", "step"]

SHARED = 64  # pixels that neighbouring patches share, where their results are blended
BEYOND = 8  # pixels of zeros that the last patch sees after the image's end, as in Cellpose's own evaluation


def side() -> int:
    """The side of a patch: what the networks of the installed generation are trained with."""
    return 256 if newer() else 224


def step() -> int:
    """The distance of patches."""
    return side() - SHARED


def starts(length: int) -> list[int]:
    """Where patches begin along an axis.

    The last one reaches over the end, into zeros, if that may be a tile's; an end that is at no multiple of the step
    can only be the image's, and there it ends just after the image, having more of it to see.
    """
    count = max(1, -(-(length - SHARED) // step()))
    lattice = [i * step() for i in range(count)]
    if length % step() and length > side():
        lattice[-1] = min(lattice[-1], length + BEYOND - side())
    return lattice


def across(model: Any, plane: NDArray[np.float32], batch_size: int) -> NDArray[np.float32]:
    """What the network says of a plane (c, y, x): flows along y and x and the score of being a cell, (3, y, x)."""
    from cellpose import transforms

    height, width = plane.shape[1:]
    corners = list(itertools.product(starts(height), starts(width)))
    spans = [[[corner, corner + side()] for corner in along] for along in zip(*corners, strict=True)]
    reach = [max(end for _, end in along) for along in spans]
    grown = np.pad(plane, [(0, 0), (0, reach[0] - height), (0, reach[1] - width)])
    said = [
        _forward(model, np.stack([grown[:, y : y + side(), x : x + side()] for y, x in corners[i : i + batch_size]]))
        for i in range(0, len(corners), batch_size)
    ]
    averaged: NDArray[np.float32] = transforms.average_tiles(np.concatenate(said), *spans, *reach)
    return averaged[-3:, :height, :width]


def _forward(model: Any, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    model.net.eval()
    with torch.no_grad():
        given = torch.from_numpy(patches).to(model.device, next(model.net.parameters()).dtype)
        said: NDArray[np.float32] = model.net(given)[0].float().cpu().numpy()
    return said
