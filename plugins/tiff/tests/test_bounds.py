"""Pieces that unpack to more than their page declares: nothing beyond it is allocated, with the codecs and without."""

from __future__ import annotations

import contextlib
import lzma
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from tilewright.errors import NotReadable
from tilewright_tiff import bounds, pages
from tilewright_tiff.reader import TiffReader

pytestmark = pytest.mark.slow

LONG, SHORT = 4, 3
ZEROS = 2**26  # bytes that a piece unpacks to
BARE: dict[str, tuple[int, Callable[[], bytes]]] = {
    "deflate": (8, lambda: zlib.compress(bytes(ZEROS), 9)),
    "lzma": (34925, lambda: lzma.compress(bytes(ZEROS), preset=0)),
    "packbits": (32773, lambda: b"\x81\0" * (ZEROS // 128)),
}
PICTURES = {
    "jpeg": 7,
    "png": 34933,
    "jpeg2k": 34712,
    "lerc": 34887,
    "jpegxl": 50002,
    "jpegxr": 34934,
}


def one_tile(path: Path, compression: int, data: bytes, *, count: int | None = None) -> Path:
    """A file of 64 × 64 pixels of a byte in one tile, which holds these bytes."""
    sizes = [(256, LONG, 1, 64), (257, LONG, 1, 64), (322, LONG, 1, 64), (323, LONG, 1, 64)]
    kinds = [(258, SHORT, 1, 8), (259, SHORT, 1, compression), (262, SHORT, 1, 1)]
    tags = sorted([*sizes, *kinds, (324, LONG, 1, 8), (325, LONG, 1, len(data) if count is None else count)])
    padded = data + bytes(len(data) % 2)
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8 + len(padded)) + padded + body)
    return path


def peak(read: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(path: Path) -> str:
    with pytest.raises(NotReadable) as raised:
        TiffReader()(str(path)).data[...]
    return str(raised.value)


@pytest.mark.parametrize("name", BARE)
def test_without_the_codecs_a_piece_unpacks_to_its_declared_size(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compression, bomb = BARE[name]
    monkeypatch.setattr(bounds, "has_codecs", lambda: False)
    path = one_tile(tmp_path / "a.tif", compression, bomb())
    image = TiffReader()(str(path))
    assert peak(lambda: image.data[...]) < 8e6
    assert not image.data[...].any()


@pytest.mark.parametrize("options", [{}, {"predictor": True}, {"rowsperstrip": 7}, {"tile": (32, 48)}], ids=str)
@pytest.mark.parametrize("compression", ["zlib", "lzma", "packbits"])
def test_without_the_codecs_pixels_are_what_was_written(
    tmp_path: Path, compression: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if compression == "packbits":
        pytest.importorskip("imagecodecs")  # to write it
        if "predictor" in options:
            pytest.skip("PackBits takes no predictor")
    shape = (100, 130, 3) if compression == "zlib" else (100, 130)
    pixels = np.random.default_rng(0).integers(0, 4, shape).astype("u2").repeat(2, 0)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, byteorder=">", **options)
    monkeypatch.setattr(bounds, "has_codecs", lambda: False)
    image = TiffReader()(str(tmp_path / "a.tif"))
    np.testing.assert_array_equal(image.data[...], np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels)


@pytest.mark.parametrize("name", [*BARE, "zstd", "lzw"])
def test_with_the_codecs_a_piece_unpacks_to_its_declared_size(tmp_path: Path, name: str) -> None:
    codecs = pytest.importorskip("imagecodecs")
    compression, bomb = (
        BARE.get(name)
        or {
            "zstd": (50000, lambda: codecs.zstd_encode(bytes(ZEROS))),
            "lzw": (5, lambda: codecs.lzw_encode(bytes(ZEROS))),
        }[name]
    )
    image = TiffReader()(str(one_tile(tmp_path / "a.tif", compression, bomb())))

    def read() -> None:
        with contextlib.suppress(NotReadable):  # some decoders stop at that size, others take it for damage
            image.data[...]

    assert peak(read) < 8e6


def stored(name: str, pixels: NDArray[Any]) -> bytes:
    codecs = pytest.importorskip("imagecodecs")
    options = {"jpeg2k": {"level": 0, "reversible": True}, "jpegxr": {"level": 1.0}}.get(name, {})
    data: bytes = getattr(codecs, f"{name}_encode")(pixels, **options)
    return data


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_in_a_piece_that_claims_another_size_is_refused_undecoded(tmp_path: Path, name: str) -> None:
    path = one_tile(tmp_path / "a.tif", PICTURES[name], stored(name, np.zeros((8192, 8192), "u1")))
    assert "a piece claims 67,108,864 values, its page declares 4,096" in refused(path)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_in_a_piece_is_read(tmp_path: Path, name: str) -> None:
    pixels = np.add.outer(np.arange(64), np.arange(64)).astype("u1")
    image = TiffReader()(str(one_tile(tmp_path / "a.tif", PICTURES[name], stored(name, pixels))))
    np.testing.assert_allclose(image.data[...], pixels, atol=3)


def test_the_size_in_a_box_of_jpeg_2000_is_found() -> None:
    siz = b"\xff\x4f\xff\x51" + struct.pack(">HHIIII16xH", 41, 0, 300, 200, 100, 0, 3)
    box = struct.pack(">I4sI", 12, b"jP  ", 0) + struct.pack(">I4s", 8 + len(siz), b"jp2c") + siz
    far = struct.pack(">I4sI", 12, b"jP  ", 0) + struct.pack(">I4sQ", 1, b"jp2c", 16 + len(siz)) + siz
    assert [bounds._claimed_by_jpeg_2000(data) for data in (siz, box, far, box[:30], b"")] == [120_000] * 3 + [0, 0]


@pytest.mark.parametrize("compression", [1, 8])
def test_a_piece_of_gigabytes_in_the_file_is_not_read_whole(tmp_path: Path, compression: int) -> None:
    data = zlib.compress(bytes(4096)) if compression == 8 else bytes(4096)
    path = one_tile(tmp_path / "a.tif", compression, data, count=2**32 - 1)
    with path.open("r+b") as file:
        file.truncate(5 * 2**30)
    image = TiffReader()(str(path))
    assert peak(lambda: image.data[...]) < 8e6


def test_rows_of_large_strips_are_held_to_their_size_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LARGE", 1000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = one_tile(tmp_path / "a.tif", 8, zlib.compress(bytes(ZEROS), 9))
    image = TiffReader()(str(path))

    def read() -> None:
        with pytest.warns(UserWarning, match="is converted to tiles"):
            image.data[...]

    assert peak(read) < 8e6
