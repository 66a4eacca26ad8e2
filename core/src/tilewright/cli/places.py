"""Places in an image as the command line says them."""

from __future__ import annotations

import click

__all__ = ["place"]


def place(_: click.Context, parameter: click.Parameter, said: str | None) -> tuple[int, ...] | None:
    """`"120,80"` as numbers."""
    if said is None:
        return None
    try:
        return tuple(int(each) for each in said.split(","))
    except ValueError:
        raise click.BadParameter(f"{said!r} is not a place, such as 120,80 for y,x", param=parameter) from None
