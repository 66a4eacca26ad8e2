"""What happens when memory runs out: another attempt, then smaller batches, and a word about each."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tilewright_cellpose import exhaustion, weights
from tilewright_cellpose.exhaustion import frugally
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustion, "PAUSES", (0.01, 0.02))


def test_batches_are_halved_until_they_fit_and_each_attempt_is_said(caplog: pytest.LogCaptureFixture) -> None:
    tried = []

    def work(batch_size: int) -> str:
        tried.append(batch_size)
        if batch_size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "done"

    with caplog.at_level(logging.WARNING, "tilewright"):
        assert frugally(work, 8) == "done"
    assert tried == [8, 8, 8, 4, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory with batches of 8 (CUDA out of memory); again in 0.01 s with batches of 8",
        "out of memory with batches of 8 (CUDA out of memory); again in 0.02 s with batches of 8",
        "out of memory with batches of 8 (CUDA out of memory); again in 0 s with batches of 4",
        "out of memory with batches of 4 (CUDA out of memory); again in 0 s with batches of 2",
    ]


def test_memory_that_comes_back_is_used_as_before(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[Any] = [MemoryError("taken by another process"), 8]

    def work(batch_size: int) -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return batch_size

    assert frugally(work, 8) == 8
    assert len(caplog.records) == 1


def test_too_little_for_one_patch_is_an_error_and_other_errors_are_raised_at_once() -> None:
    def never(batch_size: int) -> None:
        raise MemoryError(f"{batch_size}")

    with pytest.raises(MemoryError, match=r"^1$"):
        frugally(never, 4)
    calls = []

    def broken(batch_size: int) -> None:
        calls.append(batch_size)
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        frugally(broken, 8)
    assert calls == [8]


def test_a_network_that_takes_small_batches_alone_gives_the_same_labels(
    segmenter: Cellpose, nuclei: tuple[NDArray[Any], Any], found: NDArray[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A GPU is not at hand: the network itself says that batches of more than one patch are too much."""

    def limit(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        if len(given[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    handle = weights.loaded(segmenter.model, False).net.register_forward_pre_hook(limit)
    try:
        labels = segmenter(nuclei[0])
    finally:
        handle.remove()
    assert "batches of 1" in caplog.messages[-1]
    assert np.mean(labels != found) < 1e-3  # sums of floats in another order


LIMITED = """
import logging, resource, sys
import numpy as np, torch
import small_cellpose
from tilewright_cellpose import exhaustion, patches, weights

small_cellpose.narrow()
torch.set_num_threads(1)
exhaustion.PAUSES = (0.01,)
logging.basicConfig(format="%(message)s")
model = weights.loaded(str(small_cellpose.SMALL), False)
channels = 1 if weights.newer() else 2
side = patches.side()
patches._forward(model, np.zeros((1, channels, side, side), np.float32))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
done = exhaustion.frugally(lambda n: patches._forward(model, np.zeros((n, channels, side, side), np.float32)), 64)
print(len(done))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's memory is limited and read as Linux does it")
def test_a_process_that_may_take_no_more_memory_goes_on_with_what_it_has() -> None:
    paths = [str(ROOT / "plugins/cellpose/tests/models")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 1 <= int(done.stdout) < 64
    assert "out of memory with batches of 64" in done.stderr
