"""What is printed: a file's words steer no terminal, and one that lacks a character gets its code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from ..components.printable import printable
from ..storage.machine import open_standard_streams

__all__ = ["echo", "take_any_text"]


def echo(text: str, *, err: bool = False, **style: Any) -> None:
    """Print a text with a line break behind it, in a style of click's if there is one."""
    click.secho(printable(text), err=err, **style)


def take_any_text() -> None:
    """Have the standard streams write escapes for characters that their encoding lacks; a missing stream drops all."""
    open_standard_streams()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the process was started without it, as services are
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - it stays open as long as the process
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)  # a test's stream may have none
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
