"""Progress: how often it speaks, and what it says."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tilewright.components.registry import registry
from tilewright.progress.bars import Bars
from tilewright.progress.report import Lines, reporting, watching
from tilewright.progress.units import duration


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_speaks_every_ten_seconds_and_at_its_end() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(write=said.append, clock=clock)
    for done in range(26):
        clock.now = float(done)
        lines("segment", done, 25)
    assert said == [
        "segment: 10 of 25 tiles, 1 tiles/s, 15 s left",
        "segment: 20 of 25 tiles, 1 tiles/s, 5.0 s left",
        "segment: 25 of 25 tiles in 25 s",
    ]


def test_what_an_earlier_run_did_counts_for_no_speed() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(write=said.append, clock=clock)
    lines("segment", 1000, 2000)
    clock.now = 10.0
    lines("segment", 1020, 2000)
    assert said == [
        "segment: 1,000 of 2,000 tiles had been done before",
        "segment: 1,020 of 2,000 tiles, 2 tiles/s, 8 min 10 s left",
    ]


def test_a_stage_with_nothing_to_do_says_nothing() -> None:
    said: list[str] = []
    Lines(write=said.append)("join", 0, 0)
    assert said == []


def test_steps_of_measuring_count_blocks_ranges_and_rows() -> None:
    lines: list[str] = []
    report = Lines(write=lines.append, clock=Clock())
    for step in ("measure", "tabulate", "table"):
        report(step, 0, 9)
        report(step, 9, 9)
    assert lines == [
        "measure: 9 of 9 blocks in 0.0 s",
        "tabulate: 9 of 9 ranges in 0.0 s",
        "table: 9 of 9 rows in 0.0 s",
    ]


def test_bars_on_a_terminal_show_each_stage_with_its_count() -> None:
    screen = StringIO()
    with Bars(Console(force_terminal=True, file=screen, width=100)) as bars:
        for done in range(5):
            bars("segment", done, 4)
        bars("write", 2, 7)
    shown = screen.getvalue().splitlines()
    assert any("segment" in line and "4/4" in line and "tiles/s" in line for line in shown)
    assert any("write" in line and "2/7" in line for line in shown)


def test_quiet_reports_to_nobody() -> None:
    with reporting(quiet=True) as report:
        assert report is None
    before = registry().plugins
    with watching(quiet=True):
        assert registry().plugins == before


def test_progress_is_a_watcher_as_long_as_the_run_lasts() -> None:
    before = registry().plugins
    with watching(quiet=False):
        (added,) = [plugin for plugin in registry().plugins if plugin not in before]
        assert (added.name, added.error, added.watch is not None) == ("progress", "", True)
    assert registry().plugins == before


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.7, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_a_duration_is_told_in_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
