"""Libraries that only some uses need: `pip install "tilewright[EXTRA]"` brings them."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import PluginError

__all__ = ["library"]


def library(name: str, *, extra: str, use: str) -> Any:
    """The module of that name. PluginError if it cannot be imported, with the extra of tilewright that brings it.

    use: what needs it, as the message names it: `--scheduler`.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PluginError(
            f"{use} needs {name}, which cannot be imported ({error}); install it: pip install 'tilewright[{extra}]'"
        ) from error
