"""Whose code a worker process ran when it died, and on which tiles, in words for a user."""

from __future__ import annotations

from ...components.blame import name_of, whose
from ..checkpoint.traces import Trace
from ..lookahead import batch_of
from ..plan import Plan
from .measure import Measuring
from .segment import tile_text
from .write import Writing

__all__ = ["culprit"]


def culprit(shared: Plan | Writing | Measuring, trace: Trace) -> str:
    """`segmenter 'spots' of lab-spots 1.0 on tile (2, 0) (y 64:96, x 0:32)`, from what a process left behind."""
    if isinstance(shared, Writing):
        return f"{whose('writer', shared.writer)} on {_numbers('block', trace)}"
    if isinstance(shared, Measuring):
        names = ", ".join(name_of("measurer", each.measurer) for each in shared.now)
        return f"the measurers {names} on {_numbers('block' if trace.doing == 'measure' else 'range', trace)}"
    match trace.doing:
        case "start":
            return f"the start of {_place(shared, trace)}, where the segmenter and what it imports are loaded"
        case "read" | "guards":
            reader = shared.source.reader
            who = f"{whose('reader', reader)} of {shared.source.path!r}" if reader else "the reading of the image"
            who = " or ".join([who, *(whose("transform", each.function) for each in shared.source.transforms)])
            return f"{who} on {_place(shared, trace)}"
        case "segment" | "decode" | "predict":
            return f"{whose('segmenter', shared.segmenter)} on {_place(shared, trace)}"
        case _:
            return f"{whose('merger', shared.merger)} on {_numbers('tile', trace)}"


def _place(plan: Plan, trace: Trace) -> str:
    """The tiles of a trace, one of them with its place in the image; or the windows that a network predicts at once."""
    batch = batch_of(trace.first)
    if batch is not None:
        return f"batch {batch} of the image's windows"
    return tile_text(plan, plan.grid[trace.first]) if trace.first == trace.last else _numbers("tile", trace)


def _numbers(what: str, trace: Trace) -> str:
    return f"{what} {trace.first}" if trace.first == trace.last else f"{what}s {trace.first} to {trace.last}"
