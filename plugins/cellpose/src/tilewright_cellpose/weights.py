"""Weights: whether they are there, and the network made of them, once in each process."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import logging
import os
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

from tilewright.errors import InvalidOption, NotReadable, PluginError

__all__ = ["device", "digest_of", "found", "free", "loaded", "models", "most_channels", "newer", "version"]

logger = logging.getLogger("tilewright")

_LOADING = threading.Lock()
_LOADED: dict[tuple[str, str], tuple[str, Any]] = {}  # with the digest of its weights


@functools.cache
def version() -> str:
    """The version of the Cellpose that is installed."""
    return importlib.metadata.version("cellpose")


def newer() -> bool:
    """Whether it is Cellpose 4 or later: other networks, of which none is one of Cellpose 3's."""
    return int(version().partition(".")[0]) >= 4


def most_channels() -> int:
    """How many channels its networks take."""
    return 3 if newer() else 2


def models() -> Any:
    """The module `cellpose.models`. PluginError if it cannot be imported; the message names what does not fit."""
    try:
        return importlib.import_module("cellpose.models")
    except (ImportError, OSError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        if isinstance(error, RuntimeError) and "torchvision" in str(error):  # its operators need the torch of its build
            torch, vision = map(importlib.metadata.version, ("torch", "torchvision"))
            raise PluginError(
                f"Cellpose {version()} cannot be imported: torchvision {vision} does not fit torch {torch} ({reason}); "
                "install two that were built for each other: pip install --force-reinstall torch torchvision"
            ) from error
        raise PluginError(f"Cellpose {version()} cannot be imported ({reason}); reinstall what it misses") from error


def found(model: str) -> str:
    """The absolute path of a file of weights, or a model's name once its weights are on this machine.

    Cellpose itself takes a path that does not exist for a request for its own model, and fetches that. PluginError if
    Cellpose cannot be imported: before the first tile, not in each of them.
    """
    library = models()
    if Path(model).is_file():
        _check(Path(model))
        return str(Path(model).absolute())
    names = [*library.MODEL_NAMES, *library.get_user_models()]
    if model not in names:
        raise NotReadable(
            f"there is no file {model!r}, and Cellpose {version()} has no model of that name; give a file of weights, "
            f"or one of {', '.join(names)}"
        )
    _fetch(model)
    return model


@functools.cache
def device(gpu: bool | Literal["auto"]) -> Any:
    """PyTorch's device for the network: a GPU, if it has one and `gpu` is not False. The log says which."""
    made = models().assign_device(gpu=bool(gpu))[0]
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""  # as from the processes of a run that decode
    if made.type == "cpu" and gpu is True and not hidden:
        warnings.warn("gpu=True, but PyTorch finds no GPU here: Cellpose runs on the CPU", RuntimeWarning, stacklevel=2)
    reason = ": PyTorch finds no GPU" if made.type == "cpu" and gpu else ""
    logger.info("Cellpose runs on %s%s", made, reason)
    return made


def free(device: Any) -> int | None:
    """Bytes of a GPU's memory that nobody uses; None for a CPU, and for a GPU that does not say."""
    import torch

    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None


def digest_of(model: str) -> str:
    """A text that stands for the weights of a name or path: a digest of their file."""
    path = Path(model) if Path(model).is_file() else _fetch(model)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def loaded(model: str, gpu: bool | Literal["auto"], digest: str = "") -> Any:
    """The model of a name or path on a device, the same for all threads of the process.

    NotReadable if its weights are not those that the digest stands for: parts of two networks would be mixed.
    """
    with _LOADING:
        on = device(gpu)
        known, network = _LOADED.get((model, str(on)), ("", None))
        if network is None or (digest and known != digest):
            now = digest_of(model)
            if digest and now != digest:
                raise NotReadable(
                    f"the weights of {model!r} are not those that the run began with ({digest}, now {now}); put those "
                    "back, or start anew (--no-resume)"
                )
            network = _load(found(model), on)
            _LOADED[model, str(on)] = now, network
        return network


def _load(model: str, device: Any) -> Any:
    logger.info("loading %s", model)
    # bfloat16 is what a GPU is quick with; on CPUs that emulate it, a patch takes twelve times as long.
    more = {"use_bfloat16": device.type != "cpu"} if newer() else {}
    return models().CellposeModel(device=device, pretrained_model=model, **more)


def _check(path: Path) -> None:
    """InvalidOption for weights of the other generation of Cellpose, whose loading says little or nothing."""
    import torch

    try:
        keys = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # whatever unpickling a foreign file raises
        raise NotReadable(f"{path} holds no weights that PyTorch can read: {type(error).__name__}: {error}") from error
    if ("W2" in keys) != newer():
        made_for = "4" if "W2" in keys else "3 or earlier"
        raise InvalidOption(
            f"{path} holds weights of Cellpose {made_for}, but {version()} is installed; give weights for that, or "
            "install the other"
        )


def _fetch(name: str) -> Path:
    """The weights of a model of Cellpose's own, on this machine before several workers want them at a time."""
    library = models()
    try:
        return Path(library.cache_model_path(name) if newer() else library.model_path(name))
    except (URLError, OSError) as error:
        raise NotReadable(
            f"the weights of {name!r} are not in {library.MODEL_DIR} and cannot be fetched ({error}); put them there, "
            "or give the path of a file of weights"
        ) from error
