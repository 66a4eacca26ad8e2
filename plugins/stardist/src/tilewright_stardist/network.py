"""A StarDist network in memory: loaded once in each process, called by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import fit_into_memory
from tilewright.abc import Region, common, lengths, relative
from tilewright.errors import NotReadable

from .folders import axes_of, channels_of, digest_of, folder_of
from .library import kinds, quiet

__all__ = ["Network", "network"]

LEAST = 32  # pixels along an axis, of the parts in which a tile goes through the network when memory runs out


class Network:
    """A loaded model.

    axes: what it is handed, `yx`, `zyx`, `cyx` or `czyx`; spatial: those without `c`.
    field: by axis, how far its receptive field reaches to one side; stride: by axis, what it downsamples by;
    grid: by axis, the pixels from one place of its output to the next.
    """

    def __init__(self, folder: Path) -> None:
        self.axes = axes_of(folder)
        self.spatial = self.axes.replace("c", "")
        self.channels = channels_of(folder)
        self.model: Any = kinds()[len(self.spatial)](None, name=folder.name, basedir=str(folder.parent))
        self._using, self._suppressing = threading.Lock(), threading.Lock()
        asked = self.spatial.upper()  # StarDist finds the receptive field by running the network
        self.field = dict(zip(self.spatial, map(int, self.model._axes_tile_overlap(asked)), strict=True))
        self.stride = dict(zip(self.spatial, map(int, self.model._axes_div_by(asked)), strict=True))
        self.grid = dict(zip(self.spatial, map(int, self.model.config.grid), strict=True))

    def candidates(
        self, pixels: NDArray[np.float32], above: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Candidates in normalised pixels, which have this network's axes, of a probability above a value.

        Returns their probabilities (n,), distances (n, rays) and places (n, axes) in the pixels, at whose border they
        are kept too: it may be a window's.
        """
        lengths = [1 if axis == "c" else length for axis, length in zip(self.axes, pixels.shape, strict=False)]

        def predicted(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
            parts = tuple(max(1, round(length / side)) for length in lengths)
            prob, dist, *_, places = self.model.predict_sparse(  # in between the classes, of a network that knows some
                pixels,
                axes=self.axes.upper(),
                prob_thresh=above,
                n_tiles=parts if max(parts) > 1 else None,
                show_tile_progress=False,
                b=0,
            )
            return prob, dist, places

        with self._using:
            return fit_into_memory(predicted, max(lengths), least=LEAST)

    def labels(
        self,
        region: Region,
        prob: NDArray[np.float32],
        dist: NDArray[np.floating[Any]],
        places: NDArray[np.int32],
        nms: float | None,
    ) -> NDArray[np.int32]:
        """The labels of a region of the image by candidates at some places in it, the suppressed ones left out.

        One tile at a time: StarDist holds Python's lock and takes all cores, and waits at the end of each of its many
        loops for the last core, which another tile would keep busy.
        """
        start = np.array([part.start for part in region])
        with self._suppressing:
            order = np.lexsort((*places.T, prob))
            _, objects = self.model._instances_from_prediction(
                None,
                np.arange(len(order)),  # ranks: StarDist sorts equal probabilities as it happens, by no law
                dist[order].astype(np.float32),
                points=places[order] + start,  # so that float32 rounds the corners alike in every tile
                nms_thresh=nms,
                return_labels=False,
            )
            return self._drawn(objects, region)

    def _drawn(self, objects: Mapping[str, Any], region: Region) -> NDArray[np.int32]:
        """The labels of objects in a region, 1 for the most probable, which lies over the less probable ones."""
        from stardist.geometry import polygons_to_label_coord

        shape, start = lengths(region), np.array([part.start for part in region])
        centres = objects["points"] - start
        order = np.arange(len(centres))[::-1]
        if len(self.spatial) == 2:
            corners = objects["coord"] - start[:, np.newaxis]
            drawn: NDArray[np.int32] = polygons_to_label_coord(corners[order], shape, labels=order)
            return drawn
        labels = np.zeros(shape, np.int32)
        for at in order:
            box, inside = _body(centres[at], objects["dist"][at], objects["rays"])
            seen = common(box, tuple(slice(0, n) for n in shape))
            if seen is not None:
                labels[seen][inside[relative(seen, box)]] = at + 1
        return labels


def _body(centre: NDArray[np.int64], dist: NDArray[np.float32], rays: Any) -> tuple[Region, NDArray[np.bool_]]:
    """The box of an object in 3-D, and what of it is inside, the same wherever it lies.

    In coordinates of the region, float32 would round its corners differently in every tile.
    """
    from stardist.geometry import polyhedron_to_label

    reach = np.ceil(np.abs(dist[:, np.newaxis] * rays.vertices).max(axis=0)).astype(int) + 1
    shape = tuple(map(int, 2 * reach + 1))
    inside = polyhedron_to_label(dist[np.newaxis], reach[np.newaxis], rays, shape, verbose=False) > 0
    return tuple(slice(int(c - r), int(c + r) + 1) for c, r in zip(centre, reach, strict=True)), inside


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
