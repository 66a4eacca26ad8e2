"""What to do when the memory of a GPU, or of the machine, does not suffice: wait, then work in smaller parts."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["patiently"]

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0)  # seconds; others who use the memory may be done by then
LEAST = 32  # pixels along an axis below which a part is not cut further


def patiently(call: Callable[[int], T], shape: Sequence[int]) -> T:
    """The result of a call, which is told into how many parts along each axis to cut its work: 1 at first.

    Where memory runs out it is tried again after pauses, then with twice as many parts, and says so in a warning each
    time. TensorFlow's ResourceExhaustedError if not even small parts fit.
    """
    from tensorflow.errors import ResourceExhaustedError

    parts, pauses = 1, list(PAUSES)
    while True:
        try:
            return call(parts)
        except ResourceExhaustedError:
            if pauses:
                _say(f"memory ran out on pixels of shape {tuple(shape)}; trying again in {pauses[0]} s")
                time.sleep(pauses.pop(0))
                continue
            if max(shape) < 2 * parts * LEAST:
                raise
        parts *= 2
        _say(f"memory ran out again; going on in {parts} parts along each axis. Smaller tiles need less (--tile)")


def _say(what: str) -> None:
    warnings.warn(f"stardist: {what}", RuntimeWarning, stacklevel=3)
