"""The distribution as tilewright meets it, and packages as users hand them over: right ones, and others by name."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_model
from numpy.typing import NDArray

from tilewright import Image, TilewrightError
from tilewright.errors import InvalidImage, InvalidOption, NotReadable, PluginError
from tilewright_bioimageio.package import digest_of, opened
from tilewright_bioimageio.segmenter import BioImageModel

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

README = Path(__file__).parents[1] / "README.md"
PLANE = Image(data=np.zeros((8, 9), np.uint8), axes="yx")


def refused(error: type[TilewrightError], model: Path, image: Image = PLANE, **options: Any) -> str:
    """The one line with which a model is refused before the first tile."""
    with pytest.raises(error) as caught:
        BioImageModel(model=str(model), **options).prepare(image).windows(image, 0)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_discovery_imports_no_library() -> None:
    code = "import sys, tilewright_bioimageio as t; t.tilewright_segmenters(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_tensorflow_is_not_imported_and_nothing_is_printed(model: str) -> None:
    code = f"""
import sys
import numpy
from tilewright_bioimageio.segmenter import BioImageModel
for weights in ("pytorch_state_dict", "torchscript", "onnx"):
    BioImageModel(model={model!r}, weights=weights)(numpy.zeros((40, 40)))
assert "tensorflow" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    fields = {field.name: field for field in dataclasses.fields(BioImageModel)}
    assert [name for name, _ in rows] == list(fields)
    for name, default in rows[1:]:
        assert eval(default.strip("`")) == fields[name].default


@pytest.mark.parametrize("name", ["bioimageio.yaml", "rdf.yaml", "model.yaml", "small.bioimageio.yaml"])
def test_a_folder_is_known_by_any_name_of_its_description(folder: Path, name: str) -> None:
    small_model.write(folder)
    (folder / "bioimageio.yaml").rename(folder / name)
    assert BioImageModel(model=str(folder)).prepare(PLANE).model == str(folder / name)


def test_the_digest_is_of_the_model_and_not_of_its_place(folder: Path, tmp_path: Path) -> None:
    small_model.write(folder)
    shutil.copytree(folder, tmp_path / "copy")
    models = [opened(str(each)) for each in (folder, tmp_path / "copy", small_model.zipped(folder))]
    assert len({digest_of(each, "onnx") for each in models}) == 1


def test_weights_without_a_recorded_digest_are_known_by_their_bytes(folder: Path) -> None:
    small_model.change(small_model.write(folder), lambda record: record["weights"]["onnx"].pop("sha256"))
    file = folder / "weights.onnx"
    first = digest_of(opened(str(folder)), "onnx")
    assert digest_of(opened(str(folder)), "onnx") == first
    file.write_bytes(file.read_bytes() + b"more")
    assert digest_of(opened(str(folder)), "onnx") != first


@pytest.mark.slow
def test_a_run_ends_where_the_weights_are_others_than_when_it_began(folder: Path, dense: NDArray[Any]) -> None:
    small_model.change(small_model.write(folder, halo=5), lambda record: record["weights"]["onnx"].pop("sha256"))
    prepared = BioImageModel(model=str(folder)).prepare(Image(data=dense, axes="yx"))
    file = folder / "weights.onnx"
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(NotReadable, match=r"is not the one that the run began with .*--no-resume"):
        prepared(dense)


def old(record: dict[str, Any], scale: int) -> None:
    """Makes a description one of the format 0.4. scale: from channels of the input to those of the output."""
    extent = {"min": [1, 1, 32, 32], "step": [0, 0, 16, 16]}
    same = {"reference_tensor": "raw", "scale": [1, scale, 1, 1], "offset": [0, 1 - scale / 2, 0, 0]}
    common = {"axes": "bcyx", "data_type": "float32"}
    mean = {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}}
    record |= {
        "format_version": "0.4.10",
        "timestamp": "2024-01-01T00:00:00",
        "inputs": [common | {"name": "raw", "shape": extent, "preprocessing": [mean]}],
        "outputs": [
            common | {"name": "map", "shape": same, "halo": [0, 0, 6, 6], "postprocessing": [{"name": "sigmoid"}]}
        ],
        "test_inputs": ["input.npy"],
        "test_outputs": ["output.npy"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("scale", [0, 1])
def test_a_package_of_the_format_0_4_is_the_same_model(
    folder: Path, tmp_path: Path, dense: NDArray[Any], scale: int
) -> None:
    small_model.write(folder)
    np.save(folder / "input.npy", np.zeros((1, 1, 32, 32), np.float32))
    np.save(folder / "output.npy", np.zeros((1, 2, 32, 32), np.float32))
    before = BioImageModel(model=str(shutil.copytree(folder, tmp_path / "new")), boundaries=1)(dense)
    small_model.change(folder, lambda record: old(record, scale))
    assert opened(str(folder)).format_version.startswith("0.5")
    np.testing.assert_array_equal(BioImageModel(model=str(folder), boundaries=1)(dense), before)


def test_what_is_not_a_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "image.tif").write_bytes(b"II*\0")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("hello.txt", "hello")
    assert "there is no model package" in refused(NotReadable, tmp_path / "nothing")
    assert "has no bioimageio.yaml" in refused(NotReadable, tmp_path / "empty")
    assert "neither a folder nor a zip file" in refused(NotReadable, tmp_path / "image.tif")
    assert "hello.txt" in refused(NotReadable, tmp_path / "other.zip")
    assert "there is no model package" in refused(NotReadable, Path("affable-shark")), (
        "names of the Zoo are not fetched"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "ParserError"),
        ("[1]", "mapping"),
        ("{}", "does not describe a model"),
        ('{"type": "dataset", "format_version": "0.3.0"}', "it describes a dataset"),
    ],
)
def test_a_description_of_something_else_is_refused(folder: Path, text: str, reason: str) -> None:
    small_model.write(folder)
    (folder / "bioimageio.yaml").write_text(text)
    assert reason in refused(NotReadable, folder)


def without_inputs(record: dict[str, Any]) -> None:
    del record["inputs"]


def of_two_inputs(record: dict[str, Any]) -> None:
    record["inputs"].append(record["inputs"][0] | {"id": "mask"})


def of_times(record: dict[str, Any]) -> None:
    record["inputs"][0]["axes"][1] = {"type": "time", "id": "time", "size": 5}


def elsewhere(record: dict[str, Any]) -> None:
    record["weights"]["onnx"]["source"] = "https://example.com/weights.onnx"


def of_another_runtime(record: dict[str, Any]) -> None:
    record["weights"] = {"keras_hdf5": {"source": "weights.h5", "tensorflow_version": "2.16"}}


def finer(record: dict[str, Any]) -> None:
    record["outputs"][0]["axes"][2]["scale"] = 0.5


def uneven(record: dict[str, Any]) -> None:
    record["outputs"][0]["axes"][3]["size"]["offset"] = -3


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        (without_inputs, NotReadable, "inputs: Field required"),
        (of_two_inputs, InvalidOption, "has the inputs raw, mask; choose one of a single input"),
        (of_times, InvalidOption, "has the axes batch, time, y, x; choose a model of y, x"),
        (elsewhere, NotReadable, "lie at https://example.com/weights.onnx; download the whole package"),
        (of_another_runtime, InvalidOption, "has the weights keras_hdf5, not pytorch_state_dict, torchscript, onnx"),
        (finer, InvalidOption, "with pixels as large as the image's or a whole number of times as large"),
        (uneven, InvalidOption, "choose one whose output has the same middle"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_name(
    folder: Path, change: Callable[[dict[str, Any]], None], error: type[TilewrightError], reason: str
) -> None:
    small_model.change(small_model.write(folder), change)
    assert reason in refused(error, folder)


def test_weights_that_are_not_those_of_the_package_are_refused(folder: Path) -> None:
    small_model.write(folder)
    (folder / "weights.onnx").write_bytes(b"1")
    assert "mismatch" in refused(NotReadable, folder)
    (folder / "weights.onnx").unlink()
    assert "download the package again" in refused(NotReadable, folder)


@pytest.mark.slow
def test_weights_that_cannot_be_loaded_are_named(folder: Path) -> None:
    small_model.change(small_model.write(folder), lambda record: record["weights"]["onnx"].pop("sha256"))
    (folder / "weights.onnx").write_bytes(b"1")
    with pytest.raises(NotReadable, match="'onnx' of the model 'small' cannot be loaded"):
        BioImageModel(model=str(folder))(np.zeros((40, 40)))


@pytest.mark.slow
def test_a_runtime_that_is_missing_is_named(model: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # which is how Python knows what cannot be imported
    assert BioImageModel(model=model).prepare(PLANE).weights == "onnx"
    assert "need torch, which is not installed: pip install torch" in refused(
        PluginError, Path(model), weights="torchscript"
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "need torch or onnxruntime" in refused(PluginError, Path(model))


@pytest.mark.slow
def test_a_network_of_a_library_that_is_missing_is_named(folder: Path) -> None:
    def of_library(record: dict[str, Any]) -> None:
        architecture = {"callable": "UNet", "import_from": "no_such_library.model"}
        record["weights"]["pytorch_state_dict"]["architecture"] = architecture

    small_model.change(small_model.write(folder, formats=["pytorch_state_dict", "onnx"]), of_library)
    assert "pip install no_such_library" in refused(PluginError, folder, weights="pytorch_state_dict")
    assert BioImageModel(model=str(folder)).prepare(PLANE).weights == "onnx"


def test_an_image_of_other_axes_or_channels_is_refused(folder: Path, tmp_path: Path) -> None:
    volumes = small_model.write(folder, space="zyx", preprocessing=[])
    colours = small_model.write(tmp_path / "colours", channels=3)
    assert "takes the axes 'zyx', but the image has 'yx'" in refused(InvalidImage, volumes)
    assert "takes 3 channels, but the image has 1" in refused(InvalidImage, colours)
    several = Image(data=np.zeros((2, 8, 9), np.uint8), axes="cyx")
    assert "choose as many with channels (--channels)" in refused(InvalidImage, colours, several)
    assert BioImageModel(model=str(colours)).axes == "cyx"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ({"foreground": 2}, r"no channel 2; it has 0 \(inside\), 1 \(seam\)"),
        ({"foreground": -1}, "no channel -1"),
        ({"boundaries": "membrane"}, "no channel 'membrane'"),
        ({"output": "flows"}, "no output 'flows'; it has map"),
        ({"weights": "torchscript"}, "has the weights onnx, not 'torchscript'"),
        ({"threshold": float("nan")}, "threshold must be a finite number"),
        ({"diameter": 0}, "diameter must be a finite number of at least 1"),
        ({"window": (1, 0, 5)}, "window and batch must be at least 1"),
        ({"min_size": -1}, "min_size must be at least 0"),
    ],
)
def test_an_option_that_cannot_be_is_refused(folder: Path, option: dict[str, Any], reason: str) -> None:
    small_model.write(folder)
    with pytest.raises(InvalidOption, match=reason):
        BioImageModel(model=str(folder), **option).prepare(PLANE)


def test_the_record_of_a_prepared_model_is_json(folder: Path, dense: NDArray[Any]) -> None:
    small_model.write(folder)
    prepared = BioImageModel(model=str(folder)).prepare(Image(data=dense, axes="yx"))
    assert json.loads(json.dumps(prepared.statistics)) == [[dense.mean()], [dense.std()]]
