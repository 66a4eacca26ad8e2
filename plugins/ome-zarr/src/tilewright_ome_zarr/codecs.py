"""The codecs of an array: their names, and the package to install for one that is not registered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numcodecs
import zarr

__all__ = ["advice", "check_registered", "codec_names"]

# The packages that register codecs with numcodecs (zarr v2) or zarr (v3), by what the codecs' names begin with. Both
# `imagecodecs` and `numcodecs` have more codecs than they register.
PACKAGES = {
    "zfpy": "numcodecs[zfpy]",
    "pcodec": "numcodecs[pcodec]",
    "crc32c": "numcodecs[crc32c]",
    "msgpack": "numcodecs[msgpack]",
    "wavpack": "wavpack-numcodecs",
    "flac": "flac-numcodecs",
    "ocf_blosc2": "ocf-blosc2",
    "anscombe": "anscombe-transform",
    "cast_value": "cast-value-rs",
    "combinators": "numcodecs-combinators",
    "delta2d": "delta2d-numcodecs",
    "gribberish": "gribberish",
    "grib": "kerchunk",
    "jpeg_xl_float_with_nans": "jpeg-xl-float-with-nans",
}


def codec_names(array: zarr.Array[Any]) -> str:
    """The array's filters and compressor, or its codecs with those within shards, separated by commas."""
    metadata: Mapping[str, Any] = array.metadata.to_dict()
    if array.metadata.zarr_format == 2:
        codecs = [*(metadata["filters"] or ()), metadata["compressor"]]
        return ", ".join(str(each["id"]) for each in codecs if each) or "none"
    return ", ".join(_names(metadata["codecs"]))


def check_registered(array: zarr.Array[Any]) -> None:
    """Numcodecs' error for a codec of zarr v3 that only names one of numcodecs, which zarr notices while it reads."""
    if array.metadata.zarr_format == 3:
        metadata: Mapping[str, Any] = array.metadata.to_dict()
        for codec in _all(metadata["codecs"]):
            prefix, _, name = str(codec["name"]).partition("numcodecs.")
            if name and not prefix:
                numcodecs.get_codec({"id": name, **codec.get("configuration", {})})


def advice(message: str) -> str | None:
    """What to do about an unknown codec, given the error's message, which quotes its name."""
    match = re.search(r"'([\w.-]+)'", message)
    name = match.group(1).removeprefix("numcodecs.") if match else ""
    if name.startswith("imagecodecs_"):
        # zarr's words for a codec of v3, before 3.2 and since; any others are of a codec of v2.
        of_zarr = message.startswith("Unknown codec") or "codec implementation with zarr" in message
        package = "imagecodecs-zarr" if of_zarr else "imagecodecs-numcodecs"
    else:
        package = next((PACKAGES[start] for start in PACKAGES if name.startswith(start)), "")
    if package:
        return f"its codec {name!r} is not installed; pip install '{package}'"
    return f"its codec {name!r} is not registered; install the package that it comes from" if name else None


def _names(codecs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (str(codec["name"]) for codec in _all(codecs))


def _all(codecs: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for codec in codecs:
        yield codec
        yield from _all(codec.get("configuration", {}).get("codecs", ()))
