"""Metadata that contradicts the pages: the error says what each of them says, and nothing is left out in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tilewright.errors import InvalidImage
from tilewright_tiff.reader import TiffReader

SHAPE = (3, 2, 4, 64, 96)  # t c z y x


def xml_of(folder: Path) -> str:
    tifffile.imwrite(folder / "right.ome.tif", np.zeros(SHAPE, "u1"), metadata={"axes": "TCZYX"})
    text = tifffile.tiffcomment(folder / "right.ome.tif")
    assert isinstance(text, str)
    return text


def pages(path: Path, text: str, count: int = 24, *, shape: tuple[int, ...] = (64, 96)) -> str:
    photometric = "rgb" if len(shape) == 3 else "minisblack"
    with tifffile.TiffWriter(path) as tif:
        for number in range(count):
            said = None if number else text
            plane = np.full(shape, number, "u1")
            tif.write(plane, description=said, metadata=None, contiguous=False, photometric=photometric)
    return str(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({'SizeX="96"': 'SizeX="90"'}, r"the XML says 90 × 64 pixels \(SizeX × SizeY\) .*, the pages have 96 × 64"),
        ({'SizeY="64"': 'SizeY="65"'}, "the XML says 96 × 65 pixels .*, the pages have 96 × 64"),
        ({'SizeT="3"': 'SizeT="2"'}, "the XML says 16 planes, the pages are 24"),
        ({'SizeT="3"': 'SizeT="2"', 'PlaneCount="24"': 'PlaneCount="16"'}, "the XML says 16 planes, the pages are 24"),
        ({'SizeZ="4"': 'SizeZ="1"', 'PlaneCount="24"': 'PlaneCount="6"'}, "the XML says 6 planes, the pages are 24"),
        ({'SizeZ="4"': 'SizeZ="5"'}, "the XML says SizeZ 5 × SizeC 2 × SizeT 3, the pages that it counts are 24"),
        ({'IFD="0"': 'IFD="30"'}, "begins at page 30, the pages are 24"),
    ],
)
def test_ome_xml_that_contradicts_the_pages_is_refused_in_words(
    changes: dict[str, str], said: str, tmp_path: Path
) -> None:
    text = xml_of(tmp_path)
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path = pages(tmp_path / "a.ome.tif", text)
    with pytest.raises(InvalidImage, match=f"contradicts itself: .*{said}; correct its metadata"):
        TiffReader()(path)


def test_colours_that_the_xml_does_not_know_are_refused_in_words(tmp_path: Path) -> None:
    path = pages(tmp_path / "a.ome.tif", xml_of(tmp_path), shape=(64, 96, 3))
    with pytest.raises(InvalidImage, match=r"the XML says SizeZ 4 × SizeC 2 × SizeT 3, the pages are 24 of 3 samples"):
        TiffReader()(path)


def test_an_image_of_the_xml_that_does_not_fit_is_no_reason_to_leave_it_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(np.zeros((30, 40), "u1"), metadata={"axes": "YX", "Name": "one"})
        tif.write(np.zeros((50, 60), "u1"), metadata={"axes": "YX", "Name": "two"})
    tifffile.tiffcomment(path, tifffile.tiffcomment(path).replace('SizeX="60"', 'SizeX="61"'))
    with pytest.raises(
        InvalidImage, match=r"the XML says 61 × 50 pixels \(SizeX × SizeY\) of 'two', the pages have 60"
    ):
        TiffReader(series=0)(str(path))


def test_thumbnails_that_belong_to_no_image_are_no_contradiction(tmp_path: Path) -> None:
    path, text = tmp_path / "a.ome.tif", xml_of(tmp_path)
    with tifffile.TiffWriter(path) as tif:
        for number in range(24):
            plane = np.full((64, 96), number, "u1")
            tif.write(plane, description=None if number else text, metadata=None, contiguous=False)
        tif.write(np.zeros((16, 24), "u1"), metadata=None)
        tif.write(np.zeros((64, 96), "u1"), metadata=None, subfiletype=1)
    assert TiffReader()(str(path)).data[2, 1, 3, 0, 0] == 23


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ImageJ=1.53t\nimages=5\nslices=5\n", "the text of ImageJ says 5 planes, the pages are 10"),
        ("ImageJ=1.53t\nimages=20\nslices=20\n", "says channels=1, slices=20, frames=1, the pages are 10"),
        ('{"shape": [5, 64, 96], "axes": "ZYX"}', r"the description says .*\[5, 64, 96\].*, the pages are 10 of shape"),
        ('{"shape": [10, 64, 90], "axes": "ZYX"}', r"says .*\[10, 64, 90\].*, the pages are 10 of shape \(64, 96\)"),
    ],
)
def test_the_text_of_imagej_and_tifffile_may_contradict_the_pages_too(text: str, said: str, tmp_path: Path) -> None:
    path = pages(tmp_path / "a.tif", text, 10)
    with pytest.raises(InvalidImage, match=f"contradicts itself: .*{said}"):
        TiffReader()(path)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('Type="uint8"', 'Type="int8"', "the XML says int8, the pages have uint8, and that is read"),
        (
            "</Pixels>",
            '<Channel ID="Channel:0:9" Name="third"/></Pixels>',
            "the XML names 3 channels of 1 samples, but says SizeC 2",
        ),
    ],
)
def test_a_type_or_channels_that_contradict_are_warned_of(before: str, after: str, said: str, tmp_path: Path) -> None:
    text = xml_of(tmp_path)
    assert before in text
    path = pages(tmp_path / "a.ome.tif", text.replace(before, after))
    with pytest.warns(UserWarning, match=said):
        assert TiffReader()(path).data[2, 1, 3, 0, 0] == 23
