"""Claims of blocks: each by one living task, those of dead ones by the next, and the end of the run last."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tilewright.engine.checkpoint.claims import LEASE, LOSSES, TASKS, Claims, TaskClaim, task_at_work
from tilewright.errors import WorkerLost
from tilewright.storage.machine import this_process

CLAIMING = """
import os, sys
from pathlib import Path
from tilewright.engine.checkpoint.claims import Claims
print(Claims(Path(sys.argv[1]), int(sys.argv[2])).take().block)
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / TASKS).mkdir()
    return tmp_path


def taken(claims: Claims) -> TaskClaim:
    claim = claims.take()
    assert claim is not None
    return claim


def die(checkpoint: Path, blocks: int) -> int:
    """Have a process claim a block and end without a word; which block."""
    words = [sys.executable, "-c", CLAIMING, str(checkpoint), str(blocks)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def all_taken(checkpoint: Path, blocks: int) -> list[int]:
    """The blocks that one task claims, none of which it ends."""
    claims = Claims(checkpoint, blocks)
    return [claim.block for claim in iter(claims.take, None)]


def test_tasks_that_claim_at_once_claim_each_block_once(checkpoint: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        parts = pool.starmap(all_taken, [(checkpoint, 200)] * 4)
        assert sorted(block for part in parts for block in part) == list(range(200))


def test_the_end_is_claimed_once_after_all_blocks_are_done(checkpoint: Path) -> None:
    one, other = Claims(checkpoint, 2), Claims(checkpoint, 2)
    first, second = taken(one), taken(other)
    with one.held(first):
        pass
    assert one.take() is None
    assert not one.is_over(wait=False)
    assert one.counts() == (1, 1, 0, False)
    with other.held(second):
        assert one.take() is None
    end = taken(one)
    assert end == TaskClaim(one.end, 0)
    assert other.take() is None
    assert other.is_over(wait=False)
    assert not other.is_over(wait=True)
    assert other.counts() == (2, 0, 0, True)
    with one.held(end):
        pass
    assert other.is_over(wait=True)
    assert other.take() is None


def test_a_block_whose_task_has_died_on_this_machine_is_claimed_at_once(checkpoint: Path) -> None:
    block = die(checkpoint, 1)
    assert task_at_work(checkpoint) is None
    assert taken(Claims(checkpoint, 1)) == TaskClaim(block, 1)
    holder = task_at_work(checkpoint)
    assert holder is not None
    assert holder.process == this_process()


@pytest.mark.parametrize("process", [this_process() | {"host": "node7"}, None])
def test_a_block_of_another_machine_is_claimed_once_its_task_is_silent(
    checkpoint: Path, process: dict[str, object] | None
) -> None:
    """Which it may be before it has written its name into the file."""
    file = checkpoint / TASKS / "0.0"
    file.write_text("" if process is None else json.dumps(process))
    now = file.stat().st_mtime
    os.utime(file, (now - 0.5 * LEASE,) * 2)
    assert Claims(checkpoint, 1).take() is None
    os.utime(file, (now - 1.5 * LEASE,) * 2)
    assert Claims(checkpoint, 1).take() == TaskClaim(0, 1)


def test_a_block_that_a_task_leaves_by_an_error_is_claimed_at_once(checkpoint: Path) -> None:
    claims = Claims(checkpoint, 1)
    claim = taken(claims)
    with pytest.raises(ZeroDivisionError), claims.held(claim):
        raise ZeroDivisionError
    assert taken(claims) == TaskClaim(0, 1)


def test_a_block_that_several_tasks_have_begun_and_none_has_ended_is_named_once_all_others_are_done(
    checkpoint: Path,
) -> None:
    assert [die(checkpoint, 1) for _ in range(LOSSES)] == [0] * LOSSES
    claims = Claims(checkpoint, 2)
    other = taken(claims)
    assert other.block == 1
    with claims.held(other):
        assert claims.take() is None
    with pytest.raises(WorkerLost, match="3 tasks began block 1 of 2 and did not end it; their logs say why"):
        claims.take()


def test_a_run_that_several_tasks_have_not_ended_is_named(checkpoint: Path) -> None:
    assert [die(checkpoint, 0) for _ in range(LOSSES)] == [0] * LOSSES
    with pytest.raises(WorkerLost, match="3 tasks began the end of the run and did not end it"):
        Claims(checkpoint, 0).take()


def test_a_task_that_was_stopped_and_ends_a_block_that_another_has_begun_has_done_it(checkpoint: Path) -> None:
    stopped, other = Claims(checkpoint, 1), Claims(checkpoint, 1)
    claim = taken(stopped)
    with stopped.held(claim):
        os.utime(checkpoint / TASKS / "0.0", (0, 0))
        assert taken(other) == TaskClaim(0, 1)
    assert other.counts().done == 1
    assert taken(other) == TaskClaim(1, 0)


def test_a_task_whose_job_has_ended_meanwhile_leaves_nothing(checkpoint: Path) -> None:
    claims = Claims(checkpoint, 1)
    with claims.held(taken(claims)):
        (checkpoint / TASKS / "0.0").unlink()
        (checkpoint / TASKS).rmdir()
    assert list(checkpoint.iterdir()) == []
