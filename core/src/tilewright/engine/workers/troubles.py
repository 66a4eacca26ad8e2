"""What keeps a run's tasks from ending, as its log says it."""

from __future__ import annotations

import logging

__all__ = ["Troubles"]

logger = logging.getLogger("tilewright")


class Troubles:
    """Logs a trouble once, until it is over."""

    def __init__(self) -> None:
        self._last = ""

    def log(self, trouble: str) -> None:
        """Log a trouble that is not the last one; an empty text says that there is none."""
        if trouble and trouble != self._last:
            logger.warning("%s; waiting. A run that is stopped resumes when the same command is run again", trouble)
        self._last = trouble
