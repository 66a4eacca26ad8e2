"""The tests of a segmenter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import MergerTraits, Traits, declared, outputs_of, prepared
from ..builtin.tilers import Grid
from ..components.resolve import component
from ..engine.result import Result
from ..errors import InvalidLabels, TilewrightError
from ..image import Image
from ..labels.runs import checked_outputs
from ..pipeline import Pipeline
from ..tiling.axes import SPATIAL, spatial
from ..tiling.placement import Placement
from .kit import Kit, sent
from .pictures import agreements, crop, discs, spots

__all__ = ["ODD", "SegmenterTests", "everything"]

PICKLED = 2**20  # bytes
INSTANCES = 0.9  # more than a good model loses at its tiles' edges, less than a bad halo costs
ODD = {"z": 7, "y": 37, "x": 53}


class SegmenterTests(Kit):
    """Tests of a segmenter. The fixture `segmenter` returns it: an instance, a function, or an installed one's name.

        class TestSpots(SegmenterTests):
            @pytest.fixture
            def segmenter(self):
                return Spots(sigma=1)

    spatial: the spatial axes of the pixels that are tried, where the segmenter declares no `axes`.
    dtypes: the dtypes of pixels that it takes. Those that hold the picture's values are tried.
    agreement: how much of the objects' pixels must be the same in tiles as in the whole; None for all of them, or, with
        a merger that decides which tile draws an object, for nine tenths. A network's are not all, as what it sees ends
        at the halo; write down what you measured, which the test prints.
    image(): override it to try a picture on which your segmenter finds something, if it does not on round bright spots.
    given(): override it to try other given labels than these spots, for a segmenter that declares `given`.
    """

    spatial: ClassVar[str] = "yx"
    dtypes: ClassVar[Sequence[str]] = ("uint8", "uint16", "float32")
    agreement: ClassVar[float | None] = None

    def image(self, axes: str) -> Image:
        """The picture with these axes."""
        return discs(axes)

    def given(self, pixels: NDArray[Any], axes: str, names: Sequence[str]) -> dict[str, NDArray[np.uint64]]:
        """Given labels by name over some pixels of the picture; those of a later name are a little smaller."""
        return {name: spots(pixels, axes, 50 + 40 * number) for number, name in enumerate(names)}

    def test_what_it_declares_makes_sense(self, segmenter: Any) -> None:
        made, axes = self._made(segmenter)
        try:
            traits = Traits.of(made, self.image(axes))
            component("merger", traits.merger or "touch")
        except TilewrightError as error:
            raise AssertionError(str(error)) from error
        if traits.memory is not None:
            one, four = (traits.memory((n,) * len(spatial(axes)), np.dtype("uint16")) for n in (64, 128))
            assert 0 < one <= four, f"memory says {one} bytes for a tile and {four} for a larger one; return its bytes"

    def test_it_finds_something(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        labels = self._labels(made, image.read(everything(image)), image.axes)
        for name, each in zip(outputs_of(made) or ("",), labels, strict=True):
            assert np.any(each), (
                f"no object was found in {image.name!r}{f' for the output {name!r}' if name else ''}, so the other "
                "tests would say nothing; override image() with a picture in which there are some"
            )

    def test_labels_are_whole_numbers_of_the_shape_of_the_pixels(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        self._labels(made, image.read(everything(image)), image.axes)

    def test_the_same_pixels_in_another_dtype_give_the_same(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        pixels = image.read(everything(image))
        labels = self._labels(made, pixels, image.axes)
        for dtype in self.dtypes:
            other = pixels.astype(dtype)
            if np.array_equal(other, pixels):  # else it cannot hold them
                share = agreements(labels, self._labels(made, other, image.axes))
                assert share >= self._least(made), (
                    f"{share:.2%} of the objects' pixels are the same for dtype {dtype} as for {pixels.dtype}; convert "
                    "the pixels, or leave it out of dtypes"
                )

    def test_the_pixels_are_left_as_they_are(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        pixels = image.read(everything(image))
        before = pixels.copy()
        first = self._labels(made, pixels, image.axes)
        assert np.array_equal(pixels, before), "the pixels were changed; copy them before working in place"
        pixels.setflags(write=False)
        assert np.array_equal(self._labels(made, pixels, image.axes), first), "read-only pixels give other labels"

    def test_an_empty_tile_has_no_objects(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        labels = self._labels(made, np.zeros(image.shape, image.dtype), image.axes)
        assert not np.any(labels), f"{len(np.unique(labels)) - 1} objects in pixels that are all 0; return zeros there"

    def test_without_a_place_the_pixels_are_the_whole_image(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        if not Traits.of(made, image).located:
            return
        pixels, axes = image.read(everything(image)), spatial(image.axes)
        place = Placement.whole(axes, [image.size(axis) for axis in axes])
        alone = self._labels(made, pixels, image.axes)
        assert np.array_equal(self._labels(made, pixels, image.axes, place), alone), (
            "the labels of the whole image differ with its place from those without one; let the second argument be "
            "None by default, which stands for the whole"
        )

    def test_twice_gives_the_same(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        pixels = image.read(everything(image))
        first, second = (self._labels(made, pixels, image.axes) for _ in range(2))
        assert np.array_equal(first, second), (
            "the same pixels gave other labels the second time; seed what is random, and keep nothing between calls"
        )

    def test_it_can_be_sent_to_another_process(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        pixels = image.read(everything(image))
        labels = self._labels(made, pixels, image.axes)
        again = self._labels(sent(made, PICKLED), pixels, image.axes)
        assert np.array_equal(again, labels), "its copy gives other labels; what decides them must be in its options"

    def test_calls_at_the_same_time_do_not_disturb_each_other(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        tiles = [crop(image, {"y": 64 + 8 * n, "x": 96 - 8 * n}) for n in range(4)]
        alone = [self._labels(made, pixels, image.axes) for pixels in tiles]
        with ThreadPoolExecutor(len(tiles)) as threads:
            together = list(threads.map(lambda pixels: self._labels(made, pixels, image.axes), tiles))
        for one, other in zip(alone, together, strict=True):
            assert np.array_equal(one, other), (
                "calls from several threads gave other labels than one after the other; keep no state between calls, "
                "or take a lock"
            )

    def test_tiles_of_odd_sizes_are_taken(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        for length in (1, 2, 3):
            self._labels(made, crop(image, {axis: n // length for axis, n in ODD.items()}), image.axes)

    def test_tiles_one_pixel_long_are_taken(self, segmenter: Any) -> None:
        made, image = self._prepared(segmenter)
        axes = spatial(image.axes)
        for thin in (*axes, axes):
            self._labels(made, crop(image, dict.fromkeys(thin, 1)), image.axes)

    def test_tiles_agree_with_the_whole(self, segmenter: Any) -> None:
        made, axes = self._made(segmenter)
        image = self.image(axes)
        sizes = {axis: image.size(axis) for axis in spatial(axes)}
        tile = [-(-length // (3 if axis == "y" else 2)) for axis, length in sizes.items()]
        whole, tiled = (self._run(made, image, tuple(each)) for each in (sizes.values(), tile))
        share, least = agreements(whole, tiled), self._least(made)
        self.measured(f"agreement of tiles with the whole: {share:.2%}; asked for: {least:.2%}")
        assert share >= least, (
            f"{share:.2%} of the objects' pixels are the same in tiles as in the whole, not {least:.2%}. Fix "
            "what depends on the whole image (a threshold, a normalisation) in prepare(image); declare the halo that a "
            "pixel's label depends on, and the merger: 'touch' for connected components, 'overlap' for instances"
        )

    def _least(self, made: Callable[..., Any]) -> float:
        if self.agreement is not None:
            return self.agreement
        return INSTANCES if MergerTraits.of(component("merger", declared(made, "merger") or "touch")).owns else 1.0

    def _run(self, made: Callable[..., Any], image: Image, tile: tuple[int, ...]) -> NDArray[Any]:
        """The labels of a run, as `_labels`."""
        result = self._result(made, image, tile)
        return np.stack([np.asarray(each.labels) for each in result.outputs.values() or [result]])

    def _result(self, made: Callable[..., Any], image: Image, tile: tuple[int, ...]) -> Result:
        try:
            given = self._given(made, image.read(everything(image)), image.axes)
            labels = {name: Image(each, spatial(image.axes)) for name, each in given.items()}
            return Pipeline(segmenter=made, tiler=Grid(tile=tile)).run(image, workers=1, given=labels or None)
        except TilewrightError as error:
            raise AssertionError(f"a run in tiles of {tile} failed: {error}") from error

    def _made(self, segmenter: Any) -> tuple[Callable[..., Any], str]:
        made = component("segmenter", segmenter)
        return made, declared(made, "axes") or self.spatial

    def _prepared(self, segmenter: Any) -> tuple[Callable[..., Any], Image]:
        made, axes = self._made(segmenter)
        image = self.image(axes)
        try:
            given = self._given(made, image.read(everything(image)), image.axes)
            labels = {name: Image(each, spatial(image.axes)) for name, each in given.items()}
            return prepared(made, image, given=labels), image
        except TilewrightError as error:
            raise AssertionError(str(error)) from error

    def _given(self, made: Callable[..., Any], pixels: NDArray[Any], axes: str) -> dict[str, NDArray[np.uint64]]:
        return self.given(pixels, axes, declared(made, "given") or ())

    def _called(self, made: Callable[..., Any], pixels: NDArray[Any], axes: str, place: Placement | None = None) -> Any:
        """What it returns for some pixels, called as a run calls it."""
        seen = None if declared(made, "pixels") is False else pixels
        given = self._given(made, pixels, axes)
        if not given:
            return made(seen) if place is None else made(seen, place)
        return made(seen, given=given, **({} if place is None else {"place": place}))

    def _labels(
        self, made: Callable[..., Any], pixels: NDArray[Any], axes: str, place: Placement | None = None
    ) -> NDArray[Any]:
        """The labels of some pixels: (outputs, *spatial shape), of one output if the segmenter names none."""
        shape = tuple(n for n, axis in zip(pixels.shape, axes, strict=True) if axis in SPATIAL)
        try:
            return np.stack(checked_outputs(self._called(made, pixels, axes, place), shape, outputs_of(made)))
        except InvalidLabels as error:
            raise AssertionError(f"it {error}; return whole numbers, 0 for background, for each pixel") from error
        except Exception as error:
            raise AssertionError(
                f"pixels of shape {pixels.shape} and dtype {pixels.dtype} raised {type(error).__name__}: {error}; a "
                "run has tiles without objects and tiles of any size, down to one pixel"
            ) from error


def everything(image: Image) -> tuple[slice, ...]:
    return tuple(slice(0, length) for length in image.shape)
