"""The hooks, until they moved to `tilewright.components.hookspecs`."""

from .deprecation import moved_names

__getattr__ = moved_names(
    __name__,
    "tilewright.components.hookspecs",
    "hookimpl",
    "tilewright_readers",
    "tilewright_tilers",
    "tilewright_segmenters",
    "tilewright_mergers",
    "tilewright_writers",
    "tilewright_run_planned",
    "tilewright_tile_done",
    "tilewright_run_finished",
)
