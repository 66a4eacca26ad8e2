"""Nuclei with known labels, and the small model of whichever Cellpose is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import small_cellpose
import synth
from numpy.typing import NDArray

from tilewright import Image
from tilewright_cellpose.segmenter import Cellpose

SIDE = 320  # pixels: four patches


@pytest.fixture(scope="session")
def narrow() -> None:
    import torch

    small_cellpose.narrow()
    torch.set_num_threads(1)  # as many tests at a time as there are CPUs are enough


@pytest.fixture(autouse=True)
def _narrow_if_slow(request: pytest.FixtureRequest) -> None:
    """Slow tests alone run networks, and what networks need takes seconds to import."""
    if request.node.get_closest_marker("slow"):
        request.getfixturevalue("narrow")


@pytest.fixture(scope="session")
def model(narrow: None) -> str:
    return str(small_cellpose.SMALL)


@pytest.fixture(scope="session")
def nuclei() -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels (y, x), uint16, that no model was trained on, and the true labels."""
    pixels, truth = synth.make((SIDE, SIDE), "medium", seed=5000)
    pixels.flags.writeable = False
    return pixels, truth


@pytest.fixture(scope="session")
def segmenter(model: str, nuclei: tuple[NDArray[Any], NDArray[Any]]) -> Cellpose:
    return Cellpose(model=model).prepare(Image(data=nuclei[0], axes="yx"))


@pytest.fixture(scope="session")
def found(segmenter: Cellpose, nuclei: tuple[NDArray[Any], NDArray[Any]]) -> NDArray[np.int64]:
    """What the segmenter finds of them."""
    return segmenter(nuclei[0]).astype(np.int64)
