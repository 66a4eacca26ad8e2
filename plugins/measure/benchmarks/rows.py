"""Tables of many rows in each format: the time, the peak of memory, and the size.

    python plugins/measure/benchmarks/rows.py [--rows 10000000] [--columns 40] [format ...]

Each format is measured in a process of its own. Rows come ten thousand at a time, as from a run. The objects are
squares of 3² pixels in an image that is worked out where it is read, since `geojson` traces them and `spatialdata`
copies them.
"""

from __future__ import annotations

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright.abc import Column, Facts, TableSpec
from tilewright.io.formats import choose_table

PATHS = {
    "csv": "cells.csv",
    "parquet": "cells.parquet",
    "h5ad": "cells.h5ad",
    "ngio": "image.ome.zarr/tables/cells",
    "spatialdata": "cells.sdata.zarr",
    "geojson": "cells.geojson",
}
STEP = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", choices=[*PATHS, []], help="those to measure; all if none is given")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--here", action="store_true", help="measure in this process")
    options = parser.parse_args()
    for name in options.formats or PATHS:
        if options.here:
            measure(name, options.rows, options.columns)
        else:
            sizes = ["--rows", str(options.rows), "--columns", str(options.columns)]
            subprocess.run([sys.executable, __file__, name, *sizes, "--here"], check=True)


def measure(name: str, n_rows: int, n_columns: int) -> None:
    """Fill a table and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PATHS[name]
        image(Path(folder) / "image.ome.zarr")
        spec = spec_of(Path(folder) / "run", n_rows, n_columns)
        started = time.perf_counter()
        sink = choose_table(str(path))(str(path), spec)
        for rows in blocks(spec):
            sink.write(rows)
        sink.finish({})
        spent = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
        size = sum(each.stat().st_size for each in files) / 1e9
        print(
            f"{name:12} {n_rows:,} rows of {n_columns}: {spent:.0f} s, peak {peak:,.0f} MiB, {size:.2f} GB", flush=True
        )


def spec_of(workdir: Path, n_rows: int, n_columns: int) -> TableSpec:
    """Columns as measurers have them: the key, a centroid, a count, a truth value, and floats."""
    workdir.mkdir()
    squares = Squares(n_rows)
    columns = {
        "label": Column(dtype="uint64"),
        "num_pixels": Column(dtype="int64"),
        "centroid-0": Column(unit="micrometer"),
        "centroid-1": Column(unit="micrometer"),
        "touches_border": Column(dtype="bool"),
    }
    columns |= {f"intensity_mean-{channel}": Column() for channel in range(n_columns - len(columns))}
    facts = Facts(axes="yx", shape=squares.shape, spacing=(0.5, 0.5), units=("micrometer", "micrometer"))
    return TableSpec(columns=columns, n_rows=n_rows, facts=facts, labels=squares, workdir=workdir, name="cells")


def blocks(spec: TableSpec) -> Iterator[dict[str, NDArray[Any]]]:
    """Rows of noise; floats that no compression makes smaller, as of true measures."""
    rng = np.random.default_rng(0)
    for start in range(0, spec.n_rows, STEP):
        n = min(STEP, spec.n_rows - start)
        rows = {name: (rng.random(n) * 1000).astype(column.dtype) for name, column in spec.columns.items()}
        yield {**rows, "label": np.arange(start + 1, start + n + 1, dtype=np.uint64)}


@dataclass(frozen=True)
class Squares:
    """A label image of squares in rows, one pixel apart."""

    count: int
    dtype = np.dtype(np.uint32)

    @property
    def side(self) -> int:
        return math.isqrt(self.count - 1) + 1

    @property
    def shape(self) -> tuple[int, int]:
        return 4 * self.side, 4 * self.side

    def __getitem__(self, region: Any) -> NDArray[np.uint32]:
        y, x = (np.arange(self.shape[axis])[part] for axis, part in enumerate(region))
        labels = (y[:, None] // 4 * self.side + x // 4 + 1).astype(self.dtype)
        labels[(labels > self.count) | (y[:, None] % 4 == 3) | (x % 4 == 3)] = 0
        return labels


def image(path: Path) -> None:
    """An OME-Zarr image that may have tables."""
    group = zarr.create_group(path)
    group.create_array("0", shape=(8, 8), dtype="u1")
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}


if __name__ == "__main__":
    main()
