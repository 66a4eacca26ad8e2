"""Rings around labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tilewright import InvalidOption

from .expand import Expand, Labels
from .numbers import check_least

__all__ = ["Ring"]


@dataclass(frozen=True, kw_only=True)
class Ring(Expand):
    """What `expand` adds to given labels, such as a ring of cytoplasm around each nucleus, with the nucleus' id.

    >>> Ring(distance=3, gap=1)(None, given={"nuclei": np.array([[0, 0, 0, 7, 0, 0, 0, 0]], np.uint64)}).tolist()
    [[7, 7, 0, 0, 0, 7, 7, 0]]
    """

    gap: float = field(default=0.0, metadata={"help": "how far from an object its ring begins, as distance is"})

    def __post_init__(self) -> None:
        check_least("gap", self.gap, 0)
        check_least("distance", self.distance, 0)
        if self.gap > self.distance:
            raise InvalidOption(f"gap {self.gap} is larger than distance {self.distance}, so rings would be empty")

    def __call__(self, _: None, *, given: Mapping[str, Labels]) -> Labels:
        labels = given[self.given[0]]
        inside = self.grown(labels, self.gap) if self.gap else labels
        return np.where(inside > 0, np.uint64(0), self.grown(labels, self.distance))
