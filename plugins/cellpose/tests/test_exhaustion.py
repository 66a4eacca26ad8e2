"""What the segmenter does when memory runs out: another attempt, then smaller batches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright.components import exhaustion
from tilewright_cellpose import weights
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustion, "PAUSES", (0.01, 0.02))


def test_a_network_that_takes_small_batches_alone_gives_the_same_labels(
    segmenter: Cellpose, nuclei: tuple[NDArray[Any], Any], found: NDArray[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """PyTorch itself raises the error: the network asks for more than any address space holds."""

    import torch

    def limit(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
        torch.empty(2**60 * (len(given[0]) > 1), dtype=torch.uint8)

    handle = weights.loaded(segmenter.model, False).net.register_forward_pre_hook(limit)
    try:
        labels = segmenter(nuclei[0])
    finally:
        handle.remove()
    assert "DefaultCPUAllocator" in caplog.messages[-1]
    assert "trying size 1 " in caplog.messages[-1]
    assert np.mean(labels != found) < 1e-3  # sums of floats in another order


LIMITED = """
import logging, resource, sys
import numpy as np, torch
import small_cellpose
from tilewright import fit_into_memory
from tilewright.components import exhaustion
from tilewright_cellpose import evaluation, patches, weights

small_cellpose.narrow()
torch.set_num_threads(1)
exhaustion.PAUSES = (0.01,)
logging.basicConfig(format="%(message)s")
model = weights.loaded(str(small_cellpose.SMALL), False)
channels = 1 if weights.newer() else 2
side = patches.side()
evaluation._forward(model, np.zeros((1, channels, side, side), np.float32))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
done = fit_into_memory(lambda n: evaluation._forward(model, np.zeros((n, channels, side, side), np.float32)), 64)
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
    assert "out of memory at size 64" in done.stderr
