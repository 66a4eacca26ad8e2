"""Pictures as others decode them, and folders and patterns as one stack or as many images."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tilewright import Pipeline, open_image
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_pictures.picture import PictureReader
from tilewright_pictures.stack import StackReader

GREY = np.random.default_rng(0).integers(0, 255, (40, 50), dtype="u1")
COLOURS = np.random.default_rng(1).integers(0, 255, (40, 50, 4), dtype="u1")


def decoded(path: Path, mode: str = "RGB") -> NDArray[Any]:
    """The picture as Pillow converts it, with its colours first."""
    with Image.open(path) as picture:
        return np.moveaxis(np.asarray(picture.convert(mode)), -1, 0)


def mode_of(path: Path) -> str:
    with Image.open(path) as picture:
        return picture.mode


THRESHOLD = {"name": "threshold", "configuration": {"threshold": 128}}


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".webp", ".jpg"])
def test_grey_and_coloured_pictures_are_what_pillow_decodes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cells{suffix}"
    Image.fromarray(COLOURS[..., :3]).save(path)
    image = open_image(path)
    assert (image.axes, image.channels) == ("cyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(image[...], decoded(path))


@pytest.mark.parametrize(
    ("pixels", "mode", "axes"),
    [
        (GREY, "L", "yx"),
        (GREY.astype("u2") * 257, "I;16", "yx"),
        (GREY > 99, "1", "yx"),
        (COLOURS, "RGBA", "cyx"),
        (COLOURS[..., :2], "LA", "cyx"),
    ],
)
def test_values_of_every_mode_are_kept(tmp_path: Path, pixels: NDArray[Any], mode: str, axes: str) -> None:
    path = tmp_path / "cells.png"
    Image.fromarray(pixels).save(path)
    assert mode_of(path) == mode
    image = open_image(path)
    assert (image.axes, image.dtype) == (axes, pixels.dtype)
    np.testing.assert_array_equal(image[...], pixels if axes == "yx" else np.moveaxis(pixels, -1, 0))


def test_a_palette_becomes_colours(tmp_path: Path) -> None:
    Image.fromarray(COLOURS[..., :3]).quantize(16).save(tmp_path / "cells.png")
    np.testing.assert_array_equal(open_image(tmp_path / "cells.png")[...], decoded(tmp_path / "cells.png"))


def png_of_16_bits(path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (2).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    rows = b"".join(b"\0" + bytes(12) for _ in range(2))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def test_colours_of_16_bits_are_refused_because_half_would_be_lost(tmp_path: Path) -> None:
    png_of_16_bits(tmp_path / "cells.png")
    assert mode_of(tmp_path / "cells.png") == "RGB"
    with pytest.raises(NotReadable, match="colours of 16 bits, of which 8 would be read"):
        open_image(tmp_path / "cells.png")


def test_frames_of_an_animation_are_mentioned(tmp_path: Path) -> None:
    frames = [Image.fromarray(GREY + step) for step in range(3)]
    frames[0].save(tmp_path / "cells.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="holds 3 frames, and the first is read"):
        open_image(tmp_path / "cells.gif")


def test_an_array_in_a_file_is_mapped_and_says_what_axes_it_needs(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", GREY)
    np.save(tmp_path / "stack.npy", COLOURS)
    assert isinstance(open_image(tmp_path / "flat.npy").data, np.memmap)
    with pytest.raises(InvalidOption, match=r"shape \(40, 50, 4\) and does not name its axes; pass axes"):
        open_image(tmp_path / "stack.npy")
    image = open_image(tmp_path / "stack.npy", reader=PictureReader(axes="yxc"))
    np.testing.assert_array_equal(image[...], COLOURS)


@pytest.mark.parametrize("name", ["cells.png", "cells.jpg", "cells.npy"])
def test_a_picture_cut_short_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, COLOURS[..., 0])
    else:
        Image.fromarray(COLOURS[..., :3]).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(NotReadable) as caught:
        open_image(path)[...]
    assert "\n" not in str(caught.value)


def slices(folder: Path, names: list[str], suffix: str = ".tif") -> NDArray[Any]:
    """Images of one plane each, whose values tell them apart, in the order of the names."""
    folder.mkdir()
    planes = [GREY // 2 + number for number in range(len(names))]
    for name, plane in zip(names, planes, strict=True):
        if suffix == ".tif":
            tifffile.imwrite(folder / f"{name}{suffix}", plane, resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
        else:
            Image.fromarray(plane).save(folder / f"{name}{suffix}")
    return np.stack(planes)


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("pattern", ["", "*", "s[0-9]*{suffix}"])
def test_a_folder_and_a_pattern_are_one_stack_in_the_order_of_their_numbers(
    tmp_path: Path, suffix: str, pattern: str
) -> None:
    expected = slices(tmp_path / "scan", [f"s{n}" for n in range(12)], suffix)
    image = Pipeline(segmenter=THRESHOLD).open(str(tmp_path / "scan" / pattern.format(suffix=suffix)), axes="zyx")
    assert (image.axes, len(image.images)) == ("zyx", 12)
    assert image.spacing == ({"y": 0.5, "x": 0.5} if suffix == ".tif" else {})
    np.testing.assert_array_equal(image[...], expected)


def test_names_say_where_images_lie(tmp_path: Path) -> None:
    names = [f"run_t{t}_c{c}_z{z:03}" for t in range(2) for c in (1, 2) for z in (5, 10, 11)]
    expected = slices(tmp_path / "scan", names).reshape(2, 2, 3, 40, 50)
    image = open_image(tmp_path / "scan")
    assert (image.axes, image.shape) == ("tczyx", (2, 2, 3, 40, 50))
    np.testing.assert_array_equal(image[1:, :, 1:, 3:20, 7:], expected[1:, :, 1:, 3:20, 7:])
    (tmp_path / "scan" / "run_t1_c2_z010.tif").unlink()
    with pytest.raises(InvalidImage, match="11 images by name, but none for t1_c2_z10"):
        open_image(tmp_path / "scan")


def test_channels_between_times_and_colours_are_in_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(COLOURS[..., :3] // 2 + number).save(folder / f"frame{number}.png")
    image = open_image(folder, reader=StackReader(axes="tcyx"))
    assert (image.axes, image.channels) == ("tcyx", ("red", "green", "blue"))
    np.testing.assert_array_equal(image[2], np.moveaxis(COLOURS[..., :3] // 2 + 2, -1, 0))


def test_several_images_that_nothing_joins_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    expected = slices(tmp_path / "scan", ["a", "b"])
    with pytest.raises(InvalidOption, match=r"pass axes such as zyx or tyx .* option image: a\.tif, b\.tif$"):
        open_image(tmp_path / "scan")
    np.testing.assert_array_equal(open_image(f"{tmp_path / 'scan'}#b.tif")[...], expected[1])
    with pytest.raises(InvalidOption, match=r"image 'c\.tif' does not exist; .* has a\.tif, b\.tif"):
        open_image(f"{tmp_path / 'scan'}#c.tif")


def test_an_image_of_another_shape_is_named_where_it_is_read(tmp_path: Path) -> None:
    slices(tmp_path / "scan", ["a", "b"])
    tifffile.imwrite(tmp_path / "scan/c.tif", GREY[:20])
    with pytest.raises(InvalidImage, match=r"c\.tif' has axes 'yx', shape \(20, 50\) .* \(40, 50\)"):
        open_image(tmp_path / "scan", reader=StackReader(axes="zyx"))[...]


def test_a_run_on_a_folder_equals_one_on_its_stack(tmp_path: Path) -> None:
    stack = slices(tmp_path / "scan", ["s1", "s2", "s3"])
    pipeline = Pipeline(segmenter=THRESHOLD, tiler={"name": "grid", "configuration": {"tile": 16}})
    from_folder = pipeline.run(tmp_path / "scan", tmp_path / "a.ome.zarr", axes="zyx")
    from_array = pipeline.run(stack, tmp_path / "b.ome.zarr", axes="zyx")
    np.testing.assert_array_equal(from_folder.labels.compute(), from_array.labels.compute())


def test_nothing_that_matches_is_not_readable(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    for path in (tmp_path / "scan/*.tif", tmp_path / "scan"):
        with pytest.raises(NotReadable):
            open_image(path)
