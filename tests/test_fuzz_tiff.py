"""TIFF files with anything in their bytes and texts, on the command line: labels or one line, in bounded memory."""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from harmless import bounded_memory, invoke
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tilewright import TilewrightError, open_image

# What is warned of is a line on the terminal, which is looked at, and does not end a run.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

EXAMPLES = int(os.environ.get("TILEWRIGHT_EXAMPLES", "50"))  # `make faults` asks for more
MEMORY = 1_200_000_000  # bytes that an example may need: a strip that only unpacks whole may declare 2**30
STACK = np.random.default_rng(0).integers(0, 200, (2, 3, 20, 30)).astype("u1")
SETTINGS = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def ome(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "a.ome.tif", ome=True) as tif:
        tif.write(STACK, metadata={"axes": "CZYX", "Name": "stack", "Channel": {"Name": ["DAPI", "GFP"]}}, subifds=1)
        tif.write(STACK[..., ::2, ::2], subfiletype=1)
        tif.write(STACK[0, 0], tile=(16, 16), compression="zlib", metadata={"axes": "YX", "Name": "overview"})
    return folder / "a.ome.tif"


def imagej(folder: Path) -> Path:
    said: dict[str, Any] = {"axes": "ZCYX", "unit": "um", "spacing": 2.0, "Labels": ["a", "b"] * 3}
    tifffile.imwrite(folder / "a.tif", STACK.swapaxes(0, 1), imagej=True, resolution=(2, 2), metadata=said)
    return folder / "a.tif"


def generic(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "a.tif", bigtiff=True) as tif:
        for plane, way in zip(STACK[0], ("zlib", "lzma", None), strict=True):
            tif.write(plane, compression=way, predictor=way == "zlib", metadata=None, rowsperstrip=7)
    return folder / "a.tif"


def slide(folder: Path) -> Path:
    text = "Aperio Image Library v12\r\n30x20 [0,0 30x20] (16x16) JPEG|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(folder / "a.svs") as tif:
        for plane in (STACK[0, 0], STACK[0, 1, ::4, ::4]):
            tif.write(plane, description=text, tile=(16, 16), metadata=None, software=False)
    return folder / "a.svs"


def companion(folder: Path) -> Path:
    """A set of two files, whose XML lies beside them."""
    planes = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="c{c}.ome.tif">urn:uuid:{c}</UUID></TiffData>'
        for c in range(2)
    )
    binary = '<OME UUID="urn:uuid:{}"><BinaryOnly MetadataFile="a.companion.ome" UUID="u"/></OME>'
    for c in range(2):
        tifffile.imwrite(folder / f"c{c}.ome.tif", STACK[c, 0], description=binary.format(c), metadata=None)
    (folder / "a.companion.ome").write_text(
        '<?xml version="1.0"?><OME UUID="u"><Image ID="Image:0" Name="set"><Pixels ID="Pixels:0" SizeX="30" SizeY="20" '
        'DimensionOrder="XYZCT" Type="uint8" SizeZ="1" SizeC="2" SizeT="1" PhysicalSizeX="0.5"><Channel ID="Channel:0" '
        f'Name="DAPI"/><Channel ID="Channel:1" Name="GFP"/>{planes}</Pixels></Image></OME>'
    )
    return folder / "c0.ome.tif"


MAKERS: list[Callable[[Path], Path]] = [ome, imagej, generic, slide, companion]
NUMBERS = ["0", "-1", "1", "2", "7", "65536", "4294967295", "99999999999999999999", "1e308", "nan", "inf", "0x10"]
NAMES = ["../secret.tif", "/etc/hostname", "c1.ome.tif", "pipe.tif", "a.companion.ome", "urn:uuid:1", "XYCZT", "float"]
TEXTS = ["", " 3 ", "\x00", "µm", "n" * 5000, "&#10;x", "&#9;", "&lt;", "&amp;x", "&bomb;", "]]>"]
STEERING = ["abc\u202egpj.exe", "\u2066x", "a\u2028b", "\x9b2J", "\x1b]0;owned\x07", "\x1b[31mred"]
HOSTILE = st.sampled_from([*NUMBERS, *NAMES, *TEXTS, *STEERING])


def with_texts(path: Path, draw: Any) -> None:
    """Replace up to three values in the texts of a file, or in what lies beside it; the texts keep their lengths."""
    beside = path.with_name("a.companion.ome")
    target = beside if beside.exists() and draw(st.booleans()) else path
    data = target.read_bytes()
    places = [match.span(1) for match in re.finditer(rb'[\w ]= ?"?([^"<>=\r\n|]{1,60}?)(?=["\r\n|])', data)]
    for _ in range(draw(st.integers(1, 3))):
        if not places:
            return
        start, stop = draw(st.sampled_from(places))
        value = draw(HOSTILE).encode()
        if target == path:  # offsets stay right
            value = value[: stop - start].ljust(stop - start)
        elif len(value) != stop - start:
            target.write_bytes(data[:start] + value + data[stop:])
            return
        data = data[:start] + value + data[stop:]
    target.write_bytes(data)


def with_bytes(path: Path, draw: Any) -> None:
    """Change up to a dozen bytes, most of them where tags may be, or cut the file off."""
    data = bytearray(path.read_bytes())
    for _ in range(draw(st.integers(1, 12))):
        place = draw(st.integers(0, min(len(data), 700) - 1) | st.integers(0, len(data) - 1))
        data[place] = draw(st.sampled_from([0, 1, 2, 127, 128, 255]) | st.integers(0, 255))
    path.write_bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


def is_small(path: Path) -> bool:
    """Whether a run ends soon: what a few bytes can change is also the size, to millions of tiles without a strip."""
    try:
        return math.prod(open_image(path).shape) <= 2**26
    except TilewrightError:
        return True


@pytest.mark.parametrize("change", [with_texts, with_bytes])
@pytest.mark.parametrize("make", MAKERS)
def test_a_file_with_anything_in_it_gives_labels_or_one_line(
    make: Callable[[Path], Path], change: Callable[[Path, Any], None]
) -> None:
    @SETTINGS
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "data").mkdir()
            tifffile.imwrite(folder / "secret.tif", STACK[0, 0])
            os.mkfifo(folder / "data" / "pipe.tif")
            path = make(folder / "data")
            change(path, data.draw)
            with bounded_memory(MEMORY):
                invoke("info", path)
                if not is_small(path):
                    return
                for more in ((), ("--channel", "0"), ("--reader-set", "series=1", "--axes", "zyx")):
                    run = ("run", path, folder / "out.zarr", "--segmenter", "threshold", "--set", "threshold=100")
                    invoke(*run, "--tile", 1024, "--writer", "zarr-array", "--quiet", "--overwrite", *more)

    check()
