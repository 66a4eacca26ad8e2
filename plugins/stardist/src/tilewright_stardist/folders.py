"""Where a network lies: a folder of one's own, or one of StarDist's pretrained models, fetched when first used."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from tilewright.errors import InvalidOption, NotReadable

from .library import kinds, quiet

__all__ = ["axes_of", "channels_of", "digest_of", "folder_of", "is_folder"]

WEIGHTS = ("*.h5", "*.hdf5")
RELEASES = "https://github.com/stardist/stardist-models/releases"
ADVICE = f"pass the folder that StarDist's training wrote or that was unpacked from {RELEASES} (model=FOLDER)"


def folder_of(model: str) -> Path:
    """The absolute folder of a model, which holds `config.json` and weights.

    A folder is taken before a pretrained model of that name. InvalidOption if it is neither, or lacks either file;
    NotReadable if a pretrained model cannot be fetched.
    """
    if not is_folder(model):
        return _pretrained(model)
    folder = Path(model).expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise InvalidOption(f"{folder} is not a StarDist model: it has no config.json; {ADVICE}")
    _weights(folder)
    return folder


def is_folder(model: str) -> bool:
    """Whether a model is said by its folder, rather than by a pretrained one's name."""
    return Path(model).expanduser().is_dir()


def axes_of(folder: Path) -> str:
    """The axes that a model's network takes, from its configuration alone: channels first if there are several."""
    spatial = "zyx" if _number(folder, "n_dim") == 3 else "yx"
    return "c" + spatial if channels_of(folder) > 1 else spatial


def channels_of(folder: Path) -> int:
    """How many channels a model's network takes."""
    return _number(folder, "n_channel_in")


def digest_of(folder: Path) -> str:
    """A text that stands for a model: its configuration, weights and thresholds."""
    digest = hashlib.blake2b(digest_size=16)
    for path in (folder / "config.json", _weights(folder), folder / "thresholds.json"):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _number(folder: Path, name: str) -> int:
    """A number of a model's `config.json`. NotReadable if that is none of StarDist's."""
    path = folder / "config.json"
    try:
        return int(json.loads(path.read_text("utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotReadable(
            f"{path} is not a StarDist configuration: {type(error).__name__}: {error}; {ADVICE}"
        ) from error


def _weights(folder: Path) -> Path:
    """The file of weights that StarDist loads: the newest of the best ones, else the newest."""
    found = [path for pattern in WEIGHTS for path in folder.glob(pattern)]
    if not found:
        raise InvalidOption(f"{folder} holds no weights (*.h5), and a network without weights is untrained; {ADVICE}")
    newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in newest if "best" in path.name), newest[0])


@functools.cache
def _pretrained(model: str) -> Path:
    registered = _registered()
    if model not in registered:
        raise InvalidOption(
            f"there is no StarDist model {model!r}: no such folder is in {Path.cwd()}, and StarDist's pretrained ones "
            f"are {', '.join(registered)}; {ADVICE}"
        )
    from csbdeep.models.pretrained import get_model_folder

    try:
        with quiet():
            return Path(get_model_folder(registered[model], model)).resolve()
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise NotReadable(f"StarDist's model {model!r} cannot be fetched ({why}); {ADVICE}") from error


def _registered() -> dict[str, Any]:
    """StarDist's pretrained models by name, each with the class that it is a model of."""
    classes = kinds().values()
    from csbdeep.models.pretrained import get_registered_models

    return {name: each for each in classes for name in get_registered_models(each, verbose=False)[0]}
