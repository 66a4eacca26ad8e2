"""The measurer `size`: what the labels alone say of objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tilewright.abc import Block, Column, Columns, Facts, Quantity, unsplit

from . import moments, patterns, polygons, solids
from .columns import check_names, names_of, split
from .runs import Runs
from .shapes import PROPERTIES, Shapes

__all__ = ["GROUPS", "Size"]

GROUPS = tuple(dict.fromkeys(each.group for each in PROPERTIES.values() if each.group))
ORDERS = {"first": 1, "second": 2, "third": 3}


@dataclass(frozen=True, kw_only=True)
class Size:
    """Sizes, places and forms of objects, with the names and the meaning of scikit-image's `regionprops_table`.

    What is not chosen is not computed. A property that such labels do not have is left out: the perimeter in three
    dimensions or of pixels that are not square, Hu's moments of a spacing other than 1, the surface in two dimensions.

    InvalidOption for a name that is neither a group nor a property.
    """

    properties: tuple[str, ...] = field(
        default=("basic", "ellipse", "boundary"),
        metadata={"help": f"groups ({', '.join(GROUPS)}), or properties by name"},
    )

    pixels = False

    def __post_init__(self) -> None:
        check_names(self.properties, (*GROUPS, *PROPERTIES), "size")

    def _chosen(self, facts: Facts) -> tuple[str, ...]:
        wanted = set(self.properties)
        return tuple(name for name, each in PROPERTIES.items() if ({name, each.group} & wanted) and each.defined(facts))

    def _needs(self, facts: Facts) -> set[str]:
        return {need for name in self._chosen(facts) for need in PROPERTIES[name].needs}

    def _exponents(self, facts: Facts) -> moments.Exponents:
        needs, d = self._needs(facts), len(facts.axes)
        if "all" in needs:
            return moments.every(d)
        return moments.up_to(max((ORDERS[need] for need in needs & ORDERS.keys()), default=0), d)

    @property
    def halo(self) -> int:
        """2 for the perimeter, 1 for what else depends on neighbours, else 0."""
        wanted = set(self.properties)
        needs = {need for name, each in PROPERTIES.items() if {name, each.group} & wanted for need in each.needs}
        return 2 if "borders" in needs else int("windows" in needs)

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The chosen properties that such labels have; those of several numbers in a column for each."""
        d = len(facts.axes)
        return {
            column: Column(dtype=PROPERTIES[name].dtype, unit=PROPERTIES[name].unit(facts))
            for name in self._chosen(facts)
            for column in names_of(name, PROPERTIES[name].shape(d))
        }

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """Sums of powers, and what the chosen properties need beside them."""
        d, needs = len(facts.axes), self._needs(facts)
        # float64 holds whole numbers to 2**53, and grows beyond, where int64 would start again below 0.
        powers = Quantity(merge="powers", exponents=self._exponents(facts))
        others = {
            "stop": Quantity(merge="max", dtype="int64", width=d),
            "borders": Quantity(dtype="int64", width=2),
            "windows": Quantity(merge="counts", dtype="int64", width=2),
            "hull": Quantity(merge="rows", dtype="int64", width=d),
        }
        return {"powers": powers, **{name: each for name, each in others.items() if name in needs}}

    def partial(self, block: Block, /) -> Mapping[str, Any]:
        """The same of the part of each object in a block's core."""
        runs, needs, facts = Runs.of_block(block), self._needs(block.facts), block.facts
        corner = runs.corner()
        result: dict[str, Any] = {
            "powers": np.concatenate([corner, moments.sums(runs, corner, self._exponents(facts))], axis=1)
        }
        if "stop" in needs:
            result["stop"] = runs.stop()
        if "borders" in needs:
            result["borders"] = patterns.border_counts(block) @ patterns.PERIMETER
        if "windows" in needs:
            result["windows"] = patterns.window_rows(block)
        if "hull" in needs:
            result["hull"] = polygons.corners_of_runs(runs) if len(facts.axes) == 2 else solids.corners_of_runs(runs)
        return result

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns, each derived from the quantities."""
        shapes = Shapes(merged, facts, self._exponents(facts))
        columns: dict[str, Any] = {}
        for name in self._chosen(facts):
            columns |= split(name, getattr(shapes, name))
        return columns

    __call__ = unsplit
