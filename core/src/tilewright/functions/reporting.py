"""What a run says of itself: progress bars, and lines in the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..engine.result import Result
from ..run_options import Progress

__all__ = ["reporting", "say", "say_result"]

logger = logging.getLogger("tilewright")


@contextmanager
def reporting(*, progress: bool, verbose: bool) -> Iterator[Progress | None]:
    """What to call as a run goes on: bars or lines on stderr, and with `verbose` a line in the log for each step."""
    from ..progress.report import reporting as bars

    with bars(quiet=not progress) as shown:

        def both(step: str, done: int, total: int) -> None:
            if shown is not None:
                shown(step, done, total)
            say(f"{step}: {done:,} of {total:,}", loud=True)

        yield both if verbose else shown


def say(message: str, *, loud: bool) -> None:
    """Log a line; a loud one is printed to stderr if nobody has set up logging."""
    logger.info(message)
    if loud and not logger.hasHandlers() and sys.stderr is not None:  # to `print`, None is stdout
        print(message, file=sys.stderr)


def say_result(result: Result, empty: float | None, *, loud: bool) -> None:
    """How many tiles ran and how many were skipped, and how many objects there are."""
    skipped = "" if empty is None else f", {result.n_skipped:,} skipped (no pixel above {empty:g})"
    ran = result.n_tiles - result.n_skipped
    outputs = ", ".join(f"{each.n_objects:,} objects of {name}" for name, each in result.outputs.items())
    say(f"{ran:,} of {result.n_tiles:,} tiles ran{skipped}; {outputs or f'{result.n_objects:,} objects'}", loud=loud)
