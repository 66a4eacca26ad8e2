"""What tilewright asks of every measurer and of every table's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.testing import MeasurerTests, TableTests
from tilewright_measure.cellprofiler import CpMeasure
from tilewright_measure.cut_score import CutScore
from tilewright_measure.intensity import KNOWN, Intensity
from tilewright_measure.neighbours import Neighbours
from tilewright_measure.overlaps import Overlaps
from tilewright_measure.regionprops import RegionProps
from tilewright_measure.size import GROUPS, Size

pytestmark = pytest.mark.slow


class TestMeasurers(MeasurerTests):
    @pytest.fixture(
        params=[
            Size(properties=GROUPS),
            Intensity(properties=KNOWN, percentiles=(5, 50)),
            Neighbours(distance=4),
            Overlaps(given=("nuclei",)),
        ],
        ids=lambda measurer: type(measurer).__name__,
    )
    def measurer(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestCutScore(MeasurerTests):
    @pytest.fixture
    def measurer(self) -> CutScore:
        return CutScore()


class TestRegionProps(MeasurerTests):
    dtypes = ("uint8", "uint16", "float64")  # of float32, scikit-image's sums are float32 too

    @pytest.fixture
    def measurer(self) -> RegionProps:
        return RegionProps(properties=("area_filled", "intensity_mean"))


@pytest.mark.filterwarnings("ignore")  # of the library's own arithmetic
class TestCpMeasure(MeasurerTests):
    dtypes = ("uint16",)  # whole numbers are divided by their dtype's greatest, as CellProfiler does

    @pytest.fixture
    def measurer(self) -> CpMeasure:
        pytest.importorskip("cp_measure.bulk")
        return CpMeasure(features=("sizeshape", "zernike", "intensity"))


class TestFiles(TableTests):
    @pytest.fixture(params=["csv", "parquet", "h5ad"])
    def table(self, request: pytest.FixtureRequest) -> Any:
        return request.param


class TestNgio(TableTests):
    @pytest.fixture
    def table(self) -> str:
        return "ngio"

    def path(self, folder: Path, table: Any) -> Path:
        import ngio  # as in tables/test_ngio

        store = folder / "image.ome.zarr"
        if not store.exists():
            ngio.create_ome_zarr_from_array(store, np.zeros((24, 24), np.uint16), pixelsize=0.5, levels=1)
        return store / "tables" / "cells"
