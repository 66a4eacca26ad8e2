"""What commands print of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..progress.units import duration
from .tables import table_plain, table_told
from .terminal import echo

if TYPE_CHECKING:
    from ..engine.result import Result

__all__ = ["counted", "plain", "show_failed", "told"]


def plain(result: Result) -> dict[str, Any]:
    """A result in JSON's values."""
    if result.outputs:
        return {"outputs": {name: plain(each) for name, each in result.outputs.items()}, "failed": list(result.failed)}
    return {
        "path": str(result.path),
        **({} if result.table is None else {"table": table_plain(result.table)}),
        "n_objects": result.n_objects,
        "n_tiles": result.n_tiles,
        "n_skipped": result.n_skipped,
        "n_undrawn": result.n_undrawn,
        "failed": list(result.failed),
        "seconds": {step: round(spent, 3) for step, spent in result.seconds.items()},
    }


def told(result: Result) -> str:
    """A result in lines."""
    empty = f", {result.n_skipped:,} of which were empty" if result.n_skipped else ""
    spent = ", ".join(f"{step} {duration(seconds)}" for step, seconds in result.seconds.items())
    lines = []
    for name, each in (result.outputs or {"": result}).items():
        named = f"{name}: " if name else ""
        lines += [
            f"{named}{counted(each.n_objects, 'object')} in {counted(each.n_tiles, 'tile')}{empty}",
            f"labels: {each.path}",
            *([] if each.table is None else [table_told(each.table)]),
        ]
    return "\n".join((*lines, f"time:   {duration(sum(result.seconds.values()))} ({spent})"))


def show_failed(failed: Sequence[str]) -> int:
    """Print which tiles were left out. The exit code of a run with such tiles is 3."""
    for line in failed[:10]:
        echo(f"error: {' '.join(line.split())}", err=True)
    more = len(failed) - 10
    echo(
        f"{f'and {more:,} more: ' if more > 0 else ''}{counted(len(failed), 'tile')} failed and were left as "
        "background; re-run the command with --overwrite to do just those",
        err=True,
    )
    return 3


def counted(count: int, what: str) -> str:
    """`1 object`, `2 objects`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
