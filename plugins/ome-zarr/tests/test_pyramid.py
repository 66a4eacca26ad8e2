"""The coarse levels: what they hold, and that it does not depend on how they were filled."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tilewright.abc import LabelSpec, Level
from tilewright_ome_zarr import pyramid
from tilewright_ome_zarr.layout import plan
from tilewright_ome_zarr.sampling import Sampling, downsample, extent, sampling
from tilewright_ome_zarr.sink import OmeZarrSink
from tilewright_ome_zarr.writer import OmeZarrLabels

pytestmark = pytest.mark.slow


def most_frequent(block: NDArray[Any]) -> int:
    counts = Counter(block.ravel().tolist())
    return min(counts, key=lambda label: (-counts[label], label))


def reference(labels: NDArray[Any], factor: int, shape: tuple[int, ...], method: str) -> NDArray[Any]:
    """A level by loops, for one factor along all axes."""
    expected = np.zeros(shape, labels.dtype)
    for index in np.ndindex(shape):
        block = labels[tuple(slice(i * factor, (i + 1) * factor) for i in index)]
        expected[index] = block.flat[0] if method == "nearest" else most_frequent(block)
    return expected


def levels_of(shape: tuple[int, ...], rounding: Any, count: int = 4) -> tuple[Level, ...]:
    return tuple(
        Level(
            path=str(k),
            shape=tuple(max(1, rounding(n / 2**k)) for n in shape),
            scale=(float(2**k),) * len(shape),
        )
        for k in range(count)
    )


def read_levels(sink: OmeZarrSink) -> list[NDArray[Any]]:
    return [np.asarray(zarr.open_array(sink.path / laid.level.path)[...]) for laid in sink.layout.levels]


@pytest.mark.parametrize("method", ["nearest", "mode"])
@pytest.mark.parametrize(
    ("shape", "tile", "options", "rounding"),
    [
        ((27, 37), (16, 16), {"chunks": 8}, math.ceil),
        ((27, 37), (16, 16), {"chunks": 8}, math.floor),
        ((27, 37), (16, 32), {"chunks": 4, "shards": 8}, math.floor),
        ((27, 37), (20, 20), {"chunks": 10}, math.ceil),
        ((27, 37), (), {"chunks": 16}, math.ceil),
        ((27, 37), (99, 99), {}, math.floor),
        ((3, 17, 18), (2, 16, 16), {"chunks": (2, 4, 4)}, math.ceil),
    ],
)
def test_every_level_holds_what_its_blocks_hold(
    spec_of, fill, cells, tmp_path: Path, method: str, rounding: Any, shape: Any, tile: Any, options: Any
) -> None:
    labels = cells(shape, 3)
    spec = spec_of(shape=shape, axes="zyx"[-len(shape) :], tile=tile, levels=levels_of(shape, rounding, 3))
    sink = OmeZarrLabels(downsampling=method, **options)(str(tmp_path / "l.zarr"), spec)
    fill(sink, labels)
    for number, found in enumerate(read_levels(sink)):
        np.testing.assert_array_equal(found, reference(labels, 2**number, found.shape, method))
        assert set(np.unique(found)) <= set(np.unique(labels))


@pytest.mark.parametrize("method", ["nearest", "mode"])
def test_levels_that_no_factor_explains_are_sampled_in_equal_parts(
    spec_of, fill, cells, tmp_path: Path, method: str
) -> None:
    labels = cells((50, 50), 3)
    shapes = [(50, 50), (36, 23), (19, 11), (1, 1)]
    levels = tuple(Level(path=str(k), shape=s, scale=(50 / s[0], 50 / s[1])) for k, s in enumerate(shapes))
    sink = OmeZarrLabels(downsampling=method, chunks=8)(
        str(tmp_path / "l.zarr"), spec_of(shape=(50, 50), tile=(16, 16), levels=levels)
    )
    fill(sink, labels)
    assert sink.layout.streamed == ()
    for found in read_levels(sink)[1:3]:
        for y, x in np.ndindex(found.shape):
            (y0, y1), (x0, x1) = ((i * 50 // n, (i + 1) * 50 // n) for i, n in zip((y, x), found.shape, strict=True))
            centre = tuple(min((2 * i + 1) * 50 // (2 * n), 49) for i, n in zip((y, x), found.shape, strict=True))
            expected = labels[centre] if method == "nearest" else most_frequent(labels[y0:y1, x0:x1])
            assert found[y, x] == expected


@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    factor=st.integers(1, 9),
    up=st.booleans(),
    labels=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_mode_of_a_block_is_its_most_frequent_label_and_the_smallest_of_a_tie(
    shape: list[int], factor: int, up: bool, labels: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, labels, shape)
    coarse = tuple(max(1, -(-n // factor) if up else n // factor) for n in shape)
    samplings = tuple(Sampling(fine=n, coarse=m, factor=factor) for n, m in zip(shape, coarse, strict=True))
    region = tuple(slice(0, m) for m in coarse)
    fine = extent(samplings, region)
    found = downsample(pixels[fine], fine, region, samplings, "mode")
    np.testing.assert_array_equal(found, reference(pixels, factor, coarse, "mode"))


@given(st.integers(1, 300), st.data())
def test_coarse_pixels_are_projected_to_exactly_one_part_of_any_cut(fine: int, data: st.DataObject) -> None:
    coarse = data.draw(st.integers(1, fine))
    axis = sampling(fine, coarse, fine / coarse)
    cuts = sorted({0, fine, *data.draw(st.lists(st.integers(0, fine)))})
    parts = [axis.project(slice(a, b)) for a, b in itertools.pairwise(cuts)]
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(coarse))
    for (a, b), part in zip(itertools.pairwise(cuts), parts, strict=True):
        assert all(a <= axis.start(i) < b for i in range(part.start, part.stop))


@pytest.mark.parametrize("method", ["nearest", "mode"])
def test_levels_do_not_depend_on_tiles_or_on_how_much_is_read_at_a_time(
    spec_of, fill, cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    labels, results, streamed = cells((33, 40), 4), [], set()
    for number, (tile, read) in enumerate([((32, 32), 2**22), ((16, 16), 100), ((), 9)]):
        monkeypatch.setattr(pyramid, "READ", read)
        spec = spec_of(shape=(33, 40), tile=tile, levels=levels_of((33, 40), round, 3), run=f"run{number}")
        sink = OmeZarrLabels(downsampling=method)(str(tmp_path / f"{number}.zarr"), spec)
        streamed.add(sink.layout.streamed)
        fill(sink, labels)
        results.append(read_levels(sink))
    assert len(streamed) > 1
    for found in results[1:]:
        assert all((a == b).all() for a, b in zip(found, results[0], strict=True))


def test_a_level_rounded_down_between_two_rounded_up_is_passed_over(spec_of, fill, cells, tmp_path: Path) -> None:
    levels = tuple(
        Level(path=str(k), shape=s, scale=(f, f)) for k, (s, f) in enumerate([((5, 5), 1), ((2, 2), 2), ((2, 2), 4)])
    )
    labels = cells((5, 5), 1)
    sink = OmeZarrLabels(chunks=1)(str(tmp_path / "l.zarr"), spec_of(shape=(5, 5), tile=(1, 1), levels=levels))
    fill(sink, labels)
    np.testing.assert_array_equal(read_levels(sink)[2], labels[::4, ::4])


@pytest.mark.parametrize(
    ("shape", "tile", "chunks", "shards", "block", "streamed"),
    [
        ((4096, 4096), (2048, 2048), None, None, (2048, 2048), (1, 2, 3)),
        ((4096, 4096), (1024, 2048), None, None, (1024, 1024), (1, 2)),
        ((4096, 4096), (1000, 1000), None, None, (1000, 1000), (1, 2)),
        ((4096, 4096), (509, 509), None, None, (509, 509), ()),
        ((4096, 4096), (2048, 2048), 256, 1024, (2048, 2048), (1,)),
        ((4096, 4096), (512, 512), 256, 1024, (1024, 1024), ()),
        ((4096, 4096), (5000, 5000), None, None, (4096, 4096), (1, 2, 3)),
        ((4096, 4096), (), None, None, (256, 256), ()),
        ((300, 4096), (512, 512), None, None, (300, 512), (1,)),
    ],
)
def test_the_block_fills_units_of_as_many_levels_as_the_tile_allows(
    shape: Any, tile: Any, chunks: Any, shards: Any, block: Any, streamed: Any
) -> None:
    laid = plan(levels_of(shape, math.ceil), "yx", tile, chunks, shards)
    assert (laid.block, laid.streamed) == (block, streamed)


@given(
    shape=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    tile=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    rounding=st.sampled_from([math.ceil, math.floor, round]),
)
def test_no_two_blocks_share_a_unit_of_a_level_that_is_filled_along(shape: Any, tile: Any, rounding: Any) -> None:
    laid = plan(levels_of(shape, rounding, 5), "yx", tile, None, None)
    for number in (0, *laid.streamed):
        level = laid.levels[number]
        for axis, step in enumerate(laid.block):
            cuts = [*range(0, shape[axis], step), shape[axis]]
            parts = [level.samplings[axis].project(slice(a, b)) for a, b in itertools.pairwise(cuts)]
            units = [
                range(p.start // level.unit[axis], -(-p.stop // level.unit[axis])) for p in parts if p.stop > p.start
            ]
            owned = [unit for taken in units for unit in taken]
            assert len(owned) == len(set(owned))
    assert all(b <= max(t, u) for b, t, u in zip(laid.block, tile, laid.levels[0].unit, strict=True))


@pytest.mark.parametrize(
    ("shape", "axes", "tile", "chunks"),
    [
        ((9000, 9000), "yx", (2048, 2048), (256, 256)),
        ((9000, 9000), "yx", (1500, 1400), (250, 280)),
        ((9000, 9000), "yx", (100, 1018), (100, 509)),
        ((9000, 9000), "yx", (1019, 997), (256, 256)),
        ((100, 90), "yx", (2048, 2048), (100, 90)),
        ((5, 500, 2000, 2000), "tzyx", (1, 128, 512, 512), (1, 64, 128, 128)),
        ((1, 2000, 2000), "zyx", (1, 512, 512), (1, 256, 256)),
    ],
)
def test_chunks_divide_the_tile_where_they_can(shape: Any, axes: str, tile: Any, chunks: Any) -> None:
    assert plan(levels_of(shape, math.ceil, 1), axes, tile, None, None).levels[0].chunks == chunks


def test_regions_may_be_written_from_many_threads(spec_of, cells, blocks, tmp_path: Path) -> None:
    labels = cells((200, 300), 11)
    spec = spec_of(shape=(200, 300), tile=(64, 64), levels=levels_of((200, 300), math.ceil))
    sink = OmeZarrLabels(chunks=16, shards=32)(str(tmp_path / "l.zarr"), spec)
    assert sink.layout.streamed == (1,)
    regions = [tuple(region) for region in blocks(sink, labels.shape)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda region: sink.write(region, labels[region]), regions))
    sink.finish({})
    for number, found in enumerate(read_levels(sink)):
        np.testing.assert_array_equal(found, labels[:: 2**number, :: 2**number])


def test_regions_may_be_written_from_other_processes(spec_of, cells, blocks, tmp_path: Path) -> None:
    labels = cells((96, 96), 11)
    sink = OmeZarrLabels(chunks=32)(str(tmp_path / "l.zarr"), spec_of(shape=(96, 96), tile=(32, 32)))
    regions = [tuple(region) for region in blocks(sink, labels.shape)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(sink.write, regions, [labels[region] for region in regions]))
    sink.finish({})
    np.testing.assert_array_equal(read_levels(sink)[0], labels)


def test_background_leaves_no_chunk_files(spec_of, tmp_path: Path) -> None:
    sink = OmeZarrLabels(chunks=8)(str(tmp_path / "l.zarr"), spec_of(shape=(32, 32), levels=levels_of((32, 32), round)))
    sink.write((slice(0, 32), slice(0, 32)), np.zeros((32, 32), "u4"))
    sink.finish({})
    assert [p.name for p in sink.path.rglob("*") if p.is_file() and p.name != "zarr.json"] == []
    assert all((found == 0).all() for found in read_levels(sink))


@pytest.mark.parametrize("part", [slice(4, 16), slice(0, 12), slice(8, 20)])
def test_a_region_that_would_share_a_chunk_with_another_is_refused(spec_of, tmp_path: Path, part: slice) -> None:
    spec: LabelSpec = spec_of(shape=(32, 32))
    sink = OmeZarrLabels(chunks=8)(str(tmp_path / "l.zarr"), spec)
    with pytest.raises(ValueError, match=r"is not a multiple of the block \(8, 8\)"):
        sink.write((part, slice(0, 32)), np.ones((part.stop - part.start, 32), "u4"))
