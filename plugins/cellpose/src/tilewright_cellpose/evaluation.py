"""What Cellpose's network says of patches, and the labels of a tile from that, by whichever Cellpose is installed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Placement, fit_into_memory
from tilewright.abc import Maps, Window, lengths, relative

from . import weights
from .masks import masks
from .normalization import normalized
from .options import Options
from .scaling import scaled

__all__ = ["CELLPROB", "FLOWS", "decoded", "predicted", "summed"]

FLOWS, CELLPROB = "flows", "cellprob"

_GPU = threading.Lock()


def predicted(windows: Sequence[Window], plane: str, options: Options) -> list[dict[str, NDArray[np.float32]]]:
    """What the network says of patches that lie along two axes: flows along these, and the score of being a cell."""
    given = np.stack([_seen(window, options) for window in windows])
    size = given.shape[2:]
    patches = given.reshape(
        *given.shape[:2], *(n for n, axis in zip(size, options.space, strict=True) if axis in plane)
    )
    model = weights.loaded(options.model, options.gpu, options.digest)

    def forward(batch: int) -> NDArray[np.float32]:
        return np.concatenate([_forward(model, patches[i : i + batch]) for i in range(0, len(patches), batch)])

    with _alone(model.device):
        said = fit_into_memory(forward, len(patches))[:, -3:].reshape(len(patches), 3, *size)
    return [{FLOWS: each[:2], CELLPROB: each[2:]} for each in said]


def decoded(maps: Sequence[Maps], place: Placement, options: Options) -> NDArray[Any]:
    """The labels of a tile, from what was said of it in the planes of one direction or, in a volume, of three."""
    said, device = summed(maps, place, options), weights.device(options.gpu)
    with _alone(device):
        return fit_into_memory(lambda _: masks(said, place, options, device), 1)


def summed(maps: Sequence[Maps], place: Placement, options: Options) -> NDArray[np.float32]:
    """Flows along the axes of a tile and the score of being a cell, summed over the directions, at the image's size."""
    said = np.zeros((len(options.space) + 1, *lengths(maps[0].region)), np.float32)
    for each, plane in zip(maps, options.planes, strict=True):
        said[[options.space.index(axis) for axis in plane]] += each[FLOWS]
        said[-1] += each[CELLPROB][0]
    said, part = scaled(said, maps[0].region, options.resized(place.shape), place.shape)
    return np.ascontiguousarray(said[(slice(None), *relative(place.region, part))])


def _seen(window: Window, options: Options) -> NDArray[np.float32]:
    """What the network sees of a patch: brightness on its scale, resized as the whole image would be, then zeros."""
    size = options.resized(window.shape)
    pixels, part = scaled(normalized(window.pixels, options.ranges or ()), window.region, window.shape, size)
    inside = tuple(slice(max(0, each.start), min(n, each.stop)) for each, n in zip(window.span, size, strict=True))
    seen = window.padded(pixels[(slice(None), *relative(inside, part))])
    missing = 0 if weights.newer() else weights.most_channels() - len(seen)
    return np.pad(seen, [(0, missing)] + [(0, 0)] * (seen.ndim - 1))


def _alone(device: Any) -> contextlib.AbstractContextManager[Any]:
    """Lets one thread at a time use a GPU, whose memory is counted for one."""
    return contextlib.nullcontext() if device.type == "cpu" else _GPU


def _forward(model: Any, patches: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    model.net.eval()
    with torch.no_grad():
        given = torch.from_numpy(patches).to(model.device, next(model.net.parameters()).dtype)
        said: NDArray[np.float32] = model.net(given)[0].float().cpu().numpy()
    return said
