"""The step that segments by a network: its windows are predicted in batches, and tiles are decoded beside that."""

from __future__ import annotations

from collections.abc import Sequence

from ..checkpoint.records import Recorded
from ..lookahead import batch_of
from ..plan import Plan
from .predict import predict
from .segment import segment

__all__ = ["decode"]


def decode(plan: Plan, tasks: Sequence[int]) -> list[Recorded]:
    """The tasks of a `Lookahead`: predict batches of windows, and segment tiles by what was said of theirs."""
    return [
        predict(plan, batch) if (batch := batch_of(task)) is not None else segment(plan, [task])[0] for task in tasks
    ]
