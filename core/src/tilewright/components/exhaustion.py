"""Memory exhaustion: a call that runs out of memory is repeated after pauses, then on less at a time."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["fit_into_memory"]

T = TypeVar("T")

logger = logging.getLogger("tilewright")

PAUSES = (1.0, 4.0)  # seconds: another process may have taken the memory for a moment

# Libraries are recognised by the names of their errors, so that none is imported here.
NAMES = {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}  # Python, PyTorch, TensorFlow
PHRASES = ("out of memory", "not enough memory", "can't allocate memory")  # PyTorch without a GPU, JAX: RuntimeError


def fit_into_memory(work: Callable[[int], T], size: int, *, least: int = 1) -> T:
    """Return `work(size)`; if memory runs out, repeat it after pauses, then with half the size, down to `least`.

    work: a function of how much it does at a time: patches in a batch, pixels along an axis.

    Memory has run out where `work` raises MemoryError, PyTorch's OutOfMemoryError, TensorFlow's ResourceExhaustedError,
    or a RuntimeError that says so. Any other error is raised at once, and this one where the size is the least. Between
    two attempts PyTorch frees the GPU memory that it caches. The logger `tilewright` warns of each failed attempt.
    """
    repeats = [(size, pause) for pause in PAUSES]
    halved = size // 2
    while halved >= least:
        repeats.append((halved, 0.0))
        halved //= 2
    for next_size, pause in repeats:
        try:
            return work(size)
        except Exception as error:
            if not _exhausted(error):
                raise
            reason = " ".join(str(error).split())
            logger.warning("out of memory at size %d (%s); trying size %d in %g s", size, reason, next_size, pause)
        _release()  # outside of `except`, where the error still holds the arrays of the failed call
        time.sleep(pause)
        size = next_size
    return work(size)


def _exhausted(error: Exception) -> bool:
    """Whether an error says that the memory of the machine or of a GPU ran out."""
    if any(each.__name__ in NAMES for each in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in PHRASES)


def _release() -> None:
    """Return what nobody uses: reference cycles, and the GPU memory that PyTorch caches."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
