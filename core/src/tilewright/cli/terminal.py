"""What is printed: a file's words steer no terminal, and one that lacks a character gets its code."""

from __future__ import annotations

import sys
from typing import Any

import click

from ..components.printable import printable

__all__ = ["echo", "take_any_text"]


def echo(text: str, *, err: bool = False, **style: Any) -> None:
    """Print a text with a line break behind it, in a style of click's if there is one."""
    click.secho(printable(text), err=err, **style)


def take_any_text() -> None:
    """Have the standard streams write escapes for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's stream may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
