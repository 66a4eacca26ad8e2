"""Nuclei, cells and cytoplasm of an image of 4096², as one workflow or as its pipelines one after the other.

python workflow.py make FOLDER · hand FOLDER · workflow FOLDER · done FOLDER

`done` is a workflow whose steps are all done, as `workflow` has left them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from tilewright import Grid, Workflow

SIDE, SPOTS = 4096, 16000


def steps() -> Workflow:
    def named(name: str, **configuration: Any) -> dict[str, Any]:
        return {"segmenter": {"name": name, "configuration": configuration}, "tiler": Grid(tile=512)}

    return Workflow(
        steps={
            "nuclei": {**named("threshold", threshold=400.0, sigma=1.0), "channel": 0},
            "cells": {**named("seeded-watershed", threshold=200.0), "channel": 1, "given": {"nuclei": "nuclei"}},
            "cytoplasm": {
                **named("combine-labels", method="difference", given=("cells", "nuclei")),
                "given": {"cells": "cells", "nuclei": "nuclei"},
            },
        }
    )


def make(folder: Path) -> None:
    from scipy import ndimage

    chance, spots = np.random.default_rng(0), np.zeros((SIDE, SIDE), np.float32)
    spots[tuple(chance.integers(0, SIDE, (2, SPOTS)))] = 1
    channels = [ndimage.gaussian_filter(spots, sigma) * 6300 * sigma**2 for sigma in (2.0, 6.0)]
    group = zarr.create_group(folder / "image.ome.zarr")
    pixels = np.stack(channels).astype(np.uint16)
    group.create_array("0", data=pixels, chunks=(1, 512, 512), dimension_names=["c", "y", "x"])
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space"} for axis in "yx")]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [dataset]}]}


def main(what: str, folder: Path) -> None:
    image, workflow = folder / "image.ome.zarr", steps()
    if what == "make":
        make(folder)
        return
    if what == "done":
        assert not any(result.seconds for result in workflow.run(image).values())
        return
    shutil.rmtree(image / "labels", ignore_errors=True)
    if what == "workflow":
        workflow.run(image)
        return
    for name, step in workflow.steps.items():
        given = {of: image / "labels" / of for of in step.options.given or {}}
        step.pipeline.run(image, name=name, channel=step.options.channel, given=given or None)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
