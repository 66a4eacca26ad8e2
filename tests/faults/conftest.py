"""What the tests of faults share: an image, and no calls that another test noted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from runs import CALLS
from stores import make_image


@pytest.fixture(autouse=True)
def _no_calls() -> Iterator[None]:
    CALLS.clear()
    yield
    CALLS.clear()


@pytest.fixture
def pixels(tmp_path: Path) -> NDArray[Any]:
    return make_image(tmp_path)
