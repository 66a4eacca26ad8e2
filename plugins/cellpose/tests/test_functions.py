"""`cellpose_fn`, as scripts written for patchworks call it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import compare, tile_process
from tilewright.errors import InvalidOption
from tilewright.plugins.cellpose import cellpose_fn
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow


def test_options_of_patchworks_are_those_of_the_segmenter() -> None:
    made = cellpose_fn(
        "cyto3", gpu=True, do_3D=True, anisotropy=3.0, diameter=20, flow_threshold=0.3, cellprob_threshold=-1.0
    )
    options = {"anisotropy": 3.0, "diameter": 20.0, "flow_threshold": 0.3, "cellprob_threshold": -1.0}
    assert made == Cellpose(model="cyto3", gpu=True, do_3D=True, **options)


@pytest.mark.parametrize(
    ("given", "channels"), [(None, None), ([0, 0], None), ([1, 0], (0,)), ([2, 3], (1, 2)), ([2, 1], (1, 0))]
)
def test_channels_count_from_1_and_0_is_none(given: Any, channels: Any) -> None:
    assert cellpose_fn(channels=given).channels == channels


def test_normalize_is_said_by_percentiles_or_values() -> None:
    assert cellpose_fn(normalize={"percentile": [2, 98]}).percentiles == (2.0, 98.0)
    assert cellpose_fn(normalize={"lowhigh": [[10.0, 90.0]]}).ranges == ((10.0, 90.0),)
    assert cellpose_fn(normalize=False).ranges == ((0.0, 1.0),)
    with pytest.raises(InvalidOption, match="tile_norm_blocksize"):
        cellpose_fn(normalize={"tile_norm_blocksize": 100})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"flow_treshold": 1}, "did you mean 'flow_threshold'"),
        ({"channel_axis": -1}, "must be 0 or None, not -1"),
        ({"stitch_threshold": 0.3}, "link planes within tiles"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        cellpose_fn(**options)


def test_it_runs_on_planes_of_a_stack(model: str, nuclei: tuple[NDArray[Any], NDArray[Any]]) -> None:
    pixels, truth = (half[:, :200] for half in nuclei)
    stack = np.stack([pixels, pixels[::-1]])
    labels = tile_process(stack, cellpose_fn(model, channel_axis=None), tile_shape=(1, 192, 192), compute=True)
    for found, true in zip(labels, (truth, truth[::-1]), strict=True):
        assert compare(true, found, thresholds=(0.5,)).scores[0].ap > 0.93


def test_without_the_distribution_its_place_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['tilewright_cellpose'] = None\n"
        "try:\n    from tilewright.plugins.cellpose import cellpose_fn\n"
        "except ImportError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "cellpose_fn comes with another package; pip install tilewright-cellpose\n"
