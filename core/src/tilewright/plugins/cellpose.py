"""`cellpose_fn`, as in patchworks, from the distribution `tilewright-cellpose`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from ..errors import PluginError


def __getattr__(name: str) -> Any:
    """The function, imported when it is used. PluginError, an ImportError, if the distribution is not installed."""
    if name != "cellpose_fn":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has cellpose_fn")
    if importlib.util.find_spec("tilewright_cellpose") is None:
        raise PluginError("cellpose_fn comes with another package; pip install tilewright-cellpose")
    return importlib.import_module("tilewright_cellpose.functions").cellpose_fn
