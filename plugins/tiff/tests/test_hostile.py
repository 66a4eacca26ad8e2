"""Broken and hostile files: one line of error, or an image that harms nobody until it is read, and then says so."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from tilewright.cli import main
from tilewright.errors import NotReadable, TilewrightError
from tilewright_tiff.reader import TiffReader

from .test_series import micro_manager

pytestmark = pytest.mark.slow

Entry = tuple[int, int, int, int]  # tag, type, count, value or offset
ASCII, SHORT, LONG = 2, 3, 4
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ROWS, COUNTS = 256, 257, 258, 259, 262, 273, 278, 279
DESCRIPTION, SUBIFDS = 270, 330


def directory(entries: Sequence[Entry], following: int) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def page(width: int = 8, length: int = 8, *, offset: int = 0, count: int = 64, compression: int = 1) -> list[Entry]:
    return [
        (WIDTH, LONG, 1, width),
        (LENGTH, LONG, 1, length),
        (BITS, SHORT, 1, 8),
        (COMPRESSION, SHORT, 1, compression),
        (PHOTOMETRIC, SHORT, 1, 1),
        (OFFSETS, LONG, 1, offset),
        (ROWS, LONG, 1, length),
        (COUNTS, LONG, 1, count),
    ]


def tiff(*directories: Sequence[Entry], last: int = 0, pixels: bytes = bytes(64)) -> bytes:
    """A file of directories one after the other, pixels after the header; `last` is where the chain goes on."""
    start = 8 + len(pixels)
    sizes = [2 + 12 * len(entries) + 4 for entries in directories]
    starts = [start + sum(sizes[:i]) for i in range(len(sizes))]
    chained = zip(directories, [*starts[1:], last], strict=True)
    return struct.pack("<2sHI", b"II", 42, start) + pixels + b"".join(directory(e, n) for e, n in chained)


def opened_or_refused(path: Path) -> str:
    """Open and read a corner; the error's message, which must be one line, or nothing. Warnings are one line too."""
    said = ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            image = TiffReader()(str(path))
            image.read(tuple(slice(0, 4) for _ in image.shape))
        except TilewrightError as error:
            said = str(error)
    assert all(str(each.message).isprintable() for each in warned), [str(each.message) for each in warned]
    assert said.isprintable(), said
    assert len(said) < 600
    return said


CASES = {
    "nothing after the header": struct.pack("<2sHI", b"II", 42, 8),
    "first directory past the end": struct.pack("<2sHI", b"II", 42, 10**6),
    "header cut off": b"II*\0",
    "no tags": tiff([]),
    "more tags than bytes": struct.pack("<2sHIH", b"II", 42, 8, 65_535),
    "chain into itself": tiff(page(offset=8), last=72),
    "chain past the end": tiff(page(offset=8), last=2**31),
    "cyclic SubIFDs": tiff([*page(offset=8), (SUBIFDS, LONG, 1, 72)]),
    "SubIFDs past the end": tiff([*page(offset=8), (SUBIFDS, LONG, 1, 2**31)]),
    "two billion SubIFDs": tiff([*page(offset=8), (SUBIFDS, LONG, 2**31, 8)]),
    "pixels past the end": tiff(page(offset=2**31)),
    "pixels cut off": tiff(page(1000, 1000, offset=8, count=10**6)),
    "absurd size": tiff(page(2**31 - 1, 2**31 - 1, offset=8)),
    "absurd size, compressed": tiff(page(2**31 - 1, 2**31 - 1, offset=8, compression=8)),
    "width of zero": tiff(page(0, 8, offset=8)),
    "no data": tiff([entry for entry in page() if entry[0] not in (OFFSETS, COUNTS)]),
    "billions of strips": tiff([*[e for e in page() if e[0] not in (OFFSETS, ROWS)], (OFFSETS, LONG, 2**31, 8)]),
    "rubbish for deflate": tiff(page(offset=8, compression=8), pixels=b"\xff" * 64),
    "unknown compression": tiff(page(offset=8, compression=12_345)),
    "13 bits": tiff([*[e for e in page(offset=8) if e[0] != BITS], (BITS, SHORT, 1, 13)]),
    "rows per strip of zero": tiff([*[e for e in page(offset=8) if e[0] != ROWS], (ROWS, LONG, 1, 0)]),
}
SOUND = {
    "chain into itself",
    "chain past the end",
    "cyclic SubIFDs",
    "SubIFDs past the end",
    "two billion SubIFDs",
    "no data",  # zeros, as for a tile that a sparse file leaves out
    "billions of strips",
    "rows per strip of zero",
}


@pytest.mark.parametrize("case", CASES)
def test_a_malformed_file_is_refused_in_one_line_or_read_where_it_is_sound(tmp_path: Path, case: str) -> None:
    (tmp_path / "a.tif").write_bytes(CASES[case])
    message = opened_or_refused(tmp_path / "a.tif")
    assert (message == "") == (case in SOUND)


@pytest.mark.parametrize("seed", range(150))
def test_flipped_bytes_never_escape_as_another_error(tmp_path: Path, seed: int) -> None:
    path, rng = tmp_path / "a.ome.tif", np.random.default_rng(seed)
    with tifffile.TiffWriter(path, ome=True) as tif:
        options = {"tile": (16, 16), "compression": "zlib"}
        tif.write(np.zeros((2, 40, 40), "u2"), subifds=1, metadata={"axes": "CYX"}, **options)
        tif.write(np.zeros((2, 20, 20), "u2"), subfiletype=1, **options)
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, len(data), 1 + seed % 12):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    opened_or_refused(path)


def ome(path: Path, xml: str, *, beside: bool = True) -> str:
    tifffile.imwrite(path, np.zeros((20, 20), "u1"), description=xml, metadata=None)
    return opened_or_refused(path)


PIXELS = (
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="{x}" SizeY="20" SizeZ="1" '
    'SizeC="1" SizeT="{t}" PhysicalSizeX="{size}">{data}</Pixels></Image>'
)


def xml(body: str = "", *, x: str = "20", t: str = "1", size: str = "1", head: str = "") -> str:
    return f"{head}<OME>{PIXELS.format(x=x, t=t, size=size, data=body or '<TiffData/>')}</OME>"


def test_entities_and_document_types_are_refused(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY l0 "ha">{laughs}]>'
    assert "defines a document type or entities" in ome(tmp_path / "a.ome.tif", xml("&l9;", head=head))
    outside = '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "defines a document type or entities" in ome(tmp_path / "a.ome.tif", xml("&x;", head=outside))


@pytest.mark.parametrize("name", ["../secret.tif", "/etc/hostname", "a/../../secret.tif", "..\\secret.tif"])
def test_names_of_files_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    tifffile.imwrite(tmp_path / "secret.tif", np.ones((20, 20), "u1"))
    folder = tmp_path / "data"
    folder.mkdir()
    body = f'<TiffData IFD="0"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
    assert "leads out of its folder" in ome(folder / "a.ome.tif", xml(body))
    binary = f'<OME><BinaryOnly MetadataFile="{name}" UUID="u"/></OME>'
    assert "leads out of its folder" in ome(folder / "a.ome.tif", binary)


@pytest.mark.parametrize("uuid", ["<YUUID FileName={}>u9</YUUID>", "<UUID FileName={}> urn:uuid:1 </UUID>"])
def test_elements_that_tifffile_knows_by_their_endings_are_looked_at_too(tmp_path: Path, uuid: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.mkfifo(folder / "pipe.tif")
    for name, said in (("../secret.tif", "leads out of its folder"), ("pipe.tif", "file 'pipe.tif' is missing")):
        text = xml(f'<TiffData IFD="0">{uuid.format(chr(34) + name + chr(34))}</TiffData>')
        for each in (text, text.replace("TiffData", "XTiffData").replace("Pixels", "XPixels")):
            assert said in ome(folder / "a.ome.tif", each.replace("<OME>", '<OME UUID="urn:uuid:1">'))


def test_two_names_of_one_file_are_both_looked_at(tmp_path: Path) -> None:
    names = "".join(f'<TiffData><UUID FileName="{name}">u2</UUID></TiffData>' for name in ("../b.tif", "b.ome.tif"))
    tifffile.imwrite(tmp_path / "b.ome.tif", np.ones((20, 20), "u1"))
    assert "leads out of its folder, to '../b.tif'" in ome(tmp_path / "a.ome.tif", xml(names))


@pytest.mark.parametrize(
    "text",
    [
        xml(size="nan"),
        xml(size="-1"),
        xml(size="1e999"),
        xml(size="much"),
        xml(x="99999999999"),
        xml(x="-5"),
        xml(x="twenty"),
        xml('<TiffData IFD="99999999999999999999"/>'),
        xml('<TiffData IFD="-3" PlaneCount="1"/>'),
        "<OME></OME>",
        "<OME><Image><Pixels/></Image></OME>",
        "<OME><unclosed></OME>",
        "<OME>" * 5000 + "</OME>" * 5000,
        "<OME><BinaryOnly/></OME>",
        '<OME><BinaryOnly MetadataFile="a.ome.tif"/></OME>',
    ],
)
def test_ome_xml_that_makes_no_sense_is_refused_in_one_line_or_left_aside(tmp_path: Path, text: str) -> None:
    ome(tmp_path / "a.ome.tif", text)


@pytest.mark.parametrize(
    "text",
    [
        xml(t="400000000"),
        xml(t=" +400_000_000 "),
        xml(t="400000000").replace("Pixels", "XPixels"),
        xml(t="4000000").replace("</OME>", PIXELS.format(x=20, t=4_000_000, size=1, data="<TiffData/>") + "</OME>"),
        xml('<TiffData PlaneCount="4000000000"/>'),
        xml('<TiffData NumPlanes="4000000000"/>'),
        xml('<TiffData><ModuloAlongT Start="0" End="1e12" Step="1"/></TiffData>'),
        xml('<TiffData><ModuloAlongZ Start="0" End="1" Step="1e-300"/></TiffData>'),
    ],
)
def test_claims_of_billions_of_planes_are_refused(tmp_path: Path, text: str) -> None:
    assert "planes, more than" in ome(tmp_path / "a.ome.tif", text)


def cut_off(path: Path, after: int, axes: str | None = None) -> str:
    """Leave the first bytes of a file; returns the warning with which it is still read."""
    path.write_bytes(path.read_bytes()[:after])
    with pytest.warns(UserWarning, match="may be cut off or damaged") as warned:
        TiffReader(axes=axes)(str(path))
    (message,) = [str(each.message) for each in warned]
    assert "\n" not in message
    return message


def test_a_stack_that_was_cut_off_is_not_taken_for_a_plane(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    planes, path = np.zeros((4, 50, 60), "u2"), tmp_path / "a.tif"
    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
    said = cut_off(path, 9000)
    assert "ImageJ series metadata invalid or corrupted file" in said
    assert "what is left has axes 'yx' and shape (50, 60)" in said
    with tifffile.TiffWriter(path) as tif:
        for plane in planes:
            tif.write(plane, contiguous=False, metadata=None)
    assert "invalid page offset" in cut_off(path, 7000, axes="zyx")
    assert capfd.readouterr().err == ""


def test_planes_that_ome_xml_promises_and_the_file_has_not_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.ones((20, 20), "u1"), description=xml(t="3"), metadata=None)
    with pytest.warns(UserWarning, match="the XML says 2 planes more than the pages are"):
        image = TiffReader()(str(path))
    assert image.shape == (3, 20, 20)


def test_files_that_are_something_else_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"\x89PNG" + bytes(100))
    assert "cannot be opened as TIFF" in opened_or_refused(tmp_path / "a.tif")
    (tmp_path / "b.companion.ome").write_text("<OME/>")
    assert "names no TIFF files" in opened_or_refused(tmp_path / "b.companion.ome")
    (tmp_path / "c.companion.ome").write_text("<nothing")
    assert "no OME-XML that can be parsed" in opened_or_refused(tmp_path / "c.companion.ome")
    assert "there is no file" in opened_or_refused(tmp_path / "missing.tif")
    assert "is not a regular file" in opened_or_refused(tmp_path)


def test_what_tifffile_logs_of_a_broken_file_is_not_beside_the_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0garbage")
    command = [sys.executable, "-m", "tilewright.cli", "info", str(tmp_path / "broken.tif")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


# Files beside the file, and what metadata claims

BINARY = '<OME UUID="urn:uuid:1"><BinaryOnly MetadataFile="m.companion.ome" UUID="u"/></OME>'


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 * 2**30)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


STRANGE = {"sparse": sparse, "pipe": pipe, "device": device, "folder": Path.mkdir}
ONLY_FILES = {name: make for name, make in STRANGE.items() if name != "sparse"}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_a_companion_that_is_no_file_of_metadata_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "m.companion.ome")
    assert "m.companion.ome' " in ome(tmp_path / "a.ome.tif", BINARY)
    assert "m.companion.ome' " in opened_or_refused(tmp_path / "m.companion.ome")


@pytest.mark.parametrize("make", ONLY_FILES.values(), ids=ONLY_FILES)
def test_a_tiff_that_holds_the_metadata_of_a_set_is_held_to_the_same(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "m.ome.tif")
    assert "m.ome.tif" in ome(tmp_path / "a.ome.tif", BINARY.replace("m.companion.ome", "m.ome.tif"))


@pytest.mark.parametrize("make", ONLY_FILES.values(), ids=ONLY_FILES)
def test_what_is_no_file_is_missing_in_a_set_and_nobody_waits_for_it(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "b.ome.tif")
    data = '<TiffData IFD="0"><UUID FileName="b.ome.tif">urn:uuid:2</UUID></TiffData>'
    assert "whose file 'b.ome.tif' is missing" in ome(tmp_path / "a.ome.tif", xml(data))
    own = '<TiffData IFD="0" PlaneCount="1"><UUID FileName="a.ome.tif">urn:uuid:1</UUID></TiffData>'
    both = xml(own + data.replace("<TiffData", '<TiffData FirstT="1" PlaneCount="1"'), t="2")
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((20, 20), "u1"), description=both, metadata=None)
    with pytest.warns(UserWarning, match=r"are missing: b\.ome\.tif"):
        image = TiffReader()(str(tmp_path / "a.ome.tif"))
    with pytest.raises(NotReadable, match="missing files"):
        image.data[1]


@pytest.mark.parametrize("make", ONLY_FILES.values(), ids=ONLY_FILES)
def test_what_is_no_file_is_never_opened(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "a.tif")
    assert "is not a regular file" in opened_or_refused(tmp_path / "a.tif")
    for command in (["info"], ["info", "--reader", "tiff"]):
        done = CliRunner().invoke(main, [*command, str(tmp_path / "a.tif")])
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<OME>" + " " * 2**26 + "</OME>", "at most"),
        ("<OME>" + "<a/>" * 2**21 + "</OME>", "at most"),
        ("<OME>" * 60 + "</OME>" * 60, "more than 50 elements in each other"),
    ],
    ids=["large", "wide", "deep"],
)
def test_xml_is_bounded_in_size_count_and_depth(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.companion.ome").write_text(text)
    assert said in ome(tmp_path / "a.ome.tif", BINARY)


def test_tags_that_claim_more_than_a_file_of_metadata_has_are_not_read(tmp_path: Path) -> None:
    offsets = [*[e for e in page() if e[0] != OFFSETS], (OFFSETS, LONG, 2**30, 8)]
    (tmp_path / "a.tif").write_bytes(tiff(offsets))
    with (tmp_path / "a.tif").open("r+b") as file:
        file.truncate(8 * 2**30)
    assert "has tags of more than 268,435,456 bytes" in opened_or_refused(tmp_path / "a.tif")


def test_a_page_of_thousands_of_levels_is_refused(tmp_path: Path) -> None:
    levels = np.full(20_000, 72 + 4 * 20_000, "<u4").tobytes()
    pixels = bytes(64) + levels
    (tmp_path / "a.tif").write_bytes(tiff([*page(offset=8), (SUBIFDS, LONG, 20_000, 72)], pixels=pixels))
    assert "levels, more than 100" in opened_or_refused(tmp_path / "a.tif")


def test_pages_of_thousands_of_sizes_are_refused_where_nothing_arranges_them(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(*(page(1 + i % 200, 1 + i // 200, offset=8) for i in range(20_000))))
    assert "holds 20,000 images of unlike pages" in opened_or_refused(tmp_path / "a.tif")
    text = b'{"shape": [8, 8]}\0'
    shaped = [*page(offset=8 + len(text)), (DESCRIPTION, ASCII, len(text), 8)]
    (tmp_path / "b.tif").write_bytes(tiff(*[shaped] * 20_000, pixels=text + bytes(64)))
    assert "holds 20,000 images of unlike pages" in opened_or_refused(tmp_path / "b.tif")


def test_thousands_of_images_that_xml_arranges_are_listed(tmp_path: Path) -> None:
    images = "".join(
        f'<Image ID="Image:{i}" Name="{i}"><Pixels ID="Pixels:{i}" DimensionOrder="XYZCT" Type="uint8" SizeX="8" '
        f'SizeY="8" SizeZ="1" SizeC="1" SizeT="1"><TiffData IFD="{i}" PlaneCount="1"/></Pixels></Image>'
        for i in range(2000)
    )
    text = f"<OME>{images}</OME>".encode() + b"\0"
    first = [*page(offset=8 + len(text)), (DESCRIPTION, ASCII, len(text), 8)]
    data = tiff(first, *[page(offset=8 + len(text))] * 1999, pixels=text + bytes(64))
    (tmp_path / "a.ome.tif").write_bytes(data)
    assert len(TiffReader(series=1999)(str(tmp_path / "a.ome.tif")).images) == 2000


# Micro-Manager


def index(*entries: tuple[dict[str, object], str]) -> bytes:
    """An NDTiff.index of planes."""
    parts = ((json.dumps(axes).encode(), name.encode()) for axes, name in entries)
    plane = struct.pack("<IiiiiIii", 0, 8, 8, 0, 0, 0, 0, 0)
    return b"".join(struct.pack("<I", len(a)) + a + struct.pack("<I", len(n)) + n + plane for a, n in parts)


def ndtiff(path: Path) -> None:
    head = struct.pack("<2sHI6I", b"II", 42, 32, 483729, 2, 2355492, 2, int.from_bytes(b"{}\0\0", "little"), 0)
    tags = [*page(offset=8), (51123, ASCII, 2, 24)]
    path.write_bytes(head + directory(tags, 0))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (index(({"time": 0}, "../secret.tif")), "leads out of its folder, to '../secret.tif'"),
        (index(({"time": 0}, "/etc/hostname")), "leads out of its folder, to '/etc/hostname'"),
        (index(({"time": 0}, "a.tif"), ({"time": 2**31}, "a.tif")), "claims 2,147,483,649 planes"),
        (index(({"time": 0}, "pipe.tif")), "would be a part of a stack, but is not a file"),
    ],
)
def test_an_index_that_leads_elsewhere_or_claims_too_much_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "data").mkdir()
    tifffile.imwrite(tmp_path / "secret.tif", np.zeros((8, 8), "u1"))
    os.mkfifo(tmp_path / "data" / "pipe.tif")
    ndtiff(tmp_path / "data" / "a.tif")
    (tmp_path / "data" / "NDTiff.index").write_bytes(content)
    assert said in opened_or_refused(tmp_path / "data" / "a.tif")


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_an_index_that_is_no_file_of_metadata_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    ndtiff(tmp_path / "a.tif")
    make(tmp_path / "NDTiff.index")
    assert "NDTiff.index' " in opened_or_refused(tmp_path / "a.tif")


def test_a_stack_of_micro_manager_is_held_to_its_own_files_and_to_bearable_claims(tmp_path: Path) -> None:
    stack = np.zeros((1, 2, 1, 1, 8, 8), "u2")
    path = micro_manager(tmp_path / "a_MMStack.tif", stack)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"Frames": 2', b'"Frames": 9') + bytes(0))
    assert opened_or_refused(path) == ""
    path.write_bytes(data.replace(b'"Frames": 2, "Slices": 1', b'"Frames": 99999999999999'))
    assert "claims 99,999,999,999,999 planes" in opened_or_refused(path)
    path.write_bytes(data)
    os.mkfifo(tmp_path / "a_MMStack_1.tif")
    assert "would be a part of a stack, but is not a file" in opened_or_refused(path)
