"""A small package for each kind of image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_model
from numpy.typing import NDArray
from synth import make


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of planes, with weights in all three formats."""
    formats = ("onnx", "torchscript", "pytorch_state_dict")
    return str(small_model.write(tmp_path_factory.mktemp("models") / "planes", formats=formats))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test writes a package of its own."""
    return tmp_path / "model"


@pytest.fixture(scope="session")
def dense() -> NDArray[Any]:
    """An image of nuclei, many of which touch."""
    return make((160, 192), "dense", seed=3)[0]
