"""Bad arguments are refused before any work, in one sentence that names what was given and what is possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import (
    Image,
    InvalidOption,
    NotReadable,
    TilewrightError,
    UnknownComponent,
    auto_overlap,
    auto_tile_shape,
    auto_tile_shape_cellpose,
    estimate_empty_tiles,
    make_local_cluster,
    merge_tile_labels,
    relabel_sequential_zarr,
    tile_process,
)

VOLUME = np.ones((4, 8, 8), np.uint8)
CHANNELS = Image(data=np.ones((2, 8, 8), np.uint8), axes="cyx", channels=("DAPI", "GFP"))

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "length of tile_shape": ({"tile_shape": (4, 4)}, r"tile_shape \[4, 4\] has 2 numbers, but .* 'zyx' need 3"),
    "zero tile": ({"tile_shape": (1, 0, 4)}, r"tile_shape \(1, 0, 4\) must be .* at least 1, not 0"),
    "negative tile": ({"tile_shape": (1, 4, -4)}, r"at least 1, not -4"),
    "float tile": (
        {"tile_shape": (1, 4.0, 4)},
        r"tile_shape must be .*, not \(1, 4\.0, 4\)",
    ),
    "boolean tile": (
        {"tile_shape": True},
        r"tile_shape must be a sequence .* or None, not True",
    ),
    "tile_shape foo": ({"tile_shape": "foo"}, r"must be None, 'auto', a sequence of lengths or a function, not 'foo'"),
    "tile_shape object": (
        {"tile_shape": object()},
        r"tile_shape must be a sequence .* or None, not <object",
    ),
    "function of tiles": ({"tile_shape": lambda shape, dtype: (1, 2)}, r"\[1, 2\] has 2 numbers, but .* need 3"),
    "length of overlap": ({"overlap": (1, 1)}, r"overlap \[1, 1\] has 2 numbers"),
    "negative overlap": ({"overlap": -1}, r"overlap must be a whole number of at least 0, not -1"),
    "float overlap": ({"overlap": 2.0}, r"overlap must be a whole number or a sequence .*, not 2\.0"),
    "float in overlap": (
        {"overlap": (0, 1, 1.5)},
        r"overlap must be .*, not \(0, 1, 1\.5\)",
    ),
    "text overlap": ({"overlap": "8"}, r"overlap must be a whole number or a sequence .*, not '8'"),
    "unknown merger": ({"merger": "glue"}, r"no installed plugin offers a merger 'glue'.*(overlap|touch)"),
    "merger that is none": ({"merger": 3}, r"3 is not a merger"),
    "merger without halo": ({"merger": "overlap"}, r"'overlap' compares what two tiles saw, but .* halo is 0"),
    "zero connectivity": ({"connectivity": 0}, r"connectivity must be .* at least 1, not 0"),
    "large connectivity": ({"connectivity": 4}, r"connectivity 4 is more than the image's 3 spatial dimensions"),
    "connectivity of overlap": ({"connectivity": 2, "merger": "overlap", "overlap": 2}, r"2 is for merger 'touch'"),
    "channel without c": ({"channel": 1}, r"channel 1 was asked for, but the image's axes 'zyx' have no c"),
    "channels without c": ({"channels": [0]}, r"channel 0 was asked for, but the image's axes 'zyx' have no c"),
    "channels that are one": (
        {"image": CHANNELS, "channels": 0},
        r"channels must be a sequence .*, not 0",
    ),
    "both": ({"channels": [0], "channel": 0}, r"give channel or channels, not both \(0 and \[0\]\)"),
    "missing channel": ({"image": CHANNELS, "channel": 2}, r"channel 2 does not exist; the image has 2 channels"),
    "missing name": ({"image": CHANNELS, "channel": "RFP"}, r"'RFP' does not exist; .*DAPI, GFP"),
    "float channel": ({"image": CHANNELS, "channel": 0.0}, r"0\.0"),
    "no channel of several": ({"image": CHANNELS, "channel": None, "tile_shape": (4, 4)}, r"2 channels \(DAPI, GFP\)"),
    "level of an array": ({"level": 1}, r"level 1 was asked for, but ndarray in memory has one level"),
    "negative level": ({"level": -1}, r"level must be a whole number of at least 0, not -1"),
    "missing path": ({"image": "nothing/here.zarr"}, r"nothing/here.zarr' does not exist"),
    "no image": ({"image": 3}, r"int is not an image; give a path, an Image, or an array"),
    "unknown shape": ({"image": da.ones(9)[da.ones(9) > 0]}, r"unknown shape \(nan,\).*compute_chunk_sizes"),
    "six dimensions": ({"image": np.ones((1,) * 6)}, r"6 dimensions needs its axes"),
    "no function": ({"fn": 7}, r"7 is not a segmenter"),
    "unknown function": ({"fn": "cellposse"}, r"no installed plugin offers a segmenter 'cellposse'"),
    "threshold NaN": ({"skip_empty": True, "empty_threshold": np.nan}, r"empty_threshold must be a number, not nan"),
    "threshold text": (
        {"skip_empty": True, "empty_threshold": "1"},
        r"empty_threshold must be a number or None, not '1'",
    ),
    "empty component": ({"output_component": ""}, r"output_component '' is not a name in a zarr group"),
    "component outside": ({"output_component": "../labels"}, r"'../labels' is not a name in a zarr group"),
    "component absolute": ({"output_component": "/labels"}, r"'/labels' is not a name in a zarr group"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("where", [None, "out.zarr"], ids=["temporary", "written"])
def test_a_bad_argument_is_refused_before_any_work(
    what: str, where: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, message = BAD[what]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arguments: dict[str, Any] = {"image": VOLUME, "fn": _never, "tile_shape": (2, 4, 4)} | given
    if where is not None:
        arguments["write_to"] = tmp_path / where
    with pytest.raises(TilewrightError, match=message) as caught:
        tile_process(arguments.pop("image"), arguments.pop("fn"), **arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_nobody_reads_is_refused_with_the_readers_there_are(tmp_path: Path) -> None:
    path = tmp_path / "image.stranger"
    path.write_bytes(b"ZISRAWFILE")
    with pytest.raises(NotReadable, match=r"no installed reader reads '.*image.stranger'; installed readers: "):
        tile_process(path, _never)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: merge_tile_labels("nothing.zarr"), r"'nothing.zarr' does not exist"),
        (lambda: merge_tile_labels(3), r"int is not a label image"),
        (lambda: merge_tile_labels(np.ones((1,) * 5, int)), r"5 dimensions need their axes"),
        (
            lambda: merge_tile_labels(np.ones(4, int), overlap=1),
            r"overlap 1 is that of a dask array's chunks, but these are not a dask array",
        ),
        (lambda: merge_tile_labels(da.ones(9, chunks=3, dtype=int), overlap=2), r"\[3, 3, 3\] along axis 0 .* of 2"),
        (lambda: merge_tile_labels(np.ones(4, int), n_workers=0), r"workers must be .* at least 1, not 0"),
        (lambda: auto_overlap(0), r"diameter must be a positive number, not 0"),
        (lambda: auto_overlap(30, safety=np.nan), r"safety must be a number, not nan"),
        (lambda: auto_tile_shape((0, 3), "u1"), r"shape \(0, 3\) must have positive lengths"),
        (lambda: auto_tile_shape((9, 9), "u2", target_bytes=1), r"2 bytes is more than the 1 bytes"),
        (lambda: auto_tile_shape((9, 9), "u2", available_memory=0), r"memory must be .* at least 1, not 0"),
        (lambda: auto_tile_shape((9, 9), "u2", n_workers=-1), r"n_workers must be .* at least 1, not -1"),
        (lambda: auto_tile_shape_cellpose((9, 9), "u2", available_memory=2**30), r"2147483648 bytes.*1073741824"),
        (lambda: auto_tile_shape_cellpose((9, 9), "u2", diameter=-3), r"diameter must be a positive number, not -3"),
        (lambda: estimate_empty_tiles(VOLUME, (4, 4)), r"tile_shape \[4, 4\] has 2 numbers"),
        (lambda: estimate_empty_tiles(VOLUME, (4, 4, 4), sample_window=(0,)), r"at least 1, not 0"),
        (lambda: make_local_cluster(n_workers=0), r"n_workers must be .* at least 1, not 0"),
    ],
)
def test_the_other_functions_refuse_too(call: Any, message: str) -> None:
    with pytest.raises(TilewrightError, match=message):
        call()


CORRUPT = {
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "a list": b'["array"]',
    "no version": b'{"node_type": "array"}',
    "two documents": b'5 "array"',
    "cut short": b'{"zarr_format": 3, "node_type": "array", "shape": [4',
    "no shape": b'{"zarr_format": 3, "node_type": "array"}',
}


@pytest.mark.parametrize("call", [tile_process, merge_tile_labels, relabel_sequential_zarr])
@pytest.mark.parametrize("text", CORRUPT.values(), ids=CORRUPT)
def test_corrupt_metadata_is_named_whatever_function_meets_it(call: Any, text: bytes, tmp_path: Path) -> None:
    array = tmp_path / "store.zarr" / "labels"
    array.mkdir(parents=True)
    (array / "zarr.json").write_bytes(text)
    said = (array, _never) if call is tile_process else (tmp_path / "store.zarr",)
    with pytest.raises(NotReadable, match=r"labels' .*cannot be read|no installed reader reads|no zarr array 'labels'"):
        call(*said)
    assert [each.name for each in array.parent.iterdir()] == ["labels"]


def test_each_error_is_also_the_builtin_that_it_stands_for() -> None:
    with pytest.raises(ValueError, match="overlap"):
        tile_process(VOLUME, _never, overlap=-1)
    with pytest.raises(OSError, match="does not exist"):
        tile_process("missing.zarr", _never)
    with pytest.raises(LookupError, match="glue"):
        tile_process(VOLUME, _never, merger="glue")
    assert issubclass(InvalidOption, TilewrightError)
    assert issubclass(UnknownComponent, TilewrightError)


def _never(tile: NDArray[Any]) -> NDArray[Any]:
    raise AssertionError("no tile should have been handed over")
