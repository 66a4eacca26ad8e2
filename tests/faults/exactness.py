"""Random runs on random images, each compared with its segmenter on the whole image in memory.

    python tests/faults/exactness.py [--cases 2000] [--first 0]

A case is one number: it draws axes, dtype, source, segmenter, tiles, halo or context, connectivity, destination,
workers, and the places at which the run is stopped and run again. Prints the cases whose labels differ and those that
were refused; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from runs import Stopped, stopping_at
from scipy import ndimage
from stores import multiscales

from tilewright import Auto, Grid, Image, Overlap, Pipeline, Result, Seam, TilewrightError, Touch

__all__ = ["Case", "fault"]

Pixels = NDArray[Any]

MOST = {1: 300, 2: 40, 3: 14}  # pixels along an axis, by the number of spatial axes
DTYPES = ("?", "u1", "i1", "<u2", ">u2", "<i2", ">i4", "<u4", "<i8", "<u8", "<f2", "<f4", ">f4", "<f8")
KINDS = ("threshold", "smooth", "context", "declared", "slices", "owned", "given ids")
SOURCES = ("numpy", "fortran", "backwards", "memmap", "dask", "xarray", "h5py", "zarr 2", "zarr 3", "shards")
FILES = ("ome-zarr 0.4", "ome-zarr 0.5", "ome-tiff")
STEPS = ("segment", "join", "write")


@dataclass(frozen=True, kw_only=True)
class Components:
    """Connected components of what is above a level, after a filter of a radius that is exact in every dtype."""

    level: float
    connectivity: int
    radius: int = 0

    def __call__(self, pixels: Pixels) -> Pixels:
        if self.radius:
            pixels = pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels  # scipy has no half precision
            pixels = ndimage.maximum_filter(pixels, 2 * self.radius + 1)
            pixels = ndimage.minimum_filter(pixels, 2 * self.radius + 1)
        structure = ndimage.generate_binary_structure(pixels.ndim, min(self.connectivity, pixels.ndim))
        labels: Pixels = ndimage.label(pixels > self.level, structure)[0]
        return labels


@dataclass(frozen=True, kw_only=True)
class Context(Components):
    context: int = 0


@dataclass(frozen=True, kw_only=True)
class Declared(Components):
    """States its halo, its merger and its stride."""

    halo: int = 0
    stride: int = 1

    @property
    def merger(self) -> Touch:
        return Touch(connectivity=self.connectivity)


@dataclass(frozen=True, kw_only=True)
class Slices(Components):
    axes: str = "yx"


def instances(pixels: Pixels) -> Pixels:
    """Every connected piece of every value, in raster order of the values."""
    labels = np.zeros(pixels.shape, np.int64)
    for value in np.unique(pixels[pixels > 0]):
        pieces, _ = ndimage.label(pixels == value)
        labels = np.where(pieces, pieces + labels.max(), labels)
    return labels


def ids(pixels: Pixels) -> Pixels:
    return pixels


def nothing(_: Seam) -> list[list[int]]:
    """A merger for labels that have the same ids in all tiles."""
    return []


def in_raster_order(labels: Pixels) -> Pixels:
    """The same objects, numbered by their first pixels."""
    values, first, at = np.unique(labels, return_index=True, return_inverse=True)
    objects = np.flatnonzero(values > 0)
    number = np.zeros(len(values), np.int64)
    number[objects[np.argsort(first[objects])]] = np.arange(1, len(objects) + 1)
    return number[at].reshape(labels.shape)


@dataclass(eq=False)
class Case:
    """A pipeline, an image and a way of running it, drawn from a number."""

    number: int
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.number)
        self.kind = self.pick("kind", KINDS)
        self.axes = self._axes()
        self.space = "".join(axis for axis in self.axes if axis in "zyx")
        self.shape = tuple({"t": 3, "c": 3}.get(axis, MOST[len(self.space)]) for axis in self.axes)
        self.shape = tuple(int(self.random.integers(1, most + 1)) for most in self.shape)
        self.connectivity = self.whole("connectivity", 1, len(self.space))
        self.pixels, self.level = self._pixels()
        self.parts = self._parts()
        self.options = self._options()

    def pick(self, name: str, choices: Any) -> Any:
        chosen = choices[int(self.random.integers(len(choices)))]
        self.told.append(f"{name} {chosen}")
        return chosen

    def whole(self, name: str, least: int, most: int) -> int:
        return int(self.pick(name, range(least, most + 1)))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def __str__(self) -> str:
        parts = ", ".join(f"{name}={part}" for name, part in self.parts.items())
        return f"case {self.number}: {self.pixels.dtype.str}{self.shape} {self.axes}; {', '.join(self.told)}; {parts}"

    def _axes(self) -> str:
        if self.kind == "slices":
            return "".join(self.pick("axes", ("zyx", "tzyx", "zcyx", "yxz")))
        space = self.random.permutation(list("zyx"))[: self.whole("dimensions", 1, 3)]
        others = [axis for axis in "tc" if self.chance(0.3)]
        if self.chance(0.6):
            return "".join(axis for axis in "tczyx" if axis in [*space, *others])
        return "".join(self.random.permutation([*space, *others]))

    def _pixels(self) -> tuple[Pixels, float]:
        if self.kind in ("owned", "given ids"):
            return self._cells(), 0.0
        dtype = np.dtype(self.pick("dtype", DTYPES))
        share = self.pick("share", (0.0, 0.1, 0.4, 0.6, 0.8, 1.0))
        noise = self.random.random(self.shape)
        if dtype.kind == "b":
            return noise < share, 0.5
        high = 100 if dtype.itemsize == 1 else 2000
        pixels = (noise * high - (high // 2 if dtype.kind in "if" else 0)).astype(dtype)
        if dtype.kind == "f" and self.chance(0.2):
            pixels[self.random.random(self.shape) < 0.02] = self.pick("and", (np.inf, -np.inf))
        level = float(np.quantile(pixels.astype(np.float64).clip(-high, high), 1 - share)) if share < 1 else -high - 1.0
        return pixels, level

    def _cells(self) -> Pixels:
        """Cells that touch each other, each of one piece, with a number of its own in each plane of t and c."""
        cells = self.whole("cells", 1, 25)
        seeds = self.random.random((cells, len(self.space))) * [self.shape[self.axes.index(a)] for a in self.space]
        lengths = [self.shape[self.axes.index(axis)] for axis in self.space]
        place = np.stack(np.meshgrid(*map(np.arange, lengths), indexing="ij"), -1)
        cell = ((place[..., None, :] - seeds) ** 2).sum(-1).argmin(-1) + 1
        cell[np.isin(cell, self.random.integers(0, cells + 1, cells // 4))] = 0
        cell = in_raster_order(instances(cell))
        others = [n for axis, n in zip(self.axes, self.shape, strict=True) if axis not in self.space]
        planes = np.arange(np.prod(others, dtype=int)).reshape(*others, *[1] * len(self.space))
        stack = np.where(cell > 0, cell + planes * (cell.max() + 1), 0)
        own = [axis for axis in self.axes if axis not in self.space] + list(self.space)
        return np.ascontiguousarray(stack.transpose([own.index(axis) for axis in self.axes])).astype(np.int32)

    def _parts(self) -> dict[str, Any]:
        known: dict[str, Any] = {"level": self.level, "connectivity": self.connectivity}
        radius, halo = self.whole("radius", 1, 3), self.whole("halo", 0, 6)
        merger: Any = Touch(connectivity=self.connectivity)
        segmenter: Callable[[Pixels], Pixels]
        if self.kind == "threshold":
            segmenter = Components(**known)
        elif self.kind == "smooth":  # two filters, one after the other
            segmenter, halo = Components(**known, radius=radius), max(halo, 2 * radius)
        elif self.kind == "context":
            segmenter = Context(**known, radius=radius, context=max(0, 2 * radius - halo))
        elif self.kind == "declared":
            stride = self.whole("stride", 1, 4)
            segmenter, merger = Declared(**known, radius=radius, halo=2 * radius, stride=stride), None
        elif self.kind == "slices":
            segmenter, merger = Slices(**known), Touch(connectivity=min(2, self.connectivity))
        elif self.kind == "given ids":
            segmenter, merger = ids, nothing
        else:
            segmenter, merger, halo = instances, Overlap(), max(1, halo)
        parts = {"segmenter": segmenter, "tiler": self._tiler(None if self.kind == "declared" else halo)}
        return parts if merger is None else parts | {"merger": merger}

    def _tiler(self, halo: int | None) -> Grid | Auto:
        # one for each axis: one number for all says nothing of an axis whose tiles have length 1
        halos = None if halo is None else (halo,) * len(self.space)
        if self.chance(0.2):
            return Auto(memory=2 ** self.whole("memory", 18, 24), halo=halos)
        if self.chance(0.1):
            return Grid(halo=halos)
        tile = tuple(int(self.random.integers(3 if self.kind == "owned" else 1, 16)) for _ in self.space)
        return Grid(tile=tile, halo=halos)

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"workers": self.whole("workers", 1, 3)}
        if "c" in self.axes:
            options["channel"] = self.whole("channel", 0, self.shape[self.axes.index("c")] - 1)
        if self.kind == "given ids":
            options["same_ids"] = True
        if self.kind in ("threshold", "owned") and self.chance(0.3):
            options["empty"] = self.level
        self.told += [f"{name}={value}" for name, value in options.items()]
        return options

    def expected(self) -> Pixels:
        """The labels of the whole image, in the image's axes without c, numbered in raster order."""
        pixels, axes = self.pixels, self.axes
        if "c" in axes:
            pixels, axes = pixels.take(self.options["channel"], axes.index("c")), axes.replace("c", "")
        apart = [axis for axis in axes if axis == "t" or (axis == "z" and self.kind == "slices")]
        planes = np.moveaxis(pixels, [axes.index(axis) for axis in apart], range(len(apart)))
        labels = np.zeros(planes.shape, np.int64)
        for at in np.ndindex(planes.shape[: len(apart)]):
            found = self.parts["segmenter"](planes[at]).astype(np.int64)
            labels[at] = np.where(found, found + labels.max(), 0)
        return in_raster_order(np.moveaxis(labels, range(len(apart)), [axes.index(axis) for axis in apart]))

    def run(self, folder: Path) -> Result:
        """Run the case, stopped now and then, in an empty folder. TilewrightError if it is refused."""
        source, destination = self._source(folder), self._destination(folder)
        pipeline = Pipeline(**self.parts)
        for _ in range(self.whole("stops", 0, 2) if destination else 0):
            progress = stopping_at(self.pick("at", STEPS), self.whole("done", 1, 20))
            try:
                pipeline.run(source(), destination, overwrite=True, progress=progress, **self.options)
            except Stopped:
                continue
        return pipeline.run(source(), destination, overwrite=True, **self.options)

    def _destination(self, folder: Path) -> Path | None:
        ordered = [axis for axis in "tczyx" if axis in self.axes] == list(self.axes)
        plane = {"y", "x"} <= set(self.axes) and self.axes.replace("c", "") in ("yx", "zyx", "tyx", "tzyx")
        choices = ["labels", None]
        choices += ["labels.zarr", "labels.ome.zarr"] if ordered and len(self.space) > 1 else []
        choices += ["labels.ome.tif"] if plane else []
        name = self.pick("to", choices)
        if name == "labels":
            self.parts["writer"] = "zarr-array"
        return folder / name if name else None

    def _source(self, folder: Path) -> Callable[[], Any]:
        """Opens the image anew, as whoever runs a script again does."""
        ordered = [axis for axis in "tczyx" if axis in self.axes] == list(self.axes)
        # an OME-TIFF has all axes, so that those of length 1 say nothing, and not all dtypes
        files = FILES[: 2 if 1 in self.shape or self.pixels.dtype.str[1:] in ("f2", "i8", "u8") else 3]
        kind = self.pick("from", SOURCES + (files if ordered and self.axes[-2:] == "yx" else ()))
        if kind != "h5py" and self.chance(0.01):  # what h5py opens cannot be sent to a process
            self.options["processes"] = True
            self.told.append("processes")
        opened: Callable[[], Any] = getattr(self, f"_{kind.split()[0].replace('-', '_')}")(folder, kind)
        if kind in FILES or kind == "xarray":
            return opened
        return lambda: Image(opened(), axes=self.axes)

    def _numpy(self, _: Path, __: str) -> Callable[[], Any]:
        return lambda: self.pixels

    def _fortran(self, _: Path, __: str) -> Callable[[], Any]:
        return lambda: np.asfortranarray(self.pixels)

    def _backwards(self, _: Path, __: str) -> Callable[[], Any]:
        return lambda: np.ascontiguousarray(self.pixels[::-1])[::-1]

    def _memmap(self, folder: Path, _: str) -> Callable[[], Any]:
        np.save(folder / "image.npy", self.pixels)
        return lambda: np.load(folder / "image.npy", mmap_mode="r")

    def _dask(self, _: Path, __: str) -> Callable[[], Any]:
        import dask.array as da

        chunks = tuple(int(self.random.integers(1, n + 1)) for n in self.shape)
        return lambda: da.from_array(self.pixels, chunks=chunks)

    def _xarray(self, _: Path, __: str) -> Callable[[], Any]:
        import xarray

        return lambda: xarray.DataArray(self.pixels, dims=list(self.axes))

    def _h5py(self, folder: Path, _: str) -> Callable[[], Any]:
        import h5py

        with h5py.File(folder / "image.h5", "w") as file:
            file["image"] = self.pixels
        return lambda: h5py.File(folder / "image.h5", "r")["image"]

    def _zarr(self, folder: Path, kind: str) -> Callable[[], Any]:
        self._array(zarr.open_group(folder / "image.zarr", mode="w", zarr_format=int(kind[-1])))
        return lambda: zarr.open_array(folder / "image.zarr" / "0", mode="r")

    def _shards(self, folder: Path, _: str) -> Callable[[], Any]:
        shards = tuple(int(self.random.integers(1, 4)) * 2 for _ in self.shape)
        self._array(zarr.open_group(folder / "image.zarr", mode="w"), chunks=(2,) * len(shards), shards=shards)
        return lambda: zarr.open_array(folder / "image.zarr" / "0", mode="r")

    def _ome_zarr(self, folder: Path, kind: str) -> Callable[[], Any]:
        version = kind.split()[1]
        group = zarr.open_group(folder / "image.ome.zarr", mode="w", zarr_format=2 if version == "0.4" else 3)
        metadata = multiscales(self.axes, version)
        group.attrs.update(metadata if version == "0.4" else {"ome": metadata})
        self._array(group, **({} if version == "0.4" else {"dimension_names": list(self.axes)}))
        return lambda: folder / "image.ome.zarr"

    def _array(self, group: zarr.Group, **options: Any) -> None:
        chunks = tuple(int(self.random.integers(1, n + 1)) for n in self.shape)
        group.create_array("0", data=self.pixels, **{"chunks": chunks} | options)

    def _ome_tiff(self, folder: Path, _: str) -> Callable[[], Any]:
        import tifffile

        pixels = self.pixels.astype(self.pixels.dtype.newbyteorder("="))
        tifffile.imwrite(
            folder / "image.ome.tif", pixels, metadata={"axes": self.axes.upper()}, photometric="minisblack"
        )
        return lambda: folder / "image.ome.tif"


def fault(case: Case) -> str:
    """How the labels of a case differ from the whole image's, or why it was refused; empty if they are equal."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = case.run(Path(folder))
        except TilewrightError as error:
            return f"refused: {type(error).__name__}: {error}"
        labels, expected = np.asarray(result.labels), case.expected()
        if labels.shape != expected.shape:
            return f"shape {labels.shape} instead of {expected.shape}"
        wrong = int((labels != expected).sum())
        if wrong or result.n_objects != expected.max(initial=0):
            return f"{wrong} pixels wrong; {result.n_objects} objects instead of {expected.max(initial=0)}"
        return ""


def main() -> int:
    parser = argparse.ArgumentParser(description="Random runs beside their segmenter on the whole image.")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    faults = 0
    for number in range(arguments.first, arguments.first + arguments.cases):
        case = Case(number)
        found = fault(case)
        if found:
            faults += 1
            print(f"{case}\n    {found}", flush=True)
    print(f"{arguments.cases} cases, {faults} wrong or refused")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
