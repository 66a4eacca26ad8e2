"""The reader `picture`: one PNG, JPEG, BMP, GIF, WebP or NumPy file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from tilewright.abc import Image, Region
from tilewright.errors import InvalidOption, NotReadable, TilewrightError

__all__ = ["PictureReader"]

CHANNELS = {"RGB": ("red", "green", "blue"), "RGBA": ("red", "green", "blue", "alpha"), "LA": ("grey", "alpha")}
PLAIN = {
    "1",
    "L",
    "I",
    "F",
    "I;16",
    "I;16B",
    "I;16L",
    *CHANNELS,
}  # modes whose values are brightness; others become RGB


@dataclass(frozen=True, kw_only=True)
class PictureReader:
    """Open one picture.

    It is decoded whole when it is first read. Colours are channels named red, green, blue, alpha; a palette becomes
    colours. A `.npy` file is memory-mapped; one of other than two dimensions needs `axes`. NotReadable for a damaged
    file, a picture of more pixels than Pillow decodes (178 million), and colours of 16 bits, of which Pillow keeps 8.
    """

    axes: str | None = field(
        default=None, metadata={"help": "Axes of the array in a .npy file, a letter of tczyx for each dimension."}
    )

    def __call__(self, path: str) -> Image:
        with _readable(path):
            return self._array(path) if path.lower().endswith(".npy") else self._picture(path)

    def _array(self, path: str) -> Image:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        axes = self.axes or ("yx" if pixels.ndim == 2 else None)
        if axes is None:
            raise InvalidOption(
                f"{path!r} holds an array of shape {pixels.shape} and does not name its axes; pass axes, a letter of "
                "tczyx for each, such as zyx or yxc (--axes)"
            )
        return Image(data=pixels, axes=axes, name=Path(path).stem, source=path, format="npy")

    def _picture(self, path: str) -> Image:
        with _opened(path) as picture:
            _check_depth(path)
            mode, frames = picture.mode if picture.mode in PLAIN else "RGB", getattr(picture, "n_frames", 1)
            data = Decoded(path, mode, (picture.height, picture.width))
            format_name = str(picture.format).lower()
        channels = CHANNELS.get(mode, ())
        if self.axes not in (None, data.axes):
            raise InvalidOption(f"axes={self.axes!r}, but {path!r} has {data.axes!r}; leave axes out")
        if frames > 1 and format_name != "mpo":  # whose other frames are previews of the first
            warnings.warn(
                f"{path!r} holds {frames:,} frames, and the first is read; convert it to TIFF to read all",
                UserWarning,
                stacklevel=3,
            )
        return Image(
            data=data, axes=data.axes, channels=channels, name=Path(path).stem, source=path, format=format_name
        )


class Decoded:
    """The pixels of a picture, which is decoded when the first of them is read."""

    def __init__(self, path: str, mode: str, size: tuple[int, int]) -> None:
        self._path, self._mode = path, mode
        self.axes = "cyx" if mode in CHANNELS else "yx"
        self.shape = (len(CHANNELS[mode]), *size) if mode in CHANNELS else size
        self.dtype = np.asarray(Pillow.new(mode, (1, 1))).dtype.newbyteorder("=")
        self.files = (path,)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        return self._pixels[region]

    @cached_property
    def _pixels(self) -> NDArray[Any]:
        with _readable(self._path), _opened(self._path) as picture:
            pixels = np.asarray(picture if picture.mode == self._mode else picture.convert(self._mode))
        return (np.moveaxis(pixels, -1, 0) if self.axes == "cyx" else pixels).astype(self.dtype, copy=False)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """NotReadable, in one line, for whatever Pillow and NumPy raise."""
    try:
        yield
    except TilewrightError:
        raise
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        raise NotReadable(f"{path!r} cannot be read ({type(error).__name__}: {message}); export it again") from error


@contextmanager
def _opened(path: str) -> Iterator[Pillow.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # from twice as many pixels on it is an error
        picture = Pillow.open(path)
    with picture:
        yield picture


def _check_depth(path: str) -> None:
    """NotReadable for a PNG whose colours have 16 bits: Pillow drops the lower 8 without a word."""
    with Path(path).open("rb") as file:
        head = file.read(26)
    if head.startswith(b"\x89PNG") and head[24] == 16 and head[25] != 0:
        raise NotReadable(f"{path!r} has colours of 16 bits, of which 8 would be read; convert it to TIFF")
