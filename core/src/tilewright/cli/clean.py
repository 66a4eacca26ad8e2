"""The command `tilewright clean`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import debuggable
from .terminal import echo

if TYPE_CHECKING:
    from typing import Any

__all__ = ["clean"]


@click.command()
@click.argument("folder", default=".")
@click.option("--delete", is_flag=True, help="Remove them; what is done in them will have to be done again.")
@debuggable
def clean(folder: str, delete: bool) -> None:
    """List the checkpoints that unfinished runs left in FOLDER and below it, with their size and what they belong to.

    Only folders with a record that tilewright wrote count, whatever their name; those of running runs are left alone.
    """
    from ..engine.checkpoint.lock import is_busy, remove_idle
    from ..errors import AlreadyExists

    found = 0
    for checkpoint, record in _checkpoints(Path(folder)):
        found += 1
        size = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
        try:
            busy = not remove_idle(checkpoint) if delete else is_busy(checkpoint)
            left = "kept predictions" if checkpoint.name.endswith(".predictions.tilewright") else "unfinished"
            state = "a run is at work in it" if busy else "removed" if delete else left
        except AlreadyExists:
            state = "another user's"
        echo(f"{checkpoint}  {size / 1e6:,.1f} MB, {state}, for {record.get('destination', 'an unknown output')}")
    echo(f"{found:,} found" + ("" if delete or not found else "; --delete removes those that no run is using"))


def _checkpoints(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The checkpoints in a folder, without looking into checkpoints or following links."""
    from ..engine.checkpoint.lock import record_of

    if not folder.is_dir():
        raise click.BadParameter(f"{folder} is not a folder", param_hint="FOLDER")
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() or entry.is_symlink():
            continue
        record = record_of(entry) if entry.suffix == ".tilewright" else None
        if record is not None:
            yield entry, record
        else:
            yield from _checkpoints(entry)
