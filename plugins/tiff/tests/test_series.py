"""Files with several images: they are listed, one is chosen, and a run that chooses none says which it takes."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray

from tilewright import Pipeline
from tilewright.cli import main
from tilewright_tiff.reader import TiffReader

HEADER = 162  # bytes of a page of Micro-Manager: 13 tags, behind which its pixels lie
ASCII, SHORT, LONG = 2, 3, 4


def two_images(path: Path) -> Path:
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(np.zeros((64, 64), "u1"), metadata={"axes": "YX", "Name": "overview"})
        tif.write(np.eye(90, dtype="u1")[None].repeat(5, 0), metadata={"axes": "ZYX", "Name": "stack"})
    return path


def pages_of_two_sizes(path: Path) -> Path:
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.zeros((64, 64), "u1"), metadata=None)
        tif.write(np.eye(90, dtype="u1"), metadata=None)
    return path


def shaped(path: Path) -> Path:
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.zeros((64, 64), "u1"), metadata={"axes": "YX"})
        tif.write(np.eye(90, dtype="u1")[None].repeat(5, 0), metadata={"axes": "ZYX"})
    return path


def micro_manager(path: Path, stack: NDArray[Any], *, xml: str = "") -> Path:
    """A stack (position, t, z, c, y, x) as Micro-Manager 2 writes it: an index of its planes in front."""
    counts = dict(zip(("Positions", "Frames", "Slices", "Channels"), stack.shape[:4], strict=True))
    said = {**counts, "MicroManagerVersion": "2.0.0", "TimeFirst": False, "SlicesFirst": False, "Prefix": "a"}
    summary, text = json.dumps(said).encode(), (xml or "ImageJ=1.53").encode() + b"\0"
    height, width = stack.shape[4:]
    start = 40 + len(summary) + len(text) + 4
    size = HEADER + height * width * 2
    index, pages = b"", b""
    for number, place in enumerate(np.ndindex(stack.shape[:4])):
        at = start + number * size
        tags = [(256, LONG, 1, width), (257, LONG, 1, height), (258, SHORT, 1, 16), (259, SHORT, 1, 1)]
        tags += [(262, SHORT, 1, 1), (270, ASCII, len(text), 40 + len(summary)), (273, LONG, 1, at + HEADER)]
        tags += [(277, SHORT, 1, 1), (278, LONG, 1, height), (279, LONG, 1, height * width * 2)]
        tags += [(296, SHORT, 1, 1), (305, ASCII, 2, 0), (51123, ASCII, len(summary), 40)]
        following = at + size if number + 1 < stack[..., 0, 0].size else 0
        pages += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
        pages += struct.pack("<I", following) + stack[place].astype("<u2").tobytes()
        position, t, z, c = place
        index += struct.pack("<5I", c, z, t, position, at)
    end = start + len(pages)
    head = struct.pack("<2sHI", b"II", 42, start) + struct.pack("<II", 54773648, end) + bytes(16)
    head += struct.pack("<II", 2355492, len(summary)) + summary + text + bytes(4)
    path.write_bytes(head + pages + struct.pack("<II", 3453623, len(index) // 20) + index)
    return path


def positions_in_xml(stack: NDArray[Any]) -> str:
    """OME-XML with an image for each position; t is its slowest dimension."""
    count, t, z, c, y, x = stack.shape
    images = "".join(
        f'<Image ID="Image:{p}" Name="well {p}"><Pixels ID="Pixels:{p}" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="{x}" SizeY="{y}" SizeZ="{z}" SizeC="{c}" SizeT="{t}" PhysicalSizeX="0.5" PhysicalSizeY="0.5">'
        f'<TiffData IFD="{p * t * z * c}" PlaneCount="{t * z * c}"/></Pixels></Image>'
        for p in range(count)
    )
    return f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{images}</OME>'


STACK = np.random.default_rng(0).integers(0, 200, (3, 2, 4, 1, 20, 30)).astype("u2")


@pytest.mark.parametrize("make", [two_images, pages_of_two_sizes, shaped])
def test_the_images_of_a_file_are_listed_and_one_that_nobody_chose_is_named(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "a.ome.tif" if make is two_images else tmp_path / "a.tif")
    with pytest.warns(UserWarning, match=r"holds 2 images, and the first \(series=0: .*yx 64 × 64\) is read") as warned:
        image = TiffReader()(str(path))
    assert len(warned) == 1
    assert image.shape == (64, 64)
    assert [text.partition(":")[0] for text in image.images] == ["series=0", "series=1"]
    assert image.images[1].endswith("90 × 90")
    for series, rows in ((0, 64), (1, 90)):
        assert TiffReader(series=series)(str(path)).shape[-1] == rows  # a warning would be an error


def svs(path: Path, *others: str) -> Path:
    """A slide with a pyramid, as Aperio's scanners write it: the thumbnail is the second page."""
    text = "Aperio Image Library v12\r\n128x128 (64x64) RAW|AppMag = 20"
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "software": False}
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.zeros((128, 128), "u1"), tile=(64, 64), description=text, **options)
        tif.write(np.zeros((20, 20), "u1"), description="Aperio\r\n thumbnail", **options)
        tif.write(np.zeros((64, 64), "u1"), tile=(64, 64), description=text, **options)
        for number, name in enumerate(others):
            kind = {"label": 1, "macro": 9}[name]
            picture = np.zeros((30 + number, 30), "u1")
            tif.write(picture, subfiletype=kind, description=f"Aperio\r\n{name} 30x30", **options)
    return path


def named(path: Path, *names: str, sides: tuple[int, ...] = (64, 20, 20)) -> Path:
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name, side in zip(names, sides, strict=False):
            tif.write(np.zeros((side, side), "u1"), metadata={"axes": "YX", "Name": name})
    return path


def reduced(path: Path) -> Path:
    with tifffile.TiffWriter(path) as tif:
        tif.write(np.zeros((64, 64), "u1"), metadata=None)
        tif.write(np.zeros((15, 7, 3), "u1"), subfiletype=1, metadata=None, photometric="rgb")
    return path


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda folder: svs(folder / "a.svs"), 2),
        (lambda folder: svs(folder / "a.svs", "label", "macro"), 4),
        (lambda folder: named(folder / "a.ome.tif", "slide 1", "label image", "macro image"), 3),
        (lambda folder: named(folder / "a.ome.tif", "", "Thumbnail"), 2),
        (lambda folder: reduced(folder / "a.tif"), 2),
    ],
)
def test_small_pictures_beside_an_image_are_no_choice_and_only_the_log_tells_of_them(
    make: Any, count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "tilewright"):
        image = TiffReader()(str(make(tmp_path)))  # a warning would be an error
    assert len(image.images) == count
    assert [record.getMessage().partition(" images")[0] for record in caplog.records] == [
        f"{str(next(tmp_path.iterdir()))!r} holds {count}"
    ]


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        (("label", "slide"), (20, 64)),
        (("slide", "label"), (64, 64)),
        (("slide", "thumbnail", "other slide"), (64, 20, 20)),
        (("cells", "labelling"), (64, 20)),
    ],
)
def test_where_an_image_that_is_not_read_may_be_the_one_that_is_meant_a_warning_says_so(
    names: tuple[str, ...], sides: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=f"holds {len(names)} images"):
        TiffReader()(str(named(tmp_path / "a.ome.tif", *names, sides=sides)))


def test_a_file_with_one_image_lists_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 20, 30), "u1"), metadata={"axes": "ZYX"})
    assert TiffReader()(str(tmp_path / "a.ome.tif")).images == ()


@pytest.mark.filterwarnings("default")
def test_info_lists_the_images_and_a_run_says_which_it_takes(tmp_path: Path) -> None:
    path = two_images(tmp_path / "a.ome.tif")
    listed = CliRunner().invoke(main, ["info", str(path)])
    assert (
        "images      2\n            series=0: overview, yx 64 × 64\n            series=1: stack, zyx 5 × 90 × 90\n"
        in listed.stdout
    )
    facts = json.loads(CliRunner().invoke(main, ["info", str(path), "--json"]).stdout)
    assert facts["images"] == ["series=0: overview, yx 64 × 64", "series=1: stack, zyx 5 × 90 × 90"]
    run = ["run", str(path), str(tmp_path / "out.ome.tif"), "--segmenter", "threshold", "--quiet"]
    (line,) = CliRunner().invoke(main, run).stderr.splitlines()
    assert line.startswith("warning: ")
    assert "holds 2 images, and the first (series=0: overview, yx 64 × 64) is read" in line
    assert "--reader-set series=1" in line
    chosen = CliRunner().invoke(main, [*run, "--overwrite", "--reader-set", "series=1"])
    assert (chosen.exit_code, chosen.stderr) == (0, "")
    assert TiffReader()(str(tmp_path / "out.ome.tif")).axes == "zyx"


@pytest.mark.slow
def test_workers_say_nothing_that_the_run_has_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = two_images(tmp_path / "a.ome.tif")
    with pytest.warns(UserWarning, match="holds 2 images"):
        Pipeline(segmenter="threshold", tiler={"name": "grid", "configuration": {"tile": 32}}).run(
            path, tmp_path / "out.ome.tif", processes=True, workers=2
        )
    assert capfd.readouterr().err == ""


def test_a_position_of_micro_manager_is_an_image_and_never_z(tmp_path: Path) -> None:
    path = micro_manager(tmp_path / "a_MMStack.tif", STACK)
    with pytest.warns(UserWarning, match=r"holds 3 images, and the first \(series=0: position 0, tzyx 2 × 4 × 20 × 30"):
        TiffReader()(str(path))
    for position in range(3):
        image = TiffReader(series=position)(str(path))
        assert image.axes == "tzyx"
        np.testing.assert_array_equal(image.data[...], STACK[position, :, :, 0])


def test_the_own_ome_xml_of_micro_manager_comes_first(tmp_path: Path) -> None:
    path = micro_manager(tmp_path / "a_MMStack.ome.tif", STACK, xml=positions_in_xml(STACK))
    for position in range(3):
        image = TiffReader(series=position)(str(path))
        assert (image.axes, image.name, image.format) == ("tzyx", f"well {position}", "ome-tiff")
        assert image.spacing == {"y": 0.5, "x": 0.5}
        assert image.images[position] == f"series={position}: well {position}, tzyx 2 × 4 × 20 × 30"
        np.testing.assert_array_equal(image.data[...], STACK[position, :, :, 0])


def test_one_position_of_micro_manager_is_the_image(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = TiffReader()(str(micro_manager(tmp_path / "a_MMStack.tif", STACK[:1])))
    assert (image.axes, image.images) == ("tzyx", ())
    np.testing.assert_array_equal(image.data[...], STACK[0, :, :, 0])


def test_names_of_images_steer_no_terminal(tmp_path: Path) -> None:
    path = two_images(tmp_path / "a.ome.tif")
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace("overview", "abc\u202egpj.exe").encode())
    with pytest.warns(UserWarning, match=r"abc\\u202egpj\.exe, yx 64") as warned:
        assert "\u202e" not in TiffReader()(str(path)).images[0]
    assert "\u202e" not in str(warned[0].message)
