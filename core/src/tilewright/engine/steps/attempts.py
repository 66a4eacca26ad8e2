"""Trying again what failed: a GPU may have memory again after a pause, and a file server may answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...errors import InvalidLabels, InvalidPixels, NotReadable, SegmenterFailed, TransformFailed
from ..checkpoint.log import Place
from ..checkpoint.records import Recorded
from ..plan import Plan

__all__ = ["NOWHERE", "attempted"]

NOWHERE = Place(0, 0, 0)
LONGEST_PAUSE = 30.0  # seconds


def attempted(plan: Plan, number: int, work: Callable[[], Recorded]) -> Recorded:
    """The record of a task, which is tried as often as the plan says, after pauses that double.

    If it fails for good the error is raised, or its text recorded, as the plan says. What is wrong with labels or
    pixels is not tried again: the same pixels give the same labels.
    """
    for attempt in range(plan.retries):
        try:
            return work()._replace(retried=attempt)
        except (SegmenterFailed, TransformFailed, NotReadable):
            time.sleep(min(0.5 * 2**attempt, LONGEST_PAUSE))
    try:
        recorded = work()
    except (SegmenterFailed, TransformFailed, NotReadable, InvalidLabels, InvalidPixels) as error:
        if plan.on_error == "raise":
            raise
        return Recorded(number, NOWHERE, 0, failed=str(error))
    return recorded._replace(retried=plan.retries) if plan.retries else recorded
