"""A network on a cluster: only workers with a GPU predict windows, every worker decodes tiles."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Local
from numpy.typing import NDArray

from tilewright import Grid, Pipeline, Placement
from tilewright.abc import Maps, Window

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Noting(Local):
    """Notes the processes that predict and decode."""

    folder: str = ""

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        (Path(self.folder) / f"predict {os.getpid()}").touch()
        return super().predict(windows, which)

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        (Path(self.folder) / f"decode {os.getpid()}").touch()
        return super().decode(maps, place)


def test_workers_with_the_resource_gpu_predict_and_all_decode(tmp_path: Path) -> None:
    from distributed import Client, Nanny, SpecCluster
    from distributed.scheduler import Scheduler

    def worker(**options: Any) -> dict[str, Any]:
        return {"cls": Nanny, "options": {"nthreads": 1, "local_directory": str(tmp_path), **options}}

    pixels = np.random.default_rng(0).integers(0, 1000, (200, 200))
    network = Noting(level=500, folder=str(tmp_path))
    pipeline = Pipeline(segmenter=network, tiler=Grid(tile=20, halo=4))
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "dashboard_address": None}}
    workers = {"cpu": worker(), "gpu": worker(resources={"GPU": 1})}
    with SpecCluster(workers=workers, scheduler=scheduler) as cluster, Client(cluster):
        result = pipeline.run(pixels, tmp_path / "labels.zarr")
        np.testing.assert_array_equal(result.labels.compute(), network(pixels))
    predicting, decoding = (
        {each.name.split()[1] for each in tmp_path.glob(f"{what} *")} for what in ("predict", "decode")
    )
    assert len(predicting - {str(os.getpid())}) == 1
    assert predicting - {str(os.getpid())} < decoding
