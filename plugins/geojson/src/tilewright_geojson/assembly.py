"""Whole objects out of blocks: an object is given out once the last block that it reaches into has been read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .outlines import Edges, Keys, Rings, Tracer

__all__ = ["Block", "objects"]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A part of a plane: where its first pixel is, and how to read it."""

    y: int
    x: int
    read: Callable[[], NDArray[Any]]


def objects(blocks: Iterable[Block], width: int) -> Iterator[Rings]:
    """The outlines of all objects of a plane of that width, each once and whole.

    Blocks are read twice: first to know which objects reach into several. In memory are one block, an entry for each
    object, and the edges of objects that are not complete yet: of about one row of blocks, and of very large objects.
    """
    blocks = list(blocks)
    waiting = _Waiting(*_spread_out(blocks))
    tracer = Tracer(width=width)
    for block in blocks:
        labels = block.read()
        if not labels.any():
            continue
        edges = tracer.edges(labels, block.y, block.x)
        apart = waiting.concerns(edges.ids)
        yield from tracer.rings(Edges(keys=edges.keys[~apart], ids=edges.ids[~apart]))
        for number, keys in waiting.completed(edges.keys[apart], edges.ids[apart]):
            whole = tracer.joined(keys)
            yield from tracer.rings(Edges(keys=whole, ids=np.full(len(whole), number)))


def _spread_out(blocks: Iterable[Block]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The objects that reach into several blocks, and into how many."""
    found = [np.unique(block.read()) for block in blocks]
    ids, counts = np.unique(np.concatenate(found), return_counts=True) if found else (np.zeros(0), np.zeros(0))
    several = (counts > 1) & (ids != 0)
    return ids[several], counts[several]


@dataclass
class _Waiting:
    """Edges of the objects that reach into several blocks, and how many blocks are still to come."""

    ids: NDArray[Any]
    counts: NDArray[Any]
    edges: dict[int, list[Keys]] = field(default_factory=dict)

    def concerns(self, ids: NDArray[Any]) -> NDArray[np.bool_]:
        if not len(self.ids):
            return np.zeros(len(ids), bool)
        concerned: NDArray[np.bool_] = self.ids[self._places(ids)] == ids
        return concerned

    def completed(self, keys: Keys, ids: NDArray[Any]) -> Iterator[tuple[int, Keys]]:
        """Take in the edges of a block, and give out all edges of the objects that no later block has."""
        if not len(ids):
            return
        order = np.argsort(ids, kind="stable")
        keys, ids = keys[order], ids[order]
        present, starts = np.unique(ids, return_index=True)
        places = self._places(present)
        self.counts[places] -= 1
        left = self.counts[places].tolist()
        for number, part, blocks in zip(present.tolist(), np.split(keys, starts[1:]), left, strict=True):
            parts = self.edges.setdefault(number, [])
            parts.append(part.copy())
            if not blocks:
                yield number, np.concatenate(self.edges.pop(number))

    def _places(self, ids: NDArray[Any]) -> NDArray[np.intp]:
        return np.searchsorted(self.ids, ids).clip(max=max(0, len(self.ids) - 1))
