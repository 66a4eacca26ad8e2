"""The contract of a writer, until it moved to `tilewright.abc`."""

from .deprecation import moved_names

__getattr__ = moved_names(__name__, "tilewright.abc.writer", "LabelSpec", "Sink", "Writer")
