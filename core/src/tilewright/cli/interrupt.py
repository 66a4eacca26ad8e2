"""Ctrl-C during a run: the first stops when the tiles under way are done, the second at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["interruptible"]

SHOW_CURSOR = "\x1b[?25h"


@contextlib.contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """Raise KeyboardInterrupt with the advice at the first Ctrl-C, and leave the process at the second.

    A checkpoint outlives any kill, so leaving at once loses the tiles under way and nothing else. Where Ctrl-C is not
    Python's to handle (outside the main thread, or ignored as under nohup) nothing changes.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def second(*_: Any) -> None:
        _say(f"interrupted at once; {advice}", SHOW_CURSOR)
        os._exit(130)

    def first(*_: Any) -> None:
        signal.signal(signal.SIGINT, second)
        _say("stopping when the tiles under way are done; Ctrl-C again stops at once")
        raise KeyboardInterrupt(advice)

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _say(text: str, control: str = "") -> None:
    # Not through sys.stderr: the signal may have come amid a write to it, which must not be entered again. On a
    # terminal a progress bar may stand on the line.
    with contextlib.suppress(OSError):  # nobody may be there who reads it
        before = f"{control}\n" if os.isatty(2) else ""
        os.write(2, f"{before}{text}\n".encode())
