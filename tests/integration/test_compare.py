"""Label images of two formats, compared on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from click.testing import CliRunner
from scipy import ndimage

from tilewright import Pipeline
from tilewright.cli import main


def test_labels_in_an_ome_zarr_are_compared_with_a_tiff_of_the_truth(tmp_path: Path) -> None:
    mask = ndimage.gaussian_filter(np.random.default_rng(0).random((130, 170)), 3) > 0.5
    truth, count = ndimage.label(mask)
    tifffile.imwrite(tmp_path / "truth.tif", truth.astype(np.uint16))
    labels = tmp_path / "labels.ome.zarr"
    tiler = {"name": "grid", "configuration": {"tile": 64}}
    Pipeline(segmenter=lambda pixels: ndimage.label(pixels)[0], tiler=tiler).run(mask, labels)

    asked = CliRunner().invoke(main, ["compare", str(tmp_path / "truth.tif"), str(labels), "--json"])
    assert asked.exit_code == 0, asked.stderr
    found = json.loads(asked.stdout)
    assert found["n_reference"] == found["n_predicted"] == count
    assert [each["ap"] for each in found["scores"]] == [1, 1, 1]
    assert [found[fault] for fault in ("fused", "split", "lost", "doubled")] == [0, 0, 0, 0]
