"""The tests of a segmenter that is a network."""

from __future__ import annotations

import dataclasses
import unittest
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.maps import cropped, windows_in
from ..abc.network import Arrays, Window
from ..abc.traits import Traits, prepared
from ..builtin.tilers import Grid
from ..engine.batches import Batches
from ..engine.planning import windows_of
from ..errors import TilewrightError
from ..image import Image
from ..tiling.axes import spatial
from ..tiling.windows import WindowGrid
from .kit import sent
from .pictures import agreements, crop
from .segmenters import ODD, SegmenterTests, everything

__all__ = ["NetworkTests"]

ALONE = "predict must depend on the window's pixels alone: put the network into evaluation mode, keep nothing"
TOLERANCE = 1e-4  # what a sum in another order changes of a network's 32 bits, and no object
LARGE = {"z": 40, "y": 1000, "x": 3000}


class NetworkTests(SegmenterTests):
    """Tests of a segmenter that is a network: those of every segmenter, and that a window is predicted as if alone.

    A run predicts each window once, in any company, and decodes a tile from whatever windows meet it. A network that
    goes by more than the pixels of a window gives labels that depend on batches, workers and tiles.

    agreement: how much of the objects' pixels must be the same in tiles as in a call; None for all of them. Write down
        what you measured, which the test prints.
    values: another value for an option of `decode_options`, by name, where halving, doubling or switching it gives none
        that the network takes.
    """

    values: ClassVar[Mapping[str, Any]] = {}

    def test_windows_go_by_the_shape_of_the_image_and_not_by_its_pixels(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        for lengths in ({}, ODD, LARGE, *_thin(image)):
            shape = tuple(lengths.get(axis, image.size(axis)) for axis in image.axes)
            unread = Image(_Unread(shape, image.dtype), image.axes, spacing=image.spacing, units=image.units)
            first, second = (_grids(each, unread) for each in (made, sent(made)))
            assert first == second, (
                f"windows over {image.axes} of {shape} are others the second time; they must depend on the image's "
                "axes, shape, dtype and spacing, on the budget and on the options alone"
            )

    def test_what_it_predicts_fits_its_declaration(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        for lengths in ({}, ODD, *_thin(image)):
            pixels = crop(image, lengths)
            grids = _grids(made, Image(pixels, image.axes, spacing=image.spacing, units=image.units))
            batches = Batches(grids=tuple(grids), size=_batch_of(made, image))
            for which, numbers in map(batches.windows, range(len(batches))):
                said = _predicted(made, windows_in(grids[which], numbers, pixels, image.axes), which)
                for number, each in zip(numbers, said, strict=True):
                    try:
                        cropped(grids[which], number, each, made.predictions)
                    except TilewrightError as error:
                        raise AssertionError(f"it {error}, {_text(grids[which], number)} of set {which}") from error

    def test_a_window_in_company_is_predicted_as_alone(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        for which, windows in self._companies(made, image):
            alone = [_predicted(made, [each], which)[0] for each in windows]
            _assert_same(alone, _predicted(made, windows, which), "alone and then in a batch with others")

    def test_the_order_of_windows_does_not_matter(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        for which, windows in self._companies(made, image):
            forward, backward = (_predicted(made, each, which) for each in (windows, windows[::-1]))
            _assert_same(forward, backward[::-1], "first and then last of a batch")

    def test_a_call_before_does_not_matter(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        for which, (first, *others) in self._companies(made, image, least=2):
            before = _predicted(made, [first], which)
            for each in others:
                _predicted(made, [each], which)
            _assert_same(before, _predicted(made, [first], which), "before and after other windows")

    def test_options_of_decoding_change_nothing_that_is_predicted(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        untried = []
        for name in Traits.of(made, image).decode_options:
            changed = _with_another(self._made(segmenter)[0], name, self.values, image)
            if changed is None:
                untried.append(name)
                continue
            what = f"{name} = {getattr(changed, name)!r}"
            assert (changed.predictions, _grids(changed, image)) == (made.predictions, _grids(made, image)), (
                f"windows or predictions are others with {what}; leave {name} out of decode_options"
            )
            for which, windows in self._companies(made, image, least=1):
                one, two = (_predicted(each, windows, which) for each in (made, changed))
                _assert_same(one, two, f"with {what}", f"leave {name} out of decode_options")
        if untried:
            raise unittest.SkipTest(f"no other value is known of {', '.join(untried)}; give one in values")

    def test_every_window_is_predicted_once(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        count = sum(len(grid) for grid in _grids(made, image))
        result = self._result(self._made(segmenter)[0], image, _tile(image, 4))
        predicted = result.provenance["n_predicted"]
        assert predicted == count, (
            f"a run predicted {predicted} windows, and there are {count}; windows(image, budget) must return the same "
            "whenever it is called"
        )

    def test_tiles_agree_with_the_whole(self, segmenter: Any) -> None:
        made, image = self._network(segmenter)
        whole = self._labels(made, image.read(everything(image)), image.axes)
        whole = np.stack([_without_small(each, Traits.of(made, image).min_size) for each in whole])
        for parts in (1, 2, 3, 4):
            tile = _tile(image, parts)
            least = 1.0 if parts == 1 or self.agreement is None else self.agreement
            share = agreements(whole, self._run(self._made(segmenter)[0], image, tile))
            text = f"{share:.4%} of the objects' pixels are the same in tiles of {tile} as in a call"
            self.measured(f"{text}; asked for: {least:.2%}")
            assert share >= least, f"{text}, not {least:.2%}. " + (
                "Let __call__ return tilewright.abc.untiled(self, pixels, axes), or the same labels"
                if parts == 1
                else "Declare the halo and the context on which decode depends, and the merger: 'touch' for "
                "connected components, 'overlap' for instances"
            )

    def _network(self, segmenter: Any) -> tuple[Any, Image]:
        made, image = self._prepared(segmenter)
        try:
            traits = Traits.of(made, image)
        except TilewrightError as error:
            raise AssertionError(str(error)) from error
        assert traits.predictions, "it is not a network: it has no windows, predict and decode; use SegmenterTests"
        return made, image

    def _companies(self, made: Any, image: Image, least: int = 0) -> Iterator[tuple[int, list[Window]]]:
        """By set, windows of different pixels, as many as go through the network at once; a skip if that is one.

        least: so many at least, if they need not go through it at once.
        """
        size = max(least, _batch_of(made, image))
        if size == 1 and not least:
            raise unittest.SkipTest("its batch is 1, so that a window has no company")
        pixels = image.read(everything(image))
        flipped = np.flip(pixels, image.axes.index(spatial(image.axes)[-1]))
        for which, grid in enumerate(_grids(made, image)):
            numbers = np.linspace(0, len(grid) - 1, -(-size // 2)).astype(int).tolist()
            pairs = (windows_in(grid, numbers, each, image.axes) for each in (pixels, flipped))
            yield which, [window for pair in zip(*pairs, strict=True) for window in pair][:size]


@dataclasses.dataclass(frozen=True)
class _Unread:
    """An array of an image whose windows are laid without its pixels."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, index: Any) -> NDArray[Any]:
        raise AssertionError("windows() reads pixels; let prepare(image) find in them what windows depend on")


def _grids(made: Any, image: Image) -> list[WindowGrid]:
    """The sets of windows of a network over an image."""
    space = spatial(image.axes)
    try:
        windows = windows_of(made, image, Traits.of(made, image), Grid())
    except TilewrightError as error:
        raise AssertionError(f"windows over {image.axes} of {image.shape}: {error}") from error
    return [WindowGrid(windows=each, axes=space, shape=tuple(map(image.size, space))) for each in windows]


def _text(grid: WindowGrid, number: int) -> str:
    """`window y 0:64, x 32:96`."""
    spans = zip(grid.windows.axes, grid.span(number), strict=True)
    return "window " + ", ".join(f"{axis} {part.start}:{part.stop}" for axis, part in spans)


def _batch_of(made: Any, image: Image) -> int:
    return Traits.of(made, image).batch


def _predicted(made: Any, windows: list[Window], which: int) -> Sequence[Arrays]:
    try:
        said: Sequence[Arrays] = made.predict(windows, which)
    except Exception as error:
        raise AssertionError(
            f"predict raised {type(error).__name__}: {error}, for {len(windows)} windows of set {which}, the first of "
            f"pixels of shape {windows[0].pixels.shape} and dtype {windows[0].pixels.dtype}"
        ) from error
    assert len(said) == len(windows), f"predict returned {len(said)} entries for {len(windows)} windows"
    assert all(isinstance(each, Mapping) for each in said), (
        f"predict returned {type(said[0]).__name__} for a window; return arrays by name"
    )
    return said


def _assert_same(one: Sequence[Arrays], other: Sequence[Arrays], when: str, advice: str = ALONE) -> None:
    """AssertionError for the first array that differs by more than the tolerance."""
    for first, second in zip(one, other, strict=True):
        for name in first:
            a, b = np.asarray(first[name], float), np.asarray(second[name], float)
            assert a.shape == b.shape, f"{name} has shape {a.shape} and {b.shape} for a window {when}; {advice}"
            assert np.allclose(a, b, TOLERANCE, TOLERANCE, equal_nan=True), (
                f"{name} differs by up to {np.nanmax(np.abs(a - b)):.2g} for a window {when}; {advice}"
            )


def _with_another(made: Any, name: str, values: Mapping[str, Any], image: Image) -> Any:
    """The network with another value of an option, prepared; None if it takes none of those that are tried."""
    fields = [each.name for each in dataclasses.fields(made) if each.init] if dataclasses.is_dataclass(made) else []
    assert name in fields, f"decode_options names {name!r}, which is not an option; its options are {', '.join(fields)}"
    if name in values:
        return prepared(dataclasses.replace(made, **{name: values[name]}), image)
    for other in _others(getattr(made, name)):
        try:
            return prepared(dataclasses.replace(made, **{name: other}), image)
        except Exception:  # noqa: BLE001 - whatever it raises, it refuses this value
            continue
    return None


def _others(value: Any) -> Iterable[Any]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value // 2, value * 2] if value else [1]
        case float():
            return [value / 2, value * 2] if value else [0.1]
        case None:
            return [0.3, 3]
        case _:
            return []


def _thin(image: Image) -> list[dict[str, int]]:
    """One pixel along one of an image's axes, and along all of them."""
    axes = spatial(image.axes)
    return [dict.fromkeys(thin, 1) for thin in (*axes, axes)]


def _tile(image: Image, parts: int) -> tuple[int, ...]:
    """A tile of so many parts of the image along its last axis, and one more along the others if there are several."""
    sizes = [image.size(axis) for axis in spatial(image.axes)]
    more = parts + (parts > 1)
    return (*(-(-size // more) for size in sizes[:-1]), -(-sizes[-1] // parts))


def _without_small(labels: NDArray[Any], size: int) -> NDArray[Any]:
    """Labels without the objects of fewer pixels, as a run leaves them out once they are joined."""
    _, which, count = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where((count < size)[which].reshape(labels.shape), 0, labels)
