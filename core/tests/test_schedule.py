"""The window over the tasks: however many there are, few are under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tilewright.engine.workers.crew import crew


class Counted:
    """Batches that say how many of them were taken beyond those that are done."""

    def __init__(self, count: int) -> None:
        self.count, self.taken, self.done, self.most = count, 0, 0, 0
        self.lock = threading.Lock()

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(self.count):
            self.taken += 1
            self.most = max(self.most, self.taken - self.done)
            yield [number]

    def work(self, _: object, batch: list[int]) -> int:
        with self.lock:
            self.done += 1
        return batch[0]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_no_more_tasks_are_live_than_three_for_each_worker(workers: int, tmp_path: Path) -> None:
    batches = Counted(20_000)
    with crew(workers) as hands:
        found = sum(hands.each(batches.work, None, batches, tmp_path))
    assert found == sum(range(20_000))
    assert batches.most <= 3 * workers + 1, "and the one that is asked for next"


def test_what_waits_is_not_begun_once_a_task_has_failed(tmp_path: Path) -> None:
    batches = Counted(20_000)

    def failing(_: object, batch: list[int]) -> int:
        if batch == [100]:
            raise ValueError("on purpose")
        return batches.work(None, batch)

    with crew(2) as hands, pytest.raises(ValueError, match="on purpose"):
        list(hands.each(failing, None, batches, tmp_path))
    assert batches.taken < 100 + 20


def test_of_several_errors_the_first_is_told(tmp_path: Path) -> None:
    def failing(_: object, batch: list[int]) -> int:
        raise ValueError(f"batch {batch[0]}")

    def slow() -> Iterator[list[int]]:
        yield from ([0], [1])
        time.sleep(0.02)  # both have failed before anybody asks
        yield [2]

    with crew(1) as hands:
        for _ in range(20):
            with pytest.raises(ValueError, match="batch 0"):
                list(hands.each(failing, None, slow(), tmp_path))
