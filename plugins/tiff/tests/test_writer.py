"""Label OME-TIFFs: exact at every level, readable by others, in their place whole or not at all."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
import zarr

from tilewright.errors import InvalidOption
from tilewright_tiff.export import Export
from tilewright_tiff.pyramid import picks
from tilewright_tiff.reader import TiffReader
from tilewright_tiff.writer import OmeTiffLabels

MICRONS = {"spacing": {"z": 2.0, "y": 0.5, "x": 0.25}, "units": dict.fromkeys("zyx", "micrometer")}
SHAPES = {"yx": (1100, 1300), "zyx": (3, 600, 520), "tyx": (2, 600, 520), "tzyx": (2, 3, 530, 70)}


def written(path: Path) -> list[Any]:
    """All levels as tifffile decodes them."""
    with tifffile.TiffFile(path) as tif:
        return [level.asarray(squeeze=False) for level in tif.series[0].levels]


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_what_is_written_is_read_with_its_levels_and_pixel_sizes(
    tmp_path: Path, spec_of, fill, cells, axes: str, compression: str
) -> None:
    if compression == "zstd":
        pytest.importorskip("imagecodecs")
    path, labels = tmp_path / "cells.ome.tif", cells(SHAPES[axes], 17)
    spec = spec_of(
        shape=labels.shape,
        axes=axes,
        name="cells",
        spacing={"t": 2.0, "z": 2.0, "y": 500.0, "x": 0.25},
        units={"t": "minute", "z": "micrometer", "y": "nanometer", "x": "µm"},
    )
    sink = OmeTiffLabels(compression=compression)(str(path), spec)
    fill(sink, labels)
    np.testing.assert_array_equal(sink.read()[...], labels)
    image = TiffReader()(str(path))
    assert (image.axes, image.format, image.name) == (axes, "ome-tiff", "cells")
    assert image.spacing == {axis: {"t": 120, "z": 2.0, "y": 0.5, "x": 0.25}[axis] for axis in axes}
    for number, level in enumerate(image.levels):
        coarse = labels[..., :: 2**number, :: 2**number]
        np.testing.assert_array_equal(TiffReader(level=number)(str(path)).data[...], coarse)
        assert level.scale[-2:] == (0.5 * 2**number, 0.25 * 2**number)


@pytest.mark.parametrize("rounding", [math.ceil, math.floor])
def test_levels_have_the_shapes_of_the_image_and_ids_of_the_finest(
    tmp_path: Path, spec_of, fill, cells, levels, rounding
) -> None:
    labels = cells((1111, 777), 9)
    found = levels(labels.shape, 1, 4, 16, rounding=rounding)
    sink = OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape, levels=found))
    fill(sink, labels)
    for got, level in zip(written(tmp_path / "l.tif"), found, strict=True):
        assert got.squeeze().shape == level.shape
        assert set(np.unique(got)) <= set(np.unique(labels))


def test_levels_whose_shapes_no_factor_explains_still_have_ids_of_the_finest(
    tmp_path: Path, spec_of, fill, cells, levels
) -> None:
    labels = cells((1000, 800), 9)
    (finest, coarse) = levels(labels.shape, 1, 2)
    odd = type(coarse)(path="1", shape=(333, 313), scale=(3.0, 2.5))
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape, levels=(finest, odd))), labels)
    got = written(tmp_path / "l.tif")[1].squeeze()
    np.testing.assert_array_equal(got, labels[np.ix_(picks(1000, 333), picks(800, 313))])


def test_levels_that_are_coarser_along_z_keep_every_plane(tmp_path: Path, spec_of, fill, cells) -> None:
    from tilewright.image import Level

    labels = cells((4, 600, 600), 9)
    shapes = [(4, 600, 600), (2, 600, 600), (1, 300, 300)]
    found = tuple(Level(path=str(k), shape=shape, scale=(1.0, 1.0, 1.0)) for k, shape in enumerate(shapes))
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape, axes="zyx", levels=found)), labels)
    assert [level.squeeze().shape for level in written(tmp_path / "l.tif")] == [(4, 600, 600), (4, 300, 300)]


def test_one_level_is_written_without_a_pyramid(tmp_path: Path, spec_of, fill, cells) -> None:
    labels = cells((1100, 600))
    fill(OmeTiffLabels(pyramid=False)(str(tmp_path / "l.tif"), spec_of(shape=labels.shape)), labels)
    assert len(written(tmp_path / "l.tif")) == 1


@pytest.mark.parametrize(("highest", "dtype"), [(65_535, "uint16"), (65_536, "uint32")])
def test_ids_are_16_bits_where_they_fit(tmp_path: Path, spec_of, fill, highest: int, dtype: str) -> None:
    labels = np.zeros((600, 600), "u4")
    labels[599, 599] = highest  # where no coarse level looks
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape)), labels)
    got = written(tmp_path / "l.tif")[0].squeeze()
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, labels)
    fill(OmeTiffLabels(dtype="uint32")(str(tmp_path / "m.tif"), spec_of(shape=labels.shape, run="other")), labels)
    assert written(tmp_path / "m.tif")[0].dtype == "uint32"


def test_ids_that_do_not_fit_the_type_that_was_asked_for_are_refused(tmp_path: Path, spec_of, fill) -> None:
    labels = np.full((10, 10), 70_000, "u4")
    with pytest.raises(InvalidOption, match="the ids go up to 70,000"):
        fill(OmeTiffLabels(dtype="uint16")(str(tmp_path / "l.tif"), spec_of(shape=labels.shape)), labels)
    assert not (tmp_path / "l.tif").exists()


@pytest.mark.filterwarnings("ignore")  # of the reader, which is not ours
def test_others_read_it_as_we_do(tmp_path: Path, spec_of, fill, cells) -> None:
    bioio = pytest.importorskip("bioio")
    path, labels = tmp_path / "cells.ome.tif", cells((3, 700, 520), 17)
    fill(OmeTiffLabels()(str(path), spec_of(shape=labels.shape, axes="zyx", name="cells", **MICRONS)), labels)
    with tifffile.TiffFile(path) as tif:
        assert tif.series[0].levels[0].keyframe.tile == (512, 512)
        for number in range(2):
            array = zarr.open_array(tif.series[0].aszarr(level=number), mode="r")
            np.testing.assert_array_equal(array[...], labels[:, :: 2**number, :: 2**number])
    image = bioio.BioImage(path)
    np.testing.assert_array_equal(image.get_image_data("ZYX"), labels)
    assert tuple(image.physical_pixel_sizes) == (2.0, 0.5, 0.25)
    annotation = image.metadata.structured_annotations.map_annotations[0]
    assert (annotation.namespace, annotation.value["source"]) == ("tilewright", '/dätä/<image> & "co".tif')


def test_what_ran_is_kept_in_the_file(tmp_path: Path, spec_of, fill, cells) -> None:
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=(64, 64))), cells((64, 64)))
    with tifffile.TiffFile(tmp_path / "l.tif") as tif:
        root = ElementTree.fromstring(tif.ome_metadata)
    entries = {m.attrib["K"]: m.text for m in root.iterfind(".//{*}MapAnnotation/{*}Value/{*}M")}
    assert entries == {"tilewright": "0.1.0", "source": '/dätä/<image> & "co".tif', "n_objects": "3"}


def test_resolution_tags_tell_the_pixel_size_to_readers_without_ome_xml(tmp_path: Path, spec_of, fill, cells) -> None:
    labels = cells((1100, 600))
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape, **MICRONS)), labels)
    with tifffile.TiffFile(tmp_path / "l.tif") as tif:
        for level in tif.series[0].levels:
            tags, factor = level.keyframe.tags, 1100 / level.shape[0]
            across, down = (tags[name].value for name in ("XResolution", "YResolution"))
            assert across[0] / across[1] == pytest.approx(1e4 / 0.25 / factor)
            assert down[0] / down[1] == pytest.approx(1e4 / 0.5 / factor)


def test_spacing_without_a_known_unit_is_left_out(tmp_path: Path, spec_of, fill, cells) -> None:
    labels = cells((64, 64))
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=(64, 64), spacing={"y": 3.0, "x": 3.0})), labels)
    assert TiffReader()(str(tmp_path / "l.tif")).spacing == {}


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("yx", (1, 90)),
        ("zyx", (1, 90, 80)),
        ("tyx", (1, 90, 80)),
        ("tzyx", (1, 1, 90, 80)),
        ("tzyx", (1, 3, 900, 80)),
        ("tzyx", (3, 1, 90, 1)),
    ],
)
def test_axes_of_length_1_come_back(tmp_path: Path, spec_of, fill, cells, axes: str, shape: tuple[int, ...]) -> None:
    labels = cells(shape)
    sink = OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=shape, axes=axes, **MICRONS))
    fill(sink, labels)
    np.testing.assert_array_equal(sink.read()[...], labels)
    image = TiffReader()(str(tmp_path / "l.tif"))
    assert (image.axes, image.shape) == (axes, shape)
    assert image.spacing == {axis: MICRONS["spacing"][axis] for axis in axes if axis != "t"}
    assert all(len(level.shape) == len(shape) for level in image.levels)


def test_axes_that_the_user_gives_overrule_those_of_the_labels(tmp_path: Path, spec_of, fill, cells) -> None:
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=(1, 3, 90, 80), axes="tzyx")), cells((1, 3, 90, 80)))
    assert TiffReader(axes="tyx")(str(tmp_path / "l.tif")).axes == "tyx"


@pytest.mark.parametrize("axes", ["zzyx", "yx", "nonsense", "tyx"])
def test_axes_in_a_file_that_do_not_fit_its_pixels_are_not_believed(tmp_path: Path, axes: str) -> None:
    annotation = {"Namespace": "tilewright", "Value": {"label axes": axes}}
    tifffile.imwrite(
        tmp_path / "l.ome.tif", np.zeros((3, 90, 80), "u2"), metadata={"axes": "ZYX", "MapAnnotation": annotation}
    )
    assert TiffReader()(str(tmp_path / "l.ome.tif")).axes == "zyx"


def test_no_labels_at_all_are_an_empty_image(tmp_path: Path, spec_of, fill) -> None:
    labels = np.zeros((700, 20), "u4")
    fill(OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=labels.shape)), labels)
    np.testing.assert_array_equal(written(tmp_path / "l.tif")[0].squeeze(), labels)


@pytest.mark.parametrize(("pixels", "big"), [(40, False), (200, True)])
def test_a_file_is_big_where_it_may_have_to_be(tmp_path: Path, spec_of, monkeypatch, pixels: int, big: bool) -> None:
    """What is asked of tifffile, without gigabytes: the limit is moved."""
    monkeypatch.setattr("tilewright_tiff.export.CLASSIC", 10_000)
    labels = zarr.zeros((pixels, pixels), dtype="u4", chunks=(512, 512), store=str(tmp_path / "z"))
    Export(
        levels=[labels], dtype=np.dtype("u2"), tile=512, compression="deflate", spec=spec_of(shape=labels.shape)
    ).write(tmp_path / "l.tif", {})
    with tifffile.TiffFile(tmp_path / "l.tif") as tif:
        assert tif.is_bigtiff == big


def test_a_run_that_was_killed_goes_on_with_what_it_had_written(tmp_path: Path, spec_of, fill, cells) -> None:
    labels, spec = cells((1100, 1100)), spec_of(shape=(1100, 1100))
    first = OmeTiffLabels()(str(tmp_path / "l.tif"), spec)
    first.write((slice(0, 512), slice(0, 512)), labels[:512, :512])
    (spec.workdir / "labels.zarr" / "c" / "0" / "1.partial").write_bytes(b"cut off")
    second = OmeTiffLabels()(str(tmp_path / "l.tif"), spec)
    rest = labels.copy()
    rest[:512, :512] = 0
    fill(second, rest)
    np.testing.assert_array_equal(second.read()[...], labels)


def test_a_failure_leaves_the_earlier_file_and_can_be_repeated(
    tmp_path: Path, spec_of, fill, cells, monkeypatch
) -> None:
    path, labels = tmp_path / "l.tif", cells((600, 600))
    fill(OmeTiffLabels()(str(path), spec_of(shape=labels.shape, run="one")), labels)
    before = path.read_bytes()
    sink = OmeTiffLabels()(str(path), spec_of(shape=labels.shape, run="two"))
    fill(sink, cells((600, 600), 5), finish=False)

    def broken(self: Export, level: Any) -> Any:
        yield np.zeros((512, 512), "u2")
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Export, "_tiles", broken)
        with pytest.raises(OSError, match="no space left"):
            sink.finish({})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tif"] == ["l.tif"]
    sink.finish({})
    np.testing.assert_array_equal(sink.read()[...], cells((600, 600), 5))


def test_options_and_sink_are_pickled(tmp_path: Path, spec_of, fill, cells) -> None:
    sink = OmeTiffLabels(tile=256)(str(tmp_path / "l.tif"), spec_of(shape=(600, 600)))
    sink.write((slice(0, 256), slice(0, 256)), cells((256, 256)))
    copy = pickle.loads(pickle.dumps(sink))
    assert copy == sink
    fill(copy, cells((600, 600)))
    np.testing.assert_array_equal(sink.read()[...], cells((600, 600)))


@pytest.mark.parametrize("axes", ["x", "xy", "yxz", "zx", "ytx"])
def test_axes_that_ome_tiff_cannot_hold_are_refused_in_one_line(tmp_path: Path, spec_of, axes: str) -> None:
    with pytest.raises(InvalidOption, match=f"cannot hold labels with axes '{axes}'"):
        OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=(8,) * len(axes), axes=axes))


def test_what_makes_no_ome_tiff_is_refused(tmp_path: Path, spec_of) -> None:
    spec = spec_of(shape=(8, 8))
    with pytest.raises(InvalidOption, match="not a multiple of 16"):
        OmeTiffLabels(tile=100)
    with pytest.raises(InvalidOption, match="is a folder"):
        OmeTiffLabels()(str(tmp_path), spec)
    with pytest.raises(InvalidOption, match="has no uint64"):
        OmeTiffLabels()(str(tmp_path / "l.tif"), spec_of(shape=(8, 8), dtype=np.dtype("u8")))


@pytest.mark.parametrize(
    ("image", "output"),
    [
        ("/data/slide.ome.tiff", "/data/slide.cells.ome.tif"),
        ("/data/a.b.svs", "/data/a.b.cells.ome.tif"),
        ("/data/a.companion.ome", "/data/a.cells.ome.tif"),
        ("/data.d/image.OME.ZARR/", "/data.d/image.cells.ome.tif"),
        ("/data.d/raw", "/data.d/raw.cells.ome.tif"),
        ("s3://bucket/a.tif", "s3://bucket/a.cells.ome.tif"),  # refused as any output that is a URL
    ],
)
def test_labels_go_beside_their_image(image: str, output: str) -> None:
    assert OmeTiffLabels().destination(image, "cells") == output
