"""Segmenters of given labels, and ids that stay: the labels are those of the whole image, whoever works on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr
from fakes import Recording
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import (
    Auto,
    CheckpointMismatch,
    Grid,
    Image,
    InvalidImage,
    InvalidLabels,
    InvalidOption,
    Level,
    Needs,
    Pipeline,
    Placement,
    measure,
    tile_process,
)
from tilewright.abc import Block, Column, Facts

Labels = NDArray[np.uint64]
LARGE = 2**32 + 5


def seeds(*shape: int, ids: int = 9, first: int = 1, density: float = 0.05, seed: int = 0) -> Labels:
    """Scattered pixels with some ids, in many parts each."""
    random = np.random.default_rng(seed)
    labels = random.integers(first, first + ids, shape, np.uint64)
    return np.where(random.random(shape) < density, labels, np.uint64(0))


@dataclass(frozen=True, kw_only=True)
class Grown:
    """The largest id of the box around a pixel, which is a value for every pixel by its place alone."""

    size: int = 5
    given: tuple[str, ...] = ("nuclei",)

    keeps_ids: ClassVar[bool] = True
    pixels: ClassVar[bool] = False

    @property
    def context(self) -> int:
        return self.size // 2

    def __call__(self, pixels: None, *, given: Mapping[str, Labels]) -> Labels:
        assert pixels is None
        (labels,) = given.values()
        assert labels.dtype == np.uint64
        grown: Labels = ndimage.maximum_filter(labels, self.size, mode="constant")
        return grown


def grown(labels: Labels, size: int = 5) -> Labels:
    return Grown(size=size)(None, given={"nuclei": labels})


def bright(pixels: NDArray[Any], *, given: Mapping[str, Labels]) -> NDArray[Any]:
    """Connected components of the pixels that no nucleus has."""
    found: NDArray[Any] = ndimage.label((pixels > 100) & (given["nuclei"] == 0))[0]
    return found


bright.given = ("nuclei",)  # type: ignore[attr-defined]


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 200, shape).astype(np.uint8)


# What is handed over


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_ids_of_tiles_are_those_of_the_whole_for_any_shape_tile_and_ids(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 24), min_size=1, max_size=3).map(tuple))
    tile = tuple(data.draw(st.integers(1, 30)) for _ in shape)
    first = data.draw(st.sampled_from([1, 1000, 2**32 - 4, 2**63 - 4, 2**64 - 10]))
    labels = seeds(*shape, first=first, density=data.draw(st.sampled_from([0.0, 0.05, 0.5])))
    result = Pipeline(segmenter=Grown(), tiler=Grid(tile=tile)).run(
        Image(np.zeros(shape), "zyx"[-len(shape) :]), given={"nuclei": labels}, workers=1
    )
    whole = grown(labels)
    np.testing.assert_array_equal(result.labels.compute(), whole)
    assert result.n_objects == len(set(whole[whole > 0].tolist()))
    assert result.labels.dtype == ("uint64" if whole.max() >= 2**32 else "uint32")


def test_the_provenance_says_that_nothing_was_joined_and_what_was_given(tmp_path: Path) -> None:
    nuclei = Pipeline(segmenter=ndimage_label).run(noise(30, 40), tmp_path / "nuclei.ome.zarr")
    result = Pipeline(segmenter=Grown()).run(noise(30, 40), given={"nuclei": nuclei})
    assert result.provenance["join"] == "skipped: the segmenter keeps ids"
    assert result.provenance["given"] == {"nuclei": str(tmp_path / "nuclei.ome.zarr")}
    assert "merger" not in result.provenance["pipeline"]
    assert "join" not in nuclei.provenance


def ndimage_label(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > 100)[0]
    return labels


@pytest.mark.parametrize("tile", [4, 9, 17, 50])
def test_objects_of_pixels_and_given_labels_are_joined_as_ever(tile: int) -> None:
    pixels, labels = noise(40, 50), seeds(40, 50, density=0.3)
    result = Pipeline(segmenter=bright, tiler=Grid(tile=tile)).run(pixels, given={"nuclei": labels})
    np.testing.assert_array_equal(result.labels.compute(), bright(pixels, given={"nuclei": labels}))


def test_given_labels_have_the_place_of_the_pixels_with_halo_and_context_at_each_time() -> None:
    numbers = np.arange(1, 2 * 3 * 20 * 30 + 1, dtype=np.uint32).reshape(2, 3, 20, 30)
    seen = []

    def compared(pixels: NDArray[Any], *, place: Placement, given: Mapping[str, Labels]) -> NDArray[Any]:
        assert given["numbers"].shape == pixels.shape[1:]
        seen.append(bool((pixels[0] == given["numbers"]).all() and (pixels[1] == given["numbers"] + 7).all()))
        assert pixels.shape[1:] == tuple(part.stop - part.start for part in place.region)
        return given["numbers"]

    for name, value in {"given": ("numbers",), "axes": "cxy", "halo": 2, "context": 3, "located": True}.items():
        setattr(compared, name, value)
    compared.keeps_ids = True  # type: ignore[attr-defined]
    image = Image(np.stack([numbers, numbers + 7]), "ctzyx")
    given = {"numbers": Image(np.moveaxis(numbers, 1, 3), "tyxz")}
    result = Pipeline(segmenter=compared, tiler=Grid(tile=(1, 8, 8))).run(image, given=given)
    assert len(seen) == 2 * 3 * 3 * 4
    assert all(seen)
    np.testing.assert_array_equal(result.labels.compute(), numbers)


@pytest.mark.slow
def test_processes_are_handed_what_threads_are(tmp_path: Path) -> None:
    labels = seeds(50, 60, first=LARGE)
    stored = tmp_path / "nuclei.ome.zarr"
    Pipeline(segmenter=Grown(size=1)).run(np.zeros((50, 60)), stored, given={"nuclei": labels})
    for each in (labels, stored):
        result = Pipeline(segmenter=Grown(), tiler=Grid(tile=20)).run(
            np.zeros((50, 60)), given={"nuclei": each}, workers=2, processes=True
        )
        np.testing.assert_array_equal(result.labels.compute(), grown(labels))


@pytest.mark.slow
def test_a_cluster_is_handed_what_threads_are(tmp_path: Path) -> None:
    from distributed import Client

    labels = seeds(50, 60, first=LARGE)
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None):  # type: ignore[no-untyped-call]
        result = Pipeline(segmenter=Grown(), tiler=Grid(tile=20)).run(
            np.zeros((50, 60)), tmp_path / "labels.zarr", given={"nuclei": labels}
        )
    np.testing.assert_array_equal(result.labels.compute(), grown(labels))


def test_prepare_is_handed_given_labels_if_it_takes_them() -> None:
    @dataclass(frozen=True)
    class Largest(Grown):
        most: int = 0

        def prepare(self, image: Image, given: Mapping[str, Image]) -> Largest:
            assert given["nuclei"].shape == image.shape
            return replace(self, most=int(given["nuclei"][...].max()))

        def __call__(self, pixels: None, *, given: Mapping[str, Labels]) -> Labels:
            assert pixels is None
            return np.where(given["nuclei"] == self.most, given["nuclei"], np.uint64(0))

    labels = seeds(30, 30)
    result = Pipeline(segmenter=Largest(), tiler=Grid(tile=10)).run(np.zeros((30, 30)), given={"nuclei": labels})
    np.testing.assert_array_equal(result.labels.compute(), np.where(labels == labels.max(), labels, 0))


def test_what_looks_at_no_pixels_reads_none_and_needs_no_channel() -> None:
    pixels, labels = Recording(np.zeros((3, 40, 50))), seeds(40, 50)
    result = Pipeline(segmenter=Grown(), tiler=Grid(tile=16)).run(Image(pixels, "cyx"), given={"nuclei": labels})
    np.testing.assert_array_equal(result.labels.compute(), grown(labels))
    assert pixels.regions == []


def test_a_plan_is_made_with_given_labels() -> None:
    forecast = Pipeline(segmenter=Grown(), tiler=Grid(tile=16)).plan(
        np.zeros((40, 50)), given={"nuclei": seeds(40, 50)}
    )
    assert forecast.tiles == forecast.sampled + 4 == 12
    assert forecast.objects > 0


# Runs


def test_results_paths_arrays_and_images_may_be_given(tmp_path: Path) -> None:
    labels, out = seeds(30, 40, first=LARGE), tmp_path / "labels.ome.zarr"
    pipeline, zeros = Pipeline(segmenter=Grown(), tiler=Grid(tile=16)), np.zeros((30, 40))
    copy = Pipeline(segmenter=Grown(size=1))
    kept, passing = copy.run(zeros, out, given={"nuclei": labels}), copy.run(zeros, given={"nuclei": labels})
    for each in (labels, Image(labels, "yx"), kept, passing, out, str(out), zarr.open_array(out / "0")):
        made = pipeline.run(zeros, given={"nuclei": each})
        np.testing.assert_array_equal(made.labels.compute(), grown(labels))


def test_arrays_of_the_images_shape_have_its_axes_unless_they_state_others(tmp_path: Path) -> None:
    labels = seeds(8, 8, 3)  # which as an image might be a colour picture
    image, pipeline = Image(np.zeros((8, 8, 3)), "tyx"), Pipeline(segmenter=Grown(), tiler=Grid(tile=4))
    whole = np.stack([grown(each) for each in labels])
    np.testing.assert_array_equal(pipeline.run(image, given={"nuclei": labels}).labels, whole)
    names = ("y", "t", "x")
    turned = zarr.create_array(tmp_path / "turned.zarr", data=labels.swapaxes(0, 1).copy(), dimension_names=names)
    np.testing.assert_array_equal(pipeline.run(image, given={"nuclei": turned}).labels, whole)


def test_a_table_of_labels_whose_ids_stay_has_these_ids_and_measurers_share_what_is_given() -> None:
    @dataclass(frozen=True)
    class Nuclear:
        given: tuple[str, ...] = ("nuclei",)
        pixels: bool = False

        def columns(self, _: Facts) -> dict[str, Column]:
            return {"nuclear": Column(dtype="int64")}

        def __call__(self, block: Block) -> dict[str, NDArray[Any]]:
            counts = [
                int(((block.given["nuclei"] == i) & (block.labels == n + 1)).sum()) for n, i in enumerate(block.ids)
            ]
            return {"nuclear": np.array(counts[: block.n])}

    labels = seeds(40, 50, first=LARGE)
    result = Pipeline(segmenter=Grown(), tiler=Grid(tile=16), measure=Nuclear()).run(
        np.zeros((40, 50)), given={"nuclei": labels}
    )
    whole = grown(labels)
    assert result.table is not None
    ids = np.unique(whole[whole > 0])
    np.testing.assert_array_equal(result.table["label"], ids)
    expected = [int(((labels == i) & (whole == i)).sum()) for i in ids]
    assert result.table["nuclear"].tolist() == expected
    again = measure(whole, measure=Nuclear(), given={"nuclei": labels})
    assert again["nuclear"].tolist() == expected


def test_tile_process_is_given_labels_too() -> None:
    labels, zeros = seeds(40, 50, first=LARGE), np.zeros((40, 50))
    options: dict[str, Any] = {"tile_shape": (16, 16), "given": {"nuclei": labels}, "compute": True}
    np.testing.assert_array_equal(tile_process(zeros, Grown(), **options), grown(labels))
    with pytest.raises(InvalidOption, match=r"merger is given, but .* keeps ids"):
        tile_process(zeros, Grown(), connectivity=2, **options)


def test_given_labels_count_for_the_memory_of_a_tile() -> None:
    image, one = Image(np.zeros((512, 512), np.uint8), "yx"), Auto(memory=2**20)
    plain, handed = one(image, Needs()), one(image, Needs(given=2))
    assert sorted(plain.largest) == [128, 256]
    assert handed.largest == (128, 128)


class Stopped(Exception):
    pass


def stop(step: str, *_: Any) -> None:
    if step == "write":
        raise Stopped


def stopped(pipeline: Pipeline, out: Path, **options: Any) -> None:
    with pytest.raises(Stopped):
        pipeline.run(np.zeros((64, 64)), out, progress=stop, workers=1, **options)


def counted(calls: list[Any]) -> Callable[..., Any]:
    def segmenter(pixels: None, *, given: Mapping[str, Labels]) -> Labels:
        calls.append(pixels)
        return grown(given["nuclei"])

    for name, value in {"given": ("nuclei",), "keeps_ids": True, "pixels": False, "context": 2}.items():
        setattr(segmenter, name, value)
    return segmenter


def test_tiles_whose_given_labels_changed_in_a_store_are_done_again_and_no_others(tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "nuclei.zarr", data=seeds(64, 64, first=LARGE), chunks=(8, 8))
    calls: list[Any] = []
    pipeline, out = Pipeline(segmenter=counted(calls), tiler=Grid(tile=16)), tmp_path / "out.zarr"
    stopped(pipeline, out, given={"nuclei": stored})
    assert len(calls) == 16
    calls.clear()
    stored[33, 40] = 17  # in a chunk of 8 × 8 pixels that the context of these tiles reaches
    result = pipeline.run(np.zeros((64, 64)), out, given={"nuclei": stored}, workers=1)
    assert len(calls) == 4
    np.testing.assert_array_equal(result.labels.compute(), grown(stored[...]))


def test_given_labels_whose_array_nobody_knows_are_known_by_their_pixels(tmp_path: Path) -> None:
    labels, calls = seeds(64, 64), list[Any]()
    pipeline, out = Pipeline(segmenter=counted(calls), tiler=Grid(tile=16)), tmp_path / "out.zarr"
    stopped(pipeline, out, given={"nuclei": Image(Recording(labels), "yx")})
    calls.clear()
    labels[40, 40] = 1234
    result = pipeline.run(np.zeros((64, 64)), out, given={"nuclei": Image(Recording(labels), "yx")}, workers=1)
    assert len(calls) == 1
    np.testing.assert_array_equal(result.labels.compute(), grown(labels))


def test_other_given_labels_do_not_resume(tmp_path: Path) -> None:
    pipeline, out, labels = Pipeline(segmenter=Grown(), tiler=Grid(tile=16)), tmp_path / "out.zarr", seeds(64, 64)
    stopped(pipeline, out, given={"nuclei": labels})
    with pytest.raises(CheckpointMismatch, match="given"):
        pipeline.run(np.zeros((64, 64)), out, given={"nuclei": labels + 1})
    assert pipeline.run(np.zeros((64, 64)), out, given={"nuclei": labels}).n_objects == 9


# What is refused


@pytest.mark.parametrize(
    ("error", "message", "labels"),
    [
        (InvalidOption, "Grown.* needs the label image 'nuclei', but none of that name is given; give it", {}),
        (
            InvalidOption,
            "'cells' is given, but no segmenter or measurer needs it; they need: nuclei",
            {"nuclei": seeds(40, 50), "cells": seeds(40, 50)},
        ),
        (InvalidImage, r"has the shape yx \(40, 50\), but .*'nuclei' have yx \(40, 51\)", {"nuclei": seeds(40, 51)}),
        (InvalidImage, r"shape yx \(40, 50\), but .* zyx \(2, 40, 50\)", {"nuclei": seeds(2, 40, 50)}),
        (
            InvalidImage,
            "given labels 'nuclei' have spacing 1 um along y, but the image has 0.5",
            {"nuclei": Image(seeds(40, 50), "yx", spacing={"y": 1, "x": 0.5}, units={"y": "um", "x": "um"})},
        ),
        (InvalidImage, "2 channels, and labels have none", {"nuclei": Image(seeds(2, 40, 50), "cyx")}),
        (InvalidLabels, "returned 0.5", {"nuclei": np.full((40, 50), 0.5)}),
    ],
)
def test_what_is_missing_or_does_not_fit_is_refused_by_name(
    error: type[Exception], message: str, labels: dict[str, Any]
) -> None:
    image = Image(np.zeros((40, 50)), "yx", spacing={"y": 0.5, "x": 0.5}, units={"y": "um", "x": "um"})
    for pipeline in (Pipeline(segmenter=Grown()).run, Pipeline(segmenter=Grown()).plan):
        with pytest.raises(error, match=message):
            pipeline(image, given=labels)


@pytest.mark.parametrize(
    ("parts", "options", "name"),
    [
        ({}, {"same_ids": True}, "same_ids"),
        ({}, {"join_z": 0.5}, "join_z"),
        ({"merger": "touch"}, {}, "merger"),
        ({}, {"empty": 3}, "empty"),
        ({"transforms": [lambda pixels: pixels]}, {}, "transforms"),
    ],
)
def test_what_would_do_nothing_is_refused_by_name(parts: dict[str, Any], options: dict[str, Any], name: str) -> None:
    pipeline = Pipeline(segmenter=Grown(), **parts)
    with pytest.raises(InvalidOption, match=f"{name} is given, but .*Grown.* leave {name} out"):
        pipeline.run(np.zeros((40, 50)), given={"nuclei": seeds(40, 50)}, **options)


def test_an_output_does_not_replace_what_is_given(tmp_path: Path) -> None:
    out = tmp_path / "labels.ome.zarr"
    Pipeline(segmenter=Grown()).run(np.zeros((40, 50)), out, given={"nuclei": seeds(40, 50)})
    with pytest.raises(InvalidOption, match=r"would overwrite the image .*labels\.ome\.zarr"):
        Pipeline(segmenter=Grown()).run(np.zeros((40, 50)), out, given={"nuclei": out}, overwrite=True)


# Labels of another resolution


def grid_image(pixels: Any, axes: str, spacing: float, unit: str = "um", translation: float | None = None) -> Image:
    steps = dict.fromkeys(axes, spacing)
    moved = None if translation is None else (translation,) * len(axes)
    level = Level(path="0", shape=pixels.shape, scale=(spacing,) * len(axes), translation=moved)
    return Image(pixels, axes, spacing=steps, units=dict.fromkeys(axes, unit), levels=(level,))


def as_given(labels: Image, image: Image, tile: int) -> NDArray[Any]:
    """The labels as they are handed to a segmenter, in tiles."""
    result = Pipeline(segmenter=Grown(size=1), tiler=Grid(tile=tile)).run(image, given={"nuclei": labels})
    made: NDArray[Any] = result.labels.compute()
    return made


@pytest.mark.parametrize("tile", [7, 16, 64])
@pytest.mark.parametrize(("shape", "coarse"), [((40, 51), (10, 13)), ((41, 50), (10, 12)), ((9, 20, 23), (3, 5, 6))])
def test_coarse_labels_lie_on_the_fine_pixels_that_they_cover(
    shape: tuple[int, ...], coarse: tuple[int, ...], tile: int
) -> None:
    axes = "zyx"[-len(shape) :]
    labels = seeds(*coarse, first=LARGE, density=0.7)
    made = as_given(grid_image(labels, axes, 2.0), grid_image(np.zeros(shape), axes, 0.5), tile)
    covering = np.ix_(*(np.minimum(np.arange(n) // 4, m - 1) for n, m in zip(shape, coarse, strict=True)))
    np.testing.assert_array_equal(made, labels[covering])


def test_fine_labels_are_taken_where_the_centres_of_coarse_pixels_lie() -> None:
    for factor, middle in ((2, 0), (3, 1), (4, 1)):  # of two equally near ones the first
        labels = seeds(12 * factor - 1, 9 * factor, density=0.7)
        made = as_given(grid_image(labels, "yx", 0.1), grid_image(np.zeros((12, 9)), "yx", 0.1 * factor), 5)
        np.testing.assert_array_equal(made, labels[middle::factor, middle::factor])


def test_stated_translations_say_where_pixels_lie() -> None:
    labels = seeds(10, 13, density=0.7)
    image = grid_image(np.zeros((40, 52)), "yx", 0.5, translation=0.0)
    strided = as_given(grid_image(labels, "yx", 2.0, translation=0.0), image, 9)  # the first of each four pixels
    rows, columns = (np.ceil(np.arange(n) / 4 - 0.5).astype(int).clip(0, n // 4 - 1) for n in (40, 52))
    np.testing.assert_array_equal(strided, labels[np.ix_(rows, columns)])
    blocks = as_given(grid_image(labels, "yx", 2.0, translation=0.75), image, 9)
    np.testing.assert_array_equal(blocks, labels.repeat(4, 0).repeat(4, 1))
    with pytest.raises(InvalidImage, match=r"the shape yx \(40, 52\), but .*'nuclei' have yx \(10, 13\)"):
        as_given(grid_image(labels, "yx", 2.0, translation=4.0), image, 9)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (grid_image(seeds(10, 14), "yx", 2.0), "here y 20 um, x 26 um, and y 20 um, x 28 um"),
        (grid_image(seeds(10, 13), "yx", 0.5), "and y 5 um, x 6.5 um"),
        (grid_image(seeds(10, 13), "yx", 2.0, unit="nm"), "and y 20 nm, x 26 nm"),
        (Image(seeds(10, 13), "yx"), "and y unknown, x unknown"),
        (grid_image(seeds(41, 52), "yx", 0.5), "and y 20.5 um, x 26 um"),
    ],
)
def test_labels_of_another_field_are_refused_with_both_extents(labels: Image, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        as_given(labels, grid_image(np.zeros((40, 52)), "yx", 0.5), 16)


def test_of_many_fine_labels_few_are_in_memory_at_once() -> None:
    labels = np.random.default_rng(0).integers(0, 2**40, (5000, 4000), np.uint64)
    read: list[int] = []

    class Counted:
        shape, dtype = labels.shape, labels.dtype

        def __getitem__(self, region: Any) -> Any:
            read.append(labels[region].size)
            return labels[region]

    given_labels = replace(grid_image(labels, "yx", 0.1), data=Counted())
    made = as_given(given_labels, grid_image(np.zeros((500, 400)), "yx", 1.0), 1000)
    np.testing.assert_array_equal(made, labels[4::10, 4::10])
    assert max(read) <= 2**24


def pyramid(path: Path, *, stated: bool) -> None:
    """An image of three levels, stored, with the places of their pixels."""
    pixels = np.random.default_rng(0).integers(0, 1000, (200, 232)).astype(np.uint16)
    levels = [pixels[:: 2**n, :: 2**n] for n in range(3)]
    for number, level in enumerate(levels):
        zarr.create_array(path / str(number), data=level, chunks=(64, 64))
    scales = [{"type": "scale", "scale": [0.5 * 2**n] * 2} for n in range(3)]
    places = [{"type": "translation", "translation": [0.25 * (2**n - 1)] * 2} for n in range(3)]
    datasets = [
        {"path": str(n), "coordinateTransformations": [scales[n], places[n]] if stated else [scales[n]]}
        for n in range(3)
    ]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    ome = {"version": "0.5", "multiscales": [{"name": "i", "axes": axes, "datasets": datasets}]}
    zarr.open_group(path, attributes={"ome": ome})


def bright_in(pixels: NDArray[Any]) -> NDArray[Any]:
    labels: NDArray[Any] = ndimage.label(pixels > 700)[0]
    return labels


@pytest.mark.parametrize("stated", [False, True])
def test_labels_made_on_a_coarse_level_serve_the_finest_one_and_the_reverse(stated: bool, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.zarr"
    pyramid(path, stated=stated)
    coarse = Pipeline(segmenter=bright_in).run(path, name="coarse", level=2)
    fine = Pipeline(segmenter=bright_in).run(path, name="fine")
    copy = Pipeline(segmenter=Grown(size=1), tiler=Grid(tile=37))
    up = copy.run(path, tmp_path / "up.ome.zarr", given={"nuclei": path / "labels" / "coarse"})
    expected = coarse.labels.compute().repeat(4, 0).repeat(4, 1)[:200, :232]
    np.testing.assert_array_equal(up.labels.compute(), expected)
    for given_as in (path / "labels" / "fine", fine):
        down = copy.run(path, tmp_path / "down.ome.zarr", level=2, given={"nuclei": given_as}, overwrite=True)
        np.testing.assert_array_equal(down.labels.compute(), zarr.open_array(path / "labels" / "fine" / "2")[...])


@pytest.mark.slow
def test_processes_and_a_resumed_run_take_the_same_nearest_labels(tmp_path: Path) -> None:
    stored = zarr.create_array(tmp_path / "nuclei.zarr", data=seeds(16, 16, density=0.7), chunks=(4, 4))
    image, labels = grid_image(np.zeros((64, 64)), "yx", 0.5), grid_image(stored, "yx", 2.0)
    pipeline, out = Pipeline(segmenter=Grown(size=1), tiler=Grid(tile=16)), tmp_path / "out.zarr"
    with pytest.raises(Stopped):
        pipeline.run(image, out, given={"nuclei": labels}, progress=stop, workers=1)
    stored[5, 6] = 1234
    result = pipeline.run(image, out, given={"nuclei": labels}, processes=True, workers=2)
    np.testing.assert_array_equal(result.labels.compute(), stored[...].repeat(4, 0).repeat(4, 1))
