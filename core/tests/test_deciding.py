"""Which copies are drawn is decided part by part, and is what it would be if all of it were decided at once."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from truth import instances, voronoi

from tilewright import Copies, Decision, Evidence, Grid, InvalidLabels, Overlap, Pipeline, TileGrid
from tilewright.engine.steps import decide as deciding
from tilewright.engine.steps.decide import blocks


def shaky(pixels: NDArray[Any]) -> NDArray[Any]:
    """The true objects as a bad network sees them: every tile moves their borders, leaves some out and fuses others."""
    random = np.random.default_rng(zlib.crc32(np.ascontiguousarray(pixels).tobytes()))
    moved = [
        np.clip(i + random.integers(-2, 3, pixels.shape), 0, n - 1)
        for i, n in zip(np.indices(pixels.shape), pixels.shape, strict=True)
    ]
    labels = instances(pixels[tuple(moved)])
    names = np.arange(labels.max() + 1)
    names[1:] = np.where(random.random(len(names) - 1) < 0.1, 0, names[1:])
    fused = random.random(len(names)) < 0.1
    names[fused] = np.roll(names, 1)[fused]
    seen: NDArray[Any] = names[labels]
    return seen


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many copies `Overlap` was shown each time that it was asked."""
    counts: list[int] = []
    whole = Overlap.decide

    def decide(self: Overlap, copies: Copies, evidence: Evidence) -> Decision:
        counts.append(len(copies))
        return whole(self, copies, evidence)

    monkeypatch.setattr(Overlap, "decide", decide)
    return counts


@given(st.data())
def test_blocks_hold_every_tile_with_objects_once(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    axes = "tzyx"[-len(counts) :]
    grid = TileGrid.regular(axes, shape=counts, tile=[1] * len(counts), halo=[int(axis != "t") for axis in axes])
    objects = np.array(data.draw(st.lists(st.integers(0, 50), min_size=len(grid), max_size=len(grid))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deciding, "COPIES", data.draw(st.integers(1, 400)))
        found = list(blocks(grid, objects))
    assert sorted(number for block in found for number in block) == np.flatnonzero(objects).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "tile", "halo"),
    [((90, 100), 16, 6), ((50, 60), 9, 12), ((120, 40), 23, 4), ((24, 30, 32), 11, 4), ((200,), 14, 5)],
)
def test_any_blocks_give_the_same_labels(
    shape: tuple[int, ...], tile: int, halo: int, shown: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = voronoi(shape, cells=max(8, int(np.prod(shape) // 200)), seed=len(shape))
    pipeline = Pipeline(segmenter=shaky, tiler=Grid(tile=tile, halo=halo), merger="overlap")
    at_once = pipeline.run(truth, workers=1).labels.compute()
    assert len(shown) == 1
    for copies in (1, 40):
        monkeypatch.setattr(deciding, "COPIES", copies)
        np.testing.assert_array_equal(pipeline.run(truth, workers=2).labels.compute(), at_once)
        shown.clear()


def test_what_is_left_open_is_shown_more_until_all_is_said(shown: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "COPIES", 1)
    pipeline = Pipeline(segmenter=shaky, tiler=Grid(tile=9, halo=6), merger="overlap")
    pipeline.run(voronoi((90, 100), cells=80, seed=0), workers=1).labels.compute()
    tiles = 10 * 12
    assert tiles < len(shown) < 2 * tiles


def test_what_a_merger_is_shown_does_not_grow_with_the_image(shown: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "COPIES", 100)
    most = []
    for times in (1, 2, 3):
        shown.clear()
        pipeline = Pipeline(segmenter=instances, tiler=Grid(tile=16, halo=6), merger="overlap")
        pipeline.run(np.tile(voronoi((96, 96), cells=60, seed=1), (times, times)), workers=1)
        most.append(max(shown))
    assert most[2] <= 1.1 * most[1]


def test_a_merger_that_never_says_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(_: Overlap, copies: Copies, evidence: Evidence) -> Decision:
        every = np.ones(len(copies), bool)
        return Decision(worth=np.zeros(len(copies), np.int64), open=every, links=np.zeros((0, 2), np.int64))

    monkeypatch.setattr(Overlap, "decide", decide)
    pipeline = Pipeline(segmenter=instances, tiler=Grid(tile=9, halo=6), merger="overlap")
    with pytest.raises(InvalidLabels, match="'overlap' left open what is drawn"):
        pipeline.run(voronoi((30, 30), cells=8, seed=0))


class Stopped(Exception):
    """The run ends here, as by a kill."""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"worth": np.zeros(1, int)},
            r"worth is int64 of shape \(1,\); of \d+ copies it is whole numbers of \(\d+,\)",
        ),
        ({"worth": None}, "worth is object of shape"),
        ({"open": []}, "open is float64 of shape"),
        ({"links": None}, "links is object of shape"),
        ({"links": []}, r"links is float64 of shape \(0,\)"),
        ({"links": np.array([[1, 0]])}, r"links has \[1, 0\]; it has two of the \d+ copies, the lower first"),
        ({"links": np.array([[-1, 0]])}, r"links has \[-1, 0\]"),
        ({"links": np.array([[0, 10**9]])}, r"links has \[0, 1000000000\]"),
        (None, "returned dict from decide, not a Decision"),
    ],
)
def test_a_decision_that_is_none_is_told_of(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None, said: str
) -> None:
    whole = Overlap.decide

    def decide(self: Overlap, copies: Copies, evidence: Evidence) -> Any:
        return {} if change is None else replace(whole(self, copies, evidence), **change)

    monkeypatch.setattr(Overlap, "decide", decide)
    pipeline = Pipeline(segmenter=instances, tiler=Grid(tile=9, halo=6), merger="overlap")
    with pytest.raises(InvalidLabels, match=f"merger 'overlap' .*{said}"):
        pipeline.run(voronoi((30, 30), cells=20, seed=1), workers=1)


@pytest.mark.parametrize("stage", ["decide", "draw"])
def test_blocks_that_were_decided_are_not_decided_again(
    stage: str, shown: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "COPIES", 1)
    truth = voronoi((64, 64), cells=40, seed=2)
    pipeline = Pipeline(segmenter=instances, tiler=Grid(tile=16, halo=6), merger="overlap", writer="zarr-array")

    def stop(at: str, done: int, total: int) -> None:
        if at == stage and done >= 8:
            raise Stopped

    with pytest.raises(Stopped):
        pipeline.run(truth, tmp_path / "labels.zarr", workers=1, progress=stop)
    decided = len(shown)
    result = pipeline.run(truth, tmp_path / "labels.zarr", workers=1)
    np.testing.assert_array_equal(result.labels.compute(), truth)
    assert decided >= 8
    assert len(shown) == 16
