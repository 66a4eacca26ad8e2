"""`spacing` chooses the level whose pixels are nearest to a size in micrometres, and says which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tilewright import Pipeline, open_image
from tilewright.errors import InvalidOption

THRESHOLD = {"name": "threshold", "configuration": {"threshold": 0.5}}


def pyramid(path: Path, *, unit: str | None, size: float = 0.5, z_unit: str | None = None, z: float = 2.0) -> str:
    """Three levels, halved along y and x; unit and size are those of y and x."""
    group = zarr.open_group(path, mode="w", zarr_format=2)
    units = {"z": z_unit, "y": unit, "x": unit}
    axes = [{"name": a, "type": "space", **({"unit": u} if u else {})} for a, u in units.items()]
    datasets: list[dict[str, Any]] = []
    for level in range(3):
        group.create_array(str(level), data=np.ones((2, 64 >> level, 64 >> level), "u1"))
        scale = [z, size * 2**level, size * 2**level]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    group.attrs.put({"multiscales": [{"version": "0.4", "axes": axes, "datasets": datasets}]})
    return str(path)


@pytest.mark.parametrize(
    ("unit", "size"),
    [("micrometer", 0.5), ("um", 0.5), ("µm", 0.5), ("nanometer", 500), ("millimeter", 0.0005), ("m", 5e-7)],
)
@pytest.mark.parametrize(("spacing", "level"), [(0.1, 0), (0.5, 0), (0.7, 0), (0.72, 1), (1, 1), (1.9, 2), (50, 2)])
def test_the_level_with_the_nearest_ratio_is_chosen_in_any_unit(
    tmp_path: Path, unit: str, size: float, spacing: float, level: int
) -> None:
    path = pyramid(tmp_path / "a.zarr", unit=unit, size=size, z_unit=unit)
    with pytest.warns(
        UserWarning, match=rf"level {level} of .* is segmented: of pixels of 0\.5, 1, 2 micrometers"
    ) as heard:
        image = Pipeline(segmenter=THRESHOLD).open(path, spacing=spacing)
    assert image.shape == (2, 64 >> level, 64 >> level)
    assert len(heard) == 1
    assert "its z" not in str(heard[0].message)


def test_a_run_and_a_plan_take_it_and_the_labels_have_that_resolution(tmp_path: Path) -> None:
    path = pyramid(tmp_path / "a.zarr", unit="micrometer", z_unit="micrometer")
    pipeline = Pipeline(segmenter=THRESHOLD)
    with pytest.warns(UserWarning, match="level 1 of"):
        assert pipeline.plan(path, spacing=1.1).shape == (2, 32, 32)
    with pytest.warns(UserWarning, match="level 1 of"):
        labels = pipeline.run(path, tmp_path / "b.zarr", spacing=1.1)
    assert open_image(labels.path).spacing == {"z": 2.0, "y": 1.0, "x": 1.0}


@pytest.mark.parametrize("z_unit", [None, "furlong"])
def test_a_z_without_a_unit_is_mentioned(tmp_path: Path, z_unit: str | None) -> None:
    path = pyramid(tmp_path / "a.zarr", unit="micrometer", z_unit=z_unit)
    with pytest.warns(UserWarning, match="; its z has spacing 2 and no unit of length"):
        Pipeline(segmenter=THRESHOLD).open(path, spacing=1)


@pytest.mark.parametrize("unit", [None, "furlong", "second"])
def test_pixels_of_no_known_size_are_refused(tmp_path: Path, unit: str | None) -> None:
    path = pyramid(tmp_path / "a.zarr", unit=unit)
    with pytest.raises(InvalidOption, match=r"spacing 1 was asked for, but .* along y .* choose a level instead"):
        Pipeline(segmenter=THRESHOLD).open(path, spacing=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": 0}, "spacing must be a number of micrometres above 0, not 0"),
        ({"spacing": -1.0}, "above 0, not -1.0"),
        ({"spacing": float("nan")}, "above 0, not nan"),
        ({"spacing": "fine"}, "spacing"),
        ({"spacing": 1.0, "level": 1}, r"give level or spacing, not both \(1 and 1.0\)"),
    ],
)
def test_a_spacing_that_is_no_size_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Pipeline(segmenter=THRESHOLD).run(pyramid(tmp_path / "a.zarr", unit="um"), tmp_path / "b.zarr", **options)


def test_an_array_in_memory_has_one_resolution(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"spacing 1.0 was asked for, but ndarray in memory has one level"):
        Pipeline(segmenter=THRESHOLD).run(np.ones((8, 8)), tmp_path / "b.zarr", spacing=1.0)
