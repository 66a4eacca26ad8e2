"""The main job through names alone: OME-Zarr in, thresholded tile by tile, OME-Zarr labels out, as if in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import AlreadyExists, CheckpointMismatch, InvalidOption, Pipeline, open_image

pytestmark = pytest.mark.slow

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
SCALE = {"t": 1.0, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25}
VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def pixels_of(axes: str, seed: int = 0) -> NDArray[np.uint16]:
    """Blurred noise with bright spots, so that a threshold finds objects of all sizes."""
    shape = [{"t": 2, "c": 2, "z": 6, "y": 70, "x": 90}[axis] for axis in axes]
    sigma = [0 if axis in "tc" else 1 if axis == "z" else 2 for axis in axes]
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), sigma)
    return (1000 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint16)


def write_image(path: Path, pixels: NDArray[Any], axes: str, version: str, levels: int = 2) -> None:
    """A small image with a pyramid, by the letter of the format and with zarr alone."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level in range(levels):
        step = [2**level if axis in "yx" else 1 for axis in axes]
        data = np.ascontiguousarray(pixels[tuple(slice(None, None, s) for s in step)])
        options: dict[str, Any] = {} if version == "0.4" else {"dimension_names": list(axes)}
        group.create_array(str(level), data=data, chunks=tuple(min(32, n) for n in data.shape), **options)
        scale = [SCALE[axis] * s for axis, s in zip(axes, step, strict=True)]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    unit = {"z": "micrometer", "y": "micrometer", "x": "micrometer"}
    named = [{"name": a, "type": TYPES[a], **({"unit": unit[a]} if a in unit else {})} for a in axes]
    multiscale = {"axes": named, "datasets": datasets, "name": "cells"}
    if version == "0.4":
        group.attrs.put({"multiscales": [{**multiscale, "version": "0.4"}]})
    else:
        group.attrs.put({"ome": {"version": "0.5", "multiscales": [multiscale]}})


def ome(path: Path) -> dict[str, Any]:
    attributes = dict(zarr.open_group(path, mode="r", use_consolidated=False).attrs)
    return {**attributes, **attributes.get("ome", {})}


def pipeline(**options: Any) -> Pipeline:
    tile = options.pop("tile", 20)
    return Pipeline(
        reader="ome-zarr",
        tiler={"name": "grid", "configuration": {"tile": tile, "halo": options.pop("halo", 3)}},
        segmenter={"name": "threshold", "configuration": {"threshold": 550, **options}},
        writer="ome-zarr",
    )


@VERSIONS
@pytest.mark.parametrize(("axes", "channel"), [("yx", None), ("zyx", None), ("cyx", 1), ("tczyx", 0)])
def test_labels_are_those_of_the_whole_image_and_lie_in_it(
    version: str, axes: str, channel: int | None, tmp_path: Path
) -> None:
    path, pixels = tmp_path / "image.ome.zarr", pixels_of(axes)
    write_image(path, pixels, axes, version)
    result = pipeline().run(path, name="cells", channel=channel)

    chosen = pixels if channel is None else pixels.take(channel, axes.index("c"))
    frames = chosen if "t" in axes else chosen[None]
    found = [ndimage.label(frame > 550)[0] for frame in frames]
    assert min(frame.max() for frame in found) > 5
    counts = np.cumsum([0, *(frame.max() for frame in found)])
    whole = np.stack([np.where(frame, frame + before, 0) for frame, before in zip(found, counts, strict=False)])
    np.testing.assert_array_equal(result.labels.compute(), whole if "t" in axes else whole[0])
    assert result.n_objects == counts[-1]
    assert result.n_tiles > 4

    labels = path / "labels" / "cells"
    assert result.path == labels
    assert ome(path / "labels")["labels"] == ["cells"]
    assert len(ome(labels)["multiscales"][0]["datasets"]) == 2
    assert "image-label" in ome(labels)
    opened = open_image(labels)
    left = axes.replace("c", "")
    assert (opened.axes, opened.format) == (left, f"ome-zarr {version}")
    assert opened.spacing == {axis: SCALE[axis] for axis in left}
    np.testing.assert_array_equal(open_image(path).data[...], pixels)


@VERSIONS
def test_the_labels_say_what_made_them(version: str, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.zarr"
    write_image(path, pixels_of("yx"), "yx", version)
    result = pipeline(sigma=1.0).run(path, name="cells")
    recorded = ome(path / "labels" / "cells")["tilewright"]
    assert recorded["source"] == str(path)
    assert recorded["n_objects"] == result.n_objects
    assert recorded["tiles"]["largest"] == [20, 20]
    parts = recorded["pipeline"]
    assert parts["segmenter"]["configuration"]["sigma"] == 1.0
    assert {part["distribution"] for part in parts.values()} == {
        "tilewright",
        "tilewright-ome-zarr",
        "tilewright-threshold",
    }
    again = Pipeline.from_dict(parts).run(path, name="again")
    np.testing.assert_array_equal(again.labels.compute(), result.labels.compute())


@VERSIONS
def test_other_labels_are_kept_and_labels_of_one_name_are_replaced_only_when_asked(
    version: str, tmp_path: Path
) -> None:
    path, pixels = tmp_path / "image.ome.zarr", pixels_of("yx")
    write_image(path, pixels, "yx", version)
    pipeline().run(path, name="cells")
    pipeline(threshold=600).run(path, name="bright")
    assert ome(path / "labels")["labels"] == ["cells", "bright"]
    with pytest.raises(AlreadyExists, match=r"labels/cells exists; .*overwrite=True"):
        pipeline(threshold=700).run(path, name="cells")
    np.testing.assert_array_equal(open_image(path / "labels" / "cells").data[...], ndimage.label(pixels > 550)[0])
    pipeline(threshold=700).run(path, name="cells", overwrite=True)
    np.testing.assert_array_equal(open_image(path / "labels" / "cells").data[...], ndimage.label(pixels > 700)[0])
    np.testing.assert_array_equal(open_image(path / "labels" / "bright").data[...], ndimage.label(pixels > 600)[0])
    assert ome(path / "labels")["labels"] == ["cells", "bright"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["image.ome.zarr"], "no checkpoint is left"


@pytest.mark.parametrize("tile", [9, (70, 11), 500])
@pytest.mark.parametrize("options", [{"connectivity": 2}, {"sigma": 1.5}, {"min_size": 30}])
def test_the_result_depends_on_no_tile_shape(tile: Any, options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "image.ome.zarr"
    write_image(path, pixels_of("yx"), "yx", "0.5", levels=1)
    whole = pipeline(tile=1000, halo=None, **options).run(path, name="whole")
    tiled = pipeline(tile=tile, halo=None, **options).run(path, name="tiled")
    assert whole.n_tiles == 1
    assert whole.n_objects > 3
    np.testing.assert_array_equal(tiled.labels.compute(), whole.labels.compute())


def test_one_threshold_is_found_for_the_whole_image(tmp_path: Path) -> None:
    path, random = tmp_path / "image.ome.zarr", np.random.default_rng(0)
    pixels = random.integers(0, 50, (96, 96)).astype("u2")
    for place in (slice(5, 15), slice(60, 80)):
        pixels[place, place] = random.integers(800, 1000, pixels[place, place].shape)
    write_image(path, pixels, "yx", "0.5")
    result = pipeline(threshold="otsu", tile=16).run(path)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(pixels > 500)[0])
    assert 49 <= result.provenance["pipeline"]["segmenter"]["configuration"]["threshold"] < 800


@VERSIONS
def test_a_coarser_level_is_segmented_when_asked(version: str, tmp_path: Path) -> None:
    path, pixels = tmp_path / "image.ome.zarr", pixels_of("yx")
    write_image(path, pixels, "yx", version)
    result = pipeline().run(path, tmp_path / "coarse.ome.zarr", level=1)
    np.testing.assert_array_equal(result.labels.compute(), ndimage.label(pixels[::2, ::2] > 550)[0])
    assert open_image(tmp_path / "coarse.ome.zarr").spacing == {"y": 1.0, "x": 0.5}


def test_a_store_of_its_own_is_an_image_and_the_source_is_untouched(tmp_path: Path) -> None:
    path, pixels = tmp_path / "image.ome.zarr", pixels_of("zyx")
    write_image(path, pixels, "zyx", "0.5")
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    Pipeline(segmenter={"name": "threshold", "configuration": {"threshold": 550}}).run(path, tmp_path / "out.ome.zarr")
    np.testing.assert_array_equal(open_image(tmp_path / "out.ome.zarr").data[...], ndimage.label(pixels > 550)[0])
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("image.ome.zarr", "would overwrite the image"),
        (".", "would overwrite the image"),
        ("image.ome.zarr/0", "lies inside the zarr store"),
        ("image.ome.zarr/labels", "lies inside the zarr store"),
        ("image.ome.zarr/x", "lies inside the zarr store"),
    ],
)
def test_the_image_is_never_written_over(place: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "image.ome.zarr"
    write_image(path, pixels_of("yx"), "yx", "0.5")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for source in (path, open_image(path)):
        with pytest.raises(InvalidOption, match=said):
            pipeline().run(source, tmp_path / place, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_run_that_failed_leaves_the_labels_and_goes_on_and_another_may_not(tmp_path: Path) -> None:
    path, pixels = tmp_path / "image.ome.zarr", pixels_of("yx")
    write_image(path, pixels, "yx", "0.5")
    pipeline().run(path, name="cells")

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "segment" and done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(threshold=600).run(path, name="cells", overwrite=True, progress=stop)
    np.testing.assert_array_equal(open_image(path / "labels" / "cells").data[...], ndimage.label(pixels > 550)[0])
    with pytest.raises(CheckpointMismatch, match=r"threshold 600\.0 there, 650\.0 now"):
        pipeline(threshold=650).run(path, name="cells", overwrite=True)
    seen: list[int] = []
    pipeline(threshold=600).run(
        path, name="cells", overwrite=True, progress=lambda stage, done, total: seen.append(done)
    )
    assert seen[0] >= 5, "what was done is not done again"
    np.testing.assert_array_equal(open_image(path / "labels" / "cells").data[...], ndimage.label(pixels > 600)[0])
