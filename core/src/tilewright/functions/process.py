"""`tile_process`: any function on every tile of an image, and the labels joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..abc.traits import outputs_of
from ..components.options import checked_arguments
from ..components.quantities import real_number
from ..errors import InvalidOption
from ..pipeline import Pipeline
from .emptiness import background_level
from .inputs import UNSAID, Input, chosen_merger
from .outputs import GroupArray, Output
from .reporting import reporting, say_result
from .tiling import TileShape, tiler

__all__ = ["tile_process"]


@checked_arguments
def tile_process(
    image: Any,
    fn: Any,
    *,
    tile_shape: TileShape = None,
    overlap: int | Sequence[int] = 0,
    channel: int | str | None = UNSAID,
    level: int = 0,
    use_gpu: bool = False,
    progress: bool = False,
    write_to: str | Path | None = None,
    output_component: str = "labels",
    sequential_labels: bool = False,  # noqa: ARG001 - ids are contiguous either way
    skip_empty: bool = False,
    empty_threshold: float | None = None,
    stage_dir: str | Path | None = None,
    keep_stage: bool = False,
    verbose: bool = False,
    merger: Any = "touch",
    connectivity: int = 1,
    compute: bool = False,
    resume: bool = True,
    overwrite: bool = False,
    make_parents: bool = False,
    channels: Sequence[int | str] | None = None,
    join_z: bool | float = False,
    transforms: Sequence[Any] = (),
    measure: Any = (),
    table: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Any:
    """Run a function on every tile of an image, join what it finds, and return labels with one id for each object.

    The ids are 1..N in raster order of the objects' first pixels, and do not depend on how the image was cut.

    image: a path that an installed reader reads; a numpy, dask or zarr array; or an `Image`, which says its axes. An
        array's last three axes are taken as z y x, one before them as c, and one before that as t; a zarr array whose
        dimensions are named says it itself.
    fn: called once for each tile with its pixels, an array of the image's spatial dimensions, and returns labels of
        that shape, 0 for background; or a segmenter of a plugin, as an instance or by its name. On a cluster it
        travels to the workers. One that declares several `outputs` returns a mapping of their names to labels, and so
        does this function then; likewise the tables.
    tile_shape: None for the image's storage chunks (a dask array's, regular or not); a tuple of lengths, one for each
        spatial axis or each axis; `"auto"`, as `auto_tile_shape` finds it; or a function of shape and dtype (both
        without `c`) that returns such a tuple.
    overlap: pixels of context around a tile, one number or one for each axis. A number means nothing along an axis on
        which tiles have length 1. 0 is also what a segmenter of a plugin overrides; a tuple of zeros it does not.
    channel: which to segment along the axis `c`, by number or name; 0 if left out, or what a plugin's segmenter says.
    channels: several, handed to `fn` together as a first axis.
    level: of a pyramid, 0 is the finest.
    use_gpu: one tile at a time if there is no cluster, and `"auto"` tiles of the GPU's memory.
    write_to, output_component: a zarr group, made if it is new, and the array in it. None for a temporary folder that
        lives as long as the array that is returned. Several outputs are arrays of their names in `output_component`,
        unless it has `{output}` in it, which stands for the name.
    skip_empty, empty_threshold: `fn` does not see tiles in which no pixel, context included, is above the threshold.
        Without one, a level is used that background does not reach (`estimate_empty_tiles` tells which).
    stage_dir, keep_stage: where the run's checkpoint is kept, beside `write_to` by default, and whether it stays.
    merger, connectivity: `"touch"` joins what touches across a seam (with connectivity 2 also over corners), right for
        connected components; `"overlap"` what two tiles saw as one object, right for cells that touch, but only where
        there is an overlap: planes (tiles of length 1 without one) are then labelled apart. A plugin's segmenter that
        declares a merger keeps it, unless another is given than the default; `Touch()` insists.
    join_z: for a segmenter of planes (`axes = "yx"`), whether to link the objects of consecutive slices, or from which
        IoU.
    transforms: what is done to the image before, as for `Pipeline`. Empty tiles are then those of the transformed
        image, and skip_empty needs empty_threshold. Transforms of several channels are given those of `channels`, or
        all with channel=None.
    resume: go on with what a killed run with the same arguments has done; False discards it.
    overwrite: replace an array that is there. It stays until the new one is whole.
    make_parents: make the folders above `write_to` and `stage_dir` that do not exist; otherwise they are refused.
    compute: return a numpy array instead of a lazy dask array of the output.
    measure: measurers, as in `Pipeline`: the labels and their `Table` are returned. table: where that goes.
    given: label images by name, for a segmenter or measurers that need them.
    progress, verbose: show bars; log each step, to stderr if nobody has set up logging.

    Any `TilewrightError`, before anything is done if an argument is at fault.

    >>> import numpy as np
    >>> from scipy import ndimage
    >>> image = np.array([[9, 9, 0, 0, 0], [0, 9, 9, 9, 0], [0, 0, 0, 0, 9]])
    >>> def bright(tile):
    ...     return ndimage.label(tile > 5)[0]
    >>> tile_process(image, bright, tile_shape=(2, 2), compute=True)
    array([[1, 1, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 2]], dtype=uint32)
    >>> int(tile_process(image, bright, tile_shape=(2, 2), connectivity=2).max())
    1
    """
    opened = Input.open(image, level=level, channel=channel, channels=channels, segmenter=fn)
    segmenter = opened.segmenter(fn)
    joiner = chosen_merger(merger, connectivity, segmenter, len(opened.image.spatial_axes))
    grid = tiler(opened.plane, tile_shape, overlap, axes=opened.image.axes, merger=joiner, use_gpu=use_gpu)
    empty = _empty(opened, skip=skip_empty, threshold=empty_threshold, transformed=bool(transforms))
    with Output.of(write_to, output_component, spare=image, outputs=outputs_of(segmenter)) as output:
        pipeline = Pipeline(
            segmenter=segmenter,
            tiler=grid,
            merger=joiner,
            writer=GroupArray(component=output.component),
            transforms=transforms,
            measure=measure,
        )
        with reporting(progress=progress, verbose=verbose) as report:
            result = pipeline.run(
                opened.said,
                output.path,
                channel=opened.channel,
                channels=opened.channels,
                level=opened.level,
                axes=opened.axes,
                overwrite=overwrite,
                make_parents=make_parents,
                resume=resume,
                workers=1 if use_gpu else None,
                checkpoint_dir=stage_dir,
                keep_checkpoint=keep_stage,
                empty=empty,
                join_z=join_z,
                table=table,
                given=given,
                progress=report,
            )
        say_result(result, empty, loud=progress or verbose)
        labels, made = output.labels(result, compute=compute)
        return labels if made is None else (labels, made)


def _empty(given: Input, *, skip: bool, threshold: float | None, transformed: bool) -> float | None:
    if threshold is not None:
        threshold = real_number("empty_threshold", threshold)
    if not skip:
        return None
    if transformed and threshold is None:
        raise InvalidOption("skip_empty finds a level of the image without its transforms; give empty_threshold too")
    return background_level(given.handed) if threshold is None else threshold
