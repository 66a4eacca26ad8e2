"""What a segmenter is handed, how often, and what is said when it fails."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from fakes import Recording
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from truth import raster_order

from tilewright import Grid, Image, InvalidImage, InvalidLabels, InvalidOption, Needs, Pipeline, SegmenterFailed


class Watching:
    """Labels connected components over the spatial axes that it declares, and keeps what it was handed."""

    def __init__(self, axes: str | None = None, **declared: Any) -> None:
        self.axes, self.seen, self._lock = axes, [], threading.Lock()
        for name, value in declared.items():
            setattr(self, name, value)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        with self._lock:
            self.seen.append(pixels.copy())
        position = (self.axes or "").find("c")
        mask = pixels.any(axis=position) if position >= 0 else pixels
        labels: NDArray[Any] = ndimage.label(mask)[0]
        pixels[...] = 0
        return labels


def reference(array: NDArray[Any], axes: str, wanted: str) -> NDArray[Any]:
    """The labels of the whole image without its `c`: each plane by itself along what the segmenter does not see."""
    mask = array.any(axis=axes.index("c")) if "c" in axes else array != 0
    left = axes.replace("c", "")
    separate = [a for a in left if a not in (wanted or "zyx")]
    labels = np.zeros(mask.shape, np.int64)
    for index in itertools.product(*(range(mask.shape[left.index(a)]) for a in separate)):
        at = tuple(index[separate.index(a)] if a in separate else slice(None) for a in left)
        found = ndimage.label(mask[at])[0]
        labels[at] = np.where(found, found + labels.max(), 0)
    return raster_order(labels)


def in_order(array: NDArray[Any], axes: str, wanted: str) -> NDArray[Any]:
    """An array with the axes asked for, in their order; those that it has not are of length 1."""
    for axis in wanted:
        if axis not in axes:
            array, axes = array[None], axis + axes
    return array.transpose([axes.index(axis) for axis in wanted])


ORDERS = [
    "yx",
    "xy",
    "zyx",
    "xyz",
    "yzx",
    "cyx",
    "yxc",
    "tyx",
    "yxt",
    "czyx",
    "xyzc",
    "tczyx",
    "tzcyx",
    "zyxtc",
    "xcyt",
]


@pytest.mark.parametrize("wanted", [None, "yx", "zyx", "cyx", "czyx"])
@pytest.mark.parametrize("axes", ORDERS)
def test_a_segmenter_gets_its_axes_from_an_image_in_any_order(axes: str, wanted: str | None) -> None:
    shape = [{"t": 2, "c": 2, "z": 3, "y": 8, "x": 7}[axis] for axis in axes]
    array = (np.random.default_rng(len(axes)).random(shape) < 0.35).astype(np.uint8)
    segmenter = Watching(wanted)
    channel = None if "c" in (wanted or "") or "c" not in axes else 1
    tiler = Grid(tile=tuple({"t": 1, "z": 2, "y": 4, "x": 7}[a] for a in axes if a != "c"))
    result = Pipeline(segmenter=segmenter, tiler=tiler).run(array.copy(), axes=axes, channel=channel)

    chosen = array.take([channel], axes.index("c")) if channel is not None else array
    spatial = "".join(axis for axis in axes if axis in "zyx")
    np.testing.assert_array_equal(result.labels.compute(), reference(chosen, axes, wanted or spatial))
    assert len(segmenter.seen) == result.n_tiles
    handed = wanted or spatial
    lengths = {axis: {"t": 1, "z": 2, "y": 4, "x": 7, "c": 2}[axis] for axis in "tzyxc"}
    for pixels in segmenter.seen:
        assert pixels.ndim == len(handed)
        assert pixels.flags.c_contiguous
        for length, axis in zip(pixels.shape, handed, strict=True):
            assert length <= (lengths[axis] if axis in axes else 1)
    if result.n_tiles == 1:
        np.testing.assert_array_equal(segmenter.seen[0], in_order(chosen, axes, handed))


@pytest.mark.slow
@settings(max_examples=30)
@given(st.permutations("tczyx"), st.data())
def test_every_permutation_of_any_axes_equals_the_reference(order: list[str], data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 5))
    axes = "".join(order[:count])
    axes += "".join(axis for axis in "yx" if axis not in axes)
    wanted = data.draw(st.sampled_from(["yx", "xy", "cyx", "zyxc", "xzy"]))
    shape = [data.draw(st.integers(1, 5)) for _ in axes]
    array = (np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < 0.4).astype(np.uint8)
    tiler = Grid(tile=tuple(data.draw(st.integers(1, 5)) for a in axes if a != "c"))
    channel = data.draw(st.integers(0, shape[axes.index("c")] - 1)) if "c" in axes and "c" not in wanted else None
    result = Pipeline(segmenter=Watching(wanted), tiler=tiler).run(array.copy(), axes=axes, channel=channel)
    chosen = array.take([channel], axes.index("c")) if channel is not None else array
    np.testing.assert_array_equal(result.labels.compute(), reference(chosen, axes, wanted))


@pytest.mark.parametrize("axes", ["cyx", "yxc", "ycx"])
@pytest.mark.parametrize("channel", [0, 1, -1, "DAPI", "GFP"])
def test_one_channel_is_chosen_by_index_or_name(axes: str, channel: Any) -> None:
    array = np.random.default_rng(0).random((3, 8, 9)) < 0.4
    image = Image(data=array.transpose(["cyx".index(a) for a in axes]), axes=axes, channels=("DAPI", "GFP", "RFP"))
    result = Pipeline(segmenter=Watching(), tiler=Grid(tile=4)).run(image, channel=channel)
    index = {"DAPI": 0, "GFP": 1, -1: 2}.get(channel, channel)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(array[index])[0])
    assert result.provenance["channels"] == index


def test_channels_reach_a_segmenter_that_takes_them_in_the_order_said() -> None:
    array = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    image = Image(data=array, axes="cyx", channels=("DAPI", "GFP", "RFP"))
    for said, chosen in [(["RFP", 0], [2, 0]), ([1], [1]), (None, [0, 1, 2])]:
        segmenter = Watching("cyx")
        Pipeline(segmenter=segmenter, tiler=Grid(tile=10)).run(image, channels=said)
        np.testing.assert_array_equal(segmenter.seen[0], array[chosen])
    segmenter = Watching("cyx")
    Pipeline(segmenter=segmenter, tiler=Grid(tile=10)).run(image, channel="GFP")
    np.testing.assert_array_equal(segmenter.seen[0], array[[1]])


def test_a_segmenter_may_say_its_channel_and_the_run_may_say_another() -> None:
    array = np.zeros((2, 4, 4), np.uint8)
    array[1, 0, 0] = 1
    pipeline = Pipeline(segmenter=Watching(channel=1), tiler=Grid(tile=4))
    assert pipeline.run(array.copy(), axes="cyx").n_objects == 1
    assert pipeline.run(array.copy(), axes="cyx", channel=0).n_objects == 0


@pytest.mark.parametrize(
    ("axes", "wanted", "options", "said"),
    [
        ("cyx", None, {}, r"the image has 3 channels \(0 to 2\); choose one with channel"),
        ("cyx", "yx", {}, "choose one with channel"),
        ("cyx", None, {"channels": [0, 1]}, r"channels \[0, 1\] were asked for, but the segmenter takes one"),
        ("cyx", None, {"channel": 5}, "channel 5 does not exist; the image has 3 channels"),
        (
            "cyx",
            "cyx",
            {"channels": [0, "GFP"]},
            "channel 'GFP' does not exist; the image has 3, without names; choose one by its number",
        ),
        ("cyx", "cyx", {"channel": 0, "channels": [1]}, "give channel or channels, not both"),
        ("zyx", None, {"channel": 0}, "the image's axes 'zyx' have no c"),
        ("zyx", "cyx", {"channels": [0]}, "the image's axes 'zyx' have no c"),
        ("zyx", "tyx", {}, "declares axes = 'tyx'; it must be c and any of z, y, x"),
        ("zyx", "c", {}, "declares axes = 'c'"),
        ("zyx", "yyx", {}, "declares axes = 'yyx'"),
    ],
)
def test_a_choice_of_channels_or_axes_that_cannot_be_is_refused_before_any_work(
    axes: str, wanted: str | None, options: dict[str, Any], said: str
) -> None:
    segmenter = Watching(wanted)
    with pytest.raises(InvalidOption, match=said):
        Pipeline(segmenter=segmenter, tiler=Grid(tile=2)).run(np.zeros((3, 4, 4)), axes=axes, **options)
    assert segmenter.seen == []


def test_an_image_without_an_axis_that_the_segmenter_needs_is_refused() -> None:
    with pytest.raises(InvalidImage, match=r"segmenter .* needs axes 'zyx', but the image has 'zx'; use another"):
        Pipeline(segmenter=Watching("zyx"), tiler=Grid(tile=2)).run(np.zeros((4, 4)), axes="zx")


def test_a_flat_segmenter_runs_slice_by_slice_and_the_same_spot_has_an_id_in_each() -> None:
    mask = np.zeros((3, 6, 6), np.uint8)
    mask[:, 2:4, 2:4] = 1
    result = Pipeline(segmenter=Watching("yx"), tiler=Grid(tile=3, halo=1)).run(mask)
    labels = result.labels.compute()
    assert [np.unique(plane).tolist() for plane in labels] == [[0, 1], [0, 2], [0, 3]]


FAILURES: list[tuple[Any, type[Exception], str]] = [
    (np.full((6, 6), 0.7), InvalidLabels, "returned 0.7; labels are whole numbers"),
    (np.full((6, 6), np.nan), InvalidLabels, "returned nan; labels are finite"),
    (np.full((6, 6), -2), InvalidLabels, "returned the negative label -2"),
    (np.zeros((5, 5), int), InvalidLabels, "returned shape (5, 5) for pixels whose spatial shape is (6, 6)"),
    (None, InvalidLabels, "returned None"),
    (ZeroDivisionError("no cells"), SegmenterFailed, "raised ZeroDivisionError: no cells"),
    (MemoryError(), SegmenterFailed, "raised MemoryError"),
]


@pytest.mark.parametrize(("answer", "error", "said"), FAILURES)
def test_an_error_names_the_segmenter_the_tile_its_region_and_what_was_wrong(
    answer: Any, error: type[Exception], said: str
) -> None:
    def picky(pixels: NDArray[Any]) -> Any:
        if not pixels.any():
            return np.zeros(pixels.shape, int)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    pixels = np.zeros((12, 12), np.uint8)
    pixels[5, 5] = 1
    with pytest.raises(error) as raised:
        Pipeline(segmenter=picky, tiler=Grid(tile=(6, 4), halo=(0, 1))).run(pixels)
    message = str(raised.value)
    assert f"picky', tile (0, 1) (y 0:6, x 3:9): {said}" in message
    assert message.startswith("segmenter '")
    assert "\n" not in message
    if isinstance(answer, BaseException):
        assert raised.value.__cause__ is answer


def test_a_tile_that_fails_does_not_become_background() -> None:
    def fails(pixels: NDArray[Any]) -> Any:
        raise RuntimeError("out of memory")

    with pytest.raises(SegmenterFailed, match="out of memory"):
        Pipeline(segmenter=fails, tiler=Grid(tile=4)).run(np.zeros((8, 8)))


@pytest.mark.parametrize("merger", ["touch", "overlap"])
@pytest.mark.parametrize("chunks", [None, (5, 4)])
def test_every_tile_is_segmented_once_and_its_outer_region_read_once(merger: str, chunks: Any) -> None:
    array = (np.random.default_rng(0).random((23, 31)) < 0.4).astype(np.uint8)
    recording, segmenter = Recording(array, chunks), Watching()
    tiler = Grid(tile=(7, 9), halo=(2, 3))
    image = Image(data=recording, axes="yx")
    result = Pipeline(segmenter=segmenter, tiler=tiler, merger=merger).run(image)
    assert len(segmenter.seen) == result.n_tiles == 16
    expected = np.zeros(array.shape, int)
    for tile in tiler(image, Needs()):
        expected[tile.outer] += 1
    np.testing.assert_array_equal(recording.reads(), expected)
    assert len(recording.regions) == 16


@pytest.mark.parametrize("kind", ["numpy", "recording", "channel"])
def test_a_segmenter_that_writes_to_its_pixels_does_not_reach_the_image(kind: str) -> None:
    array = (np.random.default_rng(0).random((2, 12, 12)) < 0.4).astype(np.uint8)
    before = array.copy()
    pipeline = Pipeline(segmenter=Watching(), tiler=Grid(tile=12))
    if kind == "channel":
        pipeline.run(array, axes="cyx", channel=0)
    else:
        data: Any = array if kind == "numpy" else Recording(array)
        pipeline.run(Image(data=data, axes="zyx"))
    np.testing.assert_array_equal(array, before)


def test_a_segmenter_may_return_the_pixels_it_was_handed_or_one_buffer_every_time() -> None:
    array = ndimage.label(np.random.default_rng(0).random((20, 20)) < 0.3)[0]
    buffer = np.zeros((5, 5), np.int64)

    def reusing(pixels: NDArray[Any]) -> NDArray[Any]:
        buffer[...] = pixels > 0
        return buffer

    same = Pipeline(segmenter=lambda pixels: pixels, tiler=Grid(tile=5)).run(array)
    np.testing.assert_array_equal(same.labels.compute() > 0, array > 0)
    reused = Pipeline(segmenter=reusing, tiler=Grid(tile=5)).run(array, workers=1)
    np.testing.assert_array_equal(reused.labels.compute() > 0, array > 0)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything above the image's own mean."""

    mean: float | None = None
    calls: Any = None

    def prepare(self, image: Image) -> Prepared:
        self.calls.append(image)
        return replace(self, mean=float(np.mean([block.mean() for block in image.sample()])))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        assert self.mean is not None
        labels: NDArray[Any] = ndimage.label(pixels > self.mean)[0]
        return labels


def test_prepare_sees_the_whole_chosen_channel_lazily_and_once_and_its_answer_is_recorded() -> None:
    array = np.random.default_rng(0).random((2, 20, 20))
    recording, calls = Recording(array), []
    result = Pipeline(segmenter=Prepared(calls=calls), tiler=Grid(tile=5)).run(
        Image(data=recording, axes="cyx"), channel=1
    )
    (image,) = calls
    assert (image.axes, image.shape) == ("yx", (20, 20))
    assert recording.reads()[0].sum() == 0
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(array[1] > array[1].mean())[0])
    recorded = result.provenance["pipeline"]["segmenter"]["configuration"]
    assert recorded["mean"] == pytest.approx(array[1].mean())


@pytest.mark.parametrize("answer", [None, 5])
def test_a_prepare_that_gives_back_no_segmenter_is_refused_by_name(answer: Any) -> None:
    class Odd(Watching):
        def prepare(self, image: Image) -> Any:
            return answer

    with pytest.raises(InvalidOption, match=r"segmenter .*Odd' must return a segmenter from prepare, not"):
        Pipeline(segmenter=Odd(), tiler=Grid(tile=4)).run(np.zeros((4, 4)))


@pytest.mark.parametrize("merger", ["touch", "overlap"])
@pytest.mark.parametrize("least", [0, 1, 2, 5, 9, 100])
def test_min_size_counts_objects_after_they_are_joined(merger: str, least: int) -> None:
    mask = np.random.default_rng(3).random((40, 40)) < 0.4
    whole, _ = ndimage.label(mask)
    areas = np.bincount(whole.ravel())
    expected = raster_order(np.where((areas[whole] >= least) & (whole > 0), whole, 0))
    result = Pipeline(segmenter=Watching(min_size=least), tiler=Grid(tile=6, halo=2), merger=merger).run(mask)
    if merger == "touch":
        np.testing.assert_array_equal(result.labels.compute(), expected)
    labels = result.labels.compute()
    assert result.n_objects == labels.max(initial=0) == len(np.unique(labels[labels > 0]))
    assert (np.bincount(labels.ravel())[1:] >= least).all()


def test_empty_tiles_are_skipped_counted_and_never_hide_a_bright_pixel_behind_nan() -> None:
    pixels = np.zeros((8, 12), np.float32)
    pixels[1, 1], pixels[5, 5] = 3, 0.5
    pixels[6, 10], pixels[4, 8] = np.inf, np.nan
    segmenter = Watching()
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=4)).run(pixels, empty=1.0)
    assert (result.n_tiles, result.n_skipped, len(segmenter.seen)) == (6, 4, 2)
    labels = result.labels.compute()
    assert labels[1, 1]
    assert labels[6, 10]
    assert not labels[5, 5]


def test_same_ids_join_wherever_they_lie() -> None:
    ids = np.zeros((12, 12), np.uint64)
    ids[1, 1] = ids[10, 10] = ids[1, 10] = 2**63 + 5
    ids[5, 5], ids[6, 6] = 7, 2**63 + 4
    pipeline = Pipeline(segmenter=lambda pixels: pixels, tiler=Grid(tile=4, halo=1))
    apart = pipeline.run(ids).labels.compute()
    assert len(np.unique(apart)) == 6
    joined = pipeline.run(ids, same_ids=True)
    np.testing.assert_array_equal(joined.labels.compute(), raster_order(ids))
    assert joined.n_objects == 3


def test_same_ids_have_no_meaning_for_a_merger_that_chooses_among_views() -> None:
    with pytest.raises(InvalidOption, match=r"same_ids.*'overlap'"):
        Pipeline(segmenter=lambda pixels: pixels, tiler=Grid(tile=4, halo=1), merger="overlap").run(
            np.zeros((8, 8), int), same_ids=True
        )


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (0,), (1, 0, 3)])
def test_images_of_no_or_one_pixel_are_images(shape: tuple[int, ...]) -> None:
    for tiler in (Grid(tile=2), "auto"):
        result = Pipeline(segmenter=Watching(), tiler=tiler).run(np.ones(shape, np.uint8))
        assert result.labels.compute().shape == shape
        assert result.n_objects == int(np.prod(shape) > 0)
