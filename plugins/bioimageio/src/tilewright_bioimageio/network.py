"""The network of a package: loaded once in each process, and what it says of windows."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tilewright import fit_into_memory
from tilewright.abc import Window, lengths
from tilewright.errors import NotReadable

from .layout import Line
from .package import batch_of, channel_of, digest_of, first_line, input_of, opened, space_of
from .processing import Statistics, processed, statistics

__all__ = ["has_gpu", "loaded", "predicted"]

logger = logging.getLogger("tilewright")

_LOADING = threading.Lock()
_LOADED: dict[tuple[str, str, bool], Any] = {}  # by digest


def loaded(model: str, weights: str, gpu: bool | Literal["auto"], digest: str) -> Any:
    """bioimageio.core's adapter of a model's weights, the same for all threads of the process.

    NotReadable if they cannot be loaded, or are not those that the digest stands for: parts of two networks would be
    mixed.
    """
    with _LOADING:
        key = digest, weights, bool(gpu)
        if key not in _LOADED:
            description = opened(model)
            now = digest_of(description, weights)
            if now != digest:
                raise NotReadable(
                    f"the model {model!r} is not the one that the run began with ({digest}, now {now}); put that back, "
                    "or start anew (--no-resume)"
                )
            _LOADED[key] = _load(description, weights, gpu)
        return _LOADED[key]


def predicted(
    windows: Sequence[Window], description: Any, output: Any, adapter: Any, values: Statistics, along: Sequence[Line]
) -> list[NDArray[np.float32]]:
    """The output of a model for windows, (channels, *window) each, with its processing; zeros where it lacks pixels."""
    tensor, stat = input_of(description), statistics(description, values)
    pixels = np.stack([_padded(window, tensor.pad) for window in windows])
    pixels = pixels.reshape(len(windows), -1, *lengths(windows[0].span))

    def forward(batch: NDArray[Any]) -> NDArray[np.float32]:
        seen = processed(tensor.preprocessing, tensor, {tensor.id: _tensor(batch, tensor)}, stat)
        seen.data.values = np.nan_to_num(seen.data.values, copy=False, nan=0, posinf=0, neginf=0)
        return _array(processed(output.postprocessing, output, adapter.forward({tensor.id: seen}), {}), output)

    def maps(size: int) -> list[NDArray[np.float32]]:
        return [each for first in range(0, len(pixels), size) for each in forward(pixels[first : first + size])]

    batch = batch_of(tensor)
    size = 1 if batch is None or batch.size == 1 else len(windows)
    return [_whole(each, along) for each in fit_into_memory(maps, size)]


def _load(description: Any, weights: Any, gpu: bool | Literal["auto"]) -> Any:
    from bioimageio.core.backends import create_model_adapter

    logger.info("loading %s (%s)", description.name, weights)
    devices = _devices(weights, gpu)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`torch.jit", FutureWarning)  # PyTorch deprecates what the Zoo is full of
            return create_model_adapter(description, devices=devices, weight_format_priority_order=[weights])
    except Exception as error:  # whatever the code and the weights of a package raise
        raise NotReadable(
            f"the weights {weights!r} of the model {description.name!r} cannot be loaded ({first_line(error)}); choose "
            "others (weights), or install what they need"
        ) from error


def _devices(weights: str, gpu: bool | Literal["auto"]) -> list[str] | None:
    """The devices to load weights on; None for PyTorch's own choice: GPUs, if it has some."""
    there = has_gpu(weights)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""  # as from the processes of a run that decode
    if gpu is True and not there and not hidden:
        warnings.warn(f"gpu=True, but the runtime of {weights} finds no GPU here", RuntimeWarning, stacklevel=2)
    if weights == "onnx":
        return ["CUDAExecutionProvider" if gpu and there else "CPUExecutionProvider"]
    return None if gpu else ["cpu"]


def has_gpu(weights: str) -> bool:
    """Whether the runtime of a format of weights can use a GPU here."""
    if weights == "onnx":
        import onnxruntime

        return "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _padded(window: Window, padding: Any) -> NDArray[Any]:
    """The pixels of a window, continued beyond the image as the package says: mirrored, if it says nothing."""
    inside = window.pixels.shape[-len(window.span) :]
    before = [max(0, -part.start) for part in window.span]
    after = [n - b - i for n, b, i in zip(lengths(window.span), before, inside, strict=True)]
    widths = [(0, 0)] * (window.pixels.ndim - len(inside)) + list(zip(before, after, strict=True))
    mode: Any = "symmetric" if padding is None else padding.mode
    if mode == "constant":  # which whole numbers may not hold
        return np.pad(window.pixels.astype(np.float64), widths, constant_values=padding.value)
    return np.pad(window.pixels, widths, mode=mode)


def _tensor(pixels: NDArray[Any], tensor: Any) -> Any:
    """Pixels (batch, channel, *space) as a member of a sample, without the axes that the input does not have."""
    from bioimageio.core import Tensor

    names = [*_lead(tensor), *(axis.id for axis in space_of(tensor).values())]
    kept = pixels[tuple(0 if name is None else slice(None) for name in names)]
    return Tensor(kept, dims=[name for name in names if name is not None])


def _array(member: Any, tensor: Any) -> NDArray[np.float32]:
    """A member of a sample as (batch, channel, *space)."""
    lead = _lead(tensor)
    names = [*lead, *(axis.id for axis in space_of(tensor).values())]
    array = member.transpose([name for name in names if name is not None])
    missing = tuple(at for at, name in enumerate(lead) if name is None)
    return np.expand_dims(np.asarray(array.to_numpy(), np.float32), missing)


def _lead(tensor: Any) -> list[Any]:
    """The names of the axes batch and channel, None for one that the tensor does not have."""
    return [axis and axis.id for axis in (batch_of(tensor), channel_of(tensor))]


def _whole(array: NDArray[np.float32], along: Sequence[Line]) -> NDArray[np.float32]:
    """A map at the image's pixels, as large as the window."""
    for axis, line in enumerate(along, 1):
        array = np.repeat(array, line.step, axis) if line.step > 1 else array
    return np.pad(array, [(0, 0), *((line.cut, line.cut) for line in along)])
