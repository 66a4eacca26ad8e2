"""What a run knows of its table: nothing, unless something is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InvalidOption
from ..io.destination import Destination
from ..run_options import RunOptions
from .plan import Plan
from .run import Outcome, Run

if TYPE_CHECKING:
    from .table import Table

__all__ = ["Filled", "Finals", "Tabling", "check_no_table"]

Finals = Mapping[str, tuple[Plan, np.dtype[Any]]]
"""By the name of an output, the plan by which its final labels are put together, and their dtype."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A table that is filled, but not in its place yet. noted: what the labels' provenance holds of it."""

    noted: Mapping[str, Any] = field(default_factory=dict)
    place: Callable[[], Table] | None = None

    def placed(self) -> Table | None:
        """Put the table into its place. None if there is none."""
        return None if self.place is None else self.place()


class Tabling:
    """The table of a run that measures nothing. `tabling.Measured` is that of one that does."""

    @property
    def homes(self) -> list[Destination]:
        """Where the table goes."""
        return []

    @property
    def folders(self) -> list[Path]:
        """The folder beside the table, which the run holds too."""
        return [home.beside for home in self.homes]

    def check_format(self) -> None:
        """Have the format begin a table that is thrown away."""

    def filled(self, run: Run, outcome: Outcome, finals: Finals) -> Filled:  # noqa: ARG002 - nothing is measured
        """Measure the labels that are recorded, and fill the table. finals: those of all outputs."""
        return Filled()


def check_no_table(options: RunOptions) -> None:
    """InvalidOption for an option of the table of a run that measures nothing."""
    for name in ("table", "measure_channels", "table_format"):
        if getattr(options, name) is not None:
            raise InvalidOption(f"{name} is given, but nothing is measured; give measurers (measure, --measure)")
