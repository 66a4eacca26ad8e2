"""StarDist and TensorFlow: imported when first used, and without their chatter, which would end up in our output."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from tilewright.errors import PluginError

__all__ = ["kinds", "quiet"]


def kinds() -> dict[int, Any]:
    """StarDist's classes of models by their number of dimensions. PluginError if it cannot be imported."""
    try:
        with quiet():
            from stardist.models import StarDist2D, StarDist3D
    except (ImportError, RuntimeError) as error:  # csbdeep raises a RuntimeError if TensorFlow is not there
        why = next(filter(None, str(error).splitlines()), "")
        raise PluginError(
            f"StarDist cannot be imported ({why}); it needs TensorFlow, which it does not bring: "
            'pip install "tilewright-stardist[tensorflow]", or [cpu]'
        ) from error
    return {2: StarDist2D, 3: StarDist3D}


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
