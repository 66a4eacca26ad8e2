"""Time and memory of finishing labels: the pyramidal OME-TIFF and the polygons of a large image.

    python tests/benchmarks/writing.py [--length 24000] [--formats ome-tiff geojson]

The labels are filled by another process, as by the workers of a run; measured is how much this one grows in `finish`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tilewright.abc import LabelSpec
from tilewright_geojson.writer import GeoJsonObjects
from tilewright_tiff.writer import OmeTiffLabels

CELL = 24  # pixels from one object to the next
WRITERS = {"ome-tiff": (OmeTiffLabels, "labels.ome.tif"), "geojson": (GeoJsonObjects, "labels.geojson")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=24_000)
    parser.add_argument("--formats", nargs="+", default=list(WRITERS), choices=WRITERS)
    said = parser.parse_args()
    for name in said.formats:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, said.length, Path(folder))


def measure(name: str, length: int, folder: Path) -> None:
    writer, file = WRITERS[name]
    spec = LabelSpec(
        shape=(length, length),
        axes="yx",
        dtype=np.dtype(np.uint32),
        workdir=folder,
        spacing={"y": 0.5, "x": 0.5},
        units=dict.fromkeys("yx", "micrometer"),
    )
    sink = writer()(str(folder / file), spec)
    filler = multiprocessing.get_context("spawn").Process(target=fill, args=(sink, length))
    filler.start()
    filler.join()
    assert filler.exitcode == 0
    with Watch() as watch:
        sink.finish({})
    size = (folder / file).stat().st_size / 2**20
    print(f"{name}: {length}², {(length // CELL) ** 2:,} objects, {size:,.0f} MB in {watch.seconds:.1f} s, "
          f"memory +{watch.growth / 2**20:.0f} MB")  # fmt: skip


def fill(sink: Any, length: int) -> None:
    """Discs of radius 10, a cell apart, so that many lie across the borders of blocks."""
    step = sink.block[0]
    for y in range(0, length, step):
        for x in range(0, length, step):
            rows, columns = np.ogrid[y : min(y + step, length), x : min(x + step, length)]
            inside = (rows % CELL - CELL // 2) ** 2 + (columns % CELL - CELL // 2) ** 2 <= 100
            ids = rows // CELL * (length // CELL + 1) + columns // CELL + 1
            region = (slice(y, y + inside.shape[0]), slice(x, x + inside.shape[1]))
            sink.write(region, np.where(inside, ids, 0).astype(np.uint32))


class Watch:
    """The seconds of a block, and by how much this process grew at most meanwhile."""

    def __enter__(self) -> Watch:
        self._before = self._peak = psutil.Process().memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        self._done.set()
        self._thread.join()
        self.growth = self._peak - self._before

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
