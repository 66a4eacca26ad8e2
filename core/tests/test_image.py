"""The image: what it refuses, and that it reads no more than is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import dask.array
import numpy as np
import pytest
import zarr
from fakes import Recording
from hypothesis import given
from hypothesis import strategies as st

from tilewright import Image, InvalidImage, InvalidOption, Level, NotReadable
from tilewright.image.gathered import gathered
from tilewright.testing.tilers import Unread


def image(shape: tuple[int, ...], axes: str, **options: Any) -> Image:
    return Image(data=np.arange(np.prod(shape)).reshape(shape), axes=axes, **options)


@pytest.mark.parametrize("axes", ["x", "yx", "zx", "xyz", "tzcyx", "yxc", "tczyx", "cx"])
def test_axes_in_any_order_with_one_that_is_spatial_are_taken(axes: str) -> None:
    made = image(tuple(range(2, 2 + len(axes))), axes)
    assert made.axes == axes
    assert made.spatial_axes == "".join(a for a in axes if a in "zyx")
    assert [made.size(a) for a in axes] == list(made.shape)
    assert made.size("t" if "t" not in axes else "c") >= 1


@pytest.mark.parametrize(
    ("shape", "axes", "options", "said"),
    [
        ((3, 4), "zyx", {}, "has 2 dimensions (3, 4), but axes 'zyx'"),
        ((3, 4), "x", {}, "has 2 dimensions (3, 4), but axes 'x'"),
        ((), "", {}, "none of 'z y x'"),
        ((3, 4), "xx", {}, "axes 'xx' are not distinct letters out of 't c z y x'"),
        ((3, 4), "qx", {}, "axes 'qx' are not distinct letters"),
        ((3, 4), "YX", {}, "axes 'YX' are not distinct letters"),
        ((3, 4), "tc", {}, "axes 'tc' have none of 'z y x'"),
        ((3, 4), "yx", {"spacing": {"y": 0.0}}, "spacing 0.0 along y"),
        ((3, 4), "yx", {"spacing": {"x": -1.0}}, "spacing -1.0 along x"),
        ((3, 4), "yx", {"spacing": {"x": float("nan")}}, "spacing nan along x"),
        ((3, 4), "yx", {"spacing": {"x": float("inf")}}, "spacing inf along x"),
        ((3, 4), "cx", {"channels": ("a", "b")}, "has 3 channels along c, but 2 channel names: a, b"),
        ((3, 4), "yx", {"channels": ("a", "b")}, "has 1 channels along c, but 2 channel names"),
    ],
)
def test_an_image_that_contradicts_itself_is_refused(
    shape: tuple[int, ...], axes: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidImage) as raised:
        Image(data=np.zeros(shape), axes=axes, **options)
    assert said in str(raised.value)


@pytest.mark.parametrize("dtype", ["c16", "O", "U3", "M8[s]", "m8[s]", "S2"])
def test_pixels_that_are_no_real_numbers_are_refused(dtype: str) -> None:
    with pytest.raises(InvalidImage, match="pixels must be real numbers"):
        Image(data=np.zeros((2, 2), dtype), axes="yx")


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", ">u2", "u8", "i8", "f2", ">f4", "f8"])
def test_pixels_of_any_real_dtype_are_taken(dtype: str) -> None:
    assert Image(data=np.zeros((2, 2), dtype), axes="yx").dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("said", "index"), [(0, 0), (2, 2), (-1, 2), (-3, 0), ("GFP", 1), ("1", 1), ("-1", 2), (np.int64(1), 1)]
)
def test_a_channel_is_said_by_index_or_name(said: Any, index: int) -> None:
    made = image((3, 4, 5), "cyx", channels=("DAPI", "GFP", "RFP"))
    assert made.channel_index(said) == index
    np.testing.assert_array_equal(made.select(said).read((slice(None),) * 2), made.data[index])


def test_a_channel_called_like_a_number_is_found_by_its_name_first() -> None:
    assert image((3, 4, 5), "cyx", channels=("2", "1", "0")).channel_index("0") == 2


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (3, "channel 3 does not exist; the image has 3 channels (DAPI, GFP, GFP)"),
        (-4, "channel -4 does not exist"),
        ("7", "channel 7 does not exist"),
        ("RFP", "channel 'RFP' does not exist"),
        (
            "dapi",
            "channel 'dapi' does not exist; the image has 3 channels (DAPI, GFP, GFP); did you mean 'DAPI'?",
        ),
        ("DAPPI", "; did you mean 'DAPI'?"),
        ("GFP", "several channels are named 'GFP': 1, 2 of DAPI, GFP, GFP; choose one by its number"),
        ("", "channel '' does not exist"),
        ("-", "channel '-' does not exist"),
        ("--1", "channel '--1' does not exist"),
        ("²", "channel '²' does not exist"),
        (1.5, "channel 1.5 does not exist"),
        (True, "channel True does not exist"),
    ],
)
def test_a_channel_that_does_not_exist_is_refused_with_those_that_do(said: Any, message: str) -> None:
    made = image((3, 4, 5), "cyx", channels=("DAPI", "GFP", "GFP"))
    with pytest.raises(InvalidOption) as raised:
        made.channel_index(said)
    assert message in str(raised.value)
    assert "DAPI, GFP, GFP" in str(raised.value)


def test_a_channel_of_an_image_without_channels_is_refused() -> None:
    with pytest.raises(InvalidOption, match=r"channel 0 was asked for, but the image's axes 'yx' have no c"):
        image((4, 5), "yx").channel_index(0)


@given(st.permutations("tczyx"), st.data())
def test_selecting_a_channel_reads_that_channel_of_that_region_alone(order: list[str], data: st.DataObject) -> None:
    axes = "".join(order)
    array = np.random.default_rng(0).random([data.draw(st.integers(1, 4)) for _ in axes])
    recording = Recording(array)
    made = Image(data=recording, axes=axes)
    chosen = data.draw(st.integers(0, made.size("c") - 1))
    selected = made.select(chosen)
    assert recording.regions == []
    assert selected.axes == axes.replace("c", "")
    region = tuple(slice(data.draw(st.integers(0, n - 1)), n) for n in selected.shape)
    plane = array.take(chosen, axes.index("c"))[region]
    np.testing.assert_array_equal(selected.read(region), plane)
    assert recording.reads().sum() == plane.size


@given(st.permutations("czyx"), st.data())
def test_taking_channels_reads_those_in_their_order_and_no_others(order: list[str], data: st.DataObject) -> None:
    axes = "".join(order)
    array = np.random.default_rng(0).random([data.draw(st.integers(1, 4)) for _ in axes])
    recording = Recording(array)
    made = Image(data=recording, axes=axes)
    chosen = data.draw(st.lists(st.integers(0, made.size("c") - 1), min_size=1, max_size=4))
    taken = made.take(chosen)
    assert recording.regions == []
    expected = array.take(chosen, axes.index("c"))
    assert taken.shape == expected.shape
    region = tuple(slice(data.draw(st.integers(0, n - 1)), n) for n in taken.shape)
    np.testing.assert_array_equal(taken.read(region), expected[region])
    unused = set(range(made.size("c"))) - set(chosen)
    assert not recording.reads().take(sorted(unused), axes.index("c")).any()


def test_selecting_keeps_what_else_is_known() -> None:
    level = Level(path="0", shape=(2, 4, 6), scale=(1.0, 0.5, 0.25), translation=(0.0, 1.0, 2.0))
    made = image(
        (2, 4, 6), "cyx", spacing={"y": 0.5, "x": 0.25}, units={"y": "mm"}, channels=("a", "b"), levels=(level,)
    )
    one = made.select("b")
    assert (one.spacing, one.units, one.channels) == ({"y": 0.5, "x": 0.25}, {"y": "mm"}, ())
    assert one.levels == (Level(path="0", shape=(4, 6), scale=(0.5, 0.25), translation=(1.0, 2.0)),)
    assert made.take(["b", "a", "b"]).channels == ("b", "a", "b")
    assert made.take([1]).select(0).channels == ()


@pytest.mark.parametrize("axes", ["cyx", "zcyx", "yxc"])
def test_one_of_the_chosen_channels_can_be_chosen_again(axes: str) -> None:
    array = np.arange(4 * 4 * 4 * 4)[: 4 ** len(axes)].reshape((4,) * len(axes))
    for chosen in ([1], [3, 1]):
        again = Image(data=array, axes=axes).take(chosen).select(len(chosen) - 1)
        expected = array.take(1, axes.index("c"))
        np.testing.assert_array_equal(
            again.read((slice(1, 3),) * (len(axes) - 1)), expected[(slice(1, 3),) * expected.ndim]
        )
        np.testing.assert_array_equal(np.concatenate([block.ravel() for block in again.sample()]), expected.ravel())


def _zarr(shape: tuple[int, ...], chunks: tuple[int, ...], **options: Any) -> Any:
    return zarr.create_array({}, shape=shape, chunks=chunks, dtype="u1", **options)


@pytest.mark.parametrize(
    ("data", "axes", "chunks", "lengths"),
    [
        (np.zeros((5, 7)), "yx", (5, 7), ((5,), (7,))),
        (_zarr((10, 7), (4, 7)), "yx", (4, 7), ((4, 4, 2), (7,))),
        (_zarr((3, 5), (4, 8)), "yx", (3, 5), ((3,), (5,))),
        (_zarr((20, 20), (2, 2), shards=(8, 10)), "yx", (8, 10), ((8, 8, 4), (10, 10))),
        (dask.array.zeros((12, 8), chunks=((3, 7, 2), (8,))), "yx", (7, 8), ((3, 7, 2), (8,))),
        (dask.array.zeros((4, 6), chunks=((4, 0), (0, 6))), "yx", (4, 6), ((4,), (6,))),
        (np.zeros((0, 7)), "yx", (1, 7), ((), (7,))),
    ],
    ids=["numpy", "zarr", "chunks larger than the image", "sharded", "dask uneven", "dask with empty chunks", "empty"],
)
def test_chunks_are_the_unit_in_which_the_data_is_best_read(
    data: Any, axes: str, chunks: tuple[int, ...], lengths: tuple[tuple[int, ...], ...]
) -> None:
    made = Image(data=data, axes=axes)
    assert made.chunks == chunks
    assert made.chunk_lengths == lengths


@pytest.mark.parametrize("axes", ["cyx", "ycx", "yxc"])
def test_chunks_of_chosen_channels_lie_along_the_other_axes_as_before(axes: str) -> None:
    chunks = {"c": (1, 2), "y": (3, 7, 2), "x": (8,)}
    lazy = dask.array.zeros([sum(chunks[a]) for a in axes], chunks=tuple(chunks[a] for a in axes))
    made = Image(data=lazy, axes=axes)
    assert made.select(0).chunks == (7, 8)
    assert made.select(0).chunk_lengths == ((3, 7, 2), (8,))
    taken = made.take([2, 0])
    assert taken.chunks == tuple({"c": 2, "y": 7, "x": 8}[a] for a in axes)
    assert taken.chunk_lengths == tuple({"c": (2,), "y": (3, 7, 2), "x": (8,)}[a] for a in axes)
    assert taken.select(0).chunk_lengths == ((3, 7, 2), (8,))


def test_chunks_of_a_channel_of_a_sharded_array_are_its_shards() -> None:
    made = Image(data=_zarr((4, 20, 20), (1, 2, 2), shards=(2, 8, 10)), axes="cyx")
    assert made.select(1).chunks == (8, 10)
    assert made.take([1, 3]).chunks == (2, 8, 10)


SOURCES = {
    "numpy": lambda array: array,
    "view": lambda array: array[:],
    "read-only": lambda array: np.broadcast_to(array, array.shape),
    "wrapped": Recording,
    "zarr": lambda array: zarr.array(array, store={}),
    "dask": lambda array: dask.array.from_array(array, chunks=array.shape),
    "dask in chunks": lambda array: dask.array.from_array(array, chunks=2),
}


@pytest.mark.parametrize("choose", ["all", "select", "take"])
@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_read_is_the_readers_own_to_write_to(kind: str, choose: str) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    made = Image(data=SOURCES[kind](array), axes="cyx")
    made = made.select(1) if choose == "select" else made.take([1]) if choose == "take" else made
    pixels = made.read(tuple(slice(None) for _ in made.shape))
    expected = pixels.copy()
    pixels[...] = -1
    np.testing.assert_array_equal(array, np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(made.read(tuple(slice(None) for _ in made.shape)), expected)


@pytest.mark.parametrize("choose", ["all", "select", "take"])
def test_dask_is_computed_in_the_calling_thread(choose: str) -> None:
    made = Image(data=dask.array.arange(24, chunks=5).reshape(2, 3, 4), axes="cyx")
    made = made.select(1) if choose == "select" else made.take([1, 0]) if choose == "take" else made

    def other(*_: Any, **__: Any) -> None:
        raise AssertionError("the run has its own parallelism")

    with dask.config.set(scheduler=other):
        assert made.read(tuple(slice(None) for _ in made.shape)).shape == made.shape


@pytest.mark.parametrize("chunks", [None, (64, 64), (1, 1000), (1000, 1), (1000, 1000), (7, 13)])
def test_a_sample_is_bounded_deterministic_and_spread_over_the_whole_image(chunks: tuple[int, ...] | None) -> None:
    array = np.arange(1_000_000).reshape(1000, 1000)
    recording = Recording(array, chunks)
    made = Image(data=recording, axes="yx")
    sampled = list(made.sample(pixels=20_000, blocks=32))
    assert len(sampled) <= 32
    assert 2_000 <= sum(block.size for block in sampled) <= 20_000
    again = list(made.sample(pixels=20_000, blocks=32))
    assert all(np.array_equal(a, b) for a, b in zip(sampled, again, strict=True))

    middles = np.array([np.unravel_index(int(np.median(block)), array.shape) for block in sampled])
    for axis in (0, 1) if chunks not in [(1, 1000), (1000, 1)] else ([0] if chunks == (1, 1000) else [1]):
        along = np.sort(middles[:, axis])
        assert along[0] < 300
        assert along[-1] > 700
        assert np.diff(along).max() < 550


@pytest.mark.parametrize("side", [32, 64, 96])
def test_a_sample_does_not_keep_to_a_few_columns_of_the_chunks(side: int) -> None:
    """32 chunks at even gaps would all be of one column: each gap is one row of chunks, or several."""
    column_of = np.tile(np.repeat(np.arange(side), 10), (side * 10, 1))
    made = Image(data=Recording(column_of, (10, 10)), axes="yx")
    columns = np.unique([block[0, 0] for block in made.sample(pixels=32 * 100, blocks=32)])
    assert np.diff([-1, *columns, side]).max() <= side / 8


def test_a_sample_of_a_huge_image_reads_little() -> None:
    huge = dask.array.zeros((10**6, 10**6), chunks=(4096, 4096), dtype="u1")
    assert sum(block.size for block in Image(data=huge, axes="yx").sample(pixels=10_000)) <= 10_000


def test_the_largest_read_of_a_sample_is_bounded_where_one_chunk_is_the_image() -> None:
    recording = Recording(np.zeros((4000, 4000), np.uint8))
    list(Image(data=recording, axes="yx").sample())
    assert recording.reads().sum() <= 2**22
    assert recording.largest_read() <= 2**18


@given(st.lists(st.integers(1, 20), min_size=1, max_size=3), st.data())
def test_a_sample_of_a_small_image_is_the_whole_image(shape: list[int], data: st.DataObject) -> None:
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    recording = Recording(np.zeros(shape), chunks)
    list(Image(data=recording, axes="zyx"[-len(shape) :]).sample())
    assert (recording.reads() == 1).all()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=3), st.integers(1, 5000), st.integers(1, 70), st.data())
def test_a_sample_keeps_to_its_budget_for_any_chunks(
    shape: list[int], pixels: int, blocks: int, data: st.DataObject
) -> None:
    if np.prod(shape) > 10**6:
        shape = shape[:2]
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    recording = Recording(np.zeros(shape, np.uint8), chunks)
    sampled = list(Image(data=recording, axes="zyx"[-len(shape) :]).sample(pixels, blocks))
    assert sampled
    assert all(block.size for block in sampled)
    assert recording.reads().max() == 1, "no pixel counts twice"
    if np.prod(shape) > pixels:
        assert len(sampled) <= blocks
        assert recording.reads().sum() <= max(pixels, blocks)


def test_an_image_without_pixels_has_an_empty_sample() -> None:
    assert list(image((0, 5), "yx").sample()) == []


def test_an_image_is_written_with_its_pixels_and_axes_first() -> None:
    pixels = np.arange(24).reshape(2, 3, 4)
    for image in (Image(pixels, "cyx"), Image(pixels, axes="cyx"), Image(data=pixels, axes="cyx")):
        assert image.axes == "cyx"
        np.testing.assert_array_equal(np.asarray(image), pixels)
        np.testing.assert_array_equal(image[...], pixels)


@pytest.mark.parametrize(
    "index",
    [
        (),
        ...,
        1,
        -1,
        (0, 1),
        (..., 2),
        (1, ..., 2),
        slice(None),
        (slice(0, 1), slice(1, 9), slice(None, None, 2)),
        (-1, -2, -3),
    ],
)
def test_an_index_is_numpys(index: Any, tmp_path: Path) -> None:
    pixels = np.arange(24).reshape(2, 3, 4)
    stored = zarr.create_array(tmp_path / "pixels.zarr", data=pixels, chunks=(1, 2, 3))
    for data in (pixels, stored, dask.array.from_array(pixels)):
        found = Image(data, "cyx")[index]
        np.testing.assert_array_equal(found, pixels[index])
        assert np.shape(found) == pixels[index].shape


def test_what_an_index_gives_is_the_callers_own() -> None:
    pixels = np.zeros((3, 3))
    Image(pixels, "yx")[...][0] = 9
    np.asarray(Image(pixels, "yx"))[0] = 9
    assert not pixels.any()
    with pytest.raises(ValueError, match="always a copy"):
        np.array(Image(pixels, "yx"), copy=False)


@pytest.mark.parametrize("index", [(0, 0, 0, 0), (..., ...), 2.5, "y", True, 7, (slice(None, None, -1),), [0, 1]])
def test_an_index_that_is_not_taken_is_an_index_error(index: Any) -> None:
    with pytest.raises(IndexError):
        Image(np.zeros((2, 3)), "yx")[index]


def test_the_text_of_an_image_is_short_and_reads_no_pixels() -> None:
    image = Image(Unread((3, 10**6, 10**6)), "cyx", channels=("DAPI", "GFP", "RFP"), name="slide")
    assert repr(image) == (
        "Image(name='slide', axes='cyx', shape=(3, 1000000, 1000000), dtype='uint16', channels=('DAPI', 'GFP', 'RFP'))"
    )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 3000), st.integers(1, 4), st.data())
def test_blocks_shared_by_threads_hold_each_pixel_once_within_their_budget(
    shape: list[int], pixels: int, every: int, data: st.DataObject
) -> None:
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    recording = Recording(np.zeros(shape, np.uint8), chunks)
    made = Image(data=recording, axes="zyx"[-len(shape) :])
    blocks = [list(made.blocks(pixels, first=first, every=every)) for first in range(every)]
    assert (recording.reads() == 1).all()
    assert recording.largest_read() <= pixels
    assert [len(share) for share in blocks] == sorted((len(share) for share in blocks), reverse=True)


def test_blocks_are_of_whole_chunks_and_of_as_many_as_fit() -> None:
    made = Image(dask.array.zeros((100, 1000), chunks=(10, 64), dtype="u1"), axes="yx")
    assert [block.shape for block in made.blocks(1280)][:2] == [(10, 128), (10, 128)]
    assert {block.shape for block in made.blocks(20_000)} == {(20, 1000)}
    assert {block.shape for block in made.blocks(320)} == {(10, 32), (10, 8)}


def test_an_image_without_pixels_has_no_blocks() -> None:
    assert list(image((0, 5), "yx").blocks()) == []


def test_a_block_that_cannot_be_read_is_named() -> None:
    with pytest.raises(NotReadable, match="y 0:4, x 0:4"):
        list(Image(Unread((4, 4)), axes="yx").blocks())


@given(st.lists(st.tuples(st.integers(1, 3), *[st.integers(1, 9)] * 2), min_size=1, max_size=4), st.booleans())
def test_images_gathered_along_time_hold_windows_of_each_that_do_not_overlap(
    shapes: list[tuple[int, int, int]], with_time: bool
) -> None:
    images = [
        Image(number * 1000 + np.arange(np.prod(shape)).reshape(shape), "tyx") for number, shape in enumerate(shapes)
    ]
    if not with_time:
        images = [Image(each[0], "yx") for each in images]
    made = gathered(images)
    y, x = (min(each.size(axis) for each in images) for axis in "yx")
    assert made.axes == "tyx"
    assert made.shape[1:] == (y, x)
    values = made[...]
    assert len(np.unique(values)) == values.size
    for number, each in enumerate(images):
        windows = values[(values // 1000 == number).all(axis=(1, 2))]
        assert len(windows) == each.size("t") * (each.size("y") // y) * (each.size("x") // x)
        assert set(windows.ravel()) <= set(each[...].ravel())
    alike = gathered([images[0]] * 3)
    np.testing.assert_array_equal(alike[...], np.concatenate([images[0][...].reshape(-1, *images[0].shape[-2:])] * 3))
    np.testing.assert_array_equal(alike[1:, 0, -1], alike[...][1:, 0, -1])


def test_channels_and_depth_of_images_are_kept_where_they_are_gathered() -> None:
    made = gathered([image((2, 3, 4, 5), "czyx", channels=("a", "b"))] * 2)
    assert (made.axes, made.shape, made.channels) == ("tczyx", (2, 2, 3, 4, 5), ("a", "b"))
    np.testing.assert_array_equal(made.select("b")[1], image((2, 3, 4, 5), "czyx")[1])


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (Image(np.zeros((2, 2)), "zx"), "axes yx, and image has zx"),
        (Image(np.zeros((2, 2), np.uint8), "yx"), "dtype float64, and image has uint8"),
        (Image(np.zeros((2, 2)), "yx", spacing={"x": 2}), "spacing"),
        (Image(np.zeros((2, 2)), "yx", units={"x": "micrometer"}), "spacing"),
    ],
)
def test_images_that_are_not_alike_are_not_gathered(other: Image, fact: str) -> None:
    with pytest.raises(InvalidOption, match=fact):
        gathered([Image(np.zeros((2, 2)), "yx"), other])


def test_an_image_that_cannot_be_read_is_named_among_those_gathered() -> None:
    broken = Image(Unread((4, 4)), axes="yx", name="broken")
    whole = Image(np.zeros((4, 4), broken.dtype), "yx")
    with pytest.raises(NotReadable, match="broken cannot be read"):
        list(gathered([whole, broken]).sample())
