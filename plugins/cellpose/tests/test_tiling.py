"""A tile's labels are those of the whole image, and the network looks at each patch of the image once."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synth
from hypothesis import given, settings
from hypothesis import strategies as st
from narrow_segmenter import Narrow
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import Grid, Image, Pipeline, Placement, compare
from tilewright.abc import Maps, Traits, Windows
from tilewright.tiling.windows import WindowGrid
from tilewright_cellpose import evaluation, flow_errors, masks, memory, patches, weights
from tilewright_cellpose.scaling import scaled
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow

GREY: dict[str, Any] = {} if weights.newer() else {"channels": [0, 0]}


@pytest.fixture(scope="module")
def dense() -> NDArray[Any]:
    """Pixels (y, x) that three by four patches see."""
    pixels: NDArray[Any] = synth.make((560, 700), "dense", 11)[0]
    return pixels


def ap(one: NDArray[Any], other: NDArray[Any], iou: float) -> float:
    return compare(one.astype(np.int64), other.astype(np.int64), thresholds=(iou,)).scores[0].ap


def canonical(labels: NDArray[Any]) -> NDArray[Any]:
    """The same objects, numbered by their first pixels as a run numbers them."""
    values, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(np.where(values == 0, -1, first))
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.arange(len(values)) + (values[0] != 0)
    return numbers[inverse].reshape(labels.shape)


@pytest.mark.parametrize("length", [1, 100, 208, 209, 224, 225, 240, 241, 256, 257, 640, 5000])
def test_patches_lie_where_cellpose_lays_them(length: int) -> None:
    from cellpose import transforms

    starts, side = patches.line(length)
    least = {"min_size": (patches.side(),) * 2} if weights.newer() else {}
    before, after = transforms.get_pad_yx(length, length, **least)[:2]
    padded = np.zeros((1, length + before + after, 300), np.float32)
    _, rows, _, _, _ = transforms.make_tiles(padded, bsize=patches.side())
    assert sorted({(int(a), int(b)) for a, b in rows}) == [(s + before, s + before + side) for s in starts]


def test_patches_are_weighed_as_cellpose_weighs_them() -> None:
    from cellpose import transforms

    (windows,) = Cellpose(rescale=1.0).windows(Image(np.zeros((30, 900)), "yx"), 0)
    weights_of_both = np.multiply.outer(*map(np.array, windows.taper))
    np.testing.assert_allclose(weights_of_both, transforms._taper_mask(*windows.size), rtol=1e-12)


@settings(max_examples=200)
@given(st.data())
def test_pixels_are_resized_from_all_that_a_window_or_a_tile_is_handed(data: st.DataObject) -> None:
    length, scale = data.draw(st.integers(1, 3000)), data.draw(st.floats(0.2, 4))
    start = data.draw(st.integers(0, length - 1))
    tile = slice(start, data.draw(st.integers(start + 1, length)))
    (size,) = Cellpose(rescale=scale).resized([1, length])[1:]
    windows = Windows(axes="x", shape=(size,), starts=(patches.line(size)[0],), size=(patches.line(size)[1],))
    grid = WindowGrid(windows=windows, axes="x", shape=(length,))
    (space,) = grid.space((tile,))
    (made,) = resized(space, size, length)
    assert made.start <= tile.start < tile.stop <= made.stop
    number = data.draw(st.integers(0, len(grid) - 1))
    (seen,), (span,) = grid.region(number), grid.span(number)
    (made,) = resized(seen, length, size)
    assert made.start <= max(0, span.start) < min(size, span.stop) <= made.stop


def resized(part: slice, old: int, new: int) -> Any:
    return scaled(np.zeros((1, part.stop - part.start), np.float32), (part,), (old,), (new,))[1]


@pytest.mark.parametrize("new", [(61, 47), (200, 150), (90, 70)])
def test_a_part_is_resized_as_the_whole_is(new: tuple[int, int]) -> None:
    from cellpose import transforms

    whole = np.random.default_rng(0).random((2, 90, 70), np.float32)
    resized = np.moveaxis(transforms.resize_image(np.ascontiguousarray(np.moveaxis(whole, 0, -1)), *new), -1, 0)
    part, (rows, columns) = scaled(whole[:, 20:60, 9:], (slice(20, 60), slice(9, 70)), (90, 70), new)
    assert part.shape[1:] == (rows.stop - rows.start, columns.stop - columns.start)
    assert columns.stop == new[1]
    np.testing.assert_allclose(part, resized[:, rows, columns], atol=1e-5)
    np.testing.assert_allclose(scaled(whole, (slice(0, 90), slice(0, 70)), (90, 70), new)[0], resized, atol=1e-5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summed(Cellpose):
    """Keeps what the network said of the whole image, instead of labels."""

    kept: list[NDArray[Any]] = dataclasses.field(default_factory=list)

    def decode(self, maps: Any, place: Placement) -> NDArray[Any]:
        self.kept.append(evaluation.summed(maps, place, self))
        return np.zeros(place.shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((280, 600), {}),
        ((280, 600), {"diameter": 22.0}),
        ((4, 17, 21), {"do_3D": True}),
        ((4, 17, 21), {"do_3D": True, "anisotropy": 2.5, "diameter": 24.0}),
    ],
)
def test_the_network_says_of_an_image_what_it_says_in_cellposes_own_evaluation(
    model: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    pixels = np.random.default_rng(0).random((1, *shape), np.float32)
    summed = Summed(model=model, ranges=((0.0, 1.0),), **options)
    summed(pixels)
    how = {"z_axis": 0, **options} if "do_3D" in options else options
    normalize = {"normalize": False}
    _, (_, flows, score), _ = weights.loaded(model, False).eval(pixels[0].copy(), normalize=normalize, **how, **GREY)
    np.testing.assert_allclose(summed.kept[0][:-1], flows, atol=2e-4)
    np.testing.assert_allclose(summed.kept[0][-1], score, atol=0.03)  # of some 20, kept as float16


@pytest.mark.parametrize("shape", [(90, 130), (11, 24, 30)])
def test_flows_are_followed_in_a_tile_as_in_the_whole(shape: tuple[int, ...]) -> None:
    """Cellpose takes the flow half a pixel aside of the first and the last pixels, and of those between by less."""
    import torch
    from cellpose import dynamics

    cpu, axes = torch.device("cpu"), "zyx"[-len(shape) :]
    flows = np.random.default_rng(0).normal(0, 0.15, (len(shape), *shape)).astype(np.float32)
    places = tuple(each.ravel() for each in np.indices(shape))
    whole = masks._followed(flows, places, 20, Placement.whole(axes, shape), cpu)
    if weights.newer() or len(shape) == 3:
        own = dynamics.follow_flows(flows, inds=places, niter=20, device=cpu).int()
        assert (whole != own).float().mean() < 1e-3, "but for the rounding of float32"
    part = tuple(slice(n // 9, n - n // 9 + 1) for n in shape)
    inside = tuple(each.ravel() for each in np.indices([p.stop - p.start for p in part]))
    place = Placement(axes=axes, region=part, shape=shape)
    found = masks._followed(np.ascontiguousarray(flows[(slice(None), *part)]), inside, 20, place, cpu)
    for axis, each in enumerate(part):
        found[axis] += each.start
    middle = tuple(slice(n // 3, n - n // 3) for n in shape)
    one = whole.reshape(-1, *shape)[(slice(None), *middle)]
    there = tuple(slice(m.start - p.start, m.stop - p.start) for m, p in zip(middle, part, strict=True))
    other = found.reshape(-1, *[p.stop - p.start for p in part])[(slice(None), *there)]
    assert (one != other).float().mean() < 2e-3


def shapes() -> tuple[NDArray[Any], NDArray[Any]]:
    """Touching objects of several sizes, one of them as large as four, and the flows of twice as large ones."""
    rows, columns = np.indices((120, 160)) // 20
    labels = (rows * 8 + columns + 1).astype(np.int32)
    labels[40:80, 40:80] = labels[40, 40]
    labels[::20] = labels[:, ::20] = 0
    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    flows = np.random.default_rng(1).normal(0, 0.5, (2, *labels.shape)).astype(np.float32)
    return labels, ndimage.gaussian_filter(flows, (0, 3, 3)) * 5


@pytest.mark.skipif(not weights.newer(), reason="of Cellpose 3 its own check is called")
def test_errors_of_flows_are_cellposes_own_but_for_the_steps() -> None:
    import torch
    from cellpose import dynamics

    cpu = torch.device("cpu")
    labels, flows = shapes()
    own, _ = dynamics.flow_error(labels, flows * 5, cpu)
    wanted = np.arange(len(own) + 1) > 0
    found = flow_errors.flow_errors(labels, flows, wanted, 10, cpu)
    np.testing.assert_allclose(found[1:], own, atol=0.01)


@pytest.mark.skipif(not weights.newer(), reason="of Cellpose 3 its own check is called")
def test_errors_of_flows_are_the_same_in_every_part_that_holds_an_object_and_its_neighbours() -> None:
    import torch

    cpu = torch.device("cpu")
    labels, flows = shapes()
    whole = flow_errors.flow_errors(labels, flows, np.arange(labels.max() + 1) > 0, 10, cpu)
    part = slice(15, 70), slice(75, 160)
    numbers = np.zeros(labels.max() + 1, np.bool_)
    numbers[np.unique(labels[25:55, 85:115])] = True
    numbers[0] = numbers[labels[40, 40]] = False
    found = flow_errors.flow_errors(labels[part], flows[:, *part], numbers, 10, cpu)
    np.testing.assert_allclose(found[numbers], whole[numbers], rtol=1e-6)
    assert not found[~numbers].any()


def test_what_it_declares_for_planes_and_for_volumes(model: str) -> None:
    import torch

    plane, volume = Cellpose(model=model), Cellpose(model=model, do_3D=True, flow3D_smooth=1.5)
    assert plane.context == {}
    assert plane.halo == {"y": 60, "x": 60}
    assert volume.context == dict.fromkeys("zyx", 6)
    traits = Traits.of(plane, Image(np.zeros((8, 8)), "yx"))
    assert traits.axes == "cyx"
    assert traits.gpu
    assert traits.batch == (memory.batch(plane) if torch.cuda.is_available() else 8)
    assert Traits.of(Cellpose(model=model, batch_size=3, gpu=False), Image(np.zeros((8, 8)), "yx")).batch == 3
    assert set(traits.decode_options) <= {each.name for each in dataclasses.fields(plane)}


@pytest.mark.parametrize("options", [{}, {"diameter": 24.0}, {"cellprob_threshold": -1.0}])
def test_tiled_nuclei_are_those_of_the_whole_and_every_patch_is_seen_once(
    model: str, dense: NDArray[Any], options: dict[str, Any]
) -> None:
    segmenter = Cellpose(model=model, min_size=0, **options).prepare(Image(dense, "yx"))
    own = weights.loaded(model, False).eval(dense.copy(), min_size=0, **options, **GREY)[0]
    whole = canonical(segmenter(dense))
    assert ap(own, whole, 0.9) == 1.0
    (windows,) = segmenter.windows(Image(dense, "yx"), 0)
    for tile in (1000, 230):
        result = Pipeline(segmenter=segmenter, tiler=Grid(tile=tile)).run(dense)
        assert result.provenance["n_predicted"] == len(windows.starts[0]) * len(windows.starts[1])
        np.testing.assert_array_equal(result.labels.compute(), whole)


def test_a_volume_in_tiles_is_that_of_cellposes_own_evaluation(model: str) -> None:
    pixels, _ = synth.make((6, 36, 48), "dense", 3)
    options = {"do_3D": True, "flow3D_smooth": 1.0, "min_size": 0}
    own = weights.loaded(model, False).eval(pixels.copy(), z_axis=0, max_size_fraction=1.0, **options, **GREY)[0]
    segmenter = Cellpose(model=model, **options)
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=(6, 24, 24), halo=(4, 16, 16))).run(pixels)
    assert result.n_tiles == 4
    assert result.provenance["n_predicted"] == 6 + 36 + 48
    assert ap(own, result.labels.compute(), 0.9) == 1.0


def test_two_processes_give_the_labels_of_one_and_share_the_patches(dense: NDArray[Any]) -> None:
    pipeline = Pipeline(segmenter=Narrow(), tiler=Grid(tile=300))
    alone, shared = (pipeline.run(dense, workers=n, processes=n > 1) for n in (1, 2))
    np.testing.assert_array_equal(alone.labels.compute(), shared.labels.compute())
    assert shared.provenance["n_predicted"] == alone.provenance["n_predicted"]


def test_options_of_decoding_change_nothing_of_what_is_predicted(model: str, nuclei: Any) -> None:
    image = Image(nuclei[0], "yx")
    segmenter = Cellpose(model=model).prepare(image)
    others = {"cellprob_threshold": -2.0, "flow_threshold": 0.1, "niter": 9, "flow3D_smooth": 2.0, "min_size": 1}
    assert set(others) == set(segmenter.decode_options)
    other = dataclasses.replace(segmenter, **others)
    assert other.windows(image, 0) == segmenter.windows(image, 0)
    said: list[list[Maps]] = []

    class Kept(Cellpose):
        def decode(self, maps: Any, place: Placement) -> NDArray[Any]:
            said.append(list(maps))
            return np.zeros(place.shape, np.uint8)

    for each in (segmenter, other):
        Kept(**vars(each))(nuclei[0])
    for name, array in said[0][0].items():
        np.testing.assert_array_equal(array, said[1][0][name])


def test_a_stack_of_planes_and_channels_is_seen_plane_by_plane(model: str) -> None:
    pixels, _ = synth.make((300, 330), "medium", 3)
    image = Image(data=np.stack([np.stack([pixels, pixels[::-1]])] * 2, axis=1), axes="zcyx", channels=("a", "b"))
    segmenter = Cellpose(model=model, channels=("b",))
    whole, tiled = (Pipeline(segmenter=segmenter, tiler=Grid(tile=tile)).run(image) for tile in (400, 170))
    assert tiled.provenance["n_predicted"] == whole.provenance["n_predicted"] == 2 * 4
    assert ap(whole.labels.compute(), tiled.labels.compute(), 0.9) == 1.0


def test_windows_without_a_pixel_above_the_empty_value_are_left_out(model: str, dense: NDArray[Any]) -> None:
    wide = np.zeros((560, 1500), dense.dtype)
    wide[:, :300] = dense[:, :300]
    segmenter = Cellpose(model=model, ranges=((float(dense.min()), float(dense.max())),))
    every, some = (Pipeline(segmenter=segmenter, tiler=Grid(tile=400)).run(wide, empty=empty) for empty in (None, 0))
    assert 0 < some.provenance["n_predicted"] < every.provenance["n_predicted"] / 2
    assert ap(every.labels.compute(), some.labels.compute(), 0.9) == 1.0


def test_predictions_of_other_weights_under_the_same_path_are_not_taken(model: str, tmp_path: Path) -> None:
    import torch

    own, pixels = tmp_path / "own.pt", synth.make((100, 100), "medium", 3)[0]
    shutil.copy(model, own)

    def run() -> int:
        pipeline = Pipeline(segmenter=Cellpose(model=str(own)), writer="zarr-array")
        result = pipeline.run(pixels, tmp_path / "labels.zarr", overwrite=True, keep_predictions=True)
        return int(result.provenance["n_predicted"])

    first = run()
    assert run() == 0
    parameters = torch.load(own, weights_only=True)
    name = next(name for name, each in parameters.items() if each.dtype.is_floating_point and each.ndim > 1)
    torch.save(parameters | {name: parameters[name] * 1.01}, own)
    assert run() == first
