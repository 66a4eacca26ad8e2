"""What a merger that owns is shown and decides, until it moved to `tilewright.abc`."""

from .deprecation import moved_names

__getattr__ = moved_names(__name__, "tilewright.abc.merger", "NOTHING", "Copies", "Decision", "Evidence", "upheld")
