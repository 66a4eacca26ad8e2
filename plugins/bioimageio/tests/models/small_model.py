"""Write small packages in the format of the BioImage Model Zoo: one convolution that blurs and looks for dark seams.

python small_model.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["HALO", "REACH", "change", "kernels", "write", "zipped"]

Weights = NDArray[np.float32]

REACH = 5  # pixels that a prediction depends on to each side
HALO = 6
NETWORK = """
from torch import nn

def network(dimensions, channels, reach, padding, stride):
    return (nn.Conv2d, nn.Conv3d)[dimensions - 2](channels, 2, 2 * reach + 1, stride, padding)
"""
NORMALIZED = [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}]
SIGMOID = [{"id": "sigmoid"}]


def write(
    folder: Path,
    *,
    space: str = "yx",
    channels: int = 1,
    formats: Sequence[str] = ("onnx",),
    preprocessing: Sequence[Mapping[str, Any]] = NORMALIZED,
    postprocessing: Sequence[Mapping[str, Any]] = SIGMOID,
    sizes: Mapping[str, Any] | None = None,
    halo: int = HALO,
    padding: int = REACH,
    stride: int = 1,
    pad: Mapping[str, Any] | None = None,
) -> Path:
    """A package in a folder, which is returned.

    sizes: of the input's axes, by name. padding: zeros around a window, without which the output lacks pixels. stride:
    pixels of the image for one of the output. pad: what the package asks for beyond the image.
    """
    folder.mkdir(parents=True)
    weights, bias = kernels(len(space), channels)
    described = {name: WRITERS[name](folder, weights, bias, padding, stride) for name in formats}
    for name in ("input", "output"):
        np.save(folder / f"{name}.npy", np.zeros((1,) * (2 + len(space)), np.float32))
    (folder / "README.md").write_text("# A small model\n\n## Validation\n\nNone.\n")
    own, offset = {"min": 32, "step": 16}, 2 * (padding - REACH) // stride
    inputs = [{"type": "space", "id": axis, "size": (sizes or {}).get(axis, own)} for axis in space]
    outputs = [
        {"type": "space", "id": axis, "scale": stride, "size": {"tensor_id": "raw", "axis_id": axis, "offset": offset}}
        | ({"halo": halo} if halo else {})
        for axis in space
    ]
    names = [f"dye {number}" for number in range(channels)]
    record = {
        "type": "model",
        "format_version": "0.5.4",
        "name": "small",
        "description": "One convolution.",
        "authors": [{"name": "the tilewright developers"}],
        "cite": [{"text": "none", "url": "https://example.com"}],
        "license": "BSD-3-Clause",
        "documentation": "README.md",
        "inputs": [_tensor("raw", "input", names, inputs) | {"preprocessing": list(preprocessing), "pad": pad}],
        "outputs": [
            _tensor("map", "output", ["inside", "seam"], outputs) | {"postprocessing": list(postprocessing)},
        ],
        "weights": described,
    }
    (folder / "bioimageio.yaml").write_text(json.dumps(record, indent=1))  # which is YAML, too
    return folder


def change(folder: Path, changed: Callable[[dict[str, Any]], object]) -> Path:
    """A package whose description a function changes in place; the package is returned."""
    file = folder / "bioimageio.yaml"
    record = json.loads(file.read_text())
    changed(record)
    file.write_text(json.dumps(record))
    return folder


def kernels(dimensions: int, channels: int) -> tuple[Weights, Weights]:
    """Weights (2, channels, ...) and biases of the convolution, for pixels of mean 0 and variance 1.

    The first channel is high where blurred pixels are bright, the second one where pixels are darker than around them.
    """
    point = np.zeros((2 * REACH + 1,) * dimensions)
    point[(REACH,) * dimensions] = 1
    narrow, wide = (ndimage.gaussian_filter(point, sigma, truncate=REACH / sigma) for sigma in (1.0, 2.0))
    both = np.stack([6 * narrow, 12 * (wide - narrow)])[:, np.newaxis] / channels
    return np.repeat(both, channels, axis=1).astype(np.float32), np.array([0, -2], np.float32)


def zipped(folder: Path) -> Path:
    """The package of a folder as a zip file beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))


def _tensor(name: str, file: str, channels: list[str], space: list[dict[str, Any]]) -> dict[str, Any]:
    axes = [{"type": "batch"}, {"type": "channel", "channel_names": channels}, *space]
    return {"id": name, "axes": axes, "data": {"type": "float32"}, "test_tensor": {"source": f"{file}.npy"}}


def _onnx(folder: Path, weights: Weights, bias: Weights, padding: int, stride: int) -> dict[str, Any]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    free = [f"n{axis}" for axis in range(weights.ndim - 2)]
    pads, strides = [padding] * 2 * len(free), [stride] * len(free)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["raw", "weights", "bias"], ["map"], pads=pads, strides=strides)],
        "small",
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["b", weights.shape[1], *free])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["b", 2, *(f"m{axis}" for axis in free)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "weights.onnx")
    return _file(folder, "weights.onnx") | {"opset_version": 17}


def _torch(weights: Weights, bias: Weights, **options: int) -> Any:
    import torch

    scope: dict[str, Any] = {}
    exec(NETWORK, scope)
    network = scope["network"](**options)
    network.load_state_dict({"weight": torch.from_numpy(weights), "bias": torch.from_numpy(bias)})
    return network.eval()


def _options(weights: Weights, padding: int, stride: int) -> dict[str, int]:
    shape = {"dimensions": weights.ndim - 2, "channels": weights.shape[1], "reach": REACH}
    return shape | {"padding": padding, "stride": stride}


def _state_dict(folder: Path, weights: Weights, bias: Weights, padding: int, stride: int) -> dict[str, Any]:
    import torch

    options = _options(weights, padding, stride)
    torch.save(_torch(weights, bias, **options).state_dict(), folder / "weights.pt")
    (folder / "network.py").write_text(NETWORK)
    architecture = _file(folder, "network.py") | {"callable": "network", "kwargs": options}
    return _file(folder, "weights.pt") | {"pytorch_version": torch.__version__, "architecture": architecture}


def _torchscript(folder: Path, weights: Weights, bias: Weights, padding: int, stride: int) -> dict[str, Any]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch deprecates it, and the Zoo is full of it
        torch.jit.script(_torch(weights, bias, **_options(weights, padding, stride))).save(str(folder / "scripted.pt"))
    return _file(folder, "scripted.pt") | {"pytorch_version": torch.__version__}


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


WRITERS = {"onnx": _onnx, "pytorch_state_dict": _state_dict, "torchscript": _torchscript}

if __name__ == "__main__":
    write(Path(sys.argv[1]))
