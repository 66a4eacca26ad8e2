"""`merge_tile_labels`: the join alone, for tiles that were segmented elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import MergerTraits
from ..builtin.tilers import Grid
from ..components.options import checked_arguments
from ..errors import InvalidOption
from ..image import Image
from ..pipeline import Pipeline
from ..tiling.axes import for_axes
from .haloed import HaloedTiles
from .inputs import assumed_axes, chosen_merger
from .outputs import GroupArray, Output
from .reporting import reporting, say_result
from .stored import stored_array
from .tiling import Planes, TileShape, numbers_by_axis, tiler

__all__ = ["merge_tile_labels"]

BY_DIMENSIONS = {1: "x", 2: "yx", 3: "zyx", 4: "tzyx"}


@checked_arguments
def merge_tile_labels(
    labeled: Any,
    write_to: str | Path | None = None,
    *,
    input_component: str = "labels",
    output_component: str = "labels",
    overlap: int | Sequence[int] = 0,
    sequential_labels: bool = False,  # noqa: ARG001 - ids are contiguous either way
    n_workers: int | None = None,
    stage_dir: str | Path | None = None,
    keep_stage: bool = False,
    progress: bool = False,
    merger: Any = "touch",
    connectivity: int = 1,
    unique: bool = False,
    tile_shape: TileShape = None,
    compute: bool = False,
    resume: bool = True,
    overwrite: bool = False,
    make_parents: bool = False,
) -> Any:
    """Join the labels of tiles into one label image, with ids 1..N in raster order.

    labeled: a dask array whose chunks are the tiles, regular or not, each computed once; a zarr array; the path of a
        zarr group that holds one; or an `Image`, whose axes are then known. Of an array they are taken as `yx`, `zyx`
        or `tzyx`, and along `t` nothing is joined.
    input_component: the array's name, if a path is given.
    tile_shape: how the labels were cut, if not by their storage chunks; as in `tile_process`.
    unique: ids are unique across tiles, so equal ids are one object wherever they lie. By default each tile has its
        own, and an id says nothing about another tile's.
    overlap: the depth of the halos that the chunks of a dask array carry (`dask.array.overlap.overlap` with boundary
        `"none"`). They are trimmed; `merger="overlap"` first compares what two tiles saw in them.
    n_workers: threads, one for each CPU if None.

    Everything else is as in `tile_process`.

    >>> import dask.array as da
    >>> tiles = da.from_array(np.array([[1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]), chunks=(2, 2))
    >>> merge_tile_labels(tiles, compute=True)
    array([[1, 1, 1, 0],
           [0, 0, 0, 0],
           [0, 0, 0, 2]], dtype=uint32)
    >>> merge_tile_labels(tiles, compute=True, unique=True)
    array([[1, 1, 1, 0],
           [0, 0, 0, 0],
           [0, 0, 0, 1]], dtype=uint32)
    """
    image = _opened(labeled, input_component)
    joiner = chosen_merger(merger, connectivity, None, len(image.spatial_axes))
    image, grid = _tiles(image, tile_shape, overlap, joiner)
    with Output.of(write_to, output_component, spare=image) as output:
        pipeline = Pipeline(
            segmenter=as_they_are, tiler=grid, merger=joiner, writer=GroupArray(component=output_component)
        )
        with reporting(progress=progress, verbose=False) as report:
            result = pipeline.run(
                image,
                output.path,
                overwrite=overwrite,
                make_parents=make_parents,
                resume=resume,
                workers=n_workers,
                checkpoint_dir=stage_dir,
                keep_checkpoint=keep_stage,
                same_ids=unique,
                progress=report,
            )
        say_result(result, None, loud=progress)
        return output.labels(result, compute=compute)[0]


def as_they_are(labels: NDArray[Any]) -> NDArray[Any]:
    """The segmenter of tiles that are segmented."""
    return labels


def _opened(labeled: Any, component: str) -> Image:
    if isinstance(labeled, Image):
        return labeled
    source = ""
    if isinstance(labeled, str | os.PathLike):
        source = str((Path(labeled) / component).absolute())
        labeled = stored_array(Path(labeled), component)
    elif not all(hasattr(labeled, what) for what in ("shape", "dtype", "__getitem__")):
        raise InvalidOption(f"{type(labeled).__name__} is not a label image; give a path, an Image, or an array")
    axes = assumed_axes(labeled)
    if axes is None or "c" in axes:
        axes = BY_DIMENSIONS.get(len(labeled.shape))
    if axes is None:
        raise InvalidOption(
            f"labels of {len(labeled.shape)} dimensions need their axes; give an Image: Image(labels, axes='tzyx')"
        )
    return Image(data=labeled, axes=axes, source=source)


def _tiles(
    image: Image, tile_shape: TileShape, overlap: int | Sequence[int], merger: object
) -> tuple[Image, Grid | Planes]:
    """The labels without halos, and their tiles; with halos for a merger that compares what lies in them."""
    depth = numbers_by_axis("overlap", overlap, image.axes, least=0)
    if not np.any(depth):
        return image, tiler(image, tile_shape, 0, axes=image.axes, merger=merger, use_gpu=False)
    if tile_shape is not None or not hasattr(image.data, "__dask_graph__"):
        given = f"tile_shape {tile_shape!r} was given" if tile_shape is not None else "these are not a dask array"
        raise InvalidOption(f"overlap {overlap} is that of a dask array's chunks, but {given}; leave one of both out")
    by_axis = for_axes("halo", depth, image.axes)
    haloed = HaloedTiles(image.data, by_axis)  # type: ignore[arg-type]  # a dask array has a graph
    if MergerTraits.of(merger).owns:
        return Image(data=haloed, axes=image.axes), Planes(grid=Grid(halo=haloed.halo))
    from dask.array.overlap import trim_overlap

    trimmed = trim_overlap(  # type: ignore[no-untyped-call]  # dask is not typed
        image.data, depth=dict(enumerate(by_axis)), boundary="none"
    )
    return Image(data=trimmed, axes=image.axes), Grid(halo=0)
