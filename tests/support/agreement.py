"""Whether a table agrees with scikit-image's of the whole image."""

from __future__ import annotations

import numpy as np

__all__ = ["check"]


def check(columns, expected):
    """Whole numbers are equal, floats to 1e-9 of themselves or 1e-12 of the column's scale; NaN is NaN.

    Left out is what scikit-image's own rounding decides: the sign of an angle of a quarter turn, moments that are 0,
    Hu's moments that are differences of much larger ones, and eccentricity and minor axis of circles and lines.
    """
    for name, values in expected.items():
        mine = columns[name]
        assert len(mine) == len(values), name
        if values.dtype.kind in "iu":
            np.testing.assert_array_equal(mine, values, err_msg=name)
        else:
            kept = np.isfinite(values)
            np.testing.assert_array_equal(mine[~kept], values[~kept], err_msg=name)
            _check_floats(name, mine[kept], values[kept], {key: each[kept] for key, each in expected.items()})


def _check_floats(name, mine, values, expected):
    base = name.split("-")[0]
    scale = _scale(base, name, values, expected)
    if base == "orientation":
        difference = np.abs(np.mod(mine - values + np.pi / 2, np.pi) - np.pi / 2)
        even = np.abs(expected["inertia_tensor-0-0"] - expected["inertia_tensor-1-1"]) < 1e-9
        difference = np.where(even & (np.abs(expected["inertia_tensor-0-1"]) < 1e-9), 0, difference)
    else:
        difference = np.abs(mine - values)
    if base == "axis_minor_length":
        difference[difference < 1e-7 * expected["axis_major_length"]] = 0  # the root of a difference of equals
    wrong = ~((difference <= 1e-9 * np.abs(values)) | (difference <= 1e-12 * scale))
    assert not wrong.any(), f"{name}: {mine[wrong][:3]} instead of {values[wrong][:3]}, {wrong.sum()} of {len(wrong)}"


def _scale(base, name, values, expected):
    largest = np.abs(values).max(initial=0)
    if base in ("moments_central", "moments_weighted_central") and sum(map(int, name.split("-")[1:])) == 1:
        # It is 0: the sum of coordinates less itself.
        return max(np.abs(expected[name.replace("_central", "")]).max(initial=0), largest)
    return largest
