"""Files as slide scanners and microscopes lay them out, which tifffile has to tell apart: made here, page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

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
    image = TiffReader()(str(file))
    assert (image.axes, image.channels, image.spacing) == ("cyx", names, {"y": 0.5, "x": 0.5})
    assert [level.shape for level in image.levels] == [(3, 512, 640), (3, 256, 320)]
    np.testing.assert_array_equal(image.read((slice(1, 3), slice(100, 300), slice(7, 400))), planes[1:, 100:300, 7:400])
    np.testing.assert_array_equal(TiffReader(level=1)(str(file)).data[...], planes[:, ::2, ::2])


def test_an_scn_has_the_levels_that_its_description_lists(tmp_path: Path) -> None:
    base, file = pixels(512, 640, 3), tmp_path / "a.scn"
    said: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": "Leica SCN", "tile": (128, 128)}
    with tifffile.TiffWriter(file, bigtiff=True) as tif:
        tif.write(base, description=SCN, **said, **resolution(0.5))
        tif.write(base[::4, ::4], subfiletype=1, **said, **resolution(2.0))
    image = TiffReader()(str(file))
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
    image = TiffReader()(str(file))
    assert (image.axes, image.format) == ("zyx", "lsm")
    assert {axis: round(size, 6) for axis, size in image.spacing.items()} == {"z": 1.0, "y": 0.3, "x": 0.2}
    np.testing.assert_array_equal(image.read((slice(1, 3), slice(5, 50), slice(None))), planes[1:3, 5:50])
