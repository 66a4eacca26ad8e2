"""Whole processes measured from outside: wall and CPU seconds and peak memory, several runs of each in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

__all__ = ["Figure", "in_turn", "ratios", "spread"]

What = Literal["wall", "cpu", "peak"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One command's runs: seconds and MiB, an entry each."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak: tuple[float, ...]

    def row(self, what: What) -> str:
        """Minimum, median and maximum of one of them."""
        return spread(self.values(what))

    def values(self, what: What) -> tuple[float, ...]:
        return {"wall": self.wall, "cpu": self.cpu, "peak": self.peak}[what]


def in_turn(commands: Mapping[str, Sequence[str]], runs: int) -> dict[str, Figure]:
    """Run Python with each of the arguments, A B C A B C …, so that a machine's drift meets all alike.

    The first round warms the caches up and does not count.
    """
    rounds = [{name: _once(arguments) for name, arguments in commands.items()} for _ in range(runs + 1)]
    return {
        name: Figure(
            wall=tuple(each[name][0] for each in rounds[1:]),
            cpu=tuple(each[name][1] for each in rounds[1:]),
            peak=tuple(each[name][2] for each in rounds[1:]),
        )
        for name in commands
    }


def ratios(above: Figure, below: Figure, what: What) -> str:
    """The ratios run by run, of two commands that ran one after the other: minimum, median and maximum."""
    return spread(a / b for a, b in zip(above.values(what), below.values(what), strict=True))


def spread(values: Iterable[float]) -> str:
    """Minimum, median and maximum."""
    found = sorted(values)
    return f"{found[0]:.2f} / {median(found):.2f} / {found[-1]:.2f}"


def _once(arguments: Sequence[str]) -> tuple[float, float, float]:
    # What pip installs comes with its bytecode; a checkout has it after the run that does not count, if it may keep it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
