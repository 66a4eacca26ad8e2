"""`check_seams`: what tiling did to labels, found from the labels and their image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import Traits
from ..components.quantities import real_number
from ..engine.alignment import check_aligned
from ..engine.checkpoint.predictions import PREDICTIONS
from ..engine.given import given_labels, label_source, opened_labels
from ..engine.plan import Plan
from ..engine.planning import plan_of
from ..engine.reading import StoredLabels
from ..engine.recipe import provenance_at
from ..engine.result import Result
from ..engine.steps.predict import predict
from ..engine.steps.segment import labels_of
from ..errors import InvalidOption
from ..io.source import Source, open_source
from ..metrics.seams import SeamCheck, check
from ..pipeline import Pipeline
from ..run_options import RunOptions
from ..storage.location import Location
from ..tiling.axes import for_axes
from ..tiling.grid import Tile, TileGrid
from ..tiling.regions import Region

__all__ = ["check_seams"]

MARGIN = {
    1: 64,
    2: 32,
    3: 12,
}  # pixels of a crop beside what is compared, at least, by the axes along which objects join
SHARE, LEAST = 0.05, 10.0  # of the run's time that segmenting again may take, and the seconds that it always may

Record = Mapping[str, Any]


def check_seams(
    labels: Any,
    image: Any = None,
    *,
    pipeline: Pipeline | None = None,
    tile: int | Sequence[int] | None = None,
    given: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    level: float = 0.001,
    seed: int = 0,
) -> SeamCheck:
    """Check what tiling did to labels, without truth: at a sample of seams, against places away from seams.

    labels: a path, a `Result`, an `Image` or an array. image: what they were made from; by default the source that the
        labels' provenance names. pipeline: the one that made them; by default that of their provenance.
    tile: core lengths, for labels of which neither is known: then only their geometry is checked, as it is where the
        segmenter comes from no plugin, or the run was restricted to a region.
    given: label images that the segmenter needs, by name; by default those of the provenance.
    seconds: that segmenting crops again may take; by default a twentieth of the run's time, and at least 10. A pair of
        crops is always completed, and there are 48 at most.
    level: the probability of a false alarm, of all tests together. seed: of what is drawn at random.

    InvalidOption if the tiles are not known, InvalidImage for an image of another shape.
    """
    if not 0 < real_number("level", level) < 1:
        raise InvalidOption(f"level must be a number between 0 and 1, such as 0.001, not {level!r}")
    if seconds is not None and real_number("seconds", seconds) < 0:
        raise InvalidOption(f"seconds must be a number of at least 0, not {seconds!r}")
    asked = _Asked(labels=labels, image=image, given=given, record=_record(labels), pipeline=pipeline)
    if seconds is None:
        seconds = max(LEAST, SHARE * sum(asked.record.get("seconds", {}).values()))
    if asked.obstacle:
        grid, stored = asked.labels_alone(tile)
        return check(grid, stored, level=level, seed=seed, note=asked.obstacle)
    with asked.planned() as plan:
        return check(
            plan.grid,
            asked.stored(plan),
            lambda region: _again(plan, region, asked.part(plan)),
            margin=_margin(plan),
            level=level,
            seconds=seconds,
            seed=seed,
        )


def _record(labels: Any) -> Record:
    """The provenance of labels; empty if they have none."""
    if isinstance(labels, Result):
        return labels.provenance
    return provenance_at(Location.of(labels).absolute) if isinstance(labels, str | os.PathLike) else {}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a user gave, and the provenance of the labels."""

    labels: Any
    image: Any
    given: Mapping[str, Any] | None
    record: Record
    pipeline: Pipeline | None

    @property
    def source(self) -> Any:
        return self.record.get("source") or None if self.image is None else self.image

    @property
    def obstacle(self) -> str:
        """Why nothing can be segmented again, in words for a user; empty if it can."""
        if self.source is None:
            return "the image is not known, so nothing was segmented again; give it"
        if "within" in self.record:
            return "the run was restricted to a region, so nothing was segmented again"
        if self.pipeline is None:
            parts = self.record.get("pipeline", {})
            if "segmenter" not in parts:
                return "the labels do not say what made them, so nothing was segmented again; give the pipeline"
            strange = [
                part for part in (parts["segmenter"], *parts.get("transforms", ())) if "distribution" not in part
            ]
            if strange:
                return f"{strange[0]['name']} comes from no plugin, so nothing was segmented again; give the pipeline"
        return ""

    def labels_alone(self, tile: int | Sequence[int] | None) -> tuple[TileGrid, Callable[[Region], NDArray[Any]]]:
        """The grid and the labels, where nothing is segmented."""
        source = label_source(open_source(_path(self.labels)), "the label image")
        axes, shape = source.opened.axes, source.opened.shape
        tiles = self.record.get("tiles")
        if tile is not None:
            lengths = for_axes("tile", tile, axes, rest=1)
        elif tiles is not None:
            lengths = tiles["largest"]
        else:
            raise InvalidOption(
                "the labels do not say in which tiles they were made; give the core lengths (tile, --tile), or image "
                "and pipeline"
            )
        grid = TileGrid.regular(
            axes, shape=shape, tile=lengths, halo=[0] * len(axes), separate="t" if "t" in axes else ""
        )
        return grid, _reading(source, grid)

    @contextmanager
    def planned(self) -> Iterator[Plan]:
        """The plan of the run that made the labels, with a checkpoint in a temporary folder."""
        pipeline = self.pipeline or _pipeline(self.record["pipeline"])
        channels = self.record.get("channels")
        options = RunOptions(**({"channel": channels} if isinstance(channels, int) else {"channels": channels}))
        reader = pipeline.reader
        if reader is None and self.image is None:
            reader = self.record.get("pipeline", {}).get("reader")
        source = open_source(self.source, reader=reader)
        given = given_labels(self.given or self.record.get("given"), source.opened)
        with TemporaryDirectory(prefix="tilewright-") as folder:
            plan = plan_of(pipeline, source, given, options, Path(folder), Path(folder))
            yield replace(plan, predictions_path=Path(folder) / PREDICTIONS, keep_predictions=True)

    def stored(self, plan: Plan) -> Callable[[Region], NDArray[Any]]:
        """What reads the labels of a region. InvalidImage if they are of another shape than the image."""
        image = plan.source.opened
        source = opened_labels(self.labels, image)
        check_aligned("labels", source.opened, image, dict(zip(plan.grid.axes, plan.grid.shape, strict=True)))
        return _reading(source, plan.grid)

    def part(self, plan: Plan) -> int:
        """Which of the segmenter's outputs the labels are."""
        name = self.record.get("output")
        return plan.outputs.index(name) if name in plan.outputs else 0


def _path(labels: Any) -> Any:
    return (labels.path if labels.data is None else labels.data) if isinstance(labels, Result) else labels


def _pipeline(record: Record) -> Pipeline:
    """The pipeline of a provenance, without what writes and measures."""
    return Pipeline.from_dict({part: record[part] for part in record if part not in ("writer", "measure")})


def _reading(source: Source, grid: TileGrid) -> Callable[[Region], NDArray[Any]]:
    stored = StoredLabels.of(source, grid)

    def text(region: Region) -> str:
        return ", ".join(f"{axis} {part.start}:{part.stop}" for axis, part in zip(grid.axes, region, strict=True))

    return lambda region: stored.read(region, text)[0]


def _margin(plan: Plan) -> tuple[int, ...]:
    """How far a crop's own borders may change labels: by what the run and the segmenter say, and some more."""
    grid, declared = plan.grid, Traits.of(plan.segmenter, plan.source.opened).halo
    least = MARGIN[len(grid.axes) - len(grid.separate)]
    along = zip(grid.axes, grid.halo, strict=True)
    return tuple(0 if a in grid.separate else max(least, halo, declared.get(a, 0)) for a, halo in along)


def _again(plan: Plan, region: Region, part: int) -> NDArray[Any]:
    """The labels of a region that is segmented in one piece, without objects that are too small."""
    tile = Tile(number=0, index=(0,) * len(region), core=region, outer=region)
    for batch in plan.needs(tile) if plan.windows else ():
        if not plan.predictions.size(batch):
            predict(plan, batch)
    labels = labels_of(plan, tile)[part]
    if plan.min_size:
        ids, at, pixels = np.unique(labels, return_inverse=True, return_counts=True)
        labels = np.where(pixels < plan.min_size, 0, ids)[at].reshape(labels.shape)
    return labels
