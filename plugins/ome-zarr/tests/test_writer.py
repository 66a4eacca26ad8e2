"""Labels inside an OME-Zarr image and in stores of their own: where they go, and what describes them."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tilewright import Pipeline
from tilewright.abc import Level
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_ome_zarr.reader import OmeZarrReader, label_names
from tilewright_ome_zarr.writer import OmeZarrLabels

VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def attributes_of(path: str | Path) -> dict[str, Any]:
    found = dict(zarr.open_group(path, mode="r", use_consolidated=False).attrs)
    return {**found, **found.get("ome", {})}


@VERSIONS
@pytest.mark.parametrize("axes", ["yx", "czyx", "tcyx"])
def test_labels_in_an_image_are_valid_and_lie_where_its_levels_lie(
    make, spec_of, fill, cells, valid, version: str, axes: str
) -> None:
    path = make.image(version=version, axes=axes, translated=True)
    writer = OmeZarrLabels()
    target = writer.destination(path, "cells")
    spec = spec_of(path, tile=tuple({"t": 1, "z": 3, "y": 40, "x": 50}[a] for a in axes if a != "c"))
    labels = cells(spec.shape)
    sink = writer(target, spec)
    fill(sink, labels)
    valid(path)
    written = OmeZarrReader(image="labels/cells")(path)
    assert written.levels == spec.levels
    assert (written.axes, written.units, written.spacing) == (spec.axes, spec.units, spec.spacing)
    assert (written.name, written.format) == ("cells", f"ome-zarr {version}")
    np.testing.assert_array_equal(sink.read()[...], labels)
    attributes = attributes_of(target)
    assert attributes["image-label"] == {"version": version, "source": {"image": "../../"}}
    assert attributes["tilewright"]["segmenter"] == {"name": "threshold"}
    assert attributes["multiscales"][0]["type"] == "nearest"


@VERSIONS
def test_labels_of_a_field_of_a_plate_belong_to_that_field(make, spec_of, fill, cells, valid, version: str) -> None:
    plate = make.plate(version)
    field = f"{plate}/A/1/0"
    writer = OmeZarrLabels()
    target = writer.destination(field, "cells")
    assert writer.beside(target) == Path(plate)
    fill(writer(target, spec_of(field)), cells((20, 30)))
    valid(field)
    assert label_names(field) == ("cells",)
    assert label_names(f"{plate}/A/1/1") == ()


@VERSIONS
def test_a_store_of_its_own_is_valid_and_points_to_its_image(make, spec_of, fill, cells, valid, version: str) -> None:
    path = make.image(version=version, axes="tczyx")
    target = str(make.folder / "labels.ome.zarr")
    spec = spec_of(path, name="nuclei")
    labels = cells(spec.shape)
    fill(OmeZarrLabels()(target, spec), labels)
    valid(target)
    written = OmeZarrReader()(target)
    assert (written.name, written.format, written.levels) == ("nuclei", f"ome-zarr {version}", spec.levels)
    assert attributes_of(target)["image-label"]["source"] == {"image": "../image.ome.zarr"}
    np.testing.assert_array_equal(written.data[...], labels)


@VERSIONS
def test_labels_of_an_array_have_levels_of_their_own_and_no_source(
    make, spec_of, fill, cells, valid, version: str
) -> None:
    target = str(make.folder / "labels.ome.zarr")
    spec = spec_of(axes="zyx", shape=(3, 1030, 700), spacing={"y": 0.5, "x": 0.5}, units={"y": "µm", "x": "parrots"})
    fill(OmeZarrLabels(version=version)(target, spec), cells(spec.shape, 50))
    valid(target)
    written = OmeZarrReader()(target)
    assert [level.shape for level in written.levels] == [(3, 1030, 700), (3, 515, 350), (3, 258, 175)]
    assert written.levels[2].scale == (1.0, 2.0, 2.0)
    assert written.units == {"y": "micrometer"}
    assert "source" not in attributes_of(target)["image-label"]


def test_z_is_halved_once_it_is_as_large_as_y_and_x(make, spec_of) -> None:
    sink = OmeZarrLabels()(str(make.folder / "l.zarr"), spec_of(axes="zyx", shape=(800, 1200, 1200)))
    assert [laid.level.shape for laid in sink.layout.levels] == [(800, 1200, 1200), (800, 600, 600), (400, 300, 300)]


def test_one_level_is_written_without_a_pyramid(make, spec_of, fill, cells, valid) -> None:
    target = str(make.folder / "labels.zarr")
    fill(OmeZarrLabels(pyramid=False)(target, spec_of(make.image())), cells((61, 87)))
    valid(target)
    assert len(OmeZarrReader()(target).levels) == 1


def test_labels_of_a_coarser_level_still_have_as_many_levels_as_the_image(make, spec_of, fill, cells, valid) -> None:
    path = make.image()
    half = OmeZarrReader(level=1)(path)
    fill(OmeZarrLabels()(f"{path}/labels/cells", spec_of(half)), cells(half.shape[1:]))
    valid(path)
    written = OmeZarrReader(image="labels/cells")(path)
    assert [level.path for level in written.levels] == ["1", "2", "3"]
    assert [level.shape for level in written.levels] == [(31, 44), (16, 22), (8, 11)]
    assert written.levels[2].scale == (4.0, 2.0)


def test_labels_of_another_format_take_the_levels_of_the_image_that_they_are_put_in(
    make, spec_of, fill, cells, valid
) -> None:
    path = make.image(version="0.4")
    spec = spec_of(shape=(61, 87), image="/data/image.tif", image_format="ome-tiff")
    fill(OmeZarrLabels()(f"{path}/labels/cells", spec), cells((61, 87)))
    valid(path)
    assert len(OmeZarrReader(image="labels/cells")(path).levels) == 3
    with pytest.raises(InvalidOption, match=r"labels of shape \(60, 87\) do not belong to"):
        OmeZarrLabels()(f"{path}/labels/other", spec_of(shape=(60, 87), run="other"))


@VERSIONS
def test_levels_in_nested_folders_keep_their_paths(make, spec_of, fill, cells, valid, version: str) -> None:
    levels = tuple(Level(path=f"scale{k}/labels", shape=(64 >> k, 64 >> k), scale=(2.0**k, 2.0**k)) for k in range(3))
    target = str(make.folder / "labels.zarr")
    fill(OmeZarrLabels(version=version)(target, spec_of(shape=(64, 64), levels=levels)), cells((64, 64)))
    valid(target)
    assert OmeZarrReader()(target).levels == levels


def test_levels_whose_paths_cannot_be_folders_are_numbered(make, spec_of) -> None:
    levels = tuple(Level(path="", shape=(64 >> k, 64 >> k), scale=(2.0**k, 2.0**k)) for k in range(2))
    sink = OmeZarrLabels()(str(make.folder / "l.zarr"), spec_of(shape=(64, 64), levels=levels))
    assert [laid.level.path for laid in sink.layout.levels] == ["0", "1"]


def test_sharded_labels_are_valid_and_written_by_shards(make, spec_of, fill, cells, valid) -> None:
    path = make.image(shape=(1, 140, 200))
    spec = spec_of(path, tile=(128, 128))
    sink = OmeZarrLabels(chunks=16, shards=(64, 64))(f"{path}/labels/cells", spec)
    labels = cells((140, 200))
    fill(sink, labels)
    valid(path)
    assert (sink.read().chunks, sink.read().shards) == ((16, 16), (64, 64))
    np.testing.assert_array_equal(sink.read()[...], labels)


@VERSIONS
def test_other_labels_stay_listed_and_are_not_touched(make, spec_of, fill, cells, valid, version: str) -> None:
    path = make.image(version=version)
    for number, name in enumerate(("cells", "nuclei")):
        fill(OmeZarrLabels()(f"{path}/labels/{name}", spec_of(path, run=name)), cells((61, 87), 5 + number))
    group = zarr.open_group(f"{path}/labels", mode="r+")
    group.attrs["note"] = "kept"
    fill(OmeZarrLabels()(f"{path}/labels/third", spec_of(path, run="third")), cells((61, 87)))
    valid(path)
    assert label_names(path) == ("cells", "nuclei", "third")
    assert attributes_of(f"{path}/labels")["note"] == "kept"
    np.testing.assert_array_equal(OmeZarrReader(image="labels/cells")(path).data[...], cells((61, 87), 5))


def test_a_list_that_another_run_has_overwritten_is_completed(make, spec_of, fill, cells, valid) -> None:
    path = make.image()
    for name in ("a", "b"):
        fill(OmeZarrLabels()(f"{path}/labels/{name}", spec_of(path, run=name)), cells((61, 87)))
        zarr.open_group(f"{path}/labels", mode="r+").attrs.put({})  # as if the other had read the list before
    fill(OmeZarrLabels()(f"{path}/labels/c", spec_of(path, run="c")), cells((61, 87)))
    assert sorted(label_names(path)) == ["a", "b", "c"]
    valid(path)


@VERSIONS
def test_labels_are_neither_there_nor_listed_before_they_are_finished(make, spec_of, fill, cells, version: str) -> None:
    path = make.image(version=version)
    sink = OmeZarrLabels()(f"{path}/labels/cells", spec_of(path))
    fill(sink, cells((61, 87)), finish=False)
    assert not Path(path, "labels").exists()
    assert label_names(path) == ()
    sink.finish({})
    assert label_names(path) == ("cells",)


@VERSIONS
def test_finished_labels_replace_earlier_ones_whole(make, spec_of, fill, cells, valid, version: str) -> None:
    path = make.image(version=version)
    target = f"{path}/labels/cells"
    fill(OmeZarrLabels()(target, spec_of(path, run="one")), cells((61, 87), 5))
    second = cells((61, 87), 9)
    sink = OmeZarrLabels()(target, spec_of(path, run="two"))
    fill(sink, second, finish=False)
    np.testing.assert_array_equal(OmeZarrReader(image="labels/cells")(path).data[...], cells((61, 87), 5))
    sink.finish({})
    valid(path)
    np.testing.assert_array_equal(OmeZarrReader(image="labels/cells")(path).data[...], second)
    assert label_names(path) == ("cells",)
    assert [p.name for p in Path(path).parent.rglob("*.replaced")] == []


@VERSIONS
def test_consolidated_metadata_shows_the_new_labels(make, spec_of, fill, cells, version: str) -> None:
    path = make.image(version=version)
    if version == "0.4":
        zarr.consolidate_metadata(path, zarr_format=2)
    else:
        with pytest.warns(UserWarning, match="Consolidated metadata"):
            zarr.consolidate_metadata(path, zarr_format=3)
    fill(OmeZarrLabels()(f"{path}/labels/cells", spec_of(path)), cells((61, 87)))
    consolidated = zarr.open_group(path, mode="r", use_consolidated=True)
    assert "labels/cells/0" in consolidated


def test_metadata_that_is_not_consolidated_stays_so(make, spec_of, fill, cells) -> None:
    path = make.image()
    before = json.loads((Path(path) / "zarr.json").read_text())
    fill(OmeZarrLabels()(f"{path}/labels/cells", spec_of(path)), cells((61, 87)))
    assert json.loads((Path(path) / "zarr.json").read_text()) == before


def test_the_stage_is_put_beside_the_outermost_store(make, tmp_path: Path) -> None:
    writer, path = OmeZarrLabels(), make.image()
    assert writer.beside(f"{path}/labels/cells") == Path(path)
    assert writer.beside(str(tmp_path / "new.zarr")) == tmp_path / "new.zarr"
    assert writer.beside(path) == Path(path)


def test_a_path_is_taken_when_something_is_there(make) -> None:
    path = make.image()
    assert OmeZarrLabels().exists(path)
    assert not OmeZarrLabels().exists(f"{path}/labels/cells")


@VERSIONS
def test_labels_in_an_image_have_its_version(make, spec_of, version: str) -> None:
    path = make.image(version=version)
    other = {"0.4": "0.5", "0.5": "0.4"}[version]
    with pytest.raises(InvalidOption, match=f"version '{other}' was asked for, but labels of .* must be {version}"):
        OmeZarrLabels(version=other)(f"{path}/labels/cells", spec_of(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": 64, "version": "0.4"}, "0.4 has no shards"),
        ({"shards": 100, "chunks": 64}, r"shards \(100, 100\) are not multiples of the chunks \(64, 64\)"),
        ({"chunks": (1, 2, 3)}, "have 3 numbers, but the labels have axes 'yx'"),
        ({"chunks": 0}, "at least 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(make, spec_of, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        OmeZarrLabels(**options)(str(make.folder / "l.zarr"), spec_of(shape=(64, 64)))


@pytest.mark.parametrize("axes", ["x", "xt", "yt"])
def test_axes_that_ome_zarr_cannot_hold_are_refused_in_one_line(make, spec_of, axes: str) -> None:
    with pytest.raises(InvalidOption, match=f"cannot hold labels with axes '{axes}'") as caught:
        OmeZarrLabels()(str(make.folder / "l.zarr"), spec_of(axes=axes, shape=(8,) * len(axes)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inside", ["cells", "labels/deep/cells", "0/labels/cells", "labels/.cells", "labels/__a"])
def test_paths_inside_a_store_that_are_no_place_for_labels_are_refused(make, spec_of, inside: str) -> None:
    path = make.image()
    with pytest.raises(InvalidOption):
        OmeZarrLabels()(f"{path}/{inside}", spec_of(path))


def test_labels_of_a_plate_and_of_the_image_itself_are_refused(make, spec_of) -> None:
    path = make.image()
    spec = spec_of(path)
    with pytest.raises(InvalidOption, match=r"is a plate of 2 wells; .*choose one of its images"):
        OmeZarrLabels()(make.plate() + "/labels/cells", spec)
    for whole in (path, str(Path(path).parent)):
        with pytest.raises(InvalidOption, match="would replace the image"):
            OmeZarrLabels()(whole, spec)
    with pytest.raises(InvalidOption, match="pyramid=False, but labels inside"):
        OmeZarrLabels(pyramid=False)(f"{path}/labels/cells", spec)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "__x", "zarr.json"])
def test_names_that_cannot_be_folders_are_refused(make, name: str) -> None:
    with pytest.raises(InvalidOption, match="cannot be the name"):
        OmeZarrLabels().destination(make.image(), name)


def test_an_image_that_is_no_ome_zarr_has_no_place_for_labels(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="give an output path"):
        OmeZarrLabels().destination(str(tmp_path / "image.tif"), "cells")


def test_a_labels_group_of_another_zarr_format_is_refused(make, spec_of) -> None:
    path = make.image(version="0.5")
    zarr.open_group(f"{path}/labels", mode="w", zarr_format=2)
    with pytest.raises(InvalidImage, match="is of zarr v2, but its image of v3"):
        OmeZarrLabels()(f"{path}/labels/cells", spec_of(path))


@pytest.mark.parametrize("shape", [(70, 64), (0, 64)])
def test_levels_that_grow_or_are_empty_are_refused(make, spec_of, shape: tuple[int, int]) -> None:
    levels = (Level(path="0", shape=(64, 64), scale=(1, 1)), Level(path="1", shape=shape, scale=(2, 2)))
    with pytest.raises(InvalidImage, match="order the levels from fine to coarse"):
        OmeZarrLabels()(str(make.folder / "l.zarr"), spec_of(shape=(64, 64), levels=levels))


def test_a_run_that_was_killed_goes_on_with_what_it_had_written(make, spec_of, fill, cells, blocks, valid) -> None:
    path = make.image()
    target, labels = f"{path}/labels/cells", cells((61, 87))
    spec = spec_of(path, tile=(16, 16))
    first = OmeZarrLabels(chunks=16)(target, spec)
    regions = [tuple(region) for region in blocks(first, labels.shape)]
    for region in regions[::2]:
        first.write(region, labels[region])
    stray = first.aside / "0" / "c" / "0" / "0.abc.partial"
    stray.write_bytes(b"cut off")
    second = OmeZarrLabels(chunks=16)(target, spec)
    assert not stray.exists()
    for region in [*regions[1::2], regions[0]]:  # one of them again, as after a kill before it was noted
        second.write(region, labels[region])
    second.finish({})
    valid(path)
    np.testing.assert_array_equal(second.read()[...], labels)


@pytest.mark.parametrize("killed", ["before the renames", "between the renames", "before the list", "after all"])
def test_a_run_that_was_killed_in_finish_finishes(make, spec_of, fill, cells, valid, killed: str) -> None:
    path = make.image()
    target, labels, spec = Path(path, "labels", "cells"), cells((61, 87), 9), spec_of(path)
    fill(OmeZarrLabels()(str(target), spec_of(path, run="earlier")), cells((61, 87), 4))
    earlier = shutil.copytree(target, make.folder / "earlier.zarr")
    sink = OmeZarrLabels()(str(target), spec)
    fill(sink, labels)
    old = target.with_name(".cells.replaced")
    if "renames" in killed:
        target.rename(sink.aside)
        earlier.rename(target if killed == "before the renames" else old)
    if killed == "before the list":
        earlier.rename(old)
        zarr.open_group(f"{path}/labels", mode="r+").attrs.put({})
    again = OmeZarrLabels()(str(target), spec)
    again.write((slice(0, 61), slice(0, 87)), labels)
    again.finish({"run": 2})
    valid(path)
    assert not old.exists()
    np.testing.assert_array_equal(again.read()[...], labels)


def test_the_options_and_the_sink_are_pickled(make, spec_of, fill, cells) -> None:
    writer = OmeZarrLabels(chunks=32, downsampling="mode")
    assert pickle.loads(pickle.dumps(writer)) == writer
    sink = writer(str(make.folder / "labels.zarr"), spec_of(shape=(100, 100)))
    sink.write((slice(0, 32), slice(0, 32)), cells((32, 32)))
    copy = pickle.loads(pickle.dumps(sink))
    assert copy == sink
    assert math.prod(copy.block) == 32 * 32
    fill(copy, cells((100, 100)))
    np.testing.assert_array_equal(sink.read()[...], cells((100, 100)))


def test_labels_in_0_4_are_compressed_with_what_every_reader_knows(make, spec_of) -> None:
    sink = OmeZarrLabels(version="0.4")(str(make.folder / "l.zarr"), spec_of(shape=(64, 64)))
    metadata = json.loads((sink.aside / "0" / ".zarray").read_text())
    assert (metadata["compressor"]["id"], metadata["dimension_separator"]) == ("blosc", "/")


def test_large_ids_keep_their_value(make, spec_of) -> None:
    sink = OmeZarrLabels()(str(make.folder / "l.zarr"), spec_of(shape=(8, 8), dtype=np.dtype("u8")))
    sink.write((slice(0, 8), slice(0, 8)), np.full((8, 8), 2**40, "u8"))
    sink.finish({})
    assert (np.asarray(sink.read()[...]) == 2**40).all()


@VERSIONS
@pytest.mark.parametrize("chosen", ["A/1/0", "A/2/1"])
def test_labels_of_an_image_that_the_reader_chose_are_those_of_that_image(make, version: str, chosen: str) -> None:
    path = make.plate(version)
    parts = {"segmenter": bright, "reader": {"name": "ome-zarr", "configuration": {"image": chosen}}}
    result = Pipeline(**parts).run(path, channel=0)
    assert str(result.path) == f"{path}/{chosen}/labels/labels"
    assert label_names(f"{path}/{chosen}") == ("labels",)
    assert Pipeline(**parts).run(path, f"{path}/A/1/1/labels/others", channel=0).n_objects == 1
    for destroyed in (path, f"{path}/{chosen}", f"{path}/{chosen}/0", f"{path}/A"):
        with pytest.raises(InvalidOption, match=r"would overwrite the image|lies inside the zarr store|would replace"):
            Pipeline(**parts).run(path, destroyed, channel=0, overwrite=True)


def bright(pixels: Any) -> Any:
    return (pixels >= 0).astype(np.uint8)


@VERSIONS
def test_a_pipe_in_place_of_the_metadata_of_labels_is_refused_before_any_is_added(make, spec_of, version: str) -> None:
    path = make.image(version=version)
    target = OmeZarrLabels().destination(path, "cells")
    Path(path, "labels").mkdir()
    os.mkfifo(Path(path, "labels", {"0.4": ".zgroup", "0.5": "zarr.json"}[version]))
    with pytest.raises(NotReadable, match="is a pipe"):
        OmeZarrLabels()(target, spec_of(path))
