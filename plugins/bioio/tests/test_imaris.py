"""Images of Imaris: levels, padding, time, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import open_image
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_bioio.imaris import ImarisReader


def series(shape: tuple[int, ...] = (3, 2, 5, 70, 90), dtype: Any = "u2") -> NDArray[Any]:
    return np.random.default_rng(1).integers(1, 200, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4"])
@pytest.mark.parametrize("level", [0, 1])
def test_each_level_is_read_without_its_padding(tmp_path: Path, write_ims: Any, level: int, dtype: str) -> None:
    pixels = series(dtype=dtype)
    path = write_ims(tmp_path / "a.ims", pixels, seconds=(1, 3.5, 6))
    image = open_image(path, reader={"name": "imaris", "configuration": {"level": level}})
    np.testing.assert_array_equal(image[...], pixels[..., :: 2**level, :: 2**level])
    assert (image.axes, image.dtype, image.channels) == ("tczyx", np.dtype(dtype), ("DAPI", "GFP"))
    assert image.chunks == (1, 1, 2, 32, 32)
    assert image.spacing == {"t": 2.5, "z": 2.0, "y": 0.5 * 2**level, "x": 0.25 * 2**level}
    assert image.units == {"t": "second", **dict.fromkeys("zyx", "micrometer")}
    assert [each.shape[-2:] for each in image.levels] == [(70, 90), (35, 45)][level:]


def test_the_pixel_size_of_a_level_is_that_of_the_extent(tmp_path: Path, write_ims: Any) -> None:
    image = ImarisReader()(write_ims(tmp_path / "a.ims", series((1, 1, 1, 71, 91)), names=("DAPI",)))
    assert (image.axes, image.shape) == ("cyx", (1, 71, 91))
    assert image.levels[1].scale == (1.0, 71 * 0.5 / 36, 91 * 0.25 / 46)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_coarse_level_of_one_slice_has_the_axes_of_the_finest(tmp_path: Path, write_ims: Any, level: int) -> None:
    pixels = series((1, 2, 3, 70, 90))
    image = ImarisReader(level=level)(write_ims(tmp_path / "a.ims", pixels, levels=3, shrink_z=2))
    assert (image.axes, image.shape[1]) == ("czyx", (3, 2, 1)[level])
    assert image.spacing["z"] == (2.0, 3.0, 6.0)[level]
    np.testing.assert_array_equal(image[...], pixels[0, :, :: 2**level, :: 2**level, :: 2**level])


@pytest.mark.parametrize("seconds", [(), (1, 2, 9), (3, 2, 1)])
def test_times_that_are_not_evenly_spaced_have_no_unit(tmp_path: Path, write_ims: Any, seconds: Any) -> None:
    image = ImarisReader()(write_ims(tmp_path / "a.ims", series(), seconds=seconds))
    assert image.axes == "tczyx"
    assert "t" not in image.units


def test_a_file_without_metadata_has_its_pixels_alone(tmp_path: Path, write_ims: Any) -> None:
    pixels = series()
    path = write_ims(tmp_path / "a.ims", pixels)
    with h5py.File(path, "a") as file:
        del file["DataSetInfo"]
    image = ImarisReader()(path)
    np.testing.assert_array_equal(image[...], pixels)
    assert (image.channels, dict(image.units), set(image.spacing.values())) == ((), {}, {1.0})


def test_a_window_reads_the_chunks_under_it(tmp_path: Path, write_ims: Any) -> None:
    pixels = series()
    path = write_ims(tmp_path / "a.ims", pixels, levels=1)
    with h5py.File(path, "r") as file:
        data = file["DataSet/ResolutionLevel 0/TimePoint 1/Channel 1/Data"]
        chunk = next(
            data.id.get_chunk_info(i) for i in range(99) if data.id.get_chunk_info(i).chunk_offset == (2, 32, 64)
        )
    damaged = bytearray(Path(path).read_bytes())
    damaged[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    Path(path).write_bytes(damaged)
    image = ImarisReader()(path)
    window = (slice(1, 2), slice(1, 2), slice(0, 2), slice(0, 64), slice(0, 90))
    np.testing.assert_array_equal(image.read(window), pixels[window])
    with pytest.raises(NotReadable, match=r"a\.ims' cannot be read as a file of Imaris"):
        image.read((slice(1, 2), slice(1, 2), slice(2, 3), slice(40, 41), slice(70, 71)))


def change(path: str, name: str, **attributes: str) -> None:
    with h5py.File(path, "a") as file:
        for key, value in attributes.items():
            file[name].attrs[key] = np.frombuffer(value.encode(), "S1")


def test_what_contradicts_itself_is_refused(tmp_path: Path, write_ims: Any) -> None:
    home = "DataSet/ResolutionLevel 0/TimePoint 1/Channel 1"
    path = write_ims(tmp_path / "size.ims", series())
    change(path, home, ImageSizeX="80")
    with pytest.raises(InvalidImage, match=r"channels of .* differ at level 0: \(5, 70, 80\) uint16 and \(5, 70, 90\)"):
        ImarisReader()(path)
    path = write_ims(tmp_path / "large.ims", series((1, 1, 5, 70, 90)), names=("DAPI",))
    change(path, "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0", ImageSizeX="900")
    with pytest.raises(InvalidImage, match=r"has shape \(5, 70, 900\), but it has \(6, 96, 96\)"):
        ImarisReader()(path)
    path = write_ims(tmp_path / "extent.ims", series())
    change(path, "DataSetInfo/Image", ExtMax1="5.0")
    with pytest.raises(InvalidImage, match=r"extends from 5\.0 to 5\.0 along y"):
        ImarisReader()(path)
    path = write_ims(tmp_path / "missing.ims", series())
    with h5py.File(path, "a") as file:
        del file[home]
    with pytest.raises(InvalidImage, match=r"have \[1, 2\] channels at level 0"):
        ImarisReader()(path)
    with pytest.raises(InvalidOption, match="has levels 0 to 1"):
        ImarisReader(level=2)(write_ims(tmp_path / "a.ims", series()))


def test_what_is_not_of_imaris_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "text.ims").write_text("no HDF5")
    with h5py.File(tmp_path / "other.ims", "w") as file:
        file["pixels"] = np.zeros((4, 4))
    for name in ("text.ims", "other.ims", "missing.ims"):
        with pytest.raises(NotReadable, match=name):
            ImarisReader()(str(tmp_path / name))
