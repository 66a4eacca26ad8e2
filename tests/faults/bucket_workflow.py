"""A workflow on an image in a bucket, as a program that can be killed: IMAGE DESTINATION ENDPOINT."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from tilewright import Grid, Workflow

NAMES = ("nuclei", "grown", "brightest")


def workflow(distance: float = 1.0, **options: Any) -> Workflow:
    """Nuclei, these grown by a distance, and what is brightest in these. options: others of the last step."""
    steps: dict[str, dict[str, Any]] = {
        "nuclei": {"segmenter": _part("threshold", threshold=150)},
        "grown": {"segmenter": _part("expand", distance=distance), "given": {"nuclei": "nuclei"}},
        "brightest": {"segmenter": _part("threshold", threshold=180), "within": "grown", **options},
    }
    return Workflow(steps={name: {"tiler": Grid(tile=32), **step} for name, step in steps.items()})


def _part(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    image, destination, endpoint = sys.argv[1:]
    workflow().run(image, destination or None, storage={"endpoint": endpoint}, overwrite=True, workers=2, keep_old=0)
