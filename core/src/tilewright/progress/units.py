"""The unit that a step counts in, and durations in words."""

from __future__ import annotations

__all__ = ["duration", "unit"]

UNITS = {
    "predict": "batches",
    "write": "blocks",
    "measure": "blocks",
    "tabulate": "ranges",
    "table": "rows",
    "finish": "steps",
}


def unit(step: str) -> str:
    """The unit that a step counts in. `step`: its name, and that of an output after it."""
    return UNITS.get(step.partition(" ")[0], "tiles")


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 5 s` or `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
