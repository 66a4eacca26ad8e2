"""cp_measure's features of objects in a crop are those of the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from in_blocks import facts_of

from tilewright.abc import Block, Placement
from tilewright.errors import InvalidOption
from tilewright_measure.cellprofiler import FEATURES, CpMeasure

bulk = pytest.importorskip("cp_measure.bulk")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library's own arithmetic


def scene():
    labels = np.zeros((90, 100), int)
    labels[20:45, 30:60] = 1
    labels[30:34, 40:48] = 0
    labels[50:70, 40:58] = 2
    labels[40:80, 70:95] = 3
    pixels = np.random.default_rng(0).integers(0, 60000, (1, 90, 100)).astype(np.uint16)
    return labels, pixels


@pytest.mark.slow
def test_features_in_a_crop_are_those_in_the_image():
    labels, pixels = scene()
    facts = facts_of(labels, pixels)
    region = (slice(15, 75), slice(25, 85))
    block = Block.of(
        labels[region],
        own=np.array([1, 2], np.uint64),
        core=(slice(0, 60), slice(0, 60)),
        place=Placement(axes="yx", region=region, shape=labels.shape),
        facts=facts,
        pixels=pixels[:, *region],
    )
    measurer = CpMeasure(features=FEATURES)
    columns = measurer(block)
    assert list(columns) == list(measurer.columns(facts))
    for name, function in bulk.get_core_measurements().items():
        if name in FEATURES:
            for column, values in function(labels, pixels[0] / 65535).items():
                np.testing.assert_allclose(columns[column], values[:2], rtol=1e-9, atol=1e-12, err_msg=column)


def test_several_channels_have_columns_each():
    labels, pixels = scene()
    facts = facts_of(labels, np.concatenate([pixels, pixels]), channels=("a", "b"))
    names = list(CpMeasure(features=("feret", "intensity")).columns(facts))
    assert {"MaxFeretDiameter", "Intensity_MeanIntensity-a", "Intensity_MeanIntensity-b"} <= set(names)


def test_granularity_and_what_has_no_third_dimension_are_refused():
    with pytest.raises(InvalidOption, match="no property 'granularity'"):
        CpMeasure(features=("granularity",))
    with pytest.raises(InvalidOption, match="no 'zernike' of labels with axes 'zyx'"):
        CpMeasure().columns(facts_of(np.zeros((3, 4, 5), int)))
