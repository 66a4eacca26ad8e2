"""Previews of images that are files: of a pyramid, and of networks' and other plugins' segmenters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from functions.nuclei import NUCLEI

from tilewright import Grid, Pipeline
from tilewright.image.drawing import edges

SIDE, CORNER = 4096, (3000, 700)


def write_pyramid(path: Path, levels: int) -> Path:
    """An OME-Zarr 0.5, blank but for some nuclei."""
    group = zarr.create_group(path)
    pixels = np.zeros((SIDE, SIDE), NUCLEI.dtype)
    pixels[CORNER[0] : CORNER[0] + 120, CORNER[1] : CORNER[1] + 120] = NUCLEI[:120, :120]
    datasets = []
    for level in range(levels):
        array = pixels[:: 2**level, :: 2**level]
        group.create_array(str(level), data=array, chunks=(256, 256), dimension_names=["y", "x"])
        scale = {"type": "scale", "scale": [2.0**level, 2.0**level]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return path


@pytest.mark.parametrize("level", [None, 1])
def test_the_part_with_signal_is_found_on_a_coarse_level(tmp_path: Path, level: int | None) -> None:
    path = write_pyramid(tmp_path / "slide.ome.zarr", 4)
    preview = Pipeline(segmenter="threshold").preview(path, size=256, level=level)
    factor = 2 ** (level or 0)
    for axis, corner in zip("yx", CORNER, strict=True):
        assert preview.place[axis].start * factor <= corner
        assert corner + 120 <= preview.place[axis].stop * factor
    assert preview.n_objects > 0


@pytest.mark.parametrize("segmenter", ["threshold", "watershed"])
def test_a_preview_has_the_outlines_of_the_run(segmenter: str) -> None:
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=100, halo=24))
    preview = pipeline.preview(NUCLEI, at=(200, 200), size=150)
    labels = np.asarray(pipeline.run(NUCLEI).labels)
    np.testing.assert_array_equal(preview.boundaries, edges(labels[tuple(preview.place.values())]))
    assert preview.n_objects > 5
