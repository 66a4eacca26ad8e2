"""What tells a label image from others: a digest of each block of it, and one of all of these."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..storage.arrays import Array, in_memory

__all__ = ["Content", "block_digest"]


class Content(NamedTuple):
    """The fingerprint of a label image, with the blocks that it was made of.

    Equal labels in equal blocks have equal fingerprints. block: the largest block, in pixels by axis. dtype: of the ids
    whose bytes were digested, which a format may store as another one.
    """

    fingerprint: str
    block: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, digests: Sequence[int], block: Sequence[int], dtype: np.dtype[Any]) -> Content:
        """The content of labels, from the digests of their blocks in raster order."""
        text = repr([tuple(block), str(dtype), *digests])
        return cls(hashlib.blake2b(text.encode(), digest_size=16).hexdigest(), tuple(block), str(dtype))

    @classmethod
    def noted(cls, provenance: Mapping[str, Any]) -> Content | None:
        """The content that the provenance of labels holds; None if it holds none."""
        record = provenance.get("content")
        if not isinstance(record, Mapping) or set(record) != set(cls._fields):
            return None
        return cls(str(record["fingerprint"]), tuple(record["block"]), str(record["dtype"]))

    def is_of(self, labels: Array) -> bool:
        """Whether these are the labels, which are read block by block."""
        if len(self.block) != len(labels.shape):
            return False
        starts = [range(0, n, max(1, step)) for n, step in zip(labels.shape, self.block, strict=True)]
        digests = []
        for at in itertools.product(*starts):
            ends = zip(at, self.block, labels.shape, strict=True)
            region = tuple(slice(start, min(start + step, n)) for start, step, n in ends)
            digests.append(block_digest(in_memory(labels[region]).astype(self.dtype)))
        return self == Content.of(digests, self.block, np.dtype(self.dtype))


def block_digest(labels: NDArray[Any] | None) -> int:
    """A number that changes with the labels of a block; 0 for a block without objects, which may be None."""
    return 0 if labels is None or not labels.any() else zlib.crc32(np.ascontiguousarray(labels).data) + 1
