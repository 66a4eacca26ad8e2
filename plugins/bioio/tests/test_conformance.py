"""What tilewright asks of every plugin and reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from tilewright.testing import PluginTests, ReaderTests, Sample
from tilewright_bioio.reader import BioioReader

pytestmark = pytest.mark.slow
SPACING = {"z": 2.0, "y": 0.5, "x": 0.5}
UNITS = dict.fromkeys("zyx", "micrometer")


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_bioio"


class TestCzi(ReaderTests):
    @pytest.fixture
    def sample(self, tmp_path: Path, pixels: NDArray[Any], write_czi: Any) -> Sample:
        path = Path(write_czi(tmp_path / "cells.czi", pixels))
        return Sample(
            reader=BioioReader(image="1"),
            path=path,
            axes="czyx",
            pixels=pixels[1],
            spacing=SPACING,
            units=UNITS,
            channels=("DAPI", "GFP"),
        )


class TestLif(ReaderTests):
    @pytest.fixture
    def sample(self, tmp_path: Path, pixels: NDArray[Any], write_lif: Any) -> Sample:
        return Sample(
            reader="bioio",
            path=Path(write_lif(tmp_path / "cells.lif", {"first": pixels[0]})),
            collection=Path(write_lif(tmp_path / "two.lif", {"first": pixels[0], "second": pixels[1]})),
            axes="czyx",
            pixels=pixels[0],
            spacing=SPACING,
            units=UNITS,
            channels=("Blue", "Green"),
        )


class TestIms(ReaderTests):
    @pytest.fixture
    def sample(self, tmp_path: Path, pixels: NDArray[Any], write_ims: Any) -> Sample:
        return Sample(
            reader="imaris",
            path=Path(write_ims(tmp_path / "cells.ims", pixels[:1])),
            axes="czyx",
            pixels=pixels[0],
            spacing={"z": 2.0, "y": 0.5, "x": 0.25},
            units=UNITS,
            channels=("DAPI", "GFP"),
        )
