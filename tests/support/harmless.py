"""What a file from anywhere may do to whoever looks at it on the command line: nothing but give labels or one line."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from tilewright.cli import main

__all__ = ["bounded_memory", "invoke", "is_one_line"]

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control characters, bidi and its like, lone surrogates, breaks of lines
CLEAR = Path("/proc/self/clear_refs")
LIBRARIES = ("Traceback", 'File "', "internal error")


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def invoke(*words: object) -> Result:
    """The command line's result: success or exit code 2, with nothing in it or in the log that steers a terminal."""
    heard, logger = _Heard(), logging.getLogger("tilewright")
    level = logger.level
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    try:
        done = CliRunner().invoke(main, [str(word) for word in words], prog_name="tilewright")
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
    assert done.exit_code in (0, 2), (words, done.stderr, done.exception)
    for text in (done.stdout, done.stderr, *heard.texts):
        assert not any(each in text for each in LIBRARIES), text
        steering = {each for each in text if unicodedata.category(each) in STEERING} - {"\n", "\t"}
        assert not steering, (steering, text)
    if done.exit_code:
        assert is_one_line(done), done.stderr
    return done


def is_one_line(done: Result) -> bool:
    """Whether it ended with one line of error, before which there may be warnings."""
    *warned, last = done.stderr.splitlines()
    return last.startswith("error: ") and all(each.startswith("warning: ") for each in warned)


@contextmanager
def bounded_memory(most: int) -> Iterator[None]:
    """AssertionError if this process comes to have so many more bytes in memory at a time; on Linux alone.

    The highest number since its start would not do: what failed once would not fail again, when a smaller example of
    the same is looked for.
    """
    if not CLEAR.exists():
        yield
        return
    CLEAR.write_text("5")  # the highest number of bytes begins again from the present one
    before = _highest()
    yield
    assert _highest() - before < most, f"{_highest() - before:,} bytes more"


def _highest() -> int:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
