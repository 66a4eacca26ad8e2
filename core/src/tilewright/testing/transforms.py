"""The tests of a transform."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import TransformTraits, declared, prepared
from ..components.resolve import component
from ..errors import TilewrightError
from ..image import Image
from ..tiling.axes import spatial
from ..tiling.placement import Placement
from ..tiling.regions import Region
from .kit import Kit, sent
from .pictures import discs
from .segmenters import ODD, PICKLED, everything

__all__ = ["TransformTests"]

TILES = (5, 16, 37, 64)


class TransformTests(Kit):
    """Tests of a transform. The fixture `transform` returns it: an instance, a function, or an installed one's name.

        class TestSharpen(TransformTests):
            @pytest.fixture
            def transform(self):
                return Sharpen(sigma=2)

    axes: of the picture that is tried, where the transform declares no `axes`.
    tolerance: by how much a pixel may differ between a tile and the whole, as a part of the values' range; 0 for equal
        ones. A network's sums may differ in their last bits; write down what you measured, which the test prints.
    image(): override it to try another picture.
    """

    axes: ClassVar[str] = "yx"
    tolerance: ClassVar[float] = 0.0

    def image(self, axes: str) -> Image:
        """The picture with these axes."""
        return discs(axes)

    def test_what_it_declares_makes_sense(self, transform: Any) -> None:
        self._transformed(transform)

    def test_it_returns_a_real_number_for_each_pixel(self, transform: Any) -> None:
        image = self._transformed(transform)
        self._read(image, everything(image))

    def test_the_dtype_does_not_depend_on_the_pixels(self, transform: Any) -> None:
        by, below = self._by(transform)
        for pixels in (below[...], np.zeros_like(below[...]), np.full_like(below[...], 255)):
            image = self._mapped(by, Image(pixels, below.axes))
            self._read(image, everything(image))

    def test_tiles_equal_the_whole_cut(self, transform: Any) -> None:
        image = self._transformed(transform)
        whole = self._read(image, everything(image))
        finite = whole[np.isfinite(whole)].astype(np.float64)
        spread = float(np.ptp(finite)) if finite.size else 0.0
        worst = max(_difference(self._read(image, region), whole[region]) for region in _tiles(image))
        self.measured(f"largest difference of tiles from the whole: {worst:g} of a range of {spread:g}")
        assert worst <= self.tolerance * spread, (
            f"pixels of tiles differ from the whole by up to {worst:g}, of a range of {spread:g}. Fix what depends on "
            "the whole image (a percentile, a mean) in prepare(image), and declare as context how far a pixel looks"
        )

    def test_without_a_place_the_pixels_are_the_whole_image(self, transform: Any) -> None:
        by, below = self._by(transform)
        if not by.located:
            return
        axes = spatial(by.axes)
        place = Placement.whole(axes, [below.size(axis) for axis in axes])
        assert np.array_equal(by.function(below[...]), by.function(below[...], place), equal_nan=True), (
            "the pixels of the whole image differ with its place from those without one; let the second argument be "
            "None by default, which stands for the whole"
        )

    def test_twice_gives_the_same(self, transform: Any) -> None:
        image = self._transformed(transform)
        first, second = (self._read(image, everything(image)) for _ in range(2))
        assert np.array_equal(first, second, equal_nan=True), (
            "the same pixels gave others the second time; seed what is random, and keep nothing between calls"
        )

    def test_it_can_be_sent_to_another_process(self, transform: Any) -> None:
        by, below = self._by(transform)
        image = self._mapped(by, below)
        self._read(image, everything(image))
        copy = self._mapped(TransformTraits.of(sent(by.function, PICKLED), below), below)
        assert np.array_equal(
            self._read(copy, everything(copy)), self._read(image, everything(image)), equal_nan=True
        ), "its copy gives other pixels; what decides them must be in its options"

    def test_calls_at_the_same_time_do_not_disturb_each_other(self, transform: Any) -> None:
        image = self._transformed(transform)
        regions = list(_tiles(image, 64))[:8]
        alone = [self._read(image, region) for region in regions]
        with ThreadPoolExecutor(len(regions)) as threads:
            together = list(threads.map(lambda region: self._read(image, region), regions))
        for one, other in zip(alone, together, strict=True):
            assert np.array_equal(one, other, equal_nan=True), (
                "calls from several threads gave other pixels than one after the other; keep no state between calls, "
                "or take a lock"
            )

    def test_regions_of_any_size_are_taken(self, transform: Any) -> None:
        by, below = self._by(transform)
        axes = below.spatial_axes
        sizes = [dict.fromkeys(thin, 1) for thin in (*axes, axes)] + [
            {axis: n // length for axis, n in ODD.items()} for length in (1, 2, 3)
        ]
        for lengths in sizes:
            part = tuple(slice(0, lengths.get(axis, n)) for axis, n in zip(below.axes, below.shape, strict=True))
            image = self._mapped(by, Image(below.read(part), below.axes))
            self._read(image, everything(image))

    def _by(self, transform: Any) -> tuple[TransformTraits, Image]:
        """What a prepared transform declares, and the picture."""
        made = component("transform", transform)
        below = self.image(declared(made, "axes", "transform") or self.axes)
        try:
            return TransformTraits.of(prepared(made, below, "transform"), below), below
        except TilewrightError as error:
            raise AssertionError(str(error)) from error

    def _mapped(self, by: TransformTraits, below: Image) -> Image:
        try:
            return by.map(below)
        except TilewrightError as error:
            raise AssertionError(str(error)) from error.__cause__

    def _transformed(self, transform: Any) -> Image:
        return self._mapped(*self._by(transform))

    def _read(self, image: Image, region: Region) -> NDArray[Any]:
        try:
            return image.read(region)
        except TilewrightError as error:
            raise AssertionError(str(error)) from error.__cause__


def _tiles(image: Image, *tiles: int) -> Iterator[Region]:
    """The cores of tiles of several sizes, with all channels."""
    for tile in tiles or TILES:
        shape = {axis: min(tile, image.size(axis)) for axis in spatial(image.axes)}
        steps = [range(0, n, shape.get(axis, n)) for axis, n in zip(image.axes, image.shape, strict=True)]
        for corner in np.ndindex(*map(len, steps)):
            starts = [step[i] for step, i in zip(steps, corner, strict=True)]
            yield tuple(
                slice(at, min(at + shape.get(axis, n), n))
                for at, axis, n in zip(starts, image.axes, image.shape, strict=True)
            )


def _difference(found: NDArray[Any], whole: NDArray[Any]) -> float:
    """The largest difference of two arrays; NaN is the same as NaN alone."""
    one, other = found.astype(np.float64), whole.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        return float(np.nan_to_num(np.where(same, 0, np.abs(one - other)), nan=np.inf).max())
