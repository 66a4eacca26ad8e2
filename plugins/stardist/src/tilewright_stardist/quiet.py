"""TensorFlow and StarDist without their chatter: what they print would end up in a command's output."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

__all__ = ["quiet"]


@contextmanager
def quiet() -> Iterator[None]:
    """Log what is printed meanwhile instead, and have TensorFlow speak of nothing less than errors."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is first imported
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that tiles at the border have other shapes
    printed = io.StringIO()
    with redirect_stdout(printed):
        yield
    for line in printed.getvalue().splitlines():
        logging.getLogger("tilewright_stardist").info(line)
