"""OME-Zarr as it is found: every version, metadata in the other one's place, transformations left out, collections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

from tilewright import Pipeline, open_image
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_ome_zarr.reader import OmeZarrReader
from tilewright_ome_zarr.writer import OmeZarrLabels

SCALE = {"type": "scale", "scale": [2.0, 0.5, 0.25]}
SHIFT = {"type": "translation", "translation": [1.0, 2.0, 3.0]}
ZYX = [{"name": "z", "type": "space"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]


def store(path: Path, attributes: Mapping[str, Any], zarr_format: Any = 2, shape: tuple[int, ...] = (4, 64, 48)) -> str:
    """A group with these attributes and two levels whose pixels count up, the second halved along y and x."""
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    pixels = np.arange(np.prod(shape), dtype="u2").reshape(shape)
    group.create_array("0", data=pixels)
    group.create_array("1", data=pixels[..., ::2, ::2])
    group.attrs.put(dict(attributes))
    return str(path)


def levels(*steps: Any) -> list[dict[str, Any]]:
    return [{"path": name, **({"coordinateTransformations": list(steps)} if steps else {})} for name in "01"]


@pytest.mark.parametrize("version", ["0.1", "0.2", None])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_names_no_axes_has_all_five_or_two(tmp_path: Path, version: str | None, zarr_format: int) -> None:
    multiscale = {"datasets": levels(), **({"version": version} if version else {})}
    five = store(tmp_path / "five.zarr", {"multiscales": [multiscale]}, zarr_format, (2, 3, 4, 64, 48))
    two = store(tmp_path / "two.zarr", {"multiscales": [multiscale]}, zarr_format, (64, 48))
    assert (open_image(five).axes, open_image(two).axes) == ("tczyx", "yx")
    three = store(tmp_path / "three.zarr", {"multiscales": [multiscale]}, zarr_format)
    with pytest.raises(InvalidOption, match=r"names no axes for its shape \(4, 64, 48\); pass axes"):
        open_image(three)
    assert OmeZarrReader(axes="tyx")(three).axes == "tyx"


@pytest.mark.parametrize("version", ["0.3", None, "0.4", "0.5"])
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("place", ["top", "ome"])
@pytest.mark.parametrize("axes", [["z", "y", "x"], ZYX])
def test_axes_are_read_by_name_alone_in_either_place_in_either_format(
    tmp_path: Path, version: str | None, zarr_format: int, place: str, axes: Any
) -> None:
    stated = {"version": version} if version else {}
    attributes: dict[str, Any] = {"multiscales": [{"axes": axes, "datasets": levels(), **stated}]}
    image = open_image(
        store(tmp_path / "a.zarr", attributes if place == "top" else {"ome": {**stated, **attributes}}, zarr_format)
    )
    assert (image.axes, image.shape, image.channels) == ("zyx", (4, 64, 48), ())
    assert image.levels[1].scale == (1.0, 2.0, 2.0)
    assert image.units == {}


@pytest.mark.parametrize(
    "version",
    ["0.1", "0.2", "0.3", "0.4-dev-spatialdata", "0.5-dev-spatialdata", "0.5.2", "0.6rc0", "0.6.dev4", "v0.4"],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_go_into_images_of_every_version_in_their_zarr_format(
    tmp_path: Path, version: str, zarr_format: int
) -> None:
    multiscale = {"version": version, "axes": ZYX, "datasets": levels(SCALE)}
    attributes = {"multiscales": [multiscale]}
    path = store(
        tmp_path / "a.zarr",
        attributes if zarr_format == 2 else {"ome": {"version": version, **attributes}},
        zarr_format,
    )
    assert open_image(path).format == f"ome-zarr {version}"
    threshold = {"name": "threshold", "configuration": {"threshold": 0.5}}
    labels = Pipeline(segmenter=threshold).run(path).path
    assert labels == tmp_path / "a.zarr/labels/labels"
    assert open_image(labels).format == f"ome-zarr {'0.4' if zarr_format == 2 else '0.5'}"
    assert zarr.open_group(labels, mode="r").metadata.zarr_format == zarr_format
    assert OmeZarrReader().labels(path) == ("labels",)


@pytest.mark.parametrize(
    ("image_format", "version"),
    [("ome-zarr 0.1", "0.4"), ("ome-zarr 0.4-dev-spatialdata", "0.4"), ("ome-zarr 0.6rc0", "0.5"), ("tiff", "0.5")],
)
def test_a_store_of_its_own_is_in_the_zarr_format_of_the_images_version(
    tmp_path: Path, spec_of: Any, image_format: str, version: str
) -> None:
    spec = spec_of(shape=(8, 8), image_format=image_format)
    assert OmeZarrLabels()(str(tmp_path / "labels.zarr"), spec).version == version


@pytest.mark.parametrize(
    ("own", "whole", "scale", "translation"),
    [
        ([SCALE], [], (2.0, 0.5, 0.25), None),
        ([SCALE], [{"type": "identity"}], (2.0, 0.5, 0.25), None),
        ([SCALE], None, (2.0, 0.5, 0.25), None),
        ([{"type": "identity"}], [SCALE], (2.0, 0.5, 0.25), None),
        ([], [SCALE, SHIFT], (2.0, 0.5, 0.25), (1.0, 2.0, 3.0)),
        ([SCALE, SHIFT], [], (2.0, 0.5, 0.25), (1.0, 2.0, 3.0)),
        ([SHIFT, SCALE], [], (2.0, 0.5, 0.25), (2.0, 1.0, 0.75)),
        ([SHIFT], [], (1.0, 1.0, 1.0), (1.0, 2.0, 3.0)),
        ([], [], (1.0, 1.0, 1.0), None),
        (None, None, (1.0, 1.0, 1.0), None),
        ([{"type": "identity"}], [], (1.0, 1.0, 1.0), None),
        ([{"type": "sequence", "transformations": [SCALE, SHIFT]}], [], (2.0, 0.5, 0.25), (1.0, 2.0, 3.0)),
        (SCALE, [], (2.0, 0.5, 0.25), None),
    ],
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_transformations_that_are_missing_empty_or_identity_are_read(
    tmp_path: Path, own: Any, whole: Any, scale: Any, translation: Any, zarr_format: int
) -> None:
    multiscale: dict[str, Any] = {"axes": ZYX, "datasets": [{"path": "0"}]}
    if own is not None:
        multiscale["datasets"][0]["coordinateTransformations"] = own
    if whole is not None:
        multiscale["coordinateTransformations"] = whole
    attributes = {"multiscales": [multiscale]}
    image = open_image(store(tmp_path / "a.zarr", attributes if zarr_format == 2 else {"ome": attributes}, zarr_format))
    assert (image.levels[0].scale, image.levels[0].translation) == (scale, translation)
    assert image.spacing == dict(zip("zyx", scale, strict=True))


def test_levels_without_a_scale_have_that_of_their_shape(tmp_path: Path) -> None:
    datasets = [{"path": "0", "coordinateTransformations": [SCALE]}, {"path": "1"}]
    path = store(tmp_path / "a.zarr", {"multiscales": [{"axes": ZYX, "datasets": datasets}]}, shape=(4, 63, 48))
    assert [level.scale for level in open_image(path).levels] == [(2.0, 0.5, 0.25), (2.0, 1.0, 0.5)]
    assert OmeZarrReader(level=1)(path).spacing == {"z": 2.0, "y": 1.0, "x": 0.5}


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"type": "affine", "affine": [[1, 0], [0, 1]]}, "transformation 'affine' is not read"),
        ({"type": "rotation"}, "transformation 'rotation' is not read"),
        (
            {"type": "sequence", "transformations": [{"type": "byDimension"}]},
            "transformation 'byDimension' is not read",
        ),
        ({"type": "scale", "path": "scales"}, "not a list of numbers in the metadata itself"),
        ({"type": "scale", "scale": [1.0, 2.0, float("nan")]}, "not a list of numbers"),
        ({"type": "scale", "scale": [1.0, 2.0]}, "length 2 does not match the number of axes, 3"),
        ({}, "transformation 'None' is not read"),
    ],
)
def test_a_transformation_that_is_not_understood_is_refused_by_name(tmp_path: Path, step: Any, problem: str) -> None:
    path = store(tmp_path / "a.zarr", {"multiscales": [{"axes": ZYX, "datasets": levels(step)}]})
    with pytest.raises(InvalidImage, match=problem):
        open_image(path)


def in_systems(*, reference: Any, systems: Any = None) -> dict[str, Any]:
    """A 0.6 image whose second coordinate system is the one of its levels, and a transformation to a third."""
    micrometers = [{**axis, "unit": "micrometer"} for axis in ZYX]
    step = {"type": "sequence", "input": "0", "output": reference, "transformations": [SCALE, SHIFT]}
    return {
        "version": "0.6",
        "multiscales": [
            {
                "name": "cells",
                "coordinateSystems": systems
                or [{"name": "stage", "axes": ZYX[::-1]}, {"name": "physical", "axes": micrometers}],
                "datasets": levels(step),
                "coordinateTransformations": [{"type": "affine", "input": "physical", "output": "stage"}],
            }
        ],
    }


@pytest.mark.parametrize("reference", ["physical", {"name": "physical"}])
def test_the_axes_of_0_6_are_those_of_the_levels_coordinate_system(tmp_path: Path, reference: Any) -> None:
    image = open_image(store(tmp_path / "a.zarr", {"ome": in_systems(reference=reference)}, 3))
    assert (image.axes, image.name) == ("zyx", "cells")
    assert image.units == dict.fromkeys("zyx", "micrometer")
    assert (image.levels[0].scale, image.levels[0].translation) == ((2.0, 0.5, 0.25), (1.0, 2.0, 3.0))


@pytest.mark.parametrize("systems", [[], [5], "physical", {"name": "physical"}])
def test_coordinate_systems_that_are_none_are_refused(tmp_path: Path, systems: Any) -> None:
    ome = in_systems(reference="physical")
    ome["multiscales"][0]["coordinateSystems"] = systems
    with pytest.raises(InvalidImage, match="invalid at coordinateSystems"):
        open_image(store(tmp_path / "a.zarr", {"ome": ome}, 3))


def test_a_scene_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="is a scene"):
        open_image(store(tmp_path / "a.zarr", {"ome": {"version": "0.6", "scene": {}}}, 3))


def series(root: Path, names: tuple[str, ...], zarr_format: Any, listed: tuple[str, ...] | None) -> str:
    """What bioformats2raw writes: images by number, and, from 0.6 of it on, a group with their list and OME-XML."""
    layout: dict[str, Any] = {"bioformats2raw.layout": 3}
    group = zarr.open_group(root, mode="w", zarr_format=zarr_format)
    group.attrs.put(layout if zarr_format == 2 else {"ome": {"version": "0.5", **layout}})
    for name in names:
        attributes = {"multiscales": [{"axes": ZYX, "datasets": levels(SCALE)}]}
        store(root / name, attributes if zarr_format == 2 else {"ome": attributes}, zarr_format)
    if listed is not None:
        stated = {"series": list(listed)}
        group.create_group("OME").attrs.put(stated if zarr_format == 2 else {"ome": stated})
    return str(root)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("listed", [None, ("0",)])
def test_a_series_of_one_image_is_that_image(tmp_path: Path, zarr_format: int, listed: Any) -> None:
    root = series(tmp_path / "s.zarr", ("0",), zarr_format, listed)
    assert open_image(root).source == open_image(root, reader=OmeZarrReader(image="0")).source == f"{root}/0"
    threshold = {"name": "threshold", "configuration": {"threshold": 0.5}}
    assert Pipeline(segmenter=threshold).run(root).path == tmp_path / "s.zarr/0/labels/labels"
    assert OmeZarrReader().labels(root) == ("labels",)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_series_of_several_is_listed_with_the_command_to_type(tmp_path: Path, zarr_format: int) -> None:
    root = series(tmp_path / "a b.zarr", ("0", "1"), zarr_format, ("1", "0"))
    with pytest.raises(InvalidOption, match=r"series of 2 images.*`tilewright info '.*a b\.zarr/1'`.* image: 1, 0$"):
        open_image(root)
    assert open_image(f"{root}#1").source == f"{root}/1"


def spatialdata(root: Path, images: tuple[str, ...], labels: tuple[str, ...] = ()) -> str:
    """The layout of a SpatialData store, in which points, shapes and tables are not images."""
    group = zarr.open_group(root, mode="w")
    group.attrs.put({"spatialdata_attrs": {"version": "0.2"}})
    for folder, names in (("images", images), ("labels", labels)):
        group.create_group(folder)
        for name in names:
            multiscale = {"axes": ZYX, "datasets": levels(SCALE)}
            store(root / folder / name, {"ome": {"version": "0.5-dev-spatialdata", "multiscales": [multiscale]}}, 3)
    for name in ("points/spots", "shapes/cells", "tables/table"):
        group.create_group(name)
    return str(root)


def test_elements_of_a_spatialdata_store_are_listed_and_chosen(tmp_path: Path) -> None:
    root = spatialdata(tmp_path / "s.zarr", ("overview", "slide"), ("cells",))
    with pytest.raises(
        InvalidOption, match=r"of 3 images and label images; .*: images/overview, images/slide, labels/"
    ):
        open_image(root)
    for choice in ("images/slide", "slide"):
        assert open_image(f"{root}#{choice}").source == f"{root}/images/slide"
        assert OmeZarrReader(image=choice)(root).source == f"{root}/images/slide"
    assert open_image(f"{root}#cells").source == f"{root}/labels/cells"
    assert open_image(f"{root}/labels/cells").format == "ome-zarr 0.5-dev-spatialdata"
    with pytest.raises(NotReadable, match="other"):
        open_image(f"{root}#other")
    with pytest.raises(InvalidImage, match="leads out of the store"):
        open_image(f"{root}#../s.zarr")


def test_the_only_image_of_a_spatialdata_store_is_opened(tmp_path: Path) -> None:
    root = spatialdata(tmp_path / "s.zarr", ("slide",), ("cells", "nuclei"))
    assert open_image(root).source == f"{root}/images/slide"


@pytest.mark.parametrize("order", [("identity", "um", "stage"), ("um", "stage"), ("stage", "um", "identity")])
def test_each_coordinate_system_of_spatialdata_starts_at_the_pixels(tmp_path: Path, order: tuple[str, ...]) -> None:
    kinds = {"identity": {"type": "identity"}} | {
        name: {"type": "scale", "scale": [size] * 3} for name, size in (("um", 0.5), ("stage", 4.0))
    }
    listed = [{**kinds[name], "output": {"name": name}} for name in order]
    multiscale = {
        "axes": ZYX,
        "datasets": levels({"type": "scale", "scale": [1.0] * 3}),
        "coordinateTransformations": listed,
    }
    path = store(tmp_path / "a.zarr", {"ome": {"version": "0.5-dev-spatialdata", "multiscales": [multiscale]}}, 3)
    first = next(name for name in order if name != "identity")
    assert set(open_image(path).spacing.values()) == set(kinds[first]["scale"])


@pytest.mark.parametrize("inner", ["affine", "rotation", "byDimension"])
@pytest.mark.parametrize("in_sequence", [False, True])
def test_of_several_coordinate_systems_one_that_is_read_is_taken(tmp_path: Path, inner: str, in_sequence: bool) -> None:
    scale = {"type": "scale", "scale": [0.5] * 3, "output": {"name": "um"}}
    step = {"type": inner}
    aligned = {
        **({"type": "sequence", "transformations": [step]} if in_sequence else step),
        "output": {"name": "global"},
    }
    multiscale = {"axes": ZYX, "datasets": levels({"type": "scale", "scale": [1.0] * 3})}
    for name, listed in (("both", [aligned, scale]), ("alone", [aligned])):
        ome = {"version": "0.5", "multiscales": [{**multiscale, "coordinateTransformations": listed}]}
        path = store(tmp_path / f"{name}.zarr", {"ome": ome}, 3)
        if name == "both":
            assert open_image(path).spacing == dict.fromkeys("zyx", 0.5)
        else:
            with pytest.raises(InvalidImage, match=f"transformation '{inner}' is not read"):
                open_image(path)


def test_labels_in_a_spatialdata_store_are_refused_where_their_image_names_no_coordinate_system(tmp_path: Path) -> None:
    root = spatialdata(tmp_path / "s.zarr", ("slide",))
    with pytest.raises(InvalidImage, match="does not name the coordinate systems"):
        Pipeline(segmenter="threshold").run(root)
    with pytest.raises(InvalidOption, match="'my cells' cannot be a name in SpatialData"):
        Pipeline(segmenter="threshold").run(root, f"{root}/labels/my cells")
    with pytest.raises(InvalidOption, match="which has shapes/cells"):
        Pipeline(segmenter="threshold").run(root, name="Cells")


def with_codec(path: Path, zarr_format: Any, name: str) -> str:
    """An array whose last codec is called that."""
    zarr.create_array(
        path,
        shape=(8, 8),
        dtype="f4",
        zarr_format=zarr_format,
        dimension_names=["y", "x"] if zarr_format == 3 else None,
    )
    file = path / (".zarray" if zarr_format == 2 else "zarr.json")
    metadata = json.loads(file.read_text())
    if zarr_format == 2:
        metadata["compressor"] = {"id": name}
    else:
        serializer = name in ("numcodecs.zfpy", "numcodecs.pcodec")
        metadata["codecs"] = [] if serializer else metadata["codecs"][:1]
        metadata["codecs"].append({"name": name, "configuration": {}})
    file.write_text(json.dumps(metadata))
    return str(path)


@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3 specification")
@pytest.mark.parametrize(
    ("zarr_format", "name", "package"),
    [
        (2, "imagecodecs_jpeg2k", "'imagecodecs_jpeg2k' is not installed; pip install 'imagecodecs-numcodecs'"),
        (3, "imagecodecs_jpegxl", "pip install 'imagecodecs-zarr'"),
        (2, "wavpack", "pip install 'wavpack-numcodecs'"),
        (2, "house-codec", "its codec 'house-codec' is not registered; install the package that it comes from"),
        (3, "house-codec", "its codec 'house-codec' is not registered; install the package that it comes from"),
        (3, "numcodecs.zfpy", r"pip install 'numcodecs\[zfpy\]'"),
        (3, "numcodecs.pcodec", r"pip install 'numcodecs\[pcodec\]'"),
    ],
)
def test_a_codec_that_is_not_registered_is_named_with_its_package(
    tmp_path: Path, zarr_format: int, name: str, package: str
) -> None:
    with pytest.raises(NotReadable, match=package):
        OmeZarrReader(axes="yx")(with_codec(tmp_path / "a.zarr", zarr_format, name))


def test_codecs_are_told_with_those_within_shards(tmp_path: Path) -> None:
    two, three = tmp_path / "two.zarr", tmp_path / "three.zarr"
    common: dict[str, Any] = {"shape": (8, 8), "chunks": (4, 4), "dtype": "u2"}
    zarr.create_array(two, **common, zarr_format=2, filters=[numcodecs.Shuffle()], compressors=numcodecs.Zlib())
    zarr.create_array(three, **common, zarr_format=3, shards=(8, 8), compressors=zarr.codecs.GzipCodec())
    assert OmeZarrReader(axes="yx")(str(two)).details == {"codecs": "shuffle, zlib"}
    assert OmeZarrReader(axes="yx")(str(three)).details == {"codecs": "sharding_indexed, bytes, gzip"}
