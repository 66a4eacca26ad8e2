"""What the network of a package says is what bioimageio.core says of the whole image, in one piece."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_model
from bioimageio.core import Sample, Tensor, create_prediction_pipeline
from numpy.typing import NDArray
from scipy import ndimage
from synth import make

from tilewright import Image
from tilewright_bioimageio.network import has_gpu
from tilewright_bioimageio.package import opened
from tilewright_bioimageio.recipes import parted, pieces
from tilewright_bioimageio.segmenter import BioImageModel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")]

EACH: dict[str, Any] = {"axes": ["channel", "y", "x"]}
FIXED = [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 60, "std": 45}}]
OPTIONS: dict[str, dict[str, Any]] = {
    "as the others": {},
    "coarser pixels": {"stride": 2, "halo": 3},
    "windows of one size": {"sizes": {"y": 64, "x": 48}},
    "windows of little more than the halo": {"sizes": {"y": 22, "x": 22}, "halo": 5},
    "one value beyond the image": {"pad": {"mode": "constant", "value": 7}},
    "the last pixel beyond the image": {"pad": {"mode": "edge"}},
    "no normalisation": {"preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 0.02, "offset": -1.2}}]},
    "fixed normalisation": {"preprocessing": FIXED},
    "quantiles": {
        "preprocessing": [
            {"id": "scale_range", "kwargs": EACH | {"min_percentile": 3, "max_percentile": 97.3}},
            {"id": "scale_linear", "kwargs": {"gain": 3, "offset": -1}},
        ]
    },
    "clipped by quantiles": {
        "preprocessing": [
            {"id": "clip", "kwargs": EACH | {"min_percentile": 3.1, "max_percentile": 97.7}},
            {"id": "scale_linear", "kwargs": {"gain": 0.02, "offset": -1.2}},
        ]
    },
    "of a data set": {
        "preprocessing": [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["batch", "y", "x"]}}],
    },
    "softmax": {"postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}]},
}


def library(folder: Path, pixels: NDArray[Any], blocks: bool = True) -> NDArray[np.float32]:
    """What bioimageio.core predicts, (channels, y, x), of an image (y, x).

    blocks: as large as a window, with statistics of the whole image; else all at once, without more pixels around it.
    """
    axes = ("batch", "channel", "y", "x")
    sample = Sample(members={"raw": Tensor(pixels[np.newaxis, np.newaxis], dims=axes)}, stat={}, id=None)
    pipeline = create_prediction_pipeline(opened(str(folder)), weight_format="onnx", devices=["CPUExecutionProvider"])
    if blocks:
        made = pipeline.predict_sample_with_blocking(sample, ns=2)
    else:
        made = pipeline.predict_sample_without_blocking(sample, skip_input_padding=True, skip_output_cropping=True)
    return np.asarray(made.members["map"].to_numpy()[0], np.float32)


def assert_same(folder: Path, pixels: NDArray[Any], inside: NDArray[np.float32], seam: NDArray[np.float32]) -> None:
    """Labels of the segmenter are those of two maps at the image's pixels, by either recipe."""
    model = BioImageModel(model=str(folder), window=(1, 80, 80))
    labels = model(pixels)
    np.testing.assert_array_equal(labels, pieces(inside, 0.5))
    both = dataclasses.replace(model, boundaries="seam", seed_threshold=0.3)(pixels)
    np.testing.assert_array_equal(both, parted(inside, seam, 0.5, 0.3))
    assert both.max() > 9 < labels.max()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_labels_are_those_of_what_bioimageio_core_predicts(
    folder: Path, dense: NDArray[Any], options: dict[str, Any]
) -> None:
    small_model.write(folder, **options)
    step = options.get("stride", 1)
    assert_same(folder, dense, *library(folder, dense).repeat(step, 1).repeat(step, 2))


@pytest.mark.parametrize(("padding", "halo", "stride"), [(0, 0, 1), (2, 4, 1), (1, 2, 2), (3, 2, 2)])
def test_pixels_that_the_output_lacks_are_seen_by_the_next_window(
    folder: Path, dense: NDArray[Any], padding: int, halo: int, stride: int
) -> None:
    small_model.write(folder, padding=padding, halo=halo, stride=stride, preprocessing=FIXED)
    around = small_model.REACH - padding + halo * stride
    maps = library(folder, np.pad(dense, around, mode="symmetric"), blocks=False)
    maps = maps[:, halo : maps.shape[1] - halo, halo : maps.shape[2] - halo]
    assert_same(folder, dense, *maps.repeat(stride, 1).repeat(stride, 2))


def test_a_constant_that_whole_numbers_do_not_hold_surrounds_the_image(folder: Path, dense: NDArray[Any]) -> None:
    small_model.write(folder, preprocessing=FIXED, pad={"mode": "constant", "value": -3.5})
    maps = library(folder, np.pad(dense.astype(np.float32), small_model.HALO, constant_values=-3.5), blocks=False)
    assert_same(folder, dense, *maps[:, small_model.HALO : -small_model.HALO, small_model.HALO : -small_model.HALO])


def test_a_volume_is_seen_whole(folder: Path) -> None:
    pixels = make((20, 60, 70), "dense", seed=3, radius=6.0)[0]
    small_model.write(folder, space="zyx", preprocessing=FIXED, sizes={"z": {"min": 12, "step": 4}}, halo=5)
    model = BioImageModel(model=str(folder), window=(16, 48, 48)).prepare(Image(data=pixels, axes="zyx"))
    padded = np.pad(pixels, 5, mode="symmetric")
    weights, bias = small_model.kernels(3, 1)
    inside = 1 / (1 + np.exp(-ndimage.correlate((padded - 60.0) / 45, weights[0, 0], mode="constant") - bias[0]))
    near = inside[5:-5, 5:-5, 5:-5]
    assert len(model.windows(Image(data=pixels, axes="zyx"), 0)[0].starts[0]) > 1
    np.testing.assert_array_equal(model(pixels), pieces(near.astype(np.float32), 0.5))


@pytest.mark.parametrize("weights", ["torchscript", "pytorch_state_dict"])
@pytest.mark.parametrize("packed", [False, True])
def test_weights_of_every_format_say_the_same(model: str, dense: NDArray[Any], weights: Any, packed: bool) -> None:
    path = str(small_model.zipped(Path(model))) if packed else model
    labels = BioImageModel(model=path, weights=weights, boundaries=1)(dense)
    np.testing.assert_array_equal(labels, BioImageModel(model=model, weights="onnx", boundaries=1)(dense))


def test_what_is_not_finite_is_nothing_to_the_network(model: str, dense: NDArray[Any]) -> None:
    pixels = dense.astype(np.float32)
    pixels[:40] = np.nan
    pixels[40] = np.inf
    labels = BioImageModel(model=model)(pixels)
    below = BioImageModel(model=model)(pixels[41:])
    np.testing.assert_array_equal(labels[60:] > 0, below[19:] > 0)


@pytest.mark.parametrize("weights", ["torchscript", "onnx"])
def test_a_gpu_that_is_asked_for_and_not_there_is_reported(folder: Path, dense: NDArray[Any], weights: Any) -> None:
    if has_gpu(weights):
        pytest.skip("there is a GPU")
    small_model.write(folder, halo=8, formats=[weights])  # which no other test has loaded in this process
    with pytest.warns(RuntimeWarning, match=f"the runtime of {weights} finds no GPU"):
        BioImageModel(model=str(folder), gpu=True)(dense)


def test_scores_that_are_far_from_zero_bring_no_warning(folder: Path, dense: NDArray[Any]) -> None:
    small_model.write(folder, preprocessing=[{"id": "scale_linear", "kwargs": {"gain": 1000, "offset": -60_000}}])
    assert BioImageModel(model=str(folder))(dense).any()


def of_code(folder: Path, forward: str, changed: Callable[[dict[str, Any]], None]) -> str:
    """A package whose network does something else with what it is given, and whose description is changed."""

    def both(record: dict[str, Any]) -> None:
        changed(record)
        del record["weights"]["pytorch_state_dict"]["architecture"]["sha256"]

    small_model.change(small_model.write(folder, formats=["pytorch_state_dict"]), both)
    (folder / "network.py").write_text(
        "from torch import nn\n\n\nclass Other(nn.Conv2d):\n    def forward(self, x):\n"
        f"        return {forward}\n\n\ndef network(dimensions, channels, reach, padding, stride):\n"
        "    return Other(channels, 2, 2 * reach + 1, stride, padding)\n"
    )
    return str(folder)


@pytest.mark.parametrize(
    ("forward", "inner", "outer"),
    [
        ("super().forward(x.permute(2, 0, 1)[None])[0].permute(1, 2, 0)", "yxc", "yxc"),
        ("super().forward(x[None, None])[0]", "yx", "cyx"),
        ("super().forward(x.permute(0, 2, 1)[:, None])", "bxy", "bcyx"),
    ],
)
def test_axes_are_those_of_the_package_in_its_order(
    folder: Path, model: str, dense: NDArray[Any], forward: str, inner: str, outer: str
) -> None:
    def reordered(record: dict[str, Any]) -> None:
        for tensor, order in ((record["inputs"][0], inner), (record["outputs"][0], outer)):
            axes = {axis.get("id", axis["type"])[0]: axis for axis in tensor["axes"]}
            tensor["axes"] = [axes[letter] for letter in order]

    models = (model, of_code(folder, forward, reordered))
    labels = [BioImageModel(model=each, boundaries="seam", window=(1, 80, 80))(dense) for each in models]
    np.testing.assert_array_equal(*labels)


def test_an_output_is_chosen_by_its_name(folder: Path, model: str, dense: NDArray[Any]) -> None:
    def second(record: dict[str, Any]) -> None:
        record["outputs"].insert(0, record["outputs"][0] | {"id": "opposite"})

    path = of_code(folder, "-super().forward(x), super().forward(x)", second)
    labels = [BioImageModel(model=path, output=name)(dense) for name in ("map", "opposite", None)]
    np.testing.assert_array_equal(labels[0], BioImageModel(model=model)(dense))
    np.testing.assert_array_equal(labels[1], labels[2])
    assert ((labels[0] > 0) != (labels[1] > 0)).all()
