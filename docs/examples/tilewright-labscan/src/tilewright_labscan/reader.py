from itertools import takewhile

import numpy as np

from tilewright import Image, NotReadable


def read(path):
    """The image of a LABSCAN file, mapped into memory."""
    try:
        header, offset = read_header(path)
        axes, unit, shape = header["axes"], header["unit"], tuple(map(int, header["shape"].split()))
        spacing = dict(zip("zyx", map(float, header["spacing"].split()), strict=True))
        data = np.memmap(path, np.dtype(header["dtype"]).newbyteorder("<"), "r", offset, shape)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise NotReadable(f"{path!r} cannot be read as LABSCAN 1: {error!r}; was it copied whole?") from error
    return Image(
        data=data,
        axes=axes,
        spacing={axis: step for axis, step in spacing.items() if axis in axes},
        units={axis: unit for axis in axes if axis in spacing},
        channels=tuple(header.get("channels", "").split()),
        source=path,
        format="labscan 1",
    )


def read_header(path):
    """The header by name, and where in the file the pixels begin."""
    with open(path, "rb") as file:
        if file.read(10) != b"LABSCAN 1\n":
            raise ValueError("its first line is another")
        lines = [line.decode().partition(":") for line in takewhile(bytes.strip, file)]
        return {name: value.strip() for name, _, value in lines}, file.tell()
