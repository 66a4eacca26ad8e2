"""Runs with transforms: the labels are those of the transformed whole image, whoever works on it."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Local
from numpy.typing import NDArray
from scipy import ndimage

import tilewright
from tilewright import (
    CheckpointMismatch,
    ComponentFailed,
    Grid,
    Image,
    InvalidImage,
    InvalidOption,
    InvalidPixels,
    Pipeline,
    Spec,
    TransformFailed,
    UnknownComponent,
    WorkerLost,
    hookimpl,
    tile_process,
)
from tilewright.abc import Block, Column, Facts

LEVEL = 30_000


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 60_000, shape).astype(np.uint16)


def components(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > LEVEL)[0]
    return labels


@dataclass(frozen=True, kw_only=True)
class Widest:
    """A maximum and then a minimum, whose results are exact."""

    size: int = field(default=3, metadata={"help": "pixels"})

    @property
    def context(self) -> int:
        return 2 * (self.size // 2)

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        closed: NDArray[Any] = ndimage.minimum_filter(ndimage.maximum_filter(pixels, self.size), self.size)
        return closed


@dataclass(frozen=True, kw_only=True)
class Maximum:
    context: int = 1

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = ndimage.maximum_filter(pixels, 3)
        return found


@dataclass(frozen=True, kw_only=True)
class Centred:
    """Pixels less the mean of the whole image."""

    mean: float | None = None

    def prepare(self, image: Image) -> Centred:
        return replace(self, mean=float(np.concatenate([block.ravel() for block in image.blocks()]).mean()))

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels - (pixels.mean() if self.mean is None else self.mean)


def brightest(pixels: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = pixels.max(0)
    return found


brightest.axes, brightest.channels = "cyx", 0  # type: ignore[attr-defined]


class Hooks:
    @staticmethod
    @hookimpl
    def tilewright_transforms() -> list[Spec]:
        return [Spec(name=each.__name__.lower(), target=f"{__name__}:{each.__name__}") for each in (Widest, Centred)]


@pytest.fixture
def offered() -> Any:
    tilewright.register(Hooks, "widest")
    yield
    tilewright.components.registry.unregister("widest")  # type: ignore[attr-defined]


@pytest.mark.slow
@settings(max_examples=25)
@given(st.data())
def test_labels_are_those_of_the_transformed_whole_image(data: st.DataObject) -> None:
    dimensions = data.draw(st.integers(2, 3))
    pixels = noise(*data.draw(st.lists(st.integers(1, 14), min_size=dimensions, max_size=dimensions)))
    sizes = data.draw(st.lists(st.integers(1, 5), max_size=3))
    tiler = Grid(tile=data.draw(st.integers(1, 9)), halo=data.draw(st.integers(0, 3)))
    pipeline = Pipeline(segmenter=components, tiler=tiler, transforms=[Widest(size=size) for size in sizes])
    result = pipeline.run(Image(pixels, "zyx"[-dimensions:]), workers=2)
    for size in sizes:
        pixels = Widest(size=size)(pixels)
    np.testing.assert_array_equal(result.labels.compute(), components(pixels))


def test_each_prepares_on_what_those_before_it_make_and_the_segmenter_on_all() -> None:
    pixels, seen = noise(40, 50), []

    @dataclass(frozen=True)
    class Above:
        level: float | None = None

        def prepare(self, image: Image) -> Above:
            seen.append(image)
            return Above(image.percentiles(50, 100)[0])

        def __call__(self, tile: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(ndimage.label(tile > self.level)[0])

    pipeline = Pipeline(segmenter=Above(), tiler=Grid(tile=16), transforms=[Widest(size=5), Centred()])
    result = pipeline.run(pixels)
    closed = Widest(size=5)(pixels)
    whole = closed - closed.mean()
    np.testing.assert_array_equal(seen[0][...], whole)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(whole > np.median(whole))[0])
    records = result.provenance["pipeline"]["transforms"]
    assert [each["configuration"] for each in records] == [{"size": 5}, {"mean": closed.mean()}]


def test_channels_are_combined_for_a_segmenter_of_one() -> None:
    pixels = noise(3, 40, 50)
    image = Image(pixels, "cyx", channels=("a", "b", "c"))
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=16), transforms=[Widest(), brightest])
    closed = np.stack([Widest()(each) for each in pixels])
    np.testing.assert_array_equal(pipeline.run(image).labels.compute(), components(closed.max(0)))
    some = pipeline.run(image, channels=["c", "a"]).labels.compute()
    np.testing.assert_array_equal(some, components(closed[[2, 0]].max(0)))
    one = pipeline.run(image, channel="b").labels.compute()
    np.testing.assert_array_equal(one, components(closed[1]))


def test_channels_that_transforms_leave_are_refused_for_a_segmenter_of_one() -> None:
    def two(pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels[:2]

    two.axes, two.channels = "cyx", 2  # type: ignore[attr-defined]
    image = Image(noise(3, 9, 9), "cyx")
    with pytest.raises(InvalidOption, match="the transforms leave 2 channels along c, but the segmenter takes pixels"):
        Pipeline(segmenter=components, transforms=[two]).run(image)
    with pytest.raises(InvalidImage, match="returns 2 channels, but the image's axes 'yx' have no c"):
        Pipeline(segmenter=components, transforms=[two]).run(noise(9, 9))
    with pytest.raises(InvalidOption, match="the image has 3 channels"):
        Pipeline(segmenter=components, transforms=[Widest()]).run(image)


def test_context_adds_up_in_what_is_read_and_what_a_plan_foretells() -> None:
    image = Image(noise(100, 100), "yx")

    def segmenter(pixels: NDArray[Any]) -> NDArray[Any]:
        return components(pixels)

    segmenter.context = 1  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=segmenter, tiler=Grid(tile=50, halo=3), transforms=[Widest(size=3), Widest(size=5)])
    assert pipeline.plan(image, sample=0).overhead == pytest.approx((2 * (50 + 3 + 1 + 2 + 4)) ** 2 / 100**2)
    needs = []

    def tiler(image: Image, said: Any) -> Any:
        needs.append(said)
        return Grid(tile=50)(image, said)

    replace(pipeline, tiler=tiler).plan(image, sample=0)
    assert needs[0].context == {"y": 7, "x": 7}


def test_the_windows_of_a_network_see_the_transformed_image(tmp_path: Path) -> None:
    pixels, network = noise(60, 70), Local(level=50_000, log=tmp_path / "log")
    result = Pipeline(segmenter=network, tiler=Grid(tile=20, halo=4), transforms=[Widest(size=5)]).run(pixels)
    np.testing.assert_array_equal(result.labels.compute(), network(Widest(size=5)(pixels)))


def test_empty_tiles_are_those_of_the_transformed_image() -> None:
    pixels = np.zeros((64, 64), np.uint16)
    pixels[5, 15] = 60_000  # beside the second tile, which sees it by its context alone
    result = Pipeline(segmenter=components, tiler=Grid(tile=16), transforms=[Maximum()]).run(pixels, empty=0)
    assert result.n_skipped == 14


@pytest.mark.slow
def test_processes_transform_as_threads_do() -> None:
    shift = 5

    def shifted(pixels: NDArray[Any]) -> NDArray[Any]:  # a closure, which no ordinary pickle takes
        return pixels + np.uint16(shift)

    pixels = noise(50, 60)
    result = Pipeline(segmenter=components, tiler=Grid(tile=20), transforms=[shifted, Centred(), Widest()]).run(
        pixels, workers=2, processes=True
    )
    whole = pixels + np.uint16(shift)
    np.testing.assert_array_equal(result.labels.compute(), components(Widest()(whole - whole.mean())))


@pytest.mark.slow
def test_what_no_pickle_holds_is_named_as_the_transform_that_it_is() -> None:
    held = (each for each in "ab")

    def holding(pixels: NDArray[Any]) -> NDArray[Any]:
        assert held
        return pixels

    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=20), transforms=[holding])
    with pytest.raises(InvalidOption, match=r"the transform '.*holding' cannot be sent to worker processes"):
        pipeline.run(noise(50, 60), workers=2, processes=True)


@pytest.mark.slow
def test_a_transform_that_kills_its_workers_is_named() -> None:
    def deadly(pixels: NDArray[Any]) -> NDArray[Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return pixels

    deadly.dtype = "uint16"  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=20), transforms=[deadly])
    with pytest.raises(WorkerLost, match=r"the reading of the image or transform '.*deadly' on tile"):
        pipeline.run(noise(50, 60), workers=2, processes=True)


def test_intensities_are_measured_in_the_image_as_it_is_stored(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Brightest:
        pixels: bool = True

        def columns(self, _: Facts) -> dict[str, Column]:
            return {"brightest": Column()}

        def __call__(self, block: Block) -> dict[str, NDArray[Any]]:
            return {"brightest": np.full(len(block.ids), float(block.pixels.max()))}

    pixels = np.zeros((30, 40), np.uint16)
    pixels[3:6, 3:6] = 40_000
    pipeline = Pipeline(segmenter=components, transforms=[lambda each: each // 2 + 20_000], measure=Brightest())
    pipeline.run(pixels, tmp_path / "labels.zarr", table=tmp_path / "table.csv")
    rows = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert [float(row["brightest"]) for row in rows] == [40_000]


def test_tile_process_transforms_too() -> None:
    pixels = noise(3, 40, 50)
    closed = np.stack([Widest()(each) for each in pixels])
    image = Image(pixels, "cyx")
    made = tile_process(image, components, tile_shape=(16, 16), channel=2, transforms=[Widest()], compute=True)
    np.testing.assert_array_equal(made, components(closed[2]))
    combined = [Widest(), brightest]
    made = tile_process(image, components, tile_shape=(16, 16), channel=None, transforms=combined, compute=True)
    np.testing.assert_array_equal(made, components(closed.max(0)))
    with pytest.raises(InvalidOption, match="give empty_threshold too"):
        tile_process(image, components, tile_shape=(16, 16), transforms=[Widest()], skip_empty=True)


# What fails


def test_what_a_transform_raises_in_a_tile_says_whose_it_is_and_where() -> None:
    def fails(pixels: NDArray[Any]) -> NDArray[Any]:
        if pixels.max() > 59_990:
            raise ValueError("too bright")
        return pixels

    pixels = noise(40, 40) // 2
    pixels[30, 5] = 60_000
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=20), transforms=[fails])
    with pytest.raises(
        TransformFailed, match=r"fails' raised ValueError: too bright.*tile \(1, 0\) \(y 20:40, x 0:20\)"
    ):
        pipeline.run(pixels)
    result = pipeline.run(pixels, on_error="skip")
    assert [f"{each}"[:9] for each in result.failed] == ["transform"]
    pixels[30, 5] = 0
    pixels[20:, :20] = 0
    np.testing.assert_array_equal(result.labels.compute(), components(pixels))


def test_what_is_not_pixels_is_refused_with_the_tile() -> None:
    def shorter(pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels if not pixels.any() else pixels[1:]

    with pytest.raises(InvalidPixels, match=r"returned pixels of shape \(19, 20\) for \(20, 20\).*, tile \(0, 0\)"):
        Pipeline(segmenter=components, tiler=Grid(tile=20), transforms=[shorter]).run(noise(40, 40), workers=1)


DECLARATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "context": ({"context": -1}, "declares context must be a whole number of at least 0, not -1"),
    "axes": ({"axes": "tyx"}, "declares axes = 'tyx'; it must be c and any of z, y, x"),
    "channels": ({"channels": 2}, "declares channels = 2; it must be left out: .* axes 'yx', without c"),
    "dtype": ({"dtype": "shades"}, "declares dtype = 'shades'; it must be a dtype of numpy's or its name"),
    "located": ({"located": 1}, "declares located = 1; it must be True or False"),
    "prepare": ({"prepare": 1}, "declares prepare = 1; it must be a method"),
    "prepared": ({"prepare": lambda _: 3}, "must return a transform from prepare, not 3"),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_wrong_declaration_is_refused_before_the_first_tile(case: str) -> None:
    declared, message = DECLARATIONS[case]

    def same(pixels: NDArray[Any]) -> NDArray[Any]:
        return pixels

    for name, value in declared.items():
        setattr(same, name, value)
    with pytest.raises(InvalidOption, match=f"transform '.*same' {message}"):
        Pipeline(segmenter=components, transforms=[same]).run(noise(9, 9))


def test_what_prepare_raises_says_whose_it_is() -> None:
    @dataclass(frozen=True)
    class Unprepared:
        def prepare(self, image: Image) -> Any:
            raise KeyError("white")

        def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
            return pixels

    with pytest.raises(
        ComponentFailed, match=r"transform '.*Unprepared' raised KeyError: 'white', while running prepare"
    ):
        Pipeline(segmenter=components, transforms=[Unprepared()]).run(noise(9, 9))


# What a pipeline holds


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_pipeline_with_transforms_is_saved_and_comes_back(suffix: str, tmp_path: Path) -> None:
    pipeline = Pipeline(
        segmenter="threshold",
        transforms=["widest", {"name": "widest", "configuration": {"size": 5}}, Centred()],
    )
    assert pipeline.transforms == (Widest(), Widest(size=5), Centred())
    pipeline.save(tmp_path / f"p{suffix}")
    assert Pipeline.load(tmp_path / f"p{suffix}") == pipeline


def test_transforms_are_one_or_several_and_nothing_else() -> None:
    assert Pipeline(segmenter=components, transforms=Widest()).transforms == (Widest(),)
    assert Pipeline(segmenter=components, transforms=[Widest, Centred()]).transforms == (Widest(), Centred())
    with pytest.raises(UnknownComponent, match="no installed plugin offers a transform 'widst'"):
        Pipeline(segmenter=components, transforms=["widst"])
    with pytest.raises(InvalidOption, match="5 is not a transform; give a name"):
        Pipeline(segmenter=components, transforms=[5])


def test_a_transform_that_no_file_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"transform '.*Widest' does not come from a plugin"):
        Pipeline(segmenter="threshold", transforms=[Widest()]).save(tmp_path / "p.toml")


# What is resumed


class Stopped(Exception):
    pass


def stop(step: str, *_: Any) -> None:
    if step == "join":
        raise Stopped


def stopped(pipeline: Pipeline, image: Any, out: Path, **options: Any) -> None:
    with pytest.raises(Stopped):
        pipeline.run(image, out, progress=stop, **options)


def source(number: int) -> Any:
    script: dict[str, Any] = {"__name__": "script"}
    exec(f"def shifted(pixels):\n    return pixels + {number}\n", script)
    return script["shifted"]


CHANGED: dict[str, tuple[list[Any], list[Any], str]] = {
    "option": ([Widest()], [Widest(size=5)], r"size 3 there, 5 now \(transform\)"),
    "another": ([Widest()], [Maximum()], r"transforms .*Widest.* there, .*Maximum.* now"),
    "fewer": ([Widest(), Widest()], [Widest()], "transforms .* there, .* now"),
    "order": ([Widest(), Maximum()], [Maximum(), Widest()], "transforms .* there, .* now"),
    "code": ([source(1)], [source(2)], "the code of transform script.shifted, or what it works with, has changed"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_another_transform_does_not_resume(case: str, tmp_path: Path) -> None:
    before, after, message = CHANGED[case]
    pixels, out = noise(64, 64), tmp_path / "out.zarr"
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=16), transforms=before)
    stopped(pipeline, pixels, out)
    with pytest.raises(CheckpointMismatch, match=message):
        replace(pipeline, transforms=after).run(pixels, out)
    assert pipeline.run(pixels, out).n_tiles == 16


def test_a_function_of_an_image_that_is_handed_over_does_not_resume_as_another(tmp_path: Path) -> None:
    below, out = Image(noise(64, 64), "yx"), tmp_path / "out.zarr"
    pipeline = Pipeline(segmenter=components, tiler=Grid(tile=16))
    stopped(pipeline, below.map(Maximum(), context=1), out)
    with pytest.raises(CheckpointMismatch, match=r"axes, context, place and channels of transform .*Maximum"):
        pipeline.run(below.map(Maximum(), context=2), out)
    result = pipeline.run(below.map(Maximum(), context=1), out)
    np.testing.assert_array_equal(result.labels.compute(), components(Maximum()(below[...])))


def one_channel(image: Image) -> Image:
    return image.select(1)


def two_channels(image: Image) -> Image:
    return image.take([2, 1])


def transformed(image: Image) -> Image:
    return image.select(1).map(Maximum(), context=1)


@pytest.mark.parametrize("given", [one_channel, two_channels, transformed])
def test_tiles_whose_context_changed_in_a_store_are_done_again_and_no_others(
    given: Callable[[Image], Image], tmp_path: Path
) -> None:
    stack = zarr.create_array(tmp_path / "image.zarr", data=noise(3, 64, 64), chunks=(1, 8, 8))
    image, out, calls = Image(stack, "cyx", source=str(tmp_path / "image.zarr")), tmp_path / "out.zarr", []

    def counted(pixels: NDArray[Any]) -> NDArray[Any]:
        calls.append(pixels.shape)
        return components(pixels[-1] if pixels.ndim == 3 else pixels)

    counted.axes = "cyx" if given is two_channels else "yx"  # type: ignore[attr-defined]
    pipeline = Pipeline(segmenter=counted, tiler=Grid(tile=16), transforms=[Widest(size=5)])
    stopped(pipeline, given(image), out, workers=1)
    calls.clear()
    stack[1, 33, 40] = 60_000  # in a chunk of 8 × 8 pixels that the context of these tiles reaches
    stack[0] = 7  # a channel that no tile is made from
    result = pipeline.run(given(image), out, workers=1)
    assert len(calls) == 4
    whole = (Maximum() if given is transformed else lambda pixels: pixels)(stack[1])
    np.testing.assert_array_equal(result.labels.compute(), components(Widest(size=5)(whole)))
