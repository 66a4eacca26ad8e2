"""Measure arrays in memory block by block, as a run does: what blocks say of parts goes together, and is finished."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tilewright.abc import Block, Facts, Placement, Rows, merged

__all__ = ["facts_of", "measured"]


def facts_of(labels, image=None, *, spacing=None, units=None, channels=None) -> Facts:
    """The facts of labels and an image (c, *shape). Channels are called 0, 1, … unless they have names."""
    d = labels.ndim
    names = () if image is None else tuple(channels or map(str, range(len(image))))
    return Facts(
        axes="zyx"[-d:],
        shape=labels.shape,
        spacing=tuple(spacing or (1.0,) * d),
        units=tuple(units or ("",) * d),
        channels=names,
        dtype=None if image is None else image.dtype,
    )


def measured(measurer, labels, image=None, *, tile, given=None, threads=1, **facts) -> Mapping[str, Any]:
    """The columns of a partial measurer in tiles of a length or a shape, and `label`, ascending by it."""
    said = facts_of(labels, image, **facts)
    ids = np.unique(labels)
    ids = ids[ids > 0].astype(np.uint64)
    return {"label": ids, **_columns(measurer, labels, image, tile, given or {}, threads, said, ids)}


def _columns(measurer, labels, image, tile, given, threads, facts, ids):
    before = getattr(measurer, "after", None)
    known = {} if before is None else _columns(before, labels, image, tile, given, threads, facts, ids)
    quantities = measurer.quantities(facts)
    with ThreadPoolExecutor(threads) as pool:
        blocks = _blocks(labels, image, tile, given, getattr(measurer, "halo", 0), facts, ids, known)
        parts = list(pool.map(lambda each: (each[0], measurer.partial(each[1])), blocks))
    for _, part in parts:
        assert set(part) == set(quantities)
    whole = {
        name: merged(quantity, [(index, part[name]) for index, part in parts], len(ids))
        for name, quantity in quantities.items()
    }
    columns = measurer.finish({**known, **whole}, facts)
    assert list(columns) == list(measurer.columns(facts))
    for name, column in measurer.columns(facts).items():
        assert columns[name].dtype == column.dtype, name
        assert columns[name].shape == ids.shape, name
    return columns


def _blocks(labels, image, tile, given, halo, facts, ids, known) -> Iterator[tuple[Any, Block]]:
    """Each block with the places of its objects among all."""
    lengths = (tile,) * labels.ndim if isinstance(tile, int) else tile
    for start in itertools.product(*map(range, itertools.repeat(0), labels.shape, lengths)):
        region, core = [], []
        for low, step, size in zip(start, lengths, labels.shape, strict=True):
            high = min(low + step, size)
            region.append(slice(max(0, low - halo), min(size, high + halo)))
            core.append(slice(low - region[-1].start, high - region[-1].start))
        part = labels[tuple(region)]
        own = np.unique(part[tuple(core)])
        index = np.searchsorted(ids, own[own > 0])
        yield (
            index,
            Block.of(
                part,
                core=tuple(core),
                place=Placement(axes=facts.axes, region=tuple(region), shape=labels.shape),
                facts=facts,
                pixels=None if image is None else image[:, *region],
                given={name: each[tuple(region)].astype(np.uint64) for name, each in given.items()},
                known={name: column[index] for name, column in known.items()},
            ),
        )


def rows_are_sorted(rows: Rows) -> bool:
    return bool((np.diff(rows.of) >= 0).all())
