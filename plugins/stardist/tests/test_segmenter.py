"""The segmenter against StarDist itself, and what it declares."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from csbdeep.utils import normalize
from numpy.typing import NDArray
from synth import make

from tilewright import Auto, Grid, Image, Needs, Pipeline, Placement
from tilewright.abc import Maps, Window
from tilewright.components.options import options_of
from tilewright.errors import InvalidImage, InvalidOption
from tilewright_stardist.footprint import activations, peak
from tilewright_stardist.library import kinds
from tilewright_stardist.normalization import normalized
from tilewright_stardist.segmenter import StarDist

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def nuclei() -> NDArray[Any]:
    return make((200, 240), "dense", seed=9)[0]


def stardist(model: str, pixels: NDArray[Any], **options: Any) -> NDArray[Any]:
    """What StarDist's own few lines give for an image in one piece."""
    folder = Path(model)
    kind = kinds()[pixels.ndim]
    network = kind(None, name=folder.name, basedir=str(folder.parent))
    labels: NDArray[Any] = network.predict_instances(normalize(pixels, 1, 99.8), **options)[0]
    return labels


def assert_alike(labels: NDArray[Any], expected: NDArray[Any]) -> None:
    """The same objects with the same ids; a pixel in a thousand is another's, as distances are kept as float16."""
    np.testing.assert_array_equal(np.unique(labels), np.unique(expected))
    assert (labels != expected).mean() < 0.001


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"prob_threshold": 0.8}, {"prob_thresh": 0.8}),
        ({"nms_threshold": 0.05}, {"nms_thresh": 0.05}),
    ],
)
def test_an_image_in_one_piece_has_the_labels_that_stardist_gives(
    ours: dict[str, float], theirs: dict[str, float], small2d: str, nuclei: NDArray[Any]
) -> None:
    labels = StarDist(model=small2d, **ours)(nuclei)
    assert_alike(labels, stardist(small2d, nuclei, **theirs))
    assert labels.max() > 30


def test_thresholds_change_what_is_found(small2d: str, nuclei: NDArray[Any]) -> None:
    counts = [len(np.unique(StarDist(model=small2d, prob_threshold=p)(nuclei))) for p in (0.1, 0.6, 0.9)]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 3


def test_a_volume_in_one_piece_has_the_labels_that_stardist_gives(small3d: str) -> None:
    pixels = make((16, 40, 44), "dense", seed=2, radius=6.0)[0]
    labels = StarDist(model=small3d)(pixels)
    assert_alike(labels, stardist(small3d, pixels))
    assert labels.max() >= 8


def test_an_image_of_colours_is_segmented_as_the_mean_of_its_channels(
    small_rgb: str, small2d: str, nuclei: NDArray[Any]
) -> None:
    grey = StarDist(model=small2d)(nuclei)
    colours = np.stack([nuclei, nuclei, nuclei])
    assert StarDist(model=small_rgb).axes == "cyx"
    np.testing.assert_array_equal(StarDist(model=small_rgb)(colours) > 0, grey > 0)
    stained = np.stack([nuclei, nuclei * 2, nuclei + 500])
    assert StarDist(model=small_rgb).prepare(Image(data=stained, axes="cyx")).limits != ()
    np.testing.assert_array_equal(StarDist(model=small_rgb, per_channel=True)(stained) > 0, grey > 0)


def test_prepare_fixes_the_limits_of_the_whole_image_and_of_the_channel_that_is_chosen(
    small2d: str, nuclei: NDArray[Any]
) -> None:
    expected = tuple(np.percentile(nuclei, (1, 99.8)))
    prepared = StarDist(model=small2d).prepare(Image(data=nuclei, axes="yx"))
    assert prepared.limits == (expected,)
    of_two = Image(data=np.stack([nuclei * 0, nuclei]), axes="cyx", channels=("none", "dna"))
    assert StarDist(model=small2d, channel="dna").prepare(of_two).limits == (expected,)
    assert StarDist(model=small2d, normalize=None).prepare(of_two).limits == ((0.0, 1.0),)
    given = StarDist(model=small2d, limits=((3.0, 9.0),))
    assert given.prepare(Image(data=nuclei, axes="yx")).limits == ((3.0, 9.0),)
    assert prepared.prepare(Image(data=nuclei, axes="yx")) == prepared


def test_the_sample_is_bounded_however_large_the_image(small2d: str) -> None:
    class Virtual:
        shape, dtype, chunks, read = (200_000, 200_000), np.dtype("uint8"), (1024, 1024), 0

        def __getitem__(self, region: tuple[slice, ...]) -> NDArray[Any]:
            block = np.full([part.stop - part.start for part in region], 7, np.uint8)
            Virtual.read += block.size
            return block

    assert StarDist(model=small2d).prepare(Image(data=Virtual(), axes="yx")).limits == ((7.0, 7.0),)
    assert 0 < Virtual.read <= 2**22


def test_of_equally_probable_candidates_their_places_decide_and_not_their_order(
    small2d: str, nuclei: NDArray[Any]
) -> None:
    segmenter = StarDist(model=small2d)
    limits = Image(data=nuclei, axes="yx").percentiles(1, 99.8)
    _, dist, places = segmenter._network.candidates(normalized(nuclei, [limits]), 0.5)
    place = Placement.whole("yx", nuclei.shape)
    assert len(places) > 1000

    def labels(order: NDArray[Any]) -> NDArray[Any]:
        prob = np.ones((len(order), 1), np.float32)
        return segmenter.decode(
            [Maps({"place": places[order], "prob": prob, "dist": dist[order]}, place.region)], place
        )

    whole = labels(np.arange(len(places)))
    assert whole.max() > 30
    for seed in range(3):
        np.testing.assert_array_equal(labels(np.random.default_rng(seed).permutation(len(places))), whole)


def test_candidates_are_kept_for_the_threshold_of_the_model_if_that_is_lower(
    small2d: str, nuclei: NDArray[Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small2d, tmp_path / "copy", copy_function=shutil.copyfile))
    (folder / "thresholds.json").write_text('{"prob": 0.01, "nms": 0.4}')
    assert_alike(StarDist(model=str(folder))(nuclei), stardist(str(folder), nuclei))


def test_a_2d_network_takes_a_stack_plane_by_plane(small2d: str, nuclei: NDArray[Any]) -> None:
    stack = np.stack([nuclei, nuclei[::-1]])
    segmenter = StarDist(model=small2d).prepare(Image(data=stack, axes="zyx"))
    result = Pipeline(segmenter=segmenter, tiler=Grid(tile=160)).run(stack)
    assert result.n_tiles == 2 * 2 * 2
    labels = result.labels.compute()
    for z in range(2):
        np.testing.assert_array_equal(labels[z] > 0, segmenter(stack[z]) > 0)
    assert not set(np.unique(labels[0])) & set(np.unique(labels[1])) - {0}


def test_halo_and_context_are_half_a_receptive_field_each(small2d: str, small3d: str) -> None:
    for model, axes, number in ((small2d, "yx", 24), (small3d, "zyx", 12)):
        made = StarDist(model=model)
        assert made.halo == made.context == dict.fromkeys(axes, number)


def test_a_crop_at_multiples_of_the_stride_is_seen_as_the_whole_would_be(small2d: str, nuclei: NDArray[Any]) -> None:
    """And one at other places is not: why windows start there (Rumberger et al., ICCV 2021)."""
    folder = Path(small2d)
    network = kinds()[2](None, name=folder.name, basedir=str(folder.parent))
    pixels = normalize(nuclei, 1, 99.8)
    whole = network.predict(pixels)[0]
    reach = 48 // 2  # the receptive field in the network's output, which has half the resolution
    differs = {}
    for start in (8, 16, 10):
        part = network.predict(pixels[start:, start:])[0]
        inner = (slice(start // 2 + reach, None),) * 2
        differs[start] = np.abs(part[reach:, reach:] - whole[inner]).max()
    assert max(differs[8], differs[16]) < 1e-5
    assert differs[10] > 1e-3


@pytest.mark.parametrize(
    ("data", "axes", "model", "message"),
    [
        ((40, 40), "yx", "small3d", "takes axes 'zyx', but the image has 'yx'"),
        ((2, 40, 40), "cyx", "small_rgb", "takes 3 channels, but the image has 2; choose as many with channels"),
        ((40, 40), "yx", "small_rgb", "takes 3 channels, but the image has 1"),
    ],
)
def test_an_image_that_does_not_fit_the_network_is_refused_before_any_work(
    data: tuple[int, ...], axes: str, model: str, message: str, request: pytest.FixtureRequest
) -> None:
    segmenter = StarDist(model=request.getfixturevalue(model))
    with pytest.raises(InvalidImage, match=re.escape(message)):
        Pipeline(segmenter=segmenter, tiler=Grid(tile=40)).run(np.zeros(data), axes=axes)


def test_limits_are_one_pair_or_one_for_each_channel(small_rgb: str) -> None:
    image = Image(data=np.zeros((3, 8, 8)), axes="cyx")
    for count in (1, 3):
        limits = ((0.0, 1.0),) * count
        assert StarDist(model=small_rgb, limits=limits).prepare(image).limits == limits
    with pytest.raises(
        InvalidOption, match=r"limits has 2 pairs, but the network of .* takes 3 channels; give one pair"
    ):
        StarDist(model=small_rgb, limits=((0.0, 1.0),) * 2).prepare(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prob_threshold": 1.5}, "prob_threshold must be between 0 and 1, not 1.5"),
        ({"nms_threshold": -0.1}, "nms_threshold must be between 0 and 1, not -0.1"),
        ({"keep_above": 2}, "keep_above must be between 0 and 1, not 2"),
        (
            {"prob_threshold": 0.04},
            "prob_threshold is 0.04, but candidates are kept above 0.05 only; choose keep_above=0.04 too",
        ),
        ({"prob_threshold": 0.3, "keep_above": 0.4}, "prob_threshold is 0.3, but candidates are kept above 0.4 only"),
        ({"normalize": (99.0, 1.0)}, "two rising percentiles between 0 and 100, not (99.0, 1.0)"),
        ({"normalize": (1.0, 101.0)}, "two rising percentiles between 0 and 100"),
        ({"limits": ((2.0, 1.0),)}, "limits must be finite and rising, not 2.0 and 1.0"),
        ({"limits": ((0.0, float("nan")),)}, "limits must be finite and rising"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=re.escape(message)):
        StarDist(**options)


def test_the_activations_are_those_of_the_layers() -> None:
    from keras import Input, Model, layers

    first = Input((None, None, 1))
    wide = layers.Conv2D(8, 3, padding="same")(first)
    low = layers.MaxPooling2D(2)(wide)
    back = layers.UpSampling2D(2)(low)
    joined = layers.Concatenate()([wide, back])
    model = Model(first, layers.Conv2D(2, 1)(joined))
    # when the two are concatenated, both and their sum are there: 8 + 8 + 16 numbers for each of 64 pixels
    assert activations(model, (8, 8, 1)) == 4 * 64 * 32


def test_memory_grows_with_the_tile_and_covers_what_must_be_there(small2d: str, small3d: str) -> None:
    flat = StarDist(model=small2d)
    one, four = (flat.memory((n, n), np.dtype("uint16")) for n in (512, 1024))
    assert four == 4 * one
    assert one > 512**2 * (4 + 32 * 4 // 8), "labels, and the distances of candidates at half of the places"
    assert flat.memory((1, 512, 512), np.dtype("uint16")) == one, "a plane of a stack"
    assert StarDist(model=small3d).memory((64, 64, 64), np.dtype("uint16")) > 64**3 * 4


def test_tiles_and_windows_are_larger_for_more_memory_and_keep_within_it(small2d: str) -> None:
    image = Image(data=np.zeros((3000, 3000), np.uint16), axes="yx")
    segmenter = StarDist(model=small2d)
    tiles, sizes = [], []
    for memory in (2**26, 2**28):
        said = {name: getattr(segmenter, name) for name in ("halo", "context", "memory")}
        grid = Auto(memory=memory)(image, Needs(**said))
        tiles.append(grid.largest)
        read = tuple(max(along) for along in grid.lengths_read((24, 24)))
        assert segmenter.memory(read, image.dtype) <= memory
        (windows,) = segmenter.windows(image, memory)
        sizes.append(windows.size)
        assert memory / 2 < peak(segmenter._network.model, windows.size) + 2 * math.prod(windows.size) <= memory
    assert tiles[0] < tiles[1]
    assert sizes[0] < sizes[1]


def test_memory_for_no_window_is_refused_with_what_the_least_takes(small2d: str) -> None:
    image = Image(data=np.zeros((3000, 3000), np.uint16), axes="yx")
    with pytest.raises(InvalidOption, match=r"takes at least (36,\S+) bytes, but memory is 30,000,000; give") as caught:
        StarDist(model=small2d).windows(image, 30_000_000)
    least = int(re.findall(r"least (\S+) bytes", str(caught.value))[0].replace(",", ""))
    (windows,) = StarDist(model=small2d).windows(image, least)
    assert windows.size == (104, 104)


def test_the_readme_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", README.read_text("utf-8"), re.MULTILINE)
    assert rows == [(o.name, o.default.replace("'", '"')) for o in options_of(StarDist)]
    assert all(option.help for option in options_of(StarDist))


@pytest.mark.parametrize("threshold", [None, 0.3, 0.9])
def test_without_other_thresholds_only_candidates_of_objects_are_predicted(
    threshold: float | None, small2d: str
) -> None:
    pixels = make((128, 128), "tissue", seed=4)[0]
    segmenter = StarDist(model=small2d, prob_threshold=threshold).prepare(Image(data=pixels, axes="yx"))
    region = (slice(0, 128),) * 2
    window = Window(pixels=pixels, region=region, shape=(128, 128), span=region)
    few, all_ = (each.predict([window], 0)[0]["prob"] for each in (segmenter.lean(), segmenter))
    assert all_.min() < 0.1
    assert few.min() > min(segmenter._threshold, segmenter._network.model.thresholds.prob)
    np.testing.assert_array_equal(segmenter.lean()(pixels), segmenter(pixels))
