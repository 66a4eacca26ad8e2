"""Running the code of plugins so that it can neither end the program nor print into its output."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

__all__ = ["contained", "describe"]


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Send what is printed in this context to stderr, so that a program can read stdout.

    An Exception and KeyboardInterrupt leave the context as they are. Anything else (SystemExit, or the panic of an
    extension in Rust, which is not an Exception) becomes an Exception of the same name.
    """
    with contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            alike = type(type(error).__name__, (Exception,), {})
            raise alike(*error.args).with_traceback(error.__traceback__) from error


def describe(error: BaseException) -> str:
    """An error on one line, with the hook that it was raised in; also for an error whose own text cannot be read."""
    hooks = [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.name.startswith("tilewright_")]
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - its own text is broken
        said = "(an error without a readable text)"
    return type(error).__name__ + (f": {said}" if said else "") + (f" (raised in {hooks[-1]})" if hooks else "")
