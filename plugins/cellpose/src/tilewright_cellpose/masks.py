"""From what the network says to objects: each pixel follows the flows, and those that end together are one object.

C. Stringer et al., "Cellpose: a generalist algorithm for cellular segmentation", Nature Methods 18, 2021. The steps are
Cellpose's own, but for two. The one that follows the flows: with PyTorch it takes the flow not where a pixel is but up
to half a pixel aside, by where in the array the pixel lies. In a tile that is the place in the image. And Cellpose 4's
check of flows (`flow_errors`), which depends on the largest object of the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Placement
from tilewright.abc import relative

from .flow_errors import flow_errors
from .options import Options
from .weights import newer

__all__ = ["masks"]

STEPS = 200  # along the flows, for objects of the size that the network knows
STRETCH = 5.0  # by which the network's flows are longer than a step
LEAST = 2  # pixels along each axis, which Cellpose's functions ask for
LARGEST = 1.0  # share of the array that one object may be: what is most of a small tile is little of the image


def masks(said: NDArray[np.float32], place: Placement, options: Options, device: Any) -> NDArray[Any]:
    """The labels of a tile: of the objects with pixels in its core, since all others are in the core of another tile.

    said: flows along the axes and the score of being a cell, (3, y, x) or (4, z, y, x).
    """
    from cellpose import dynamics, utils

    shape = said.shape[1:]
    said = np.pad(said, [(0, 0)] + [(0, max(0, LEAST - n)) for n in shape])
    flows = said[:-1]
    if options.do_3D and options.flow3D_smooth > 0:
        flows = ndimage.gaussian_filter(flows, (0, *[options.flow3D_smooth] * 3))
    inside = said[-1] > options.cellprob_threshold
    places = np.nonzero(inside)
    if not len(places[0]):
        return np.zeros(shape, np.uint16)
    ends = _ends(flows * inside / STRETCH, places, options.niter or int(STEPS / options.scale), place, device)
    found = dynamics.get_masks_torch(ends, places, inside.shape, max_size_fraction=LARGEST)
    found = _checked(found, flows, place, options, device)
    filled: NDArray[Any] = utils.fill_holes_and_remove_small_masks(found, min_size=0)  # the run drops small ones
    return filled[tuple(slice(n) for n in shape)]


def _checked(
    found: NDArray[Any], flows: NDArray[np.float32], place: Placement, options: Options, device: Any
) -> NDArray[Any]:
    """The objects with pixels in the tile's core whose shapes fit the flows, numbered from 1."""
    kept = np.zeros(int(found.max()) + 1, np.bool_)
    kept[found[relative(place.core, place.region)]] = True
    kept[0] = False
    check = options.flow_threshold > 0 and not options.do_3D and bool(kept.any())
    if check and newer():
        kept &= flow_errors(found, flows / STRETCH, kept, options.typical, device) <= options.flow_threshold
    found = (np.cumsum(kept) * kept).astype(found.dtype)[found]
    if check and not newer():  # whose check is one of each object for itself, if it is made on a CPU
        import torch
        from cellpose import dynamics

        found = dynamics.remove_bad_flow_masks(found, flows, options.flow_threshold, torch.device("cpu"))
    return found


def _ends(
    flows: NDArray[np.float32], places: tuple[NDArray[Any], ...], steps: int, place: Placement, device: Any
) -> Any:
    """Where in the tile each pixel ends, a tensor (axes, n) of whole numbers."""
    import torch
    from cellpose import dynamics

    if not newer() and device.type == "cpu" and len(places) == 2:  # Cellpose 3 has another way there
        return torch.as_tensor(dynamics.follow_flows(flows, inds=places, niter=steps, device=device)).int()
    ends = _followed(flows, places, steps, place, device)
    return ends.cpu() if device.type == "mps" else ends  # as Cellpose has it


def _followed(
    flows: NDArray[np.float32], places: tuple[NDArray[Any], ...], steps: int, place: Placement, device: Any
) -> Any:
    """Where in the tile each pixel ends, a tensor (axes, n) of whole numbers.

    Pixels have the coordinates that `cellpose.dynamics.steps_interp` would give them in the whole image, from -1 to 1.
    """
    import torch

    count = len(places)
    order = range(count - 1, -1, -1)  # of coordinates in PyTorch: x, y, z
    shape, first = zip(*((place.shape[axis], place.region[axis].start) for axis in order), strict=True)
    spans = torch.tensor([max(1, n - 1) for n in shape], dtype=torch.float32, device=device)
    start = torch.tensor(first, dtype=torch.float32, device=device)
    image = torch.from_numpy(flows[::-1].copy())[None].to(device) * (2 / spans).view(-1, *[1] * count)
    at = torch.from_numpy(np.stack([places[axis] for axis in order], -1)).to(device, torch.float32)
    at = (at + start) / spans * 2 - 1
    begin = 2 * start / torch.tensor(shape, device=device) - 1
    stretch = torch.tensor(
        [n / flows.shape[1 + axis] for n, axis in zip(shape, order, strict=True)], dtype=torch.float32, device=device
    )
    one = (None,) * count
    for _ in range(steps):
        seen = (at - begin) * stretch - 1  # as grid_sample counts in the tile
        moved = torch.nn.functional.grid_sample(image, seen[one], align_corners=False)
        at = (at + moved.reshape(count, -1).T).clamp_(-1, 1)
    return ((at + 1) * 0.5 * spans - start).int().T.flip(0)
