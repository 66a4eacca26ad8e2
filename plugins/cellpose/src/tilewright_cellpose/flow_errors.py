"""How far the network's flows are from those that objects of such shapes would have: Cellpose's check of its objects.

The flows of a shape are the slope of heat that spreads from its middle. Cellpose lets it spread in all objects of an
array for as many steps as the largest one needs, so what it decides on an object depends on which others the array
holds. Here it is as many as an object a quarter wider than the typical one needs, which is near to that in tissue of
nuclei, or an object's own number if that is more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright.abc import lengths

__all__ = ["flow_errors"]

TOGETHER = {"cpu": 2**16, "gpu": 2**22}  # pixels in which heat spreads together: what a CPU's cache holds
WIDE = 1.25  # of the typical diameter
COARSE = 64  # the steps of larger objects are a multiple of it, so that several go together
NEIGHBOURS = 9  # of a pixel, itself included, that share their heat

Box = tuple[slice, ...]


def flow_errors(
    labels: NDArray[Any], flows: NDArray[np.float32], wanted: NDArray[np.bool_], typical: float, device: Any
) -> NDArray[np.float64]:
    """The mean squared error of the flows of each label (y, x), which stand for steps; 0 for one that is not wanted.

    wanted: of each label, with the background. typical: diameter of an object in pixels.
    """
    near = np.unique(labels[ndimage.binary_dilation(wanted[labels])])  # a slope is taken beyond an object's border
    heat = np.zeros([n + 2 for n in labels.shape], np.float32)
    for number, box, spread in _spread(labels, near[near > 0], typical, device):
        inner = tuple(slice(part.start + 1, part.stop + 1) for part in box)
        np.copyto(heat[inner], spread, where=labels[box] == number)
    slope = np.stack([heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]])
    steep = np.sqrt((slope**2).sum(axis=0))
    slope = np.divide(slope, steep, out=np.zeros_like(slope), where=steep > 0)
    error = ((slope - flows) ** 2).sum(axis=0)
    total = np.bincount(labels.ravel(), error.ravel(), len(wanted))
    return np.where(wanted, total / np.maximum(1, np.bincount(labels.ravel(), minlength=len(wanted))), 0)


def _spread(
    labels: NDArray[Any], numbers: NDArray[Any], typical: float, device: Any
) -> Iterator[tuple[int, Box, NDArray[np.float32]]]:
    """Some objects with their boxes and the heat in these."""
    boxes = ndimage.find_objects(labels)
    sizes = {int(n): lengths(boxes[n - 1]) for n in numbers}
    least = _steps([WIDE * typical] * 2)
    steps = {n: max(least, -(-_steps(size) // COARSE) * COARSE) for n, size in sizes.items()}
    left = sorted(sizes, key=lambda n: (steps[n], max(sizes[n])))
    most = TOGETHER["cpu" if device.type == "cpu" else "gpu"]
    while left:
        step, count = steps[left[-1]], max(1, most // max(sizes[left[-1]]) ** 2)
        group = [n for n in left[-count:] if steps[n] == step]
        del left[-len(group) :]
        shapes = [labels[boxes[n - 1]] == n for n in group]
        for number, shape, heat in zip(group, shapes, _heat(shapes, step, device), strict=True):
            yield number, boxes[number - 1], heat[tuple(slice(1, n + 1) for n in shape.shape)]


def _steps(size: Sequence[float]) -> int:
    """How long Cellpose lets heat spread in an object of such a box."""
    return int(2 * (sum(size) + 2))


def _heat(shapes: Sequence[NDArray[np.bool_]], steps: int, device: Any) -> NDArray[np.float32]:
    """The heat of some shapes, (n, y, x), in boxes of one size with a border of a pixel."""
    import torch

    height, width = (max(each.shape[axis] for each in shapes) + 2 for axis in (0, 1))
    share = np.zeros((len(shapes), height, width), np.float32)
    middles = np.empty(len(shapes), np.int64)
    for i, each in enumerate(shapes):
        share[i, 1 : each.shape[0] + 1, 1 : each.shape[1] + 1] = each
        row, column = _middle(each)
        middles[i] = (i * height + row + 1) * width + column + 1
    kept = torch.from_numpy(share[:, 1:-1, 1:-1] / NEIGHBOURS).to(device)
    heat, at = torch.zeros(share.shape, device=device), torch.from_numpy(middles).to(device)
    one, inner = torch.ones(len(shapes), device=device), heat[:, 1:-1, 1:-1]
    for _ in range(steps):
        heat.view(-1).index_add_(0, at, one)
        rows = heat[:, :-2] + heat[:, 1:-1] + heat[:, 2:]
        torch.mul(rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:], kept, out=inner)
    found: NDArray[np.float32] = heat.cpu().numpy()
    return found


def _middle(shape: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The pixel of a shape that is nearest to its centre of mass, as Cellpose rounds it."""
    pixels = np.argwhere(shape)
    centre = np.round(pixels.mean(axis=0))
    nearest: NDArray[np.int64] = pixels[((pixels - centre) ** 2).sum(axis=1).argmin()]
    return nearest
