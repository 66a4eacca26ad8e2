"""Real stores made with zarr alone, so that reader and writer are not tested against themselves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from numpy.typing import NDArray

from tilewright.abc import Image, LabelSpec, Region, Sink
from tilewright_ome_zarr.reader import OmeZarrReader

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
UNITS = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
SPACING = {"t": 3.0, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25}


class Maker:
    """Makes stores in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def image(
        self,
        name: str = "image.ome.zarr",
        *,
        version: str = "0.5",
        axes: str = "cyx",
        shape: tuple[int, ...] | None = None,
        levels: int = 3,
        rounding: Callable[[float], int] = math.ceil,
        translated: bool = False,
        channels: tuple[str, ...] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> str:
        """An image whose pixels count up, with levels by stride 2 along y and x. Returns its path."""
        path = self.folder / name
        shape = shape or tuple({"t": 2, "c": 2, "z": 5, "y": 61, "x": 87}[axis] for axis in axes)
        group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
        pixels = np.arange(math.prod(shape), dtype="u4").reshape(shape) % 60_000
        datasets = []
        for level in range(levels):
            factors = [2**level if axis in "yx" else 1 for axis in axes]
            reduced = tuple(max(1, rounding(n / f)) for n, f in zip(shape, factors, strict=True))
            strided = pixels[tuple(slice(None, n * f, f) for n, f in zip(reduced, factors, strict=True))]
            options = {} if version == "0.4" else {"dimension_names": list(axes)}
            array = group.create_array(
                str(level), shape=reduced, dtype="u2", chunks=tuple(min(32, n) for n in reduced), **options
            )
            array[...] = strided.astype("u2")
            steps: list[dict[str, Any]] = [
                {"type": "scale", "scale": [SPACING[a] * f for a, f in zip(axes, factors, strict=True)]}
            ]
            if translated:
                shift = [SPACING[a] * (f - 1) / 2 for a, f in zip(axes, factors, strict=True)]
                steps.append({"type": "translation", "translation": shift})
            datasets.append({"path": str(level), "coordinateTransformations": steps})
        multiscale: dict[str, Any] = {
            "name": "pixels",
            "axes": [{"name": a, "type": TYPES[a], **({"unit": UNITS[a]} if a in UNITS else {})} for a in axes],
            "datasets": datasets,
        }
        attributes: dict[str, Any] = {"multiscales": [multiscale], **(extra or {})}
        if channels:
            window = {"start": 0, "end": 9, "min": 0, "max": 9}
            attributes["omero"] = {"channels": [{"label": c, "color": "FF0000", "window": window} for c in channels]}
        if version == "0.4":
            multiscale["version"] = version
        put(group, version, attributes)
        return str(path)

    def plate(self, version: str = "0.5", wells: int = 2) -> str:
        """A plate of one row with two fields in each well."""
        path = self.folder / "plate.ome.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
        columns = [{"name": str(n + 1)} for n in range(wells)]
        plate = {
            "columns": columns,
            "rows": [{"name": "A"}],
            "version": version,
            "wells": [{"path": f"A/{n + 1}", "rowIndex": 0, "columnIndex": n} for n in range(wells)],
        }
        put(group, version, {"plate": plate})
        group.create_group("A")
        for number in range(wells):
            well = group.create_group(f"A/{number + 1}")
            put(well, version, {"well": {"images": [{"path": "0"}, {"path": "1"}], "version": version}})
            for field in "01":
                self.image(f"plate.ome.zarr/A/{number + 1}/{field}", version=version, shape=(1, 20, 30), levels=1)
        return str(path)


def put(group: zarr.Group, version: str, attributes: Mapping[str, Any]) -> None:
    """Set the OME metadata of a group, where that version keeps it."""
    group.attrs.put(dict(attributes) if version == "0.4" else {"ome": {"version": version, **attributes}})


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def _valid(path: str | Path) -> None:
    """Both validators, of which each finds what the other does not; warnings are errors here."""
    yaozarrs.validate_zarr_store(str(path))
    ome_zarr_models.open_ome_zarr(str(path))
    labels = Path(path) / "labels"
    if labels.exists():
        listed = ome_zarr_models.open_ome_zarr(str(labels))
        attributes = listed.attributes if hasattr(listed, "attributes") else listed
        names = getattr(attributes, "ome", attributes).labels
        assert sorted(names) == sorted(p.name for p in labels.iterdir() if p.is_dir())
        for name in names:
            ome_zarr_models.open_ome_zarr(str(labels / name))


@pytest.fixture
def valid() -> Callable[[str | Path], None]:
    return _valid


def _spec(
    source: Image | str | None,
    workdir: Path,
    *,
    tile: tuple[int, ...] = (),
    shape: tuple[int, ...] = (),
    axes: str = "yx",
    **options: Any,
) -> LabelSpec:
    """What the core asks a writer for: of an image (without its channels), or of an array in memory."""
    workdir.mkdir(exist_ok=True)
    if source is None:
        options.setdefault("dtype", np.dtype("u4"))
        return LabelSpec(shape=shape, axes=axes, workdir=workdir, tile=tile, **options)
    found = OmeZarrReader()(source) if isinstance(source, str) else source
    found = found.select(0) if "c" in found.axes else found
    return LabelSpec(
        **{
            "shape": found.shape,
            "axes": found.axes,
            "dtype": np.dtype("u4"),
            "workdir": workdir,
            "spacing": found.spacing,
            "units": found.units,
            "levels": found.levels,
            "tile": tile,
            "image": found.source,
            "image_format": found.format,
            **options,
        }
    )


@pytest.fixture
def spec_of(tmp_path: Path) -> Callable[..., LabelSpec]:
    def spec(source: Image | str | None = None, *, run: str = "run", **options: Any) -> LabelSpec:
        return _spec(source, tmp_path / run, **options)

    return spec


def _regions(sink: Any, shape: tuple[int, ...]) -> Iterator[Region]:
    cuts = ([slice(a, min(a + b, n)) for a in range(0, n, b)] for b, n in zip(sink.block, shape, strict=True))
    return itertools.product(*cuts)


def _fill(sink: Sink, labels: NDArray[Any], *, finish: bool = True) -> None:
    """Write all labels, block by block in an order of no kind, as the engine may."""
    regions = list(_regions(sink, labels.shape))
    np.random.default_rng(len(regions)).shuffle(regions)
    for region in regions:
        sink.write(tuple(region), labels[tuple(region)])
    if finish:
        sink.finish({"tilewright": "0.1.0", "segmenter": {"name": "threshold"}})


@pytest.fixture
def fill() -> Callable[..., None]:
    return _fill


@pytest.fixture
def blocks() -> Callable[..., Iterator[Region]]:
    return _regions


def _cells(shape: tuple[int, ...], size: int = 7) -> NDArray[Any]:
    """Labels of cells of that size, a third of them background."""
    coordinates = np.indices(shape) // size
    counts = [-(-n // size) for n in shape]
    labels = np.ravel_multi_index(tuple(coordinates), counts) + 1
    return np.where(labels % 3 == 0, 0, labels).astype("u4")


@pytest.fixture
def cells() -> Callable[..., NDArray[Any]]:
    return _cells
