"""From what the network says to objects: each pixel follows the flows, and those that end together are one object.

C. Stringer et al., "Cellpose: a generalist algorithm for cellular segmentation", Nature Methods 18, 2021. The steps are
Cellpose's own, but for the one that follows the flows: with PyTorch it takes the flow not where a pixel is but up to
half a pixel aside, by where in the array the pixel lies. In a tile that is the place in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Region

from .options import Options
from .weights import newer

__all__ = ["masks"]

STEPS = 200  # along the flows, for objects of the size that the network knows
STRETCH = 5.0  # by which the network's flows are longer than a step
LEAST = 2  # pixels along each axis, which Cellpose's functions ask for
LARGEST = 1.0  # share of the array that one object may be: what is most of a small tile is little of the image


def masks(said: NDArray[np.float32], part: Region, shape: Sequence[int], options: Options, device: Any) -> NDArray[Any]:
    """The labels of a part of a plane.

    said: flows along y and x and the score of being a cell, (3, y, x). shape: of the whole plane.
    """
    from cellpose import dynamics, utils

    height, width = said.shape[1:]
    said = np.pad(said, [(0, 0)] + [(0, max(0, LEAST - n)) for n in (height, width)])
    inside = said[2] > options.cellprob_threshold
    places = np.nonzero(inside)
    if not len(places[0]):
        return np.zeros((height, width), np.uint16)
    flows, steps = said[:2] * inside / STRETCH, options.niter or int(STEPS / options.scale)
    if newer() or device.type != "cpu":
        ends = _followed(flows, places, steps, part, shape, device)
    else:
        ends = _tensor(dynamics.follow_flows(flows, inds=places, niter=steps, device=device))
    ends = ends.cpu() if device.type == "mps" else ends  # as Cellpose has it
    found = dynamics.get_masks_torch(ends, places, said.shape[1:], max_size_fraction=LARGEST)
    if options.flow_threshold > 0 and found.any():
        found = dynamics.remove_bad_flow_masks(found, said[:2], threshold=options.flow_threshold, device=device)
    filled: NDArray[Any] = utils.fill_holes_and_remove_small_masks(found, min_size=0)  # the run drops small ones
    return filled[:height, :width]


def _tensor(ends: Any) -> Any:
    import torch

    return torch.as_tensor(ends).int()


def _followed(
    flows: NDArray[np.float32],
    places: tuple[NDArray[Any], ...],
    steps: int,
    part: Region,
    shape: Sequence[int],
    device: Any,
) -> Any:
    """Where in the part each pixel ends, a tensor (2, n) of whole numbers.

    Pixels have the coordinates that `cellpose.dynamics.steps_interp` would give them in the whole plane, from -1 to 1.
    """
    import torch

    xy = (1, 0)  # the order of coordinates in PyTorch
    whole = torch.tensor([max(1, shape[axis] - 1) for axis in xy], dtype=torch.float32, device=device)
    first = torch.tensor([part[axis].start for axis in xy], dtype=torch.float32, device=device)
    image = torch.from_numpy(flows[::-1].copy())[None].to(device) * (2 / whole)[:, None, None]
    at = torch.from_numpy(np.stack([places[axis] for axis in xy], -1)).to(device, torch.float32)
    at = (at + first) / whole * 2 - 1
    begin = 2 * first / torch.tensor([shape[axis] for axis in xy], device=device) - 1
    stretch = torch.tensor([shape[axis] / flows.shape[1 + axis] for axis in xy], dtype=torch.float32, device=device)
    for _ in range(steps):
        seen = (at - begin) * stretch - 1  # as grid_sample counts in the part
        moved = torch.nn.functional.grid_sample(image, seen[None, None], align_corners=False)
        at = (at + moved[0, :, 0].T).clamp_(-1, 1)
    return ((at + 1) * 0.5 * whole - first).int().T.flip(0)
