"""A merger for connected components that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tilewright import Seam, Touch

counter = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Good:
    diagonals: ClassVar[int] = 1

    def __call__(self, seam: Seam) -> Any:
        return Touch()(seam)


class Never(Good):
    def __call__(self, seam: Seam) -> Any:
        return np.zeros((0, 2), np.int64)


class Always(Good):
    def __call__(self, seam: Seam) -> Any:
        lower, upper = (np.unique(labels[labels > 0]) for labels in seam.labels)
        return np.array(list(itertools.product(lower, upper)), np.int64).reshape(-1, 2)


class WithBackground(Good):
    def __call__(self, seam: Seam) -> Any:
        lower, upper = seam.labels
        return np.unique(np.column_stack([lower.ravel(), upper.ravel()]), axis=0)


class Swapped(Good):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam)[:, ::-1]


class Turned(Good):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam).T


class Fractional(Good):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam) * 1.0


class InPlace(Good):
    def __call__(self, seam: Seam) -> Any:
        pairs = super().__call__(seam)
        seam.labels[0][...] = 0
        return pairs


class Fickle(Good):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam)[next(counter) % 2 :]


@dataclass(frozen=True, kw_only=True)
class Locked(Good):
    lock: Any = field(default_factory=threading.Lock)
