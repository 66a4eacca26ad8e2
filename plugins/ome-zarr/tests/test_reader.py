"""Reading OME-Zarr 0.4 and 0.5 and plain zarr arrays."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_ome_zarr.metadata import Ome, read_multiscale
from tilewright_ome_zarr.reader import OmeZarrReader, label_names

VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


@VERSIONS
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "tyx", "tczyx"])
def test_axes_spacing_units_and_pixels_are_read(make, version: str, axes: str) -> None:
    path = make.image(version=version, axes=axes)
    image = OmeZarrReader()(path)
    assert (image.axes, image.name, image.source, image.format) == (axes, "pixels", path, f"ome-zarr {version}")
    assert image.spacing == {a: s for a, s in {"t": 3.0, "z": 2.0, "y": 0.5, "x": 0.25}.items() if a in axes}
    assert image.units == {a: "second" if a == "t" else "micrometer" for a in axes if a != "c"}
    everything = tuple(slice(None) for _ in axes)
    expected = np.arange(math.prod(image.shape)).reshape(image.shape) % 60_000
    np.testing.assert_array_equal(image.read(everything), expected)


@VERSIONS
def test_levels_are_read_from_the_chosen_one_down(make, version: str) -> None:
    path = make.image(version=version, translated=True)
    whole, half = OmeZarrReader()(path), OmeZarrReader(level=1)(path)
    assert [level.shape for level in whole.levels] == [(2, 61, 87), (2, 31, 44), (2, 16, 22)]
    assert half.levels == whole.levels[1:]
    assert half.shape == (2, 31, 44)
    assert half.spacing == {"y": 1.0, "x": 0.5}
    assert whole.levels[2].scale == (1.0, 2.0, 1.0)
    assert whole.levels[2].translation == (0.0, 0.75, 0.375)


@VERSIONS
def test_the_transformation_of_the_whole_multiscale_comes_after_each_levels_own(make, version: str) -> None:
    path = make.image(version=version, axes="yx", translated=True)
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    attributes.get("ome", attributes)["multiscales"][0]["coordinateTransformations"] = [
        {"type": "scale", "scale": [10, 100]},
        {"type": "translation", "translation": [1, 2]},
    ]
    group.attrs.put(attributes)
    levels = OmeZarrReader()(path).levels
    assert levels[1].scale == (10.0, 50.0)
    assert levels[1].translation == (0.25 * 10 + 1, 0.125 * 100 + 2)


def test_reading_is_lazy_and_chunks_are_the_arrays_own(make) -> None:
    image = OmeZarrReader()(make.image())
    assert isinstance(image.data, zarr.Array)
    assert image.chunks == (2, 32, 32)


@VERSIONS
def test_channels_have_the_labels_of_omero(make, version: str) -> None:
    path = make.image(version=version, channels=("DAPI", "GFP"))
    assert OmeZarrReader()(path).channels == ("DAPI", "GFP")


@pytest.mark.parametrize(
    ("omero", "expected"),
    [
        ({"channels": [{"label": "DAPI"}, {}]}, ("DAPI", "channel 1")),
        ({"channels": [{"label": "DAPI"}]}, ()),
        ({"channels": [{"color": "00FF00"}, {"color": "FF0000"}]}, ()),
        ({"channels": "none"}, ()),
        ({}, ()),
        (None, ()),
        ([1], ()),
    ],
)
def test_incomplete_omero_metadata_costs_names_alone(make, omero: Any, expected: tuple[str, ...]) -> None:
    assert OmeZarrReader()(make.image(extra={"omero": omero})).channels == expected


@VERSIONS
def test_missing_units_types_names_and_unknown_keys_are_no_matter(make, version: str) -> None:
    path = make.image(version=version, axes="yx")
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    multiscale = attributes.get("ome", attributes)["multiscales"][0]
    del multiscale["name"]
    multiscale["axes"] = [{"name": "y", "long_name": "rows"}, {"name": "x", "unit": "um"}]
    group.attrs.put({**attributes, "other": {"tool": 1}})
    image = OmeZarrReader()(path)
    assert (image.axes, image.units, image.name) == ("yx", {"x": "um"}, "image.ome.zarr")


@VERSIONS
def test_an_image_inside_a_store_is_named_by_path_or_option(make, version: str) -> None:
    path = make.plate(version)
    by_option, by_path = OmeZarrReader(image="A/2/1")(path), OmeZarrReader()(f"{path}/A/2/1/")
    assert by_option.source == by_path.source == f"{path}/A/2/1"
    assert by_option.shape == by_path.shape == (1, 20, 30)


@VERSIONS
def test_a_plate_lists_some_of_its_images(make, version: str) -> None:
    path = make.plate(version, wells=6)
    with pytest.raises(
        InvalidOption, match=r"is a plate of 6 wells; .*choose .* image: A/1/0, A/1/1, A/2/0, .*A/5/1, …$"
    ):
        OmeZarrReader()(path)


@VERSIONS
def test_a_well_lists_its_fields(make, version: str) -> None:
    with pytest.raises(InvalidOption, match=r"is a well of 2 fields; .*choose .* image: 0, 1$"):
        OmeZarrReader()(make.plate(version) + "/A/1")


@VERSIONS
def test_a_labels_group_lists_its_labels_and_they_can_be_read(make, version: str) -> None:
    path = make.image(version=version)
    make.image("image.ome.zarr/labels/cells", version=version, axes="yx")
    group = zarr.open_group(f"{path}/labels", mode="a", zarr_format=2 if version == "0.4" else 3)
    group.attrs.put({"labels": ["cells"]} if version == "0.4" else {"ome": {"version": "0.5", "labels": ["cells"]}})
    with pytest.raises(InvalidOption, match=r"is a group of 1 label images; choose .* image: cells$"):
        OmeZarrReader()(f"{path}/labels")
    assert OmeZarrReader(image="labels/cells")(path).axes == "yx"
    assert label_names(path) == OmeZarrReader().labels(path) == ("cells",)


def test_an_image_without_labels_an_array_and_a_plate_have_no_label_names(make) -> None:
    path = make.image()
    assert label_names(path) == label_names(f"{path}/0") == label_names(make.plate()) == ()


@VERSIONS
def test_a_collection_of_bioformats2raw_lists_its_series(make, version: str) -> None:
    path = make.folder / "series.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    layout = {"bioformats2raw.layout": 3}
    group.attrs.put(layout if version == "0.4" else {"ome": {"version": "0.5", **layout}})
    for name in ("0", "1", "10", "2"):
        make.image(f"series.zarr/{name}", version=version, axes="yx", levels=1)
    with pytest.raises(
        InvalidOption, match=r"is a series of 4 images; .*info \S+series\.zarr/0`.* image: 0, 1, 2, 10$"
    ):
        OmeZarrReader()(str(path))
    listed = {"series": ["1", "0"]}
    group.create_group("OME").attrs.put(listed if version == "0.4" else {"ome": {"version": "0.5", **listed}})
    with pytest.raises(InvalidOption, match=r"image: 1, 0$"):
        OmeZarrReader()(str(path))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_plain_array_needs_axes(tmp_path: Path, zarr_format: Any) -> None:
    path = str(tmp_path / "plain.zarr")
    zarr.create_array(path, shape=(3, 8, 9), dtype="f4", zarr_format=zarr_format)
    with pytest.raises(
        InvalidOption, match=r"plain zarr array of shape \(3, 8, 9\) with no dimension names; pass axes"
    ):
        OmeZarrReader()(path)
    image = OmeZarrReader(axes="cyx")(path)
    assert (image.axes, image.levels, image.format) == ("cyx", (), f"zarr v{zarr_format}")
    with pytest.raises(InvalidImage, match="3 dimensions"):
        OmeZarrReader(axes="yx")(path)
    with pytest.raises(InvalidOption, match="level=1"):
        OmeZarrReader(axes="cyx", level=1)(path)


def test_dimension_names_of_one_letter_are_axes(make, tmp_path: Path) -> None:
    assert OmeZarrReader()(make.image() + "/1").axes == "cyx"
    path = str(tmp_path / "named.zarr")
    zarr.create_array(path, shape=(8, 9), dtype="f4", dimension_names=["row", "column"])
    with pytest.raises(InvalidOption, match="dimension names row, column; pass axes"):
        OmeZarrReader()(path)


@pytest.mark.parametrize(
    ("names", "axes"), [(["z", "y", "x"], "zyx"), ("zyx", None), (7, None), (["plane", "y", "x"], None)]
)
def test_the_names_that_xarray_gives_the_dimensions_of_zarr_v2_are_axes(tmp_path: Path, names: Any, axes: Any) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", data=np.zeros((2, 3, 4), "u1"), zarr_format=2)
    array.attrs["_ARRAY_DIMENSIONS"] = names
    if axes is None:
        with pytest.raises(InvalidOption, match="pass axes"):
            OmeZarrReader()(str(tmp_path / "a.zarr"))
    else:
        assert OmeZarrReader()(str(tmp_path / "a.zarr")).axes == axes


def test_a_url_is_read_like_a_folder(make) -> None:
    local = zarr.open_group(make.image(axes="yx"), mode="r")
    remote = zarr.open_group("memory://tilewright-test.ome.zarr", mode="w", attributes=dict(local.attrs))
    for level in "012":
        remote.create_array(level, data=local[level][...])
    image = OmeZarrReader(level=1)("memory://tilewright-test.ome.zarr")
    assert image.shape == (31, 44)
    np.testing.assert_array_equal(image.read((slice(None), slice(None))), local["1"][...])
    with pytest.raises(NotReadable, match="no zarr group or array at 'memory://nothing"):
        OmeZarrReader()("memory://nothing.zarr")
    with pytest.raises(NotReadable, match="Protocol not known"):
        OmeZarrReader()("nowhere://nothing.zarr")


class Refusing(fsspec.AbstractFileSystem):  # type: ignore[misc]  # it ships no types
    """A far store that has no place for strangers, and says it in its driver's own way."""

    class NoCredentials(Exception):
        pass

    def _open(self, *_: Any, **__: Any) -> Any:
        raise self.NoCredentials("Unable to locate credentials")

    cat_file = info = ls = _open


def test_what_the_driver_of_a_far_store_says_is_one_line() -> None:
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    with pytest.raises(NotReadable, match=r"'refusing://image\.zarr' cannot be read \(NoCredentials: Unable to locate"):
        OmeZarrReader()("refusing://image.zarr")


@pytest.mark.parametrize("level", [-1, 3])
def test_a_level_that_does_not_exist_is_refused(make, level: int) -> None:
    with pytest.raises(InvalidOption, match=f"level {level} does not exist; .* has levels 0 to 2"):
        OmeZarrReader(level=level)(make.image())


def test_axes_that_contradict_the_metadata_are_refused(make) -> None:
    with pytest.raises(InvalidOption, match=r"axes='zyx', but .* says 'cyx'"):
        OmeZarrReader(axes="zyx")(make.image())


def _edited(path: str, **changes: Any) -> str:
    """The 0.5 image with parts of its first multiscale replaced."""
    file = Path(path) / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["attributes"]["ome"]["multiscales"][0].update(changes)
    file.write_text(json.dumps(metadata))
    return path


def _dataset(path: Any, *steps: Any) -> list[dict[str, Any]]:
    return [{"path": path, "coordinateTransformations": list(steps) or [{"type": "scale", "scale": [1, 1]}]}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": []}, "datasets: "),
        ({"datasets": _dataset("0", {"type": "scale", "scale": [1]})}, "datasets.0.coordinateTransformations"),
        ({"datasets": _dataset("0", {"type": "scale", "scale": [1, 1, 1]})}, "does not match the number of axes"),
        ({"datasets": _dataset("0", {"type": "affine"})}, "datasets.0.coordinateTransformations"),
        ({"datasets": _dataset("0", {"type": "scale", "scale": [0, 1]})}, "spacing 0.0 along y"),
        ({"datasets": _dataset(5)}, "datasets.0.path"),
        ({"datasets": _dataset("9")}, "level '9' of .* cannot be read"),
        ({"datasets": _dataset("")}, "level '' of .* is a group"),
        ({"axes": "yx"}, "axes: "),
        ({"axes": [{"name": "y"}]}, "does not match the number of axes"),
        ({"axes": ["y", 7]}, "axes: "),
        ({"axes": [{"name": "x", "type": "space"}] * 2}, "axes"),
        ({"axes": [{"name": "v", "type": "space"}, {"name": "u", "type": "space"}]}, "axes v, u"),
        ({"axes": [{"name": a} for a in "zyx"]}, "number of axes"),
        (
            {"axes": [{"name": a} for a in "zyx"], "datasets": _dataset("0", {"type": "scale", "scale": [1, 1, 1]})},
            "has 2 dimensions",
        ),
    ],
)
def test_metadata_that_contradicts_itself_is_refused_in_one_line(make, changes: dict[str, Any], message: str) -> None:
    path = _edited(make.image(axes="yx"), **changes)
    with pytest.raises(InvalidImage, match=message) as caught:
        OmeZarrReader()(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "JSONDecodeError"),
        ("{", "JSONDecodeError"),
        ("[]", "cannot be read"),
        ('{"zarr_format": 9, "node_type": "group"}', "zarr_format"),
        ('{"zarr_format": 3, "node_type": "array"}', "cannot be read"),
    ],
)
def test_a_corrupt_zarr_json_is_refused_in_one_line(make, text: str, message: str) -> None:
    path = make.image()
    (Path(path) / "zarr.json").write_text(text)
    with pytest.raises(NotReadable, match=message) as caught:
        OmeZarrReader()(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ome", [{"multiscales": {}}, {"multiscales": []}, {"multiscales": [1]}, [1]])
def test_multiscales_of_a_wrong_type_are_refused(make, ome: Any) -> None:
    path = make.image()
    zarr.open_group(path, mode="r+").attrs.put({"ome": ome})
    with pytest.raises(InvalidImage, match="repair it"):
        OmeZarrReader()(path)


@pytest.mark.parametrize("version", ["0.7", "0.40", "1.0", "latest"])
def test_a_version_that_is_not_known_is_refused_by_name(make, version: str) -> None:
    path = make.image()
    zarr.open_group(path, mode="r+").attrs.put({"ome": {"version": version, "multiscales": []}})
    with pytest.raises(InvalidImage, match=rf"is OME-Zarr {version}, but versions 0\.1 to 0\.6 are read"):
        OmeZarrReader()(path)


def test_a_group_without_ome_metadata_names_what_is_in_it(tmp_path: Path) -> None:
    path = str(tmp_path / "group.zarr")
    group = zarr.open_group(path, mode="w")
    with pytest.raises(NotReadable, match="without OME-Zarr image metadata; give the path of an image"):
        OmeZarrReader()(path)
    group.create_array("raw", shape=(4, 4), dtype="u1")
    with pytest.raises(InvalidOption, match=r"choose one of its images .* image: raw"):
        OmeZarrReader()(path)


def test_nothing_at_a_path_and_a_file_are_not_readable(tmp_path: Path) -> None:
    (tmp_path / "file.zarr").write_text("text")
    for name in ("none.zarr", "file.zarr"):
        with pytest.raises(NotReadable, match=name):
            OmeZarrReader()(str(tmp_path / name))


@pytest.mark.parametrize("place", ["../secret.zarr", "/etc", "0/../../secret.zarr", "file:///etc", "linked"])
def test_a_level_that_leads_out_of_the_store_is_refused(make, place: str) -> None:
    secret = make.folder / "secret.zarr"
    zarr.create_array(secret, shape=(4, 4), dtype="u1")
    path = make.image(axes="yx")
    (Path(path) / "linked").symlink_to(secret)
    with pytest.raises(InvalidImage, match="leads out of the store"):
        OmeZarrReader()(_edited(path, datasets=_dataset(place)))


@pytest.mark.parametrize("place", ["../secret.zarr", "/etc", "linked"])
def test_an_image_that_leads_out_of_the_store_is_refused(make, place: str) -> None:
    path = make.image(axes="yx")
    (Path(path) / "linked").symlink_to(make.image("secret.zarr"))
    with pytest.raises(InvalidImage, match="leads out of the store"):
        OmeZarrReader(image=place)(path)


def test_a_link_to_a_store_and_a_link_within_a_store_are_followed(make) -> None:
    path = make.image(axes="yx")
    (Path(path) / "finest").symlink_to(Path(path) / "0")
    link = make.folder / "link.ome.zarr"
    link.symlink_to(_edited(path, datasets=_dataset("finest")))
    assert OmeZarrReader()(str(link)).shape == (61, 87)


def test_a_reader_is_a_value() -> None:
    reader = OmeZarrReader(level=1, image="A/1/0")
    assert pickle.loads(pickle.dumps(reader)) == reader


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["axes", "datasets", "path", "coordinateTransformations", "scale", "name", "type"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_as_metadata_is_read_or_refused_as_an_invalid_image(value: Any) -> None:
    for version in ("0.4", "0.5"):
        ome = Ome(version=version, attributes={"multiscales": [value]}, where="image")
        with contextlib.suppress(InvalidImage):
            assert read_multiscale(ome).datasets


@VERSIONS
def test_several_multiscales_of_one_group_are_listed_and_chosen_by_number(make, version: str) -> None:
    path = make.image(version=version, axes="yx", levels=2)
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    listed = attributes.get("ome", attributes)["multiscales"]
    coarse = {**listed[0], "name": "coarse", "datasets": listed[0]["datasets"][1:]}
    listed.append(coarse)
    group.attrs.put(attributes)
    with pytest.warns(UserWarning, match=r"holds 2 images, and the first \(multiscale=0: pixels\) is read"):
        assert OmeZarrReader()(path).shape == (61, 87)
    image = OmeZarrReader(multiscale=1)(path)
    assert (image.shape, image.name) == ((31, 44), "coarse")
    assert image.images == ("multiscale=0: pixels", "multiscale=1: coarse")
    with pytest.raises(InvalidOption, match=r"multiscale 2 does not exist; .* has 0 to 1"):
        OmeZarrReader(multiscale=2)(path)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 * 2**30)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make_it", [sparse, os.mkfifo, device, Path.mkdir])
@pytest.mark.parametrize("name", ["zarr.json", "0/zarr.json", ".zattrs", "0/.zarray", ".zmetadata", "labels/.zattrs"])
def test_what_is_no_file_of_metadata_is_refused_and_nobody_waits_for_it(make, make_it: Any, name: str) -> None:
    path = make.image(version="0.4" if "/." in f"/{name}" else "0.5", levels=1)
    zarr.open_group(path, mode="r+").create_group("labels")
    file = Path(path) / name
    file.unlink(missing_ok=True)
    make_it(file)
    with pytest.raises((NotReadable, InvalidImage), match=r"not a file of metadata|metadata has at most"):
        OmeZarrReader().labels(path) if "labels" in name else OmeZarrReader()(path)


@VERSIONS
def test_metadata_is_bounded_in_depth_and_in_levels(make, version: str) -> None:
    path = make.image(version=version, levels=1)
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    datasets = attributes.get("ome", attributes)["multiscales"][0]["datasets"]
    datasets *= 20_000
    group.attrs.put(attributes)
    with pytest.raises(InvalidImage, match="lists 20,000 levels, more than 100"):
        OmeZarrReader()(path)
    file = Path(path) / (".zattrs" if version == "0.4" else "zarr.json")
    inside = "[" * 100_000 + "]" * 100_000
    whole = {"zarr_format": 3, "node_type": "group", "attributes": "deep"} if version == "0.5" else {"deep": "deep"}
    file.write_text(json.dumps(whole).replace('"deep"}', inside + "}"))
    with pytest.raises(NotReadable, match="RecursionError"):
        OmeZarrReader()(path)


@pytest.mark.slow
@VERSIONS
def test_thousands_of_wells_and_images_are_no_reason_to_wait(make, version: str) -> None:
    path = make.plate(version, wells=2)
    group = zarr.open_group(path, mode="r+")
    attributes = dict(group.attrs)
    plate = attributes.get("ome", attributes)["plate"]
    plate["columns"] = [{"name": str(n + 1)} for n in range(20_000)]
    plate["wells"] = [{"path": f"A/{n + 1}", "rowIndex": 0, "columnIndex": n} for n in range(20_000)]
    group.attrs.put(attributes)
    with pytest.raises(InvalidOption, match=r"choose .* image: A/1/0, A/1/1, A/2/0, A/2/1$"):
        OmeZarrReader()(path)


def test_a_url_of_a_file_is_the_folder_of_this_machine(make) -> None:
    path = make.image()
    image = OmeZarrReader()(f"file://{path}")
    assert (image.source, image.identity.known) == (path, True)
