"""Real microscope files: CZI by Zeiss's own library, LIF as bytes laid out by its specification."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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
