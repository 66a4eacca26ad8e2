"""What others wrote, run where it must not end or garble what is ours."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

__all__ = ["contained", "describe"]


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """What is printed in this context goes to stderr, so that stdout stays what a program can read.

    Only KeyboardInterrupt, which is the user's, and an Exception leave it as they are. Whatever else a stranger raises
    (SystemExit, or the panic of an extension in Rust, which is no Exception) leaves it as an Exception of that name.
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
    """An error on one line, with the hook in which it was raised; even one that cannot say what is wrong."""
    hooks = [frame.name for frame in traceback.extract_tb(error.__traceback__) if frame.name.startswith("tilewright_")]
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - its own text is broken
        said = "(an error without a readable text)"
    return f"{type(error).__name__}: {said}" + (f" (raised in {hooks[-1]})" if hooks else "")
