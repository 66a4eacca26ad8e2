"""`tile_process` on arrays in memory: the labels are those of the whole image, however it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage
from truth import Components, instances, raster_order

from tilewright import Image, InvalidLabels, InvalidOption, Touch, tile_process


def components(tile: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(tile)[0]
    return labels


def noise(shape: tuple[int, ...], share: float = 0.5, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(shape) < share


class Seen:
    """Connected components that note the shapes of the tiles they saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, tile: NDArray[Any]) -> NDArray[Any]:
        self.shapes.append(tile.shape)
        return components(tile)


def test_four_squares_in_four_tiles_have_four_ids() -> None:  # F1
    image = np.zeros((20, 20), np.uint8)
    for y, x in [(2, 2), (2, 12), (12, 2), (12, 12)]:
        image[y : y + 4, x : x + 4] = 1
    labels = tile_process(image, components, tile_shape=(10, 10), compute=True)
    np.testing.assert_array_equal(np.unique(labels), range(5))
    np.testing.assert_array_equal(labels, components(image))


def test_twenty_seven_blobs_in_twenty_seven_tiles_have_twenty_seven_ids() -> None:  # F1
    image = np.zeros((15, 15, 15), np.uint8)
    image[2::5, 2::5, 2::5] = 1
    assert tile_process(image, components, tile_shape=(5, 5, 5)).max().compute() == 27


def test_compute_gives_numpy_and_otherwise_the_labels_are_lazy() -> None:  # F2
    image = noise((20, 30))
    lazy, whole = (tile_process(image, components, tile_shape=(8, 8), compute=now) for now in (False, True))
    assert isinstance(lazy, da.Array)
    assert isinstance(whole, np.ndarray)
    np.testing.assert_array_equal(lazy.compute(), whole)
    np.testing.assert_array_equal(whole, components(image))


@pytest.mark.parametrize("sequential", [True, False])
def test_ids_are_contiguous_and_in_raster_order_either_way(sequential: bool) -> None:
    image = noise((33, 41), 0.3)
    labels = tile_process(image, components, tile_shape=(7, 9), sequential_labels=sequential, compute=True)
    np.testing.assert_array_equal(labels, components(image))


@pytest.mark.parametrize(
    "chunks", [((10, 60, 130), (90, 110)), ((1, 198, 1), (200,)), ((50,) * 4, (199, 1))], ids=["mixed", "thin", "last"]
)
def test_irregular_chunks_are_the_tiles_and_the_labels_exact(chunks: tuple[tuple[int, ...], ...]) -> None:  # F8
    image, seen = noise((200, 200), 0.55), Seen()
    labels = tile_process(da.from_array(image, chunks=chunks), seen, compute=True)
    np.testing.assert_array_equal(labels, components(image))
    assert sorted(seen.shapes) == sorted((y, x) for y in chunks[0] for x in chunks[1])


@pytest.mark.parametrize("length", [*range(64, 73), 300])
def test_a_remainder_shorter_than_the_overlap_is_exact(length: int) -> None:  # F9
    image = noise((length, length), 0.55, seed=length)
    tile, overlap = (72, 16) if length == 300 else (32, 8)
    labels = tile_process(image, components, tile_shape=(tile, tile), overlap=overlap, compute=True)
    np.testing.assert_array_equal(labels, components(image))


def test_planes_are_handed_over_as_planes_with_a_halo_in_the_plane() -> None:  # F10
    image, seen = noise((60, 168, 168), 0.2), Seen()
    tile_process(image, seen, tile_shape=(1, 128, 128), overlap=20)
    assert set(seen.shapes) == {(1, 148, 148), (1, 148, 60), (1, 60, 148), (1, 60, 60)}
    assert len(seen.shapes) == 60 * 4, "each tile once"


def test_the_halo_may_differ_by_axis() -> None:  # F11
    image, seen = noise((20, 40, 40), 0.4), Seen()
    labels = tile_process(image, seen, tile_shape=(10, 20, 20), overlap=(2, 8, 5), compute=True)
    assert set(seen.shapes) == {(12, 28, 25)}
    np.testing.assert_array_equal(labels, components(image))


def test_a_halo_larger_than_the_tile_is_exact() -> None:  # F12
    image = ndimage.gaussian_filter(np.random.default_rng(3).random((24, 64, 64)), 2) > 0.515
    labels = tile_process(image, components, tile_shape=(8, 32, 32), overlap=16, compute=True)
    np.testing.assert_array_equal(labels, components(image))


def test_connectivity_2_joins_over_corners_as_the_function_does() -> None:  # F13
    image = noise((256, 256), 0.25)
    structure = np.ones((3, 3))
    whole = ndimage.label(image, structure)[0]
    labels = tile_process(
        image, lambda tile: ndimage.label(tile, structure)[0], tile_shape=(50, 50), connectivity=2, compute=True
    )
    np.testing.assert_array_equal(labels, whole)
    assert tile_process(image, lambda t: ndimage.label(t, structure)[0], tile_shape=(50, 50)).max() > whole.max()


def test_a_spot_in_three_frames_is_three_objects() -> None:  # F14
    frames = np.zeros((3, 20, 20), np.uint8)
    frames[:, 5:15, 5:15] = 1
    labels = tile_process(Image(data=frames, axes="tyx"), components, tile_shape=(10, 10), compute=True)
    np.testing.assert_array_equal(labels, frames * np.array([1, 2, 3])[:, None, None])


@pytest.mark.parametrize("axes", ["czyx", "zcyx", "yxcz", "cyx", "yxc", "tczyx", "ctyx"])
def test_a_channel_is_one_of_the_axis_c_wherever_that_is(axes: str) -> None:  # F3
    shape = [{"t": 2, "c": 3, "z": 4, "y": 12, "x": 14}[axis] for axis in axes]
    image = noise(tuple(shape), 0.5)
    labels = tile_process(
        Image(data=image, axes=axes),
        components,
        tile_shape=(5, 6)[-2:] if "z" not in axes else (2, 5, 6),
        channel=2,
        compute=True,
    )
    chosen = image.take(2, axis=axes.index("c"))
    expected = np.zeros(chosen.shape, np.int64)
    rest = axes.replace("c", "")
    for t in range(2 if "t" in rest else 1):
        at = tuple(t if axis == "t" else slice(None) for axis in rest)
        found = components(chosen[at])
        expected[at] = np.where(found, found + expected.max(), 0)
    np.testing.assert_array_equal(labels, raster_order(expected))


def test_arrays_of_four_and_five_dimensions_are_czyx_and_tczyx() -> None:
    image = noise((2, 3, 4, 10, 10))
    labels = tile_process(image, components, tile_shape=(4, 5, 5), channel=1, compute=True)
    assert labels.shape == (2, 4, 10, 10)
    np.testing.assert_array_equal(labels[0], components(image[0, 1]))
    np.testing.assert_array_equal(tile_process(image[1], components, compute=True), components(image[1, 0]))


def test_a_zarr_array_that_names_its_dimensions_says_its_axes() -> None:
    frames = zarr.create_array(
        {}, data=noise((3, 8, 8)).astype("u1"), chunks=(1, 8, 8), dimension_names=["t", "y", "x"]
    )
    labels = tile_process(frames, components, compute=True)
    np.testing.assert_array_equal(labels[0], components(frames[0]))
    assert labels[1].max() > labels[0].max() > 0
    assert not set(np.unique(labels[0])) & set(np.unique(labels[1])) - {0}


def test_a_channel_left_at_its_default_is_no_channel_of_an_image_without_c() -> None:  # F3
    image = noise((10, 10))
    np.testing.assert_array_equal(tile_process(image, components, compute=True), components(image))
    with pytest.raises(InvalidOption, match=r"channel 0 was asked for, but the image's axes 'yx' have no c"):
        tile_process(image, components, channel=0)


def test_several_channels_are_handed_over_together_as_a_first_axis() -> None:
    image = noise((12, 3, 10), 0.7)
    labels = tile_process(
        Image(data=image, axes="ycx", channels=("a", "b", "d")),
        lambda pixels: components(pixels[0] & pixels[1]),
        tile_shape=(5, 5),
        channels=["d", 0],
        compute=True,
    )
    np.testing.assert_array_equal(labels, components(image[:, 2] & image[:, 0]))


@pytest.mark.parametrize(
    ("value", "wrong"),
    [(0.7, "0.7"), (np.nan, "nan"), (-1, "-1"), (-2.0, "-2.0"), (2.0**64, "1.84"), (np.inf, "inf")],
)
def test_labels_that_are_none_are_refused_by_name(value: float, wrong: str) -> None:  # F6
    with pytest.raises(InvalidLabels, match=wrong):
        tile_process(np.ones((4, 4)), lambda tile: np.full(tile.shape, value))


@pytest.mark.parametrize("value", [3.0, True, 2**31, 5 * 2**32, np.uint64(2**64 - 1)])
def test_any_whole_label_is_an_object(value: Any) -> None:  # F6
    labels = tile_process(noise((9, 9)), lambda tile: np.where(tile, value, 0 * np.asarray(value)), compute=True)
    assert labels.max() == 1


def test_perfect_instances_stay_apart_with_overlap_and_fuse_with_touch() -> None:
    truth = np.arange(16).reshape(4, 4).repeat(9, 0).repeat(9, 1) + 1
    labels = tile_process(truth, instances, tile_shape=(9, 12), overlap=3, merger="overlap", compute=True)
    np.testing.assert_array_equal(labels, raster_order(truth))
    assert tile_process(truth, instances, tile_shape=(9, 9), overlap=3, compute=True).max() == 1, (
        "all seams are borders"
    )


def test_a_merger_that_the_segmenter_declares_stands_unless_another_is_given() -> None:
    class Declaring:
        merger = "overlap"
        halo = 3

        def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
            return instances(pixels)

    truth = np.arange(16).reshape(4, 4).repeat(9, 0).repeat(9, 1) + 1
    assert tile_process(truth, Declaring(), tile_shape=(9, 9)).max().compute() == 16
    assert tile_process(truth, Declaring(), tile_shape=(9, 9), merger=Touch()).max().compute() == 1


@pytest.mark.parametrize(
    "tile_shape",
    [None, (9, 11), [9, 11], 13, "auto", lambda shape, dtype: (shape[0] // 2, np.int64(7)), (100, 100)],
    ids=["chunks", "tuple", "list", "number", "auto", "function", "larger than the image"],
)
def test_the_labels_are_the_same_for_every_way_to_say_tiles(tile_shape: Any) -> None:
    image = noise((40, 50))
    chunked = da.from_array(image, chunks=(17, 19))
    np.testing.assert_array_equal(
        tile_process(chunked, components, tile_shape=tile_shape, compute=True), components(image)
    )


def test_automatic_tiles_are_whole_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tilewright.functions.tiling.TARGET_BYTES", 5000)
    image, seen = zarr.create_array({}, data=noise((100, 100)).astype("u1"), chunks=(30, 30)), Seen()
    labels = tile_process(image, seen, tile_shape="auto", compute=True)
    assert max(seen.shapes) == (60, 60), "70 × 71 pixels would fit"
    np.testing.assert_array_equal(labels, components(image[:]))


def test_a_segmenter_may_be_a_component_with_options(tmp_path: Path) -> None:
    image = noise((30, 30))
    counted = Components(connectivity=2, calls=tmp_path / "calls")
    labels = tile_process(image, counted, tile_shape=(10, 10), connectivity=2, compute=True)
    np.testing.assert_array_equal(labels, ndimage.label(image, np.ones((3, 3)))[0])
    assert counted.count() == 9, "each tile exactly once"


def test_a_killed_run_goes_on_and_one_with_another_state_is_refused(tmp_path: Path) -> None:
    class Bright:
        def __init__(self, above: float) -> None:
            self.above = above

        def __call__(self, tile: NDArray[Any]) -> NDArray[Any]:
            if not (tmp_path / "mended").exists() and tile[0, 0] == 1:
                raise RuntimeError("on purpose")
            return components(tile > self.above)

    image = np.arange(64.0).reshape(8, 8)
    image[4, 4] = 1
    out = tmp_path / "labels.zarr"
    with pytest.raises(RuntimeError, match="on purpose"):
        tile_process(image, Bright(9), tile_shape=(4, 4), write_to=out)
    (tmp_path / "mended").touch()
    with pytest.raises(RuntimeError, match="resume=False"):
        tile_process(image, Bright(20), tile_shape=(4, 4), write_to=out)
    labels = tile_process(image, Bright(20), tile_shape=(4, 4), write_to=out, resume=False, compute=True)
    np.testing.assert_array_equal(labels, components(image > 20))


class Planes(Seen):
    """Connected components of planes."""

    axes = "yx"


@pytest.mark.parametrize(("join_z", "objects"), [(False, 4), (True, 1), (0.9, 4)])
def test_slices_are_linked_if_it_is_said(join_z: bool | float, objects: int) -> None:
    image = np.zeros((4, 12, 12), np.uint8)
    for z in range(4):
        image[z, 2:8, 2 + z : 8 + z] = 1  # an IoU of 5 / 7 from slice to slice
    planes = Planes()
    labels = tile_process(image, planes, tile_shape=(1, 5, 5), join_z=join_z, compute=True)
    assert labels.max() == objects
    assert {len(shape) for shape in planes.shapes} == {2}
    np.testing.assert_array_equal(labels > 0, image > 0)


def test_slices_of_a_function_that_sees_z_are_not_to_be_linked() -> None:
    with pytest.raises(InvalidOption, match="join_z links slices that a segmenter with axes 'yx'"):
        tile_process(noise((4, 6, 6)), components, join_z=True)
