"""What to do when memory runs out: wait for others to give some back, then ask for less at a time."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["frugally"]

T = TypeVar("T")

logger = logging.getLogger("tilewright")

PAUSES = (1.0, 4.0)  # seconds, before another attempt with batches as large as they were


def frugally(work: Callable[[int], T], batch_size: int) -> T:
    """What `work(batch_size)` returns; with less, if the memory of the GPU or of the machine does not suffice.

    It is tried again after each of the pauses, because another process may have taken the memory for a moment, and
    then with batches of half the size, down to one. MemoryError if that is too much as well. Each attempt is logged.
    """
    attempts = [(batch_size, pause) for pause in PAUSES]
    while batch_size > 1:
        batch_size //= 2
        attempts.append((batch_size, 0.0))
    size = attempts[0][0]
    for next_size, pause in attempts:
        try:
            return work(size)
        except (RuntimeError, MemoryError) as error:
            if not _exhausted(error):
                raise
            logger.warning(
                "out of memory with batches of %d (%s); again in %g s with batches of %d", size, error, pause, next_size
            )
        _release()
        time.sleep(pause)
        size = next_size
    return work(size)


def _exhausted(error: Exception) -> bool:
    """Whether memory ran out: of Python's, of a GPU's, or of the machine's when PyTorch asked (which has no class)."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch and isinstance(error, torch.OutOfMemoryError)):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)


def _release() -> None:
    """Give back what is held for later: PyTorch keeps the memory of a GPU that it has once had."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available():
        torch.cuda.empty_cache()
