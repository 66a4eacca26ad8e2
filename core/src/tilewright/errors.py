"""Every error that tilewright raises on purpose.

All of them are `TilewrightError`, so one `except` catches them; each is also the builtin that it stands for. A message
says what is wrong, with both values, and what to do next.
"""

from typing import TYPE_CHECKING, Any

from .deprecation import warn_renamed

__all__ = [
    "AlreadyExists",
    "CheckpointMismatch",
    "ComponentFailed",
    "InvalidImage",
    "InvalidLabels",
    "InvalidMeasures",
    "InvalidOption",
    "InvalidPixels",
    "NotReadable",
    "NotWritable",
    "OutputBusy",
    "PluginError",
    "SegmenterFailed",
    "TilewrightError",
    "TransformFailed",
    "UnknownComponent",
    "WorkerDiffers",
    "WorkerLost",
]


class TilewrightError(Exception):
    """The base of all errors raised on purpose by tilewright and its plugins."""


class InvalidOption(TilewrightError, ValueError):
    """An option or argument has a value that cannot be used, or does not exist."""


class InvalidImage(TilewrightError, ValueError):
    """An image or its metadata contradicts itself or lacks what the run needs."""


class InvalidLabels(TilewrightError, ValueError):
    """A segmenter returned something that is no label image of its tile."""


class InvalidPixels(TilewrightError, ValueError):
    """A transform returned something that is not an image of the pixels that it was handed."""


class InvalidMeasures(TilewrightError, ValueError):
    """A measurer returned something that is not what it declares."""


class NotReadable(TilewrightError, OSError):
    """A path does not exist, or no installed reader reads it."""


class NotWritable(TilewrightError, OSError):
    """The checkpoint or the output cannot be written: a full disk, no permission, … `errno` says which."""


class AlreadyExists(TilewrightError, FileExistsError):
    """The destination holds something already, and it was not asked to be replaced."""


class OutputBusy(TilewrightError, BlockingIOError):
    """Another run is writing the same output."""


class UnknownComponent(TilewrightError, LookupError):
    """No installed plugin provides a component of that name, or more than one does."""


class PluginError(TilewrightError, ImportError):
    """A plugin could not be imported or does not keep the contract."""


class ComponentFailed(TilewrightError, RuntimeError):
    """The code of a component raised an error; `__cause__` holds what it raised, and the message says whose it is."""


class SegmenterFailed(ComponentFailed):
    """A segmenter raised an error on a tile; `__cause__` holds what it raised."""


class TransformFailed(ComponentFailed):
    """A transform raised an error on a region of the image; `__cause__` holds what it raised."""


class CheckpointMismatch(TilewrightError, RuntimeError):
    """The checkpoint of an earlier run belongs to other input or options than this run's."""


class WorkerDiffers(TilewrightError, RuntimeError):
    """A worker lacks what the run needs, or would run other code than the plan names."""


class WorkerLost(TilewrightError, RuntimeError):
    """Worker processes cannot be started, died over a task one after the other, or left with their scheduler."""


if not TYPE_CHECKING:  # a type checker knows the new name only

    def __getattr__(name: str) -> Any:
        if name == "StageMismatch":
            warn_renamed(name, "CheckpointMismatch")
            return CheckpointMismatch
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
