"""The threshold above the background's noise, and the pictures that mislead Otsu's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import Image
from tilewright_threshold.background import background
from tilewright_threshold.segmenter import Threshold

Mask = NDArray[np.bool_]
SIDE = 400


def cells(count: int, radius: int) -> Mask:
    rng = np.random.default_rng(count)
    y, x = np.ogrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    for cy, cx in rng.integers(150, 250, (count, 2)) if count < 10 else rng.integers(0, SIDE, (count, 2)):
        mask |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
    return mask


MANY, FEW = cells(60, 9), cells(3, 4)
CENTRE = np.zeros((SIDE, SIDE), bool)
CENTRE[180:220, 180:220] = True  # 1 % of the pixels
MIDDLE = np.zeros((SIDE, SIDE), bool)
MIDDLE[137:263, 137:263] = True  # 10 %


def photographed(mask: Mask, bright: float = 2000, level: float = 200) -> NDArray[np.uint16]:
    rng = np.random.default_rng(7)
    pixels = rng.poisson(level, mask.shape).astype(float)
    pixels[mask] = rng.normal(bright, bright / 8, mask.sum())
    return pixels.clip(0, 65535).astype(np.uint16)


def saturated(mask: Mask, where: Mask) -> tuple[NDArray[np.uint16], Mask]:
    return np.where(where, np.uint16(65535), photographed(mask)), mask | where


def padded(bright: float) -> tuple[NDArray[np.uint16], Mask]:
    return np.where(MIDDLE, photographed(MANY, bright), np.uint16(0)), MANY & MIDDLE


def textured_on_zero(mask: Mask) -> tuple[NDArray[np.uint16], Mask]:
    return np.where(mask, photographed(mask, 1000), np.uint16(0)), mask


SCATTERED = np.random.default_rng(1).random((SIDE, SIDE)) < 0.01
CASES: dict[str, Callable[[], tuple[NDArray[Any], Mask]]] = {
    "many cells": lambda: (photographed(MANY), MANY),
    "one in a hundred saturated": lambda: saturated(MANY, SCATTERED),
    "a saturated centre": lambda: saturated(MANY, CENTRE),
    "a saturated centre beside few cells": lambda: saturated(FEW & ~CENTRE, CENTRE),
    "all cells saturated": lambda: (np.where(MANY, np.uint16(65535), photographed(MANY)), MANY),
    "nine tenths zero padding": lambda: padded(2000),
    "nine tenths zero padding, dim cells": lambda: padded(400),
    "a thousandth foreground": lambda: (photographed(FEW), FEW),
    "a thousandth foreground, dim": lambda: (photographed(FEW, 500), FEW),
    "cells cut out on zero": lambda: textured_on_zero(MANY),
    "one large object cut out on zero": lambda: textured_on_zero(MIDDLE),
    "three flat levels": lambda: (np.where(CENTRE, 2000, MANY * 1000), MANY | CENTRE),
    "a mask of two numbers": lambda: ((MANY * 255).astype(np.uint8), MANY),
    "a mask of booleans": lambda: (MANY, MANY),
    "negative integers": lambda: (photographed(MANY).astype(np.int64) - 40_000, MANY),
    "small floats": lambda: (photographed(MANY).astype(np.float32) / 1e6 - 1e-3, MANY),
    "half floats": lambda: (photographed(MANY, 1000).astype(np.float16), MANY),
    "a part that is NaN": lambda: (np.where(CENTRE, np.nan, photographed(MANY)), MANY & ~CENTRE),
}


@pytest.mark.parametrize("case", CASES)
def test_the_threshold_finds_the_objects_in(case: str) -> None:
    pixels, truth = CASES[case]()
    found = pixels > background([pixels])
    shared = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert shared > 0.97


@pytest.mark.parametrize("case", ["many cells", "one in a hundred saturated", "a thousandth foreground, dim"])
def test_dark_objects_are_those_of_the_negative(case: str) -> None:
    pixels, truth = CASES[case]()
    negative = 70_000 - pixels.astype(np.int32)
    labels = Threshold(dark=True)(negative)
    np.testing.assert_array_equal(labels > 0, Threshold()(pixels) > 0)
    assert (labels[truth] > 0).mean() > 0.97


def test_noise_alone_is_nearly_all_background() -> None:
    noise = photographed(np.zeros((SIDE, SIDE), bool))
    assert (noise > background([noise])).mean() < 0.01


def test_the_threshold_scales_and_shifts_with_the_image() -> None:
    pixels = photographed(MANY).astype(np.float64)
    assert background([pixels * 8 - 1000]) == pytest.approx(background([pixels]) * 8 - 1000)


def test_preparing_fixes_one_threshold_and_leaves_the_rest() -> None:
    pixels = photographed(MANY)
    segmenter = Threshold(sigma=1.0, min_size=5)
    prepared = segmenter.prepare(Image(data=pixels, axes="yx"))
    assert prepared == Threshold(threshold=background([pixels]), sigma=1.0, min_size=5)
    assert prepared.prepare(Image(data=pixels * 2, axes="yx")) == prepared


def test_unprepared_and_prepared_agree_on_an_image_in_one_piece() -> None:
    pixels = photographed(MANY)
    prepared = Threshold().prepare(Image(data=pixels, axes="yx"))
    np.testing.assert_array_equal(Threshold()(pixels), prepared(pixels))


def test_the_threshold_is_that_of_the_declared_channel() -> None:
    pixels = np.stack([photographed(MANY, 60_000), photographed(MANY)])
    image = Image(data=pixels, axes="cyx", channels=("bright", "dim"))
    assert Threshold(channel="dim").prepare(image).threshold == background([pixels[1]])


def test_objects_that_are_all_saturated_are_found() -> None:
    random = np.random.default_rng(0)
    pixels = random.normal(25, 7, (200, 200)).round()
    pixels[:10] = 1000
    assert 49 <= background([pixels]) < 1000
