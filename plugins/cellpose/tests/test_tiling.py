"""A tile is seen as the whole image is: in the patches that Cellpose's own evaluation of the whole lays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import synth
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tilewright import Grid, Image, Pipeline, Placement, compare
from tilewright.abc import Traits
from tilewright_cellpose import evaluation, masks, patches, weights
from tilewright_cellpose.scaling import scaled
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow

GREY: dict[str, Any] = {} if weights.newer() else {"channels": [0, 0]}


@pytest.mark.parametrize("length", [1, 100, 208, 209, 224, 225, 240, 241, 256, 257, 640, 5000])
def test_patches_lie_where_cellpose_lays_them(length: int) -> None:
    from cellpose import transforms

    line = patches.line(length)
    least = {"min_size": (patches.side(),) * 2} if weights.newer() else {}
    before, after = transforms.get_pad_yx(length, length, **least)[:2]
    padded = np.zeros((1, length + before + after, 300), np.float32)
    _, rows, _, _, _ = transforms.make_tiles(padded, bsize=patches.side())
    assert sorted({(int(a), int(b)) for a, b in rows}) == [(s + before, s + before + line.side) for s in line.starts]
    assert line.covered == slice(0, length)


@given(st.data())
def test_every_patch_that_meets_a_tile_lies_within_its_context(data: st.DataObject) -> None:
    """And so what the network says of the tile's own pixels is what it says of them in the whole image."""
    length = data.draw(st.integers(1, 3000))
    options = Cellpose(diameter=data.draw(st.floats(8, 90)))
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    context = options.context["x"]
    seen = slice(max(0, start - context), min(length, stop + context))
    size = max(1, int(length * options.scale))
    line = patches.line(size)
    _, (_, part) = scaled(
        np.zeros((1, 1, seen.stop - seen.start), np.float32), (slice(0, 1), seen), (1, length), (1, size)
    )
    inside = line.within(part)
    zeros = np.zeros((1, 1, inside.covered.stop - inside.covered.start), np.float32)
    _, (_, told) = scaled(zeros, (slice(0, 1), inside.covered), (1, size), (1, length))
    assert told.start <= start
    assert told.stop >= stop
    ends = [(each + 0.5) * size / length - 0.5 for each in (start, stop - 1)]  # and the neighbours that they come from
    meeting = [s for s in line.starts if s <= ends[1] + 1 and s + line.side > ends[0] - 1]
    assert set(meeting) <= set(inside.starts)


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


@pytest.mark.parametrize("diameter", [None, 22.0, 27.5])
def test_the_network_says_of_a_tile_what_it_says_of_the_whole(model: str, diameter: float | None) -> None:
    channels = 1 if weights.newer() else 2
    whole = np.random.default_rng(0).random((channels, 280, 900), np.float32)
    options = Cellpose(model=model, diameter=diameter)
    network, place = weights.loaded(model, False), Placement.whole("yx", whole.shape[1:])
    flows, _ = evaluation._flows(network, whole, options, place, 3)
    context = options.context["x"]
    seen = slice(430 - context, 470 + context)
    place = Placement(axes="yx", region=(slice(0, 280), seen), shape=(280, 900))
    found, (rows, columns) = evaluation._flows(network, whole[:, :, seen], options, place, 2)
    assert rows == slice(0, 280)
    own = slice(430 - columns.start, 470 - columns.start)
    np.testing.assert_allclose(found[..., own], flows[..., 430:470], atol=2e-4)
    apart, _ = evaluation._flows(
        network, whole[:, :, seen], options, Placement.whole("yx", (280, seen.stop - seen.start)), 2
    )
    assert not np.allclose(apart[..., own], flows[..., 430:470], atol=1e-2), "nothing told them apart"


def test_flows_are_followed_in_a_tile_as_in_the_whole() -> None:
    """Cellpose takes the flow half a pixel aside of the first and the last pixels, and of those between by less."""
    import torch
    from cellpose import dynamics

    shape, cpu = (90, 130), torch.device("cpu")
    flows = np.random.default_rng(0).normal(0, 0.3, (2, *shape)).astype(np.float32)
    places = tuple(each.ravel() for each in np.indices(shape))
    whole = masks._followed(flows, places, 30, (slice(0, 90), slice(0, 130)), shape, cpu)
    if weights.newer():
        own = dynamics.follow_flows(flows, inds=places, niter=30, device=cpu).int()
        assert (whole != own).float().mean() < 1e-4, "but for the rounding of float32"
    part = slice(7, 88), slice(20, 125)
    inside = tuple(each.ravel() for each in np.indices((81, 105)))
    found = masks._followed(np.ascontiguousarray(flows[:, *part]), inside, 30, part, shape, cpu)
    corner = torch.tensor([[7], [20]])
    moved = whole.reshape(2, *shape)[:, 27:68, 40:105] - found.reshape(2, 81, 105)[:, 20:61, 20:85] - corner[..., None]
    assert (moved != 0).float().mean() < 1e-3


def test_a_plane_is_handed_over_with_a_patch_of_context_and_its_place(model: str) -> None:
    plane, volume = Cellpose(model=model), Cellpose(model=model, do_3D=True)
    assert plane.located
    assert min(plane.context.values()) > patches.side()
    assert plane.halo == {"y": 60, "x": 60}
    assert not volume.located
    assert volume.context == {}
    assert Traits.of(plane, Image(np.zeros((8, 8)), "yx")).axes == "cyx"


@pytest.mark.parametrize("diameter", [None, 24.0])
def test_tiled_nuclei_are_those_of_cellposes_own_evaluation_of_the_whole(model: str, diameter: float | None) -> None:
    pixels, truth = synth.make((560, 700), "dense", 11)
    segmenter = Cellpose(model=model, diameter=diameter)
    own = weights.loaded(model, False).eval(pixels.copy(), diameter=diameter, **GREY)[0].astype(np.int64)
    whole, tiled = (
        Pipeline(segmenter=segmenter, tiler=Grid(tile=tile)).run(pixels).labels.compute() for tile in (1000, 350)
    )
    assert ap(own, whole, 0.99) == 1.0
    beside = compare(own, tiled, thresholds=(0.9,))
    assert beside.scores[0].ap == 1.0
    assert not len(beside.lost)
    assert not len(beside.doubled)
    assert ap(truth, tiled, 0.5) >= ap(truth, own, 0.5) - 0.001


def ap(one: NDArray[Any], other: NDArray[Any], iou: float) -> float:
    return compare(one, other, thresholds=(iou,)).scores[0].ap


def test_a_stack_of_planes_and_channels_has_its_place_too(model: str) -> None:
    pixels, _ = synth.make((300, 330), "medium", 3)
    image = Image(data=np.stack([np.stack([pixels, pixels[::-1]])] * 2, axis=1), axes="zcyx", channels=("a", "b"))
    segmenter = Cellpose(model=model, channels=("b",))
    whole, tiled = (
        Pipeline(segmenter=segmenter, tiler=Grid(tile=tile)).run(image).labels.compute() for tile in (400, 170)
    )
    assert ap(whole, tiled, 0.9) >= 0.993
