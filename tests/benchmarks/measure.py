"""Whole processes measured from outside: wall and CPU seconds and peak memory, several runs of each in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Figure", "in_turn"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One command's runs: seconds and MiB, an entry each."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak: tuple[float, ...]

    def row(self, what: str) -> str:
        """Minimum, median and maximum of one of them."""
        values = getattr(self, what)
        return f"{min(values):.2f} / {median(values):.2f} / {max(values):.2f}"


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


def ratio(above: Figure, below: Figure, what: str) -> float:
    """The median of the ratios run by run: of two commands that ran one after the other."""
    return median(a / b for a, b in zip(getattr(above, what), getattr(below, what), strict=True))


def _once(arguments: Sequence[str]) -> tuple[float, float, float]:
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
