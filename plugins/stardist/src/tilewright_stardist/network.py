"""A StarDist network in memory: loaded once in each process, called by one thread at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import fit_into_memory
from tilewright.errors import NotReadable

from .folders import axes_of, channels_of, digest_of, folder_of
from .library import kinds, quiet

__all__ = ["Network", "network"]

LEAST = 32  # pixels along an axis, of the parts in which a tile goes through the network when memory runs out


class Network:
    """A loaded model.

    axes: what it is handed, `yx`, `zyx`, `cyx` or `czyx`; spatial: those without `c`.
    field: by axis, how far its receptive field reaches to one side; stride: by axis, what it downsamples by.
    """

    def __init__(self, folder: Path) -> None:
        self.axes = axes_of(folder)
        self.spatial = self.axes.replace("c", "")
        self.channels = channels_of(folder)
        self.model: Any = kinds()[len(self.spatial)](None, name=folder.name, basedir=str(folder.parent))
        self._using = threading.Lock()
        asked = self.spatial.upper()  # StarDist finds the receptive field by running the network
        self.field = dict(zip(self.spatial, map(int, self.model._axes_tile_overlap(asked)), strict=True))
        self.stride = dict(zip(self.spatial, map(int, self.model._axes_div_by(asked)), strict=True))

    def instances(self, pixels: NDArray[np.float32], prob: float | None, nms: float | None) -> NDArray[np.int32]:
        """The labels of normalised pixels, which have this network's axes."""

        lengths = [1 if axis == "c" else length for axis, length in zip(self.axes, pixels.shape, strict=False)]

        def predicted(side: int) -> NDArray[np.int32]:
            parts = tuple(max(1, round(length / side)) for length in lengths)
            labels: NDArray[np.int32] = self.model.predict_instances(
                pixels,
                axes=self.axes.upper(),
                prob_thresh=prob,
                nms_thresh=nms,
                n_tiles=parts if max(parts) > 1 else None,
                show_tile_progress=False,
            )[0]
            return labels

        with self._using:
            return fit_into_memory(predicted, max(lengths), least=LEAST)


_LOADED: dict[tuple[str, str], Network] = {}
_LOADING = threading.Lock()
KEPT = 4  # networks in memory: whoever trains and tries in turn would otherwise keep all


def network(model: str, digest: str = "") -> Network:
    """The network of a model, the same one for every call in a process while its files are the same.

    NotReadable if they are not those that the digest stands for: tiles of two networks would be mixed.
    """
    with _LOADING:
        if (model, digest) in _LOADED:
            return _LOADED[model, digest]
        folder = folder_of(model)
        found = digest_of(folder)
        if digest and found != digest:
            raise NotReadable(
                f"the model in {folder} is not the one that the run began with ({digest}, now {found}); put that one "
                "back, or start anew (--no-resume)"
            )
        if (model, found) not in _LOADED:
            with quiet():
                _LOADED[model, found] = Network(folder)
            for old in list(_LOADED)[:-KEPT]:
                del _LOADED[old]
        return _LOADED[model, found]
