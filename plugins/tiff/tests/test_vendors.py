"""Files as slide scanners and microscopes lay them out, which tifffile has to tell apart: made here, page by page."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture

from tilewright_tiff.reader import TiffReader

QPI = (
    '<?xml version="1.0" encoding="utf-8"?><PerkinElmer-QPI-ImageDescription><DescriptionVersion>2</DescriptionVersion>'
    "<ImageType>{kind}</ImageType><Name>{name}</Name></PerkinElmer-QPI-ImageDescription>"
)
SCN = """<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">
<collection sizeX="320000" sizeY="256000"><image name="region"><pixels sizeX="640" sizeY="512">
<dimension sizeX="640" sizeY="512" r="0" ifd="0"/><dimension sizeX="160" sizeY="128" r="1" ifd="1"/></pixels>
<view sizeX="320000" sizeY="256000" offsetX="0" offsetY="0"/></image></collection></scn>"""
LSM_TAG = 34412
Tag = tuple[int, int, int, "int | bytes"]  # number, type, count, and the value or what lies elsewhere
ASCII, SHORT, LONG, RATIONAL, FLOAT = 2, 3, 4, 5, 11
OFFSETS = 273


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(len(shape)).integers(0, 255, shape).astype(np.uint8)


def resolution(micrometres: float) -> dict[str, Any]:
    return {"resolution": (1e4 / micrometres,) * 2, "resolutionunit": "CENTIMETER"}


def test_a_qptiff_has_named_channels_and_a_pyramid_behind_its_thumbnail(tmp_path: Path) -> None:
    planes, names, file = pixels(3, 512, 640), ("DAPI", "CD8", "PanCK"), tmp_path / "a.qptiff"
    said: dict[str, Any] = {"software": "PerkinElmer-QPI", "metadata": None}
    with tifffile.TiffWriter(file, bigtiff=True) as tif:
        for plane, name in zip(planes, names, strict=True):
            text = QPI.format(kind="FullResolution", name=name)
            tif.write(plane, tile=(256, 256), description=text, **said, **resolution(0.5))
        tif.write(pixels(64, 80, 3), photometric="rgb", description=QPI.format(kind="Thumbnail", name=""), **said)
        for plane, name in zip(planes, names, strict=True):
            text = QPI.format(kind="ReducedResolution", name=name)
            tif.write(plane[::2, ::2], tile=(256, 256), description=text, subfiletype=1, **said, **resolution(1.0))
    image = TiffReader(series=0)(str(file))
    assert (image.axes, image.channels, image.spacing) == ("cyx", names, {"y": 0.5, "x": 0.5})
    assert [level.shape for level in image.levels] == [(3, 512, 640), (3, 256, 320)]
    np.testing.assert_array_equal(image.read((slice(1, 3), slice(100, 300), slice(7, 400))), planes[1:, 100:300, 7:400])
    np.testing.assert_array_equal(TiffReader(series=0, level=1)(str(file)).data[...], planes[:, ::2, ::2])


def test_an_scn_has_the_levels_that_its_description_lists(tmp_path: Path) -> None:
    base, file = pixels(512, 640, 3), tmp_path / "a.scn"
    said: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": "Leica SCN", "tile": (128, 128)}
    with tifffile.TiffWriter(file, bigtiff=True) as tif:
        tif.write(base, description=SCN, **said, **resolution(0.5))
        tif.write(base[::4, ::4], subfiletype=1, **said, **resolution(2.0))
    image = TiffReader(series=0)(str(file))
    assert (image.axes, image.name, image.spacing) == ("cyx", "a", {"y": 0.5, "x": 0.5})
    assert [level.shape for level in image.levels] == [(3, 512, 640), (3, 128, 160)]
    np.testing.assert_array_equal(image.data[...], base.transpose(2, 0, 1))


def test_an_lsm_is_a_stack_with_voxels_in_metres_and_thumbnails_between_its_planes(tmp_path: Path) -> None:
    planes, file = pixels(4, 60, 50), tmp_path / "a.lsm"
    said = np.zeros(1, np.dtype(tifffile.TIFF.CZ_LSMINFO).newbyteorder("<"))
    sizes = {"X": 50, "Y": 60, "Z": 4, "Channels": 1, "Time": 1}
    said["MagicNumber"], said["StructureSize"] = 67127628, said.itemsize
    for name, size in sizes.items():
        said[f"Dimension{name}"] = size
    said["VoxelSizeX"], said["VoxelSizeY"], said["VoxelSizeZ"] = 0.2e-6, 0.3e-6, 1e-6
    tag = (LSM_TAG, 1, said.nbytes, said.tobytes(), True)
    with tifffile.TiffWriter(file, byteorder="<") as tif:
        for number, plane in enumerate(planes):
            tif.write(plane, metadata=None, extratags=[tag] if not number else [])
            tif.write(plane[::4, ::4], metadata=None, subfiletype=1)
    image = TiffReader(series=0)(str(file))
    assert (image.axes, image.format) == ("zyx", "lsm")
    assert {axis: round(size, 6) for axis, size in image.spacing.items()} == {"z": 1.0, "y": 0.3, "x": 0.2}
    np.testing.assert_array_equal(image.read((slice(1, 3), slice(5, 50), slice(None))), planes[1:3, 5:50])


def raw(*pages: tuple[Sequence[Tag], bytes], far: bool = False) -> bytes:
    """A file of pages with tags that tifffile does not write. far: with offsets of 64 bits, as NDPI has them."""
    file, link = bytearray(struct.pack("<2sHI", b"II", 42, 0) + bytes(4 * far)), 4
    for tags, data in pages:
        start, entries = len(file), b""
        file += data
        for number, kind, count, value in sorted(tags, key=lambda tag: tag[0]):
            known = start if number == OFFSETS else len(file) if isinstance(value, bytes) else value
            file += value if isinstance(value, bytes) else b""
            entries += struct.pack("<HHII", number, kind, count, known)
        file[link : link + 4] = struct.pack("<I", len(file))
        file += struct.pack("<H", len(tags)) + entries
        link = len(file)
        file += bytes(4 + (4 + 4 * len(tags)) * far)
    return bytes(file)


def tags_of(shape: tuple[int, ...], data: bytes, bits: int) -> list[Tag]:
    size = [(256, LONG, 1, shape[1]), (257, LONG, 1, shape[0]), (278, LONG, 1, shape[0])]
    return [*size, (258, SHORT, 1, bits), (262, SHORT, 1, 1), (OFFSETS, LONG, 1, 0), (279, LONG, 1, len(data))]


def hamamatsu(plane: NDArray[np.uint8], micrometres: float, magnification: float) -> tuple[list[Tag], bytes]:
    """A page of an NDPI: one JPEG in one strip, with the places where it can be decoded from."""
    stored = io.BytesIO()
    Picture.fromarray(plane).save(stored, "JPEG", quality=95, restart_marker_blocks=8)
    data = stored.getvalue()
    scan = data.index(b"\xff\xda") + 2
    first = scan + int.from_bytes(data[scan : scan + 2], "big")
    found = (at for at in range(first, len(data)) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7)
    starts = [first, *(at + 2 for at in found)]
    dots = struct.pack("<II", round(1e6 / micrometres), 100)
    lens = int.from_bytes(struct.pack("<f", magnification), "little")
    special: list[Tag] = [
        (259, SHORT, 1, 7),
        (271, ASCII, 10, b"Hamamatsu\0"),
        (65420, LONG, 1, 1),
        (65421, FLOAT, 1, lens),
    ]
    sizes: list[Tag] = [(282, RATIONAL, 1, dots), (283, RATIONAL, 1, dots), (296, SHORT, 1, 3)]
    places: Tag = (65426, LONG, len(starts), struct.pack(f"<{len(starts)}I", *starts))
    return [*tags_of(plane.shape, data, 8), *special, *sizes, places], data


def test_an_ndpi_is_read_from_the_places_where_its_jpeg_starts_anew(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs")
    y, x = np.indices((256, 512))
    base, file = ((x + y) // 3).astype("u1"), tmp_path / "a.ndpi"
    pages = hamamatsu(base, 0.5, 20), hamamatsu(base[::2, ::2], 1.0, 10), hamamatsu(base[:64, :96], 8.0, -1)
    file.write_bytes(raw(*pages, far=True))
    image = TiffReader(series=0)(str(file))
    assert (image.axes, image.format, image.spacing) == ("yx", "ndpi", {"y": 0.5, "x": 0.5})
    assert [level.shape for level in image.levels] == [(256, 512), (128, 256)]
    assert image.chunks == (8, 64)
    window = (slice(10, 50), slice(100, 300))
    np.testing.assert_allclose(image.read(window), base[window], atol=3)
    assert TiffReader(series=0, level=1)(str(file)).shape == (128, 256)
    assert TiffReader(series=1)(str(file)).shape == (64, 96)


@pytest.mark.parametrize("distances", [(1.5,) * 4, (1.5, 1.5, 1.5, 2.0)])
def test_an_stk_is_one_page_with_its_planes_behind_it(tmp_path: Path, distances: tuple[float, ...]) -> None:
    planes, file = pixels(4, 30, 40).astype("u2"), tmp_path / "a.stk"
    each = [
        struct.pack("<6I", round(step * 1000), 1000, 2451545, number, 0, 0) for number, step in enumerate(distances)
    ]
    units = struct.pack("<HIHIIHIIHI2sxH", 3, 1, 4, 3, 10, 5, 4, 10, 6, 3, b"um", 0)  # of a pixel along x and y
    metamorph: list[Tag] = [
        (33628, LONG, 2, struct.pack("<4I", 0, 1, 3, 1)),
        (33629, RATIONAL, 4, b"".join(each)),
        (33631, LONG, 4, units),
    ]
    data = planes.tobytes()
    file.write_bytes(raw(([*tags_of((30, 40), data[: 30 * 40 * 2], 16), *metamorph], data)))
    image = TiffReader(series=0)(str(file))
    assert (image.axes, image.format) == ("zyx", "stk")
    assert image.spacing == {**({"z": 1.5} if len(set(distances)) == 1 else {}), "y": 0.4, "x": 0.3}
    np.testing.assert_array_equal(image.data[1:3, 5:, :], planes[1:3, 5:])
