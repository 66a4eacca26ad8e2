"""What tifffile finds wrong with a file and only logs, because it can go on with less than the file should hold."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections.abc import Iterator

from .opening import one_line

__all__ = ["complaints"]

# Its words for pixels or tags that are not there. What else it logs is of no consequence: a date in no calendar.
LOSS = re.compile(r"invalid (page|value) offset|corrupt|missing|zeroed|out of range")
LACKING = re.compile(r"OME series is missing (\d+) frames\. Missing data are zeroed")
LACKING_IN_WORDS = r"the XML says \1 planes more than the pages are, and those are read as 0"


@contextlib.contextmanager
def complaints() -> Iterator[list[str]]:
    """The list of what tifffile logs in this thread that means a loss: each thing once, without its own names.

    An interrupted copy of a stack may still open as its first plane, and planes that are missing are zeros to tifffile.
    """
    logger = logging.getLogger("tifffile")
    handler = _Listening()
    logger.addHandler(handler)
    try:
        yield handler.heard
    finally:
        logger.removeHandler(handler)


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        text = LACKING.sub(LACKING_IN_WORDS, re.sub(r"<[^>]*>\s*", "", one_line(record.getMessage())))
        if record.thread == self._thread and LOSS.search(record.getMessage()) and text not in self.heard:
            self.heard.append(text)
