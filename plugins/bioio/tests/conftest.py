"""Real microscope files: CZI by Zeiss's own library, LIF as bytes laid out by its specification."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

TILE = (100, 120)  # y, x


def _write_czi(path: Path, scenes: Iterable[NDArray[Any]], channels: tuple[str, ...] = ("DAPI", "GFP")) -> str:
    """Scenes of axes czyx (or czyxs for colours), each as a mosaic of tiles, side by side on the stage."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path)) as document:
        for number, pixels in enumerate(scenes):
            samples = pixels if pixels.ndim == 5 else pixels[..., None]
            for c, z in np.ndindex(*samples.shape[:2]):
                for y in range(0, samples.shape[2], TILE[0]):
                    for x in range(0, samples.shape[3], TILE[1]):
                        tile = samples[c, z, y : y + TILE[0], x : x + TILE[1]]
                        document.write(
                            np.ascontiguousarray(tile),
                            plane={"C": c, "Z": z, "T": 0},
                            scene=number,
                            location=(x + 10_000 * number, y),
                        )
        document.write_metadata(
            document_name="cells",
            channel_names=dict(enumerate(channels)),
            scale_x=0.5e-6,
            scale_y=0.5e-6,
            scale_z=2e-6,
        )
    return str(path)


def _write_lif(path: Path, images: dict[str, NDArray[Any]]) -> str:
    """Images of 16 bits with axes czyx: an XML with their dimensions, and a block of memory for each."""
    elements = "".join(_element(number, name, pixels) for number, (name, pixels) in enumerate(images.items()))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="cells" Visibility="1" CopyOption="1" UniqueID="r">'
        '<Memory Size="0" MemoryBlockID="MemBlock_root"/><Children>' + elements + "</Children></Element>"
        "</LMSDataContainerHeader>"
    ).encode("utf-16-le")
    blocks = [struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2), xml]
    for number, pixels in enumerate(images.values()):
        name = f"MemBlock_{number}".encode("utf-16-le")
        data = pixels.transpose(1, 0, 2, 3).tobytes()  # planes are stored z by z, channel by channel
        blocks += [struct.pack("<IIBQBI", 0x70, len(name) + 14, 0x2A, len(data), 0x2A, len(name) // 2), name, data]
    path.write_bytes(b"".join(blocks))
    return str(path)


def _element(number: int, name: str, pixels: NDArray[Any]) -> str:
    c, z, y, x = pixels.shape
    plane = 2 * y * x
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" '
        f'Max="65535" Unit="" LUTName="{lut}" IsLUTInverted="0" BytesInc="{index * plane}" BitInc="0"/>'
        for index, lut in enumerate(("Blue", "Green")[:c])
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{axis}" NumberOfElements="{n}" Origin="0" Length="{(n - 1) * step}" Unit="m" '
        f'BitInc="0" BytesInc="{stride}"/>'
        for axis, n, step, stride in ((1, x, 0.5e-6, 2), (2, y, 0.5e-6, 2 * x), (3, z, 2e-6, c * plane))
    )
    return (
        f'<Element Name="{name}" Visibility="1" CopyOption="1" UniqueID="{number}"><Data><Image TextDescription="">'
        f"<ImageDescription><Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription>"
        f'</Image></Data><Memory Size="{pixels.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
    )


@pytest.fixture
def pixels() -> NDArray[Any]:
    """Two scenes of two channels, three slices: axes sczyx."""
    return np.random.default_rng(0).integers(1, 60_000, (2, 2, 3, 230, 300), dtype="u2")


@pytest.fixture
def write_czi() -> Callable[..., str]:
    return _write_czi


@pytest.fixture
def write_lif() -> Callable[..., str]:
    return _write_lif


def _characters(text: object) -> NDArray[np.bytes_]:
    return np.frombuffer(str(text).encode(), "S1")


def _write_ims(
    path: Path,
    pixels: NDArray[Any],
    *,
    names: tuple[str, ...] = ("DAPI", "GFP"),
    seconds: tuple[float, ...] = (),
    chunks: tuple[int, int, int] = (2, 32, 32),
    levels: int = 2,
    shrink_z: int = 1,
) -> str:
    """An image of axes tczyx as Imaris 5.5 lays it out: blocks padded with zeros, and attributes as characters."""
    with h5py.File(path, "w") as file:
        for name, value in (("ImarisDataSet", "ImarisDataSet"), ("ImarisVersion", "5.5.0")):
            file.attrs[name] = _characters(value)
        info = file.create_group("DataSetInfo/Image")
        z, y, x = pixels.shape[2:]
        extent = {"ExtMin0": -10.0, "ExtMin1": 5.0, "ExtMin2": 0.0}
        extent |= {"ExtMax0": -10 + 0.25 * x, "ExtMax1": 5 + 0.5 * y, "ExtMax2": 2.0 * z}
        for key, size in ({"X": x, "Y": y, "Z": z, "Unit": "um"} | extent).items():
            info.attrs[key] = _characters(size)
        times = file.create_group("DataSetInfo/TimeInfo")
        for number, second in enumerate(seconds):
            times.attrs[f"TimePoint{number + 1}"] = _characters(f"2024-02-28 23:59:{second:06.3f}")
        for number, name in enumerate(names):
            file.create_group(f"DataSetInfo/Channel {number}").attrs["Name"] = _characters(name)
        for level in range(levels):
            shrunk = pixels[:, :, :: shrink_z**level, :: 2**level, :: 2**level]
            for t, c in np.ndindex(*shrunk.shape[:2]):
                _write_stack(file, f"DataSet/ResolutionLevel {level}/TimePoint {t}/Channel {c}", shrunk[t, c], chunks)
    return str(path)


def _write_stack(file: h5py.File, home: str, stack: NDArray[Any], chunks: tuple[int, int, int]) -> None:
    group = file.create_group(home)
    for name, size in zip("ZYX", stack.shape, strict=True):
        group.attrs[f"ImageSize{name}"] = _characters(size)
    padded = np.pad(stack, [(0, -n % step) for n, step in zip(stack.shape, chunks, strict=True)])
    group.create_dataset("Data", data=padded, chunks=chunks, compression="gzip")


@pytest.fixture
def write_ims() -> Callable[..., str]:
    return _write_ims
