"""Trying again what failed: a GPU may have memory again after a pause, and a file server may answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...errors import InvalidLabels, InvalidPixels, NotReadable, SegmenterFailed, TransformFailed
from ..checkpoint.log import Place
from ..checkpoint.records import Recorded

__all__ = ["NOWHERE", "attempted"]

NOWHERE = Place(0, 0, 0)
LONGEST_PAUSE = 30.0  # seconds


def attempted(number: int, work: Callable[[], Recorded], *, retries: int, on_error: str) -> Recorded:
    """The record of a task, which is tried `retries` times more, after pauses that double.

    If it fails for good the error is raised (`on_error="raise"`), or its text recorded. What is wrong with labels or
    pixels is not tried again: the same pixels give the same labels.
    """
    for attempt in range(retries):
        try:
            return work()._replace(retried=attempt)
        except (SegmenterFailed, TransformFailed, NotReadable):
            time.sleep(min(0.5 * 2**attempt, LONGEST_PAUSE))
    try:
        recorded = work()
    except (SegmenterFailed, TransformFailed, NotReadable, InvalidLabels, InvalidPixels) as error:
        if on_error == "raise":
            raise
        return Recorded(number, NOWHERE, 0, failed=str(error))
    return recorded._replace(retried=retries) if retries else recorded
