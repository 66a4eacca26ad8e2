"""StarDist and TensorFlow: imported when first used, and without their chatter, which would end up in our output."""

from __future__ import annotations

import functools
import importlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from tilewright.errors import PluginError

__all__ = ["gpu_memory", "kinds", "quiet"]

logger = logging.getLogger("tilewright")


@functools.cache
def kinds() -> dict[int, Any]:
    """StarDist's classes of models by their number of dimensions. PluginError if it cannot be imported."""
    try:
        with quiet(), _fatal_errors_only():
            _import_triton()
            from stardist.models import StarDist2D, StarDist3D
    except (ImportError, RuntimeError) as error:  # csbdeep raises a RuntimeError if TensorFlow is not there
        why = next(filter(None, str(error).splitlines()), "")
        raise PluginError(
            f"StarDist cannot be imported ({why}); it needs TensorFlow, which it does not bring: "
            'pip install "tilewright-stardist[tensorflow]", or [cpu]'
        ) from error
    return {2: StarDist2D, 3: StarDist3D}


@functools.cache
def gpu_memory() -> int | None:
    """Bytes that TensorFlow may take of the GPU that the network runs on; None without a GPU. The log says which."""
    kinds()
    from tensorflow.python.client import device_lib

    with quiet():
        found = [device for device in device_lib.list_local_devices() if device.device_type == "GPU"]
    logger.info("StarDist runs on %s", found[0].physical_device_desc if found else "cpu: TensorFlow finds no GPU")
    return int(found[0].memory_limit) if found else None


def _import_triton() -> None:
    """Import Triton, if it is installed, before TensorFlow.

    Triton, which PyTorch's builds for GPUs bring, ends the process with a segmentation fault if it is imported after
    TensorFlow (seen with Triton 3 and TensorFlow 2.21): a run of Cellpose after one of StarDist.
    """
    with suppress(ImportError):
        importlib.import_module("triton")


@contextmanager
def quiet() -> Iterator[None]:
    """Log what is printed meanwhile instead, and have TensorFlow's C++ write only what ends the process.

    Its other errors are raised in Python too, or are none, as that a build for GPUs finds no driver.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is first imported
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else it takes all of a GPU, also to plan a run
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that tiles at the border have other shapes
    printed = io.StringIO()
    with redirect_stdout(printed):
        yield
    for line in printed.getvalue().splitlines():
        logging.getLogger("tilewright_stardist").info(line)


# A process of its own, so that the reason is shown even where TensorFlow aborts, as on processors without AVX.
FATAL_ONLY = """
import itertools, sys
sys.stderr.writelines(itertools.dropwhile(lambda line: not line.startswith(("F", "terminate")), sys.stdin))
"""


@contextmanager
def _fatal_errors_only() -> Iterator[None]:
    """Drop what is written to the descriptor of stderr: TensorFlow's C++ writes there before it reads a log level."""
    with subprocess.Popen([sys.executable, "-ISc", FATAL_ONLY], stdin=subprocess.PIPE) as reader:
        stderr = os.dup(2)
        os.dup2(reader.stdin.fileno(), 2)  # type: ignore[union-attr]  # it is a pipe
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
