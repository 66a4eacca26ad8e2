"""Progress of a run: bars on a terminal, lines in a log."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import click

from ..components.events import TileDone
from ..components.hookspecs import hookimpl
from ..components.registry import register, unregister
from .units import duration, unit

__all__ = ["Lines", "Report", "reporting", "watching"]

Report = Callable[[str, int, int], None]
"""Called with the step's name, how much of it is done, and how much there is."""

WATCHER = "progress"


@contextlib.contextmanager
def reporting(*, quiet: bool) -> Iterator[Report | None]:
    """The function to call with progress: bars if stderr is a terminal and rich is installed, else lines on stderr.

    None if quiet, and where stderr is closed or was never there, as in a service.
    """
    if quiet or sys.stderr is None or sys.stderr.closed:
        yield None
    elif sys.stderr.isatty() and importlib.util.find_spec("rich"):
        from .bars import Bars

        with Bars() as bars:
            yield bars
    else:
        if sys.stderr.isatty():
            click.echo("progress bars need rich: pip install 'tilewright[progress]'", err=True)
        yield Lines(write=lambda line: click.echo(line, err=True))


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[None]:
    """Show the progress of the run in this context, by a watcher that is registered as any other."""
    with reporting(quiet=quiet) as report:
        if report is None:
            yield
            return
        register(_Watcher(report=report), WATCHER)
        try:
            yield
        finally:
            unregister(WATCHER)


@dataclass(frozen=True, kw_only=True)
class _Watcher:
    report: Report

    @hookimpl
    def tilewright_tile_done(self, event: TileDone) -> None:
        self.report(f"{event.step} {event.output}".strip(), event.done, event.total)


@dataclass(kw_only=True)
class _Step:
    """The time at which a step began in this run, how much was done then, and the time of its last line."""

    began: float
    before: int
    told: float


@dataclass(kw_only=True)
class Lines:
    """Write a line for a step at most every `every` seconds, and one at its end.

    The speed and the time left are those of this run; what an earlier run has done does not count.
    """

    write: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    every: float = 10.0
    _steps: dict[str, _Step] = field(default_factory=dict)

    def __call__(self, step: str, done: int, total: int) -> None:
        now = self.clock()
        seen = self._steps.get(step)
        so_far = f"{step}: {done:,} of {total:,} {unit(step)}"
        if seen is None:
            self._steps[step] = _Step(began=now, before=done, told=now)
            if done:
                self.write(f"{so_far} had been done before")
        elif done >= total:
            self.write(f"{so_far} in {duration(now - seen.began)}")
        elif now - seen.told >= self.every:
            seen.told = now
            self.write(so_far + _pace(step, done - seen.before, total - done, now - seen.began))


def _pace(step: str, done: int, left: int, seconds: float) -> str:
    if not done or seconds <= 0:
        return ""
    speed = done / seconds
    return f", {speed:.3g} {unit(step)}/s, {duration(left / speed)} left"
