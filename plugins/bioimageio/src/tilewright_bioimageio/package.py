"""A model package: its description, which of its weights can run here, and what of it a network of windows needs."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tilewright.abc import SPATIAL
from tilewright.errors import InvalidOption, NotReadable, PluginError

__all__ = [
    "WeightsFormat",
    "batch_of",
    "channel_of",
    "digest_of",
    "first_line",
    "input_of",
    "opened",
    "output_of",
    "path_of",
    "space_of",
    "weights_of",
]

WeightsFormat = Literal["auto", "pytorch_state_dict", "torchscript", "onnx"]

# What runs which weights, in order of preference.
RUNTIMES: dict[WeightsFormat, str] = {
    "pytorch_state_dict": "torch",
    "torchscript": "torch",
    "onnx": "onnxruntime",
}
ADVICE = "give the folder or the zip file of a package, as the BioImage Model Zoo (https://bioimage.io) offers it"


def path_of(model: str) -> Path:
    """The absolute path of a package: a zip file, or the description in its folder.

    bioimageio.core takes whatever is not there for the name of a model in the Zoo, and asks the network for it.
    NotReadable if there is no package.
    """
    from bioimageio.spec.utils import identify_bioimageio_yaml_file_name

    path = Path(model).expanduser().absolute()
    if path.is_dir():
        try:
            return path / identify_bioimageio_yaml_file_name(each.name for each in path.iterdir())
        except ValueError as error:
            raise NotReadable(
                f"{path} is not a model package: it has no bioimageio.yaml or rdf.yaml; {ADVICE}"
            ) from error
    if not path.is_file():
        raise NotReadable(f"there is no model package {path}; {ADVICE}")
    if path.suffix != ".yaml" and not zipfile.is_zipfile(path):
        raise NotReadable(f"{path} is not a model package: neither a folder nor a zip file; {ADVICE}")
    return path


def opened(model: str) -> Any:
    """The description of a package as `bioimageio.spec.model.v0_5.ModelDescr`; older formats are converted.

    NotReadable for what is not a valid description of a model. Nothing is fetched.
    """
    path = path_of(model)
    stat = path.stat()
    return _opened(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=8)
def _opened(path: Path, _time: int, _size: int) -> Any:
    from bioimageio.spec import load_description
    from bioimageio.spec.model.v0_5 import ModelDescr

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Conversion of channel size")  # of each model of format 0.4
            description = load_description(path, format_version="latest", perform_io_checks=False)
    except Exception as error:  # whatever YAML, zipfile and pydantic raise
        raise NotReadable(f"{path} cannot be read as a model package: {first_line(error)}; {ADVICE}") from error
    if not isinstance(description, ModelDescr):
        raise NotReadable(f"{path} does not describe a model in the Zoo's format: {_reason(description)}; {ADVICE}")
    return description


def _reason(description: Any) -> str:
    """Why a description is not that of a model: its type, or the first error in it."""
    if description.type != "model":
        return f"it describes a {description.type}"
    error = next(each for detail in description.validation_summary.details for each in detail.errors)
    return f"{'.'.join(map(str, error.loc))}: {error.msg}".splitlines()[0].rstrip(".")


def weights_of(description: Any, wanted: WeightsFormat) -> WeightsFormat:
    """The format of weights that runs: the wanted one, or for `auto` the first whose runtime is installed.

    InvalidOption if the package has none such, PluginError if the runtime is missing.
    """
    has = [name for name, entry in description.weights if entry is not None]
    choices = [name for name in RUNTIMES if name in has and wanted in ("auto", name)]
    if not choices:
        choice = _listed(RUNTIMES) if wanted == "auto" else repr(wanted)
        raise InvalidOption(
            f"the model {description.name!r} has the weights {_listed(has)}, not {choice}; choose other weights, or "
            "another model"
        )
    missing = {name: _missing(getattr(description.weights, name), RUNTIMES[name]) for name in choices}
    for name in choices:
        if not missing[name]:
            return name
    needed = dict.fromkeys(missing.values())
    raise PluginError(
        f"the weights of {description.name!r} need {' or '.join(needed)}, which is not installed: "
        f"pip install {next(iter(needed))}"
    )


def digest_of(description: Any, weights: str) -> str:
    """A text that stands for a model: its inputs, outputs and weights, with the digests of their files.

    Other fields decide nothing, and one of them, `timestamp`, is the current time if the package has none.
    NotReadable for a file that is missing, lies elsewhere than in the package, or is not the one that is described.
    """
    entry = getattr(description.weights, weights)
    files: list[Any] = [entry, getattr(entry, "architecture", None), getattr(entry, "external_data", None)]
    texts = [description.model_dump_json(include={"inputs", "outputs"}), entry.model_dump_json()]
    texts += [_sha256(description, file) for file in files if hasattr(file, "get_reader")]
    return hashlib.blake2b("".join(texts).encode(), digest_size=16).hexdigest()


def input_of(description: Any) -> Any:
    """The one input of a model. InvalidOption for a model of several, or with axes that an image does not have."""
    required = [each for each in description.inputs if not each.optional]
    if len(required) != 1:
        raise InvalidOption(
            f"the model {description.name!r} has the inputs {_listed(each.id for each in required)}; choose one of a "
            "single input"
        )
    _check_axes(description, required[0])
    return required[0]


def output_of(description: Any, name: str | None) -> Any:
    """An output by its name; the first one for None. InvalidOption if its spatial axes are not those of the input."""
    outputs = {str(each.id): each for each in description.outputs}
    if name is not None and name not in outputs:
        raise InvalidOption(f"the model {description.name!r} has no output {name!r}; it has {_listed(outputs)}")
    output = outputs[name] if name is not None else description.outputs[0]
    _check_axes(description, output)
    if set(space_of(output)) != set(space := space_of(input_of(description))):
        raise InvalidOption(
            f"the output {str(output.id)!r} of {description.name!r} has the spatial axes {_listed(space_of(output))}, "
            f"its input {_listed(space)}; choose another output"
        )
    return output


def space_of(tensor: Any) -> Mapping[str, Any]:
    """The spatial axes of a tensor by name, in the order z, y, x."""
    axes = {str(axis.id): axis for axis in tensor.axes if axis.type == "space"}
    return {name: axes[name] for name in SPATIAL if name in axes}


def channel_of(tensor: Any) -> Any:
    """The channel axis of a tensor, None if it has none."""
    return next((axis for axis in tensor.axes if axis.type == "channel"), None)


def batch_of(tensor: Any) -> Any:
    """The batch axis of a tensor, None if it has none."""
    return next((axis for axis in tensor.axes if axis.type == "batch"), None)


def _missing(entry: Any, runtime: str) -> str:
    """The library that weights need and that is not installed: their runtime, or where their network is defined."""
    module = str(getattr(getattr(entry, "architecture", None), "import_from", runtime)).partition(".")[0]
    return next((name for name in (runtime, module) if not importlib.util.find_spec(name)), "")


def _sha256(description: Any, file: Any) -> str:
    if "://" in str(file.source):
        raise NotReadable(f"the weights of {description.name!r} lie at {file.source}; download the whole package")
    try:
        return str(file.get_reader().sha256)
    except (OSError, ValueError, KeyError) as error:
        raise NotReadable(
            f"{file.source} of the model {description.name!r} cannot be used: {first_line(error)}; download the "
            "package again"
        ) from error


def _check_axes(description: Any, tensor: Any) -> None:
    names = [str(axis.id) for axis in tensor.axes]
    allowed = {*space_of(tensor), *(str(axis.id) for axis in tensor.axes if axis.type in ("batch", "channel"))}
    if set(names) - allowed or not {"y", "x"} <= set(names):
        raise InvalidOption(
            f"{str(tensor.id)!r} of the model {description.name!r} has the axes {_listed(names)}; choose a model of "
            "y, x, and perhaps z, channels and a batch"
        )


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


def first_line(error: BaseException) -> str:
    """The first line of an error; of a group that of its first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".")
