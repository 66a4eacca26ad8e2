"""The tests of a merger that says which tile draws an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ..abc.merger import Copies, Decision, Evidence
from ..components.resolve import component
from .mergers import MergerTests

__all__ = ["OwnerTests", "part", "scene"]


class OwnerTests(MergerTests):
    """Tests of a merger that has `decide`: those of every merger for instances, and that a part is enough to decide it.

    An image of many tiles is decided part by part, by workers that see no more than what lies around theirs. A merger
    that goes by more than that draws an object twice, or not at all.
    """

    leave_out: ClassVar = {"test_law_2_components_are_those_of_the_whole": "it decides, as for instances"}

    def test_what_it_is_shown_all_of_it_decides(self, merger: Any) -> None:
        made: Any = component("merger", merger)
        for copies, evidence in _scenes():
            decision: Decision = made.decide(copies, evidence)
            assert not decision.open.any(), f"{decision.open.sum()} of {len(copies)} copies were left open"

    def test_what_it_decides_of_a_part_is_what_it_decides_of_all(self, merger: Any) -> None:
        made: Any = component("merger", merger)
        random = np.random.default_rng(6)
        for copies, evidence in _scenes():
            whole: Decision = made.decide(copies, evidence)
            known = random.random(len(copies)) < 0.7
            found: Decision = made.decide(*part(copies, evidence, known))
            said = ~found.open
            wrong = np.flatnonzero(said & (found.worth != whole.worth))
            assert not len(wrong), (
                f"copy {wrong[0]} is worth {found.worth[wrong[0]]} if {known.sum()} of {len(copies)} copies are known "
                f"and {whole.worth[wrong[0]]} if all are; leave open what depends on a copy that is not known"
            )
            links, of_all = ({tuple(link) for link in each.links.tolist()} for each in (found, whole))
            sure = {link for link in of_all if said[list(link)].any()}
            assert sure <= links <= of_all, (
                f"links {sorted(sure ^ links)[:3]} hang on what is not known; a copy that is not open has all its links"
            )


def scene(random: np.random.Generator, count: int, rows: int) -> tuple[Copies, Evidence]:
    """Any copies, and so many pairs of them at most that share pixels."""
    area = random.integers(1, 40, count)
    margin = random.choice([0, 0, 3, 15, np.iinfo(np.int64).max], count)
    pairs = np.unique(np.sort(random.integers(0, max(1, count), (rows if count else 0, 2)), axis=1), axis=0)
    lower, upper = pairs[pairs[:, 0] < pairs[:, 1]].T
    shared = random.integers(1, np.minimum(area[lower], area[upper]) + 1)
    seen_lower, seen_upper = (random.integers(shared, area[end] + 1) for end in (lower, upper))
    copies = Copies(area=area, core_area=random.integers(0, area + 1), margin=margin, known=np.ones(count, np.bool_))
    return copies, Evidence(lower=lower, upper=upper, shared=shared, seen_lower=seen_lower, seen_upper=seen_upper)


def part(copies: Copies, evidence: Evidence, known: Any) -> tuple[Copies, Evidence]:
    """The same copies, with the evidence on those alone that are known."""
    of_known = known[evidence.lower] | known[evidence.upper]
    shown = {name: values[of_known] for name, values in vars(evidence).items()}
    return Copies(**vars(copies) | {"known": known}), Evidence(**shown)


def _scenes() -> Iterator[tuple[Copies, Evidence]]:
    random = np.random.default_rng(5)
    sizes = [(1, 0), (12, 9), *[(60, 50)] * 20, (200, 300)]
    return (scene(random, count, rows) for count, rows in sizes)
