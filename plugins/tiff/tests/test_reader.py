"""Images from TIFF files of every kind: axes, pixel sizes, names, levels, and pixels read where they are looked at."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from tilewright import Pipeline
from tilewright.abc import Location
from tilewright.errors import CheckpointMismatch, InvalidImage, InvalidOption, NotReadable, SegmenterFailed
from tilewright.io.formats import choose_reader
from tilewright_tiff import pages, retiling
from tilewright_tiff.lazy import Arranged
from tilewright_tiff.pages import Planes
from tilewright_tiff.reader import TiffReader
from tilewright_tiff.retiling import Retiled

UM = "micrometer"
OME_SIZES = {
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 500.0,
    "PhysicalSizeYUnit": "nm",
    "PhysicalSizeZ": 1.5,
}


def pixels(*shape: int, dtype: str = "u2") -> NDArray[Any]:
    return np.random.default_rng(len(shape)).integers(0, 200, shape).astype(dtype)


def source(image: Any) -> Any:
    """What an image's data are read from."""
    return image.data._source


def test_ome_tiff_has_its_axes_sizes_and_channels(tmp_path: Path) -> None:
    path, data = tmp_path / "a.ome.tif", pixels(2, 5, 300, 400)
    names = {"Name": ["DAPI", "GFP"]}
    options = {"axes": "CZYX", "Name": "cells", "Channel": names, "TimeIncrement": 2.0, **OME_SIZES}
    tifffile.imwrite(path, data, tile=(128, 128), compression="zlib", predictor=True, metadata=options)
    image = TiffReader()(str(path))
    assert (image.axes, image.shape, image.dtype) == ("czyx", data.shape, data.dtype)
    assert image.spacing == {"z": 1.5, "y": 0.5, "x": 0.25}
    assert image.units == dict.fromkeys("zyx", UM)
    assert (image.channels, image.name, image.format) == (("DAPI", "GFP"), "cells", "ome-tiff")
    assert image.chunks == (1, 1, 128, 128)
    np.testing.assert_array_equal(image.data[...], data)


def test_imagej_stacks_come_with_z_and_time(tmp_path: Path) -> None:
    path, data = tmp_path / "a.tif", pixels(3, 5, 2, 30, 40)
    options = {"axes": "TZCYX", "unit": "micron", "spacing": 1.5, "finterval": 30.0}
    tifffile.imwrite(path, data, imagej=True, resolution=(4, 2), metadata=options)
    image = TiffReader()(str(path))
    assert (image.axes, image.shape) == ("tczyx", (3, 2, 5, 30, 40))
    assert image.spacing == {"t": 30.0, "z": 1.5, "y": 0.5, "x": 0.25}
    assert image.units == {"t": "second", "z": UM, "y": UM, "x": UM}
    assert isinstance(source(image), Planes)
    np.testing.assert_array_equal(image.data[...], data.transpose(0, 2, 1, 3, 4))


def test_labels_of_imagej_name_the_channels_of_a_plane(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(2, 9, 9), imagej=True, metadata={"axes": "CYX", "Labels": ["A", "B"]})
    assert TiffReader()(str(tmp_path / "a.tif")).channels == ("A", "B")
    tifffile.imwrite(tmp_path / "b.tif", pixels(2, 9, 9), imagej=True, metadata={"axes": "ZYX", "Labels": ["A", "B"]})
    assert TiffReader()(str(tmp_path / "b.tif")).channels == ()


@pytest.mark.parametrize(
    ("resolution", "unit", "spacing"),
    [
        ((40_000, 20_000), "CENTIMETER", {"y": 0.5, "x": 0.25}),
        ((50_800, 50_800), "INCH", {"y": 0.5, "x": 0.5}),
        ((72, 72), "INCH", {}),
        ((28.35, 28.35), "CENTIMETER", {}),
        ((300, 300), "INCH", {}),
        ((1, 1), "INCH", {}),
        ((200, 200), "CENTIMETER", {"y": 50.0, "x": 50.0}),
        ((4, 4), "NONE", {}),
        ((0, 0), "CENTIMETER", {}),
    ],
)
def test_resolution_tags_are_a_pixel_size_unless_a_screen_or_printer_has_it(
    tmp_path: Path, resolution: tuple[float, float], unit: str, spacing: dict[str, float]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(9, 9), resolution=resolution, resolutionunit=unit)
    image = TiffReader()(str(tmp_path / "a.tif"))
    assert image.spacing == pytest.approx(spacing)
    assert image.units == dict.fromkeys(spacing, UM)


def test_ome_xml_comes_before_resolution_tags_and_they_before_nothing(tmp_path: Path) -> None:
    tags = {"resolution": (10_000, 10_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels(9, 9), metadata={"axes": "YX", **OME_SIZES}, **tags)
    assert TiffReader()(str(tmp_path / "a.ome.tif")).spacing == {"y": 0.5, "x": 0.25}
    tifffile.imwrite(tmp_path / "b.ome.tif", pixels(9, 9), metadata={"axes": "YX"}, **tags)
    assert TiffReader()(str(tmp_path / "b.ome.tif")).spacing == {"y": 1.0, "x": 1.0}


@pytest.mark.parametrize(
    ("unit", "resolution", "tag", "spacing"),
    [
        ("inch", 72, "NONE", {}),
        ("inch", 50_800, "NONE", {"y": 0.5, "x": 0.5}),
        ("cm", 28.35, "NONE", {}),
        ("", 20_000, "CENTIMETER", {"y": 0.5, "x": 0.5}),
        ("", 72, "INCH", {}),
        ("pixel", 1, "NONE", {}),
    ],
)
def test_imagej_that_knows_no_pixel_size_leaves_it_to_resolution_tags(
    tmp_path: Path, unit: str, resolution: float, tag: str, spacing: dict[str, float]
) -> None:
    """ImageJ keeps the 72 dpi of a screenshot that it opened as a calibration in inches."""
    said = {"unit": unit} if unit else {}
    tifffile.imwrite(
        tmp_path / "a.tif", pixels(9, 9), imagej=True, resolution=(resolution,) * 2, resolutionunit=tag, metadata=said
    )
    assert TiffReader()(str(tmp_path / "a.tif")).spacing == pytest.approx(spacing)


def slide(path: Path, base: NDArray[Any], mpp: str = "|MPP = 0.4990") -> None:
    """A file as Aperio's scanners write it: finest level, thumbnail, coarser level."""
    height, width = base.shape[:2]
    text = f"Aperio Image Library v12\r\n{width}x{height} [0,0 {width}x{height}] (256x256) JPEG|AppMag = 20{mpp}"
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "metadata": None, "software": False}
    with tifffile.TiffWriter(path) as tif:
        tif.write(base, description=text, compression="zlib", **options)
        tif.write(
            base[::4, ::4][:60], description="Aperio Image Library v12\r\n thumb", photometric="rgb", metadata=None
        )
        tif.write(np.ascontiguousarray(base[::4, ::4]), description=text, compression="zlib", **options)


def test_a_slide_has_its_pyramid_pixel_size_and_colours_as_channels(tmp_path: Path) -> None:
    base = pixels(1203, 1001, 3, dtype="u1")
    slide(tmp_path / "a.svs", base)
    image = TiffReader(series=0)(str(tmp_path / "a.svs"))
    assert (image.axes, image.shape, image.format) == ("cyx", (3, 1203, 1001), "svs")
    assert image.channels == ("red", "green", "blue")
    assert image.spacing == {"y": 0.499, "x": 0.499}
    assert [level.shape for level in image.levels] == [(3, 1203, 1001), (3, 301, 251)]
    assert image.levels[1].scale == (1.0, 4 * 0.499, 4 * 0.499)
    np.testing.assert_array_equal(image.data[1:3, 5:900:3, 7], base[5:900:3, 7, 1:3].T)
    coarse = TiffReader(series=0, level=1)(str(tmp_path / "a.svs"))
    assert coarse.levels == image.levels[1:]
    assert coarse.spacing == {"y": 4 * 0.499, "x": 4 * 0.499}
    np.testing.assert_array_equal(coarse.data[...], base[::4, ::4].transpose(2, 0, 1))
    thumbnail = TiffReader(series=1)(str(tmp_path / "a.svs"))
    assert thumbnail.shape == (3, 60, 251)


def test_channels_with_colour_samples_are_counted_as_ome_counts_them(tmp_path: Path) -> None:
    data = pixels(2, 3, 40, 50, 3, dtype="u1")
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        data,
        photometric="rgb",
        metadata={"axes": "CZYXS", "Channel": {"Name": ["HE", "IHC"]}},
    )
    image = TiffReader()(str(tmp_path / "a.ome.tif"))
    expected = data.transpose(0, 4, 1, 2, 3).reshape(6, 3, 40, 50)
    assert (image.axes, image.shape) == ("czyx", (6, 3, 40, 50))
    assert image.channels[:4] == ("HE red", "HE green", "HE blue", "IHC red")
    np.testing.assert_array_equal(image.data[...], expected)
    np.testing.assert_array_equal(image.data[1:5, 2, 3:9, ::-1], expected[1:5, 2, 3:9, ::-1])
    np.testing.assert_array_equal(image.select("IHC red").data[0:2], expected[3, 0:2])


def test_samples_in_planes_of_their_own_are_channels_too(tmp_path: Path) -> None:
    data = pixels(3, 200, 300, dtype="u1")
    tifffile.imwrite(
        tmp_path / "a.tif", data, photometric="rgb", planarconfig="separate", tile=(64, 64), compression="zlib"
    )
    image = TiffReader()(str(tmp_path / "a.tif"))
    assert (image.axes, image.channels) == ("cyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(image.data[...], data)


def test_dimensions_that_nobody_names_are_asked_for(tmp_path: Path) -> None:
    path, data = str(tmp_path / "a.tif"), pixels(5, 30, 40)
    tifffile.imwrite(path, data, metadata=None, photometric="minisblack")
    with pytest.raises(InvalidImage, match=r"does not say what I is; pass axes, such as 'zyx'"):
        TiffReader()(path)
    for axes in ("zyx", "tyx"):
        image = TiffReader(axes=axes)(path)
        assert image.axes == axes
        np.testing.assert_array_equal(image.data[...], data)
    image = TiffReader(axes="yxc")(path)
    np.testing.assert_array_equal(image.data[...], data.transpose(2, 0, 1))
    with pytest.raises(InvalidOption, match=r"axes='yx' do not fit .* whose dimensions are 'IYX'"):
        TiffReader(axes="yx")(path)
    with pytest.raises(InvalidOption, match="do not fit"):
        TiffReader(axes="zzx")(path)


def test_the_axes_that_are_proposed_can_be_passed(tmp_path: Path) -> None:
    path, data = str(tmp_path / "a.tif"), pixels(2, 3, 4, 30, 40)
    for planes in (data, data[0]):
        tifffile.imwrite(path, planes, photometric="minisblack")
        with pytest.raises(InvalidImage, match=r"does not say what Q is; pass axes, such as '") as refused:
            TiffReader()(path)
        proposed = str(refused.value).split("'")[-2]
        assert TiffReader(axes=proposed)(path).shape == planes.shape
    tifffile.imwrite(path, pixels(2, 2, 2, 2, 8, 9), photometric="minisblack")
    with pytest.raises(InvalidImage, match="axes t c z y x and no others"):
        TiffReader()(path)


def test_axes_overrule_what_the_file_says(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(4, 9, 9), imagej=True, metadata={"axes": "ZYX", "spacing": 2.0})
    assert TiffReader(axes="tyx")(str(tmp_path / "a.tif")).axes == "tyx"


@pytest.mark.filterwarnings("ignore:.*MINISWHITE")  # which tifffile gives to booleans, and does not invert
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "u4", "f4", "f8", "?"])
@pytest.mark.parametrize("tiled", [False, True])
def test_any_byte_order_and_type_is_read(tmp_path: Path, order: str, big: bool, dtype: str, tiled: bool) -> None:
    data = pixels(100, 130).astype(dtype)
    options = {"tile": (32, 48), "compression": "zlib"} if tiled else {}
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=order, bigtiff=big, **options)
    image = TiffReader()(str(tmp_path / "a.tif"))
    assert image.dtype == np.dtype(dtype)
    assert image.data[...].dtype.isnative
    np.testing.assert_array_equal(image.data[...], data)


def test_regions_are_as_those_of_an_array(tmp_path: Path) -> None:
    data = pixels(4, 50, 60)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, tile=(16, 16), metadata={"axes": "CYX"})
    found = TiffReader()(str(tmp_path / "a.ome.tif")).data
    for region in (
        1,
        (slice(None), 5),
        (..., slice(3, 9)),
        (-1, slice(-9, None), slice(50, 2, -7)),
        (slice(0, 0),),
        (slice(1, 3), slice(40, 99)),
        (2, 3, 4),
    ):
        np.testing.assert_array_equal(found[region], data[region])
    np.testing.assert_array_equal(np.asarray(found), data)
    with pytest.raises(IndexError):
        found[4]


def multi_file(folder: Path, data: NDArray[Any], *, companion: bool) -> list[Path]:
    """A series of one file for each channel, its XML in all of them or in a companion file alone."""
    names = [f"c{c}.ome.tif" for c in range(len(data))]
    planes = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{c}</UUID></TiffData>'
        for c, name in enumerate(names)
    )
    channels = "".join(f'<Channel ID="Channel:0:{c}" Name="stain {c}" SamplesPerPixel="1"/>' for c in range(len(data)))
    schema = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    height, width = data.shape[1:]
    pixel = (
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{width}" SizeY="{height}" '
        f'SizeZ="1" SizeC="{len(data)}" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5">{channels}{planes}</Pixels>'
    )
    for c, name in enumerate(names):
        text = f'<OME {schema} UUID="urn:uuid:{c}"><Image ID="Image:0" Name="set">{pixel}</Image></OME>'
        if companion:
            text = f'<OME {schema} UUID="urn:uuid:{c}"><BinaryOnly MetadataFile="set.companion.ome" UUID="u"/></OME>'
        tifffile.imwrite(folder / name, data[c], tile=(32, 32), description=text, metadata=None)
    if companion:
        whole = f'<?xml version="1.0"?><OME {schema} UUID="u"><Image ID="Image:0" Name="set">{pixel}</Image></OME>'
        (folder / "set.companion.ome").write_text(whole)
    return [folder / name for name in names]


@pytest.mark.parametrize("companion", [False, True])
def test_a_series_of_several_files_is_one_image_from_any_of_them(tmp_path: Path, companion: bool) -> None:
    data = pixels(3, 60, 70)
    files = multi_file(tmp_path, data, companion=companion)
    for path in [*files, *tmp_path.glob("*.companion.ome")]:
        assert isinstance(choose_reader(Location.of(str(path))), TiffReader)
        image = TiffReader()(str(path))
        assert (image.axes, image.channels) == ("cyx", ("stain 0", "stain 1", "stain 2"))
        assert (image.spacing, image.name) == ({"y": 0.5, "x": 0.5}, "set")
        np.testing.assert_array_equal(image.data[...], data)


def test_a_companion_beside_the_folders_of_its_files_finds_them_all(tmp_path: Path) -> None:
    data = pixels(3, 60, 70)
    files = multi_file(tmp_path, data, companion=True)
    companion = tmp_path / "set.companion.ome"
    text = companion.read_text()
    for number, file in enumerate(files):
        folder = tmp_path / f"stain {number}"
        folder.mkdir()
        file.rename(folder / file.name)
        text = text.replace(f'"{file.name}"', f'"{folder.name}/{file.name}"')
    companion.write_text(text)
    image = TiffReader()(str(companion))
    assert (image.axes, image.name) == ("cyx", "set")
    np.testing.assert_array_equal(image.data[...], data)


@pytest.mark.parametrize("companion", [False, True])
def test_another_file_of_a_series_that_changed_is_a_change(tmp_path: Path, companion: bool) -> None:
    files = multi_file(tmp_path, pixels(2, 60, 70), companion=companion)
    pipeline = Pipeline(segmenter=stopping, tiler={"name": "grid", "configuration": {"tile": 32}}, writer="zarr-array")
    for changed in (False, True):
        if changed:
            files[1].write_bytes(files[1].read_bytes() + b"more")
        with pytest.raises(
            CheckpointMismatch if changed else SegmenterFailed,
            match="the image's files have changed" if changed else "enough",
        ):
            pipeline.run(files[0], tmp_path / "labels", channel=0, workers=1)


def stopping(pixels: NDArray[Any]) -> NDArray[Any]:
    """Labels for a first tile, which the checkpoint keeps, and an error at the image's edge."""
    if pixels.shape == (32, 32):
        return np.ones(pixels.shape, np.uint8)
    raise RuntimeError("enough")


@pytest.mark.parametrize("companion", [False, True])
def test_of_a_set_with_missing_files_the_planes_that_are_there_are_read(tmp_path: Path, companion: bool) -> None:
    data = pixels(3, 60, 70)
    files = multi_file(tmp_path, data, companion=companion)
    files[1].unlink()
    for path in (files[0], files[2], *tmp_path.glob("*.companion.ome")):
        with pytest.warns(UserWarning, match=r"set of files, of which are missing: c1\.ome\.tif;") as warned:
            image = TiffReader()(str(path))
        assert len(warned) == 1
        assert (image.axes, image.channels) == ("cyx", ("stain 0", "stain 1", "stain 2"))
        for channel in (0, 2):
            np.testing.assert_array_equal(image.select(channel)[...], data[channel])
        for lost in (1, slice(0, 2), slice(None)):
            with pytest.raises(NotReadable, match=r"lies in missing files \(c1\.ome\.tif\)"):
                image.data[lost]


def test_a_run_on_the_only_file_of_a_set_needs_its_own_planes_alone(tmp_path: Path) -> None:
    data = pixels(3, 60, 70)
    first, *others = multi_file(tmp_path, data, companion=False)
    for other in others:
        other.unlink()
    pipeline = Pipeline(segmenter={"name": "threshold", "configuration": {"threshold": 100}})
    with pytest.warns(UserWarning, match=r"are missing: c1\.ome\.tif, c2\.ome\.tif;"):
        assert pipeline.run(first, tmp_path / "labels.ome.tif", channel="stain 0").n_objects > 0
    with pytest.warns(UserWarning, match="are missing"), pytest.raises(NotReadable, match="missing files"):
        pipeline.run(first, tmp_path / "others.ome.tif", channel="stain 2")


@pytest.mark.parametrize("companion", [False, True])
def test_a_set_of_which_nothing_is_left_is_refused(tmp_path: Path, companion: bool) -> None:
    first, second = multi_file(tmp_path, pixels(2, 60, 70), companion=companion)
    second.unlink()
    first.rename(tmp_path / "renamed.ome.tif")
    (path,) = tmp_path.glob("*.companion.ome") if companion else [tmp_path / "renamed.ome.tif"]
    text = tifffile.tiffcomment(tmp_path / "renamed.ome.tif")
    tifffile.tiffcomment(tmp_path / "renamed.ome.tif", text.replace(' UUID="urn:uuid:0"', "", 1))
    with pytest.raises(NotReadable, match=r"set whose file 'c0\.ome\.tif' is missing"):
        TiffReader()(str(path))


def test_a_companion_that_is_missing_is_said(tmp_path: Path) -> None:
    files = multi_file(tmp_path, pixels(2, 60, 70), companion=True)
    (tmp_path / "set.companion.ome").unlink()
    with pytest.raises(NotReadable, match=r"there is no file .*set\.companion\.ome"):
        TiffReader()(str(files[0]))


def test_a_renamed_ome_tiff_keeps_its_pixels_and_metadata(tmp_path: Path) -> None:
    data = pixels(1, 60, 70)
    (path,) = multi_file(tmp_path, data, companion=False)
    text = tifffile.tiffcomment(path).replace(' UUID="urn:uuid:0"', "")
    tifffile.imwrite(tmp_path / "renamed.ome.tif", data[0], description=text, metadata=None)
    path.unlink()
    image = TiffReader()(str(tmp_path / "renamed.ome.tif"))
    assert (image.name, image.spacing) == ("set", {"y": 0.5, "x": 0.5})
    np.testing.assert_array_equal(np.squeeze(image.data[...]), data[0])


def test_images_of_one_ome_tiff_have_their_own_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(pixels(30, 40), metadata={"axes": "YX", "Name": "one", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0})
        tif.write(pixels(50, 60), metadata={"axes": "YX", "Name": "two", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0})
    found = [TiffReader(series=i)(str(path)) for i in range(2)]
    assert [(i.name, i.shape, i.spacing["x"]) for i in found] == [("one", (30, 40), 1.0), ("two", (50, 60), 2.0)]
    with pytest.raises(InvalidOption, match=r"series 2 does not exist; .* has series=0: one, yx 30 × 40; series=1"):
        TiffReader(series=2)(str(path))
    with pytest.raises(InvalidOption, match=r"level 1 does not exist; .* has levels 0 to 0"):
        TiffReader(series=0, level=1)(str(path))


def test_uncompressed_planes_are_mapped_wherever_they_lie(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pages, "LARGE", 1000)
    data = pixels(3, 90, 80)
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=">") as tif:
        for plane in data:
            tif.write(plane, contiguous=False, metadata=None)
    image = TiffReader(axes="zyx")(str(tmp_path / "a.tif"))
    assert isinstance(source(image), Planes)
    np.testing.assert_array_equal(image.data[...], data)
    np.testing.assert_array_equal(image.data[1:, 80:, 3], data[1:, 80:, 3])


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True, "byteorder": ">"},
        {"compression": "lzma"},
        {"compression": "zlib", "tile": (320, 512)},
        {"compression": "zlib", "predictor": True, "photometric": "rgb"},
        {"compression": "zlib", "photometric": "rgb", "planarconfig": "separate"},
        {"compression": "lzw"},
        {"compression": "zstd", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 350},
    ],
    ids=str,
)
def test_large_compressed_pieces_are_converted_to_tiles_with_a_message(
    tmp_path: Path, monkeypatch, options: dict[str, Any]
) -> None:
    if options["compression"] in ("lzw", "zstd"):
        pytest.importorskip("imagecodecs")
    monkeypatch.setattr(pages, "LARGE", 1000)
    monkeypatch.setattr(retiling, "TILE", 128)
    monkeypatch.setattr("tilewright_tiff.pieces.READ", 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    colours = "photometric" in options
    planar = options.get("planarconfig") == "separate"
    shape = ((3, 650, 550) if planar else (650, 550, 3)) if colours else (650, 550)
    data = pixels(2, *shape)
    more = {"rowsperstrip": 650} if not {"tile", "rowsperstrip"} & options.keys() else {}
    order = options.get("byteorder", "<")
    given = {name: value for name, value in options.items() if name != "byteorder"}
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder=order) as tif:
        tif.write(data, metadata={"axes": "ZSYX" if planar else "ZYXS" if colours else "ZYX"}, **given, **more)
    image = TiffReader()(str(tmp_path / "a.tif"))
    assert isinstance(source(image), Retiled)
    with pytest.warns(UserWarning, match="so it is converted to tiles"):
        window = image.data[..., 400:500, 525:]
    expected = {False: data, True: np.moveaxis(data, 1 if planar else -1, 0)}[colours]
    np.testing.assert_array_equal(window, expected[..., 400:500, 525:])
    np.testing.assert_array_equal(image.data[...], expected)
    del image
    gc.collect()
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_a_conversion_that_the_disk_cannot_hold_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pages, "LARGE", 1000)
    monkeypatch.setattr(retiling.shutil, "disk_usage", lambda _: retiling.shutil._ntuple_diskusage(9, 9, 9))
    tifffile.imwrite(tmp_path / "a.tif", pixels(200, 200), compression="zlib", rowsperstrip=200)
    with pytest.raises(NotReadable, match="set TMPDIR to a larger folder"):
        TiffReader()(str(tmp_path / "a.tif")).data[0]


def test_tasks_read_beside_each_other(tmp_path: Path) -> None:
    data = pixels(1000, 1000)
    tifffile.imwrite(tmp_path / "a.tif", data, tile=(64, 64), compression="zlib")
    image = TiffReader()(str(tmp_path / "a.tif"))
    started = threading.Barrier(8)

    def window(number: int) -> None:
        if number < 8:
            started.wait()
        y, x = np.random.default_rng(number).integers(0, 900, 2)
        np.testing.assert_array_equal(image.data[y : y + 100, x : x + 100], data[y : y + 100, x : x + 100])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(window, range(100)))


def test_a_window_costs_its_tiles_and_no_more(tmp_path: Path, monkeypatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(1024, 1024), tile=(64, 64), compression="zlib")
    image = TiffReader()(str(tmp_path / "a.tif"))
    read: list[int] = []
    real = tifffile.tifffile.FileCache.read

    def counted(cache: Any, file: Any, offset: int, size: int, *rest: Any) -> bytes:
        read.append(offset)
        return real(cache, file, offset, size, *rest)

    monkeypatch.setattr(tifffile.tifffile.FileCache, "read", counted)
    image.data[100:140, 500:700]
    assert len(read) == 2 * 4  # rows 1 and 2, columns 7 to 10


def test_files_are_closed_with_the_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(200, 200), tile=(64, 64), compression="zlib")
    image = TiffReader()(str(tmp_path / "a.tif"))
    part = image.data[:3]
    handle = source(image).store._data[0].keyframe.parent.filehandle
    assert not handle.closed
    del image
    gc.collect()
    assert handle.closed
    assert part.shape == (3, 200)


def test_a_codec_that_is_not_installed_is_named(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")  # to write the file
    tifffile.imwrite(tmp_path / "a.tif", pixels(200, 200), tile=(64, 64), compression="zstd")
    code = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from tilewright_tiff.reader import TiffReader\n"
        f"try: TiffReader()({str(tmp_path / 'a.tif')!r})\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("NotReadable")
    assert 'compressed as ZSTD, which nothing installed can undo; pip install "tilewright-tiff[codecs]"' in ran.stdout
    assert ran.stdout.count("\n") == 1


def test_the_reader_is_chosen_by_suffix_and_by_first_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "a.OME.TIFF", "a.svs", "a.lsm", "no-suffix", "a.dat"):
        tifffile.imwrite(tmp_path / name, pixels(9, 9), bigtiff=name == "a.dat")
        assert isinstance(choose_reader(Location.of(str(tmp_path / name))), TiffReader)
    (tmp_path / "b.tif").write_bytes(b"not a TIFF")
    with pytest.raises(NotReadable, match="no installed reader reads"):
        choose_reader(Location.of(str(tmp_path / "b.tif")))


@pytest.mark.parametrize("path", ["s3://bucket/a.ome.tif", "https://host/slide.svs"])
def test_a_url_is_refused_by_the_reader_that_its_suffix_names(path: str) -> None:
    with pytest.raises(NotReadable, match="is a URL, but TIFF files are read from this machine only"):
        choose_reader(Location.of(path))(path)
    with pytest.raises(NotReadable, match="no installed reader reads"):
        choose_reader(Location.of("https://host/picture.unknown"))


def test_lazy_arrays_say_what_they_are(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels(90, 80), tile=(16, 32))
    data = TiffReader()(str(tmp_path / "a.tif")).data
    assert isinstance(data, Arranged)
    assert (data.ndim, data.shape, data.chunks, data.dtype) == (2, (90, 80), (16, 32), np.uint16)


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_tags_by_the_centimetre_overrule_micrometres_in_the_text_of_imagej(tmp_path: Path, unit: str) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels(3, 9, 9),
        imagej=True,
        resolution=(20000, 10000),
        resolutionunit="CENTIMETER",
        metadata={"axes": "ZYX", "unit": unit, "spacing": 2.0},
    )
    assert TiffReader()(str(tmp_path / "a.tif")).spacing == {"z": 2.0, "y": 1.0, "x": 0.5}


@pytest.mark.parametrize("photometric", ["miniswhite", "palette"])
def test_pixels_that_are_not_brightness_are_read_with_a_warning(tmp_path: Path, photometric: str) -> None:
    colours = np.zeros((3, 256), np.uint16) if photometric == "palette" else None
    tifffile.imwrite(tmp_path / "a.tif", pixels(9, 9).astype(np.uint8), photometric=photometric, colormap=colours)
    with pytest.warns(UserWarning, match=f"photometric {photometric.upper()}"):
        TiffReader()(str(tmp_path / "a.tif"))
