"""One run through the steps, each going on from what the checkpoint holds already."""

from __future__ import annotations

import itertools
import json
import logging
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..abc.writer import Sink
from ..components.blame import blamed
from ..components.printable import printable
from ..errors import SegmenterFailed
from ..labels.content import Content
from ..labels.objects import distinct, dtype_for, numbered
from ..storage.disk import discard, read_whole, write_whole
from ..storage.machine import boot_id
from ..tiling.grid import TileGrid
from .checkpoint.log import Place
from .checkpoint.records import Head, Ids, Recorded, read
from .checkpoint.tables import Table
from .joining import Joining
from .plan import Plan
from .reading import combined
from .steps.segment import guard_with_given, guards, segment
from .steps.write import Writing, blocks_of, write
from .workers.crew import Crew, batched

if TYPE_CHECKING:
    from .growth import Growth

__all__ = ["Outcome", "Run"]

ATTEMPT, BASIS = "attempt.txt", "basis.txt"

logger = logging.getLogger("tilewright")


class Report(Protocol):
    """Called with a step's name, how much of it is done and how much there is, and with the records that are new.

    output: the name of the output that the step works on; empty if that is all there is, or all of several.
    """

    def __call__(
        self,
        step: str,
        done: int,
        total: int,
        recorded: Sequence[Recorded] = (),
        grid: TileGrid | None = None,
        output: str = "",
    ) -> None: ...


def _unreported(*_: Any, **__: Any) -> None:
    """Nobody watches a part of a run."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is known once the labels are numbered."""

    n_objects: int
    dtype: np.dtype[np.unsignedinteger[Any]]


@dataclass(kw_only=True)
class Run:
    """One execution of a plan by a crew, or, of a segmenter with several outputs, what concerns one of them.

    `seconds` fills up by step; `segmented` counts the tiles, `skipped` the empty ones of them; `failed` says why each
    tile failed that may. `undrawn` counts the pixels that a tile labelled in its own core and that are background in
    the result.
    `predicted` counts the windows that went through a network, `kept` the bytes of what it says that are kept.
    `content` tells the labels that are written from others; `digesting` is whether that is wanted, and costs a little.
    `source`, `given` and `within` are the plan's, which drops them once all tiles are segmented.
    `resuming` is whether something may be recorded already.
    `output` is the name of the output; empty if the segmenter returns one label image alone.
    `partial` is whether tiles are missing beside those that are wanted, so that what these leave out says nothing.
    """

    plan: Plan
    crew: Crew
    report: Report = _unreported
    output: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    segmented: int = 0
    skipped: int = 0
    undrawn: int = 0
    predicted: int = 0
    kept: int = 0
    failed: list[str] = field(default_factory=list)
    content: Content | None = None
    digesting: bool = False
    partial: bool = False
    resuming: bool = True

    def __post_init__(self) -> None:
        self.source = self.plan.source  # the plan of later steps does without
        self.given = {name: each.source for name, each in self.plan.given.items()}
        self.within = self.plan.within
        self._full = False
        self._earlier: dict[str, dict[int, Place]] = {}
        for record in self.plan.checkpoint.records() if self.resuming else ():
            self._earlier.setdefault(record.kind, {})[record.number] = record.place

    def segment(self, others: Sequence[Run] = ()) -> None:
        """Segment every tile that is wanted and not recorded yet, and those into which objects of a region continue.

        others: the runs of the segmenter's further outputs.
        """
        with self._timed("segment"):
            recorded: dict[int, Recorded] = {}
            numbers, growths = self.plan.wanted, self._growths(others)
            while len(numbers):
                recorded.update(self._segmented(numbers, recorded))
                plans = self._joinable(recorded, others) if self.plan.growing else []
                reached = [each.further(plan, numbers, recorded) for each, plan in zip(growths, plans, strict=False)]
                numbers = sorted(set().union(*reached))
            recorded = dict(sorted(recorded.items()))
            self.segmented, self.skipped = len(recorded), sum(each.skipped for each in recorded.values())
            self.failed = [each.failed for each in recorded.values() if each.failed]
            self.source.check()
            self._check_failures(len(recorded))
            plans = self._joinable(recorded, others)
        for run, plan in zip((self, *others), plans, strict=True):
            run.plan, run.segmented, run.skipped = plan, self.segmented, self.skipped
            run.failed, run.predicted = self.failed, self.predicted

    def segment_block(self, numbers: Sequence[int]) -> None:
        """Segment those of some tiles that are not recorded yet, and leave the rest of the run to another one."""
        self._segmented(numbers, {})

    def _growths(self, others: Sequence[Run]) -> list[Growth]:
        """What follows objects of a region from tile to tile, for each output."""
        if not self.plan.growing:
            return []
        from .growth import Growth  # most runs have no region

        return [Growth(run._do) for run in (self, *others)]

    def _segmented(self, numbers: Sequence[int], before: Mapping[int, Recorded]) -> dict[int, Recorded]:
        """The records of some tiles. before: those of the tiles before them."""
        if self.plan.windows:
            return self._decoded(numbers, before)
        return self._do("segment", "tile", segment, self.plan, numbers)

    def _joinable(self, recorded: Mapping[int, Recorded], others: Sequence[Run]) -> list[Plan]:
        """The plans of the next step for all outputs, each with a table of its tiles.

        Their basis is made of the records themselves: a tile that was segmented twice (its worker was lost, its record
        torn) may have other ids the second time, and what was joined on the first ones says nothing of them.
        """
        made = [(number, *each.place, each.failed) for number, each in sorted(recorded.items())]
        basis, wanted = zlib.crc32(repr(made).encode()), self.plan.wanted
        if self.within is not None:
            self.within.check()
            wanted = tuple(number for number, each in sorted(recorded.items()) if not each.failed)
        plans = [replace(run.plan.segmented(basis), wanted=wanted) for run in (self, *others)]
        for part, plan in enumerate(plans, -1):
            own = {n: each.outputs[part] for n, each in recorded.items() if each.outputs} if part >= 0 else recorded
            Table.of(plan.checkpoint, own, len(plan.grid)).save("tiles")
        return plans

    def _decoded(self, tiles: Sequence[int], before: Mapping[int, Recorded]) -> dict[int, Recorded]:
        """Have a network predict what the tiles need that are not recorded yet, and decode these."""
        from .lookahead import Lookahead, batch_of  # most segmenters are not networks
        from .steps.decode import decode

        recorded, plan, batches = self._reuse("tile", tiles, 0), self.plan, 0
        ahead = Lookahead(plan, tiles, recorded.keys() | before.keys())
        logger.info("predict begins: %s batches of windows for %s tiles", f"{ahead.batches:,}", f"{len(tiles):,}")
        if ahead.batches:
            self.report("predict", 0, ahead.batches)
        self.report("segment", len(recorded), len(tiles))
        for (done,) in self.crew.each(decode, plan, ahead, plan.checkpoint_path):
            over = ahead.ended(done.number)
            if batch_of(done.number) is not None:
                batches, self.predicted = batches + 1, self.predicted + done.objects
                self.report("predict", batches, ahead.batches)
            else:
                recorded[done.number] = done
                self.report("segment", len(recorded), len(tiles), [done], plan.grid)
            for batch in over:
                self._let_go(batch)
            _log_troubles([done])
        logger.info("predict and segment end: %s windows went through the network", f"{self.predicted:,}")
        return recorded

    def _let_go(self, batch: int) -> None:
        """No tile needs a batch of predictions any more: it is kept for later runs if there is room, else removed."""
        plan, size = self.plan, self.plan.predictions.size(batch)
        if plan.keep_predictions and (plan.most_kept is None or self.kept + size <= plan.most_kept):
            self.kept += size
            return
        plan.predictions.drop(batch)
        if plan.keep_predictions and not self._full:
            self._full = True
            logger.warning(
                "the predictions that are kept reach %s bytes; a later run will predict the rest again, unless "
                "keep_predictions (--keep-predictions) allows more",
                f"{plan.most_kept:,}",
            )

    def _check_failures(self, tiles: int) -> None:
        """SegmenterFailed if every tile that is not empty failed: an image without objects is not the result."""
        if self.failed and len(self.failed) + self.skipped == tiles:
            raise SegmenterFailed(
                f"all {len(self.failed)} tiles that are not empty failed, so no labels are written; the first one: "
                f"{self.failed[0]}"
            )

    def join(self) -> Outcome:
        """Compare the seams, unite what is one object, and give every object its number."""
        if self.plan.keeps_ids:
            return self._kept()
        with self._timed("join"):
            self.undrawn = 0  # what is drawn while objects grow counts when all are
            objects = Joining(plan=self.plan, do=self._do).objects()
            self._log_undrawn(int(objects.area.sum()))
            if self.within is not None:
                from .growth import kept

                objects = kept(self.plan, self.within, self.plan.pieces, objects)
            numbers, count = numbered(objects, self.plan.min_size)
            self.plan.checkpoint.save("numbers", numbers)
        return Outcome(n_objects=count, dtype=numbers.dtype)

    def _kept(self) -> Outcome:
        """Leave every object the id that the segmenter gave it, and count the ids."""
        with self._timed("count"):
            tiles = self.plan.tiles
            ids = tiles.columns(tiles.busy, Ids).ids.view(np.uint64)
            dtype = dtype_for(int(ids.max(initial=0)))
            self.plan.checkpoint.save("numbers", ids.astype(dtype, copy=False))
        return Outcome(n_objects=distinct(ids), dtype=dtype)

    def prepare(self, writer: Mapping[str, Any]) -> None:
        """Make the writer's folder, or go on with the one that an earlier run filled.

        It is emptied if it was filled from other tiles, because its labels are not these; by another writer; and if
        the machine has been started anew since: blocks that were noted as written may not have been on the disk when
        the power went.
        """
        file, basis = self.plan.workdir / BASIS, f"{self.plan.basis} {boot_id()} {json.dumps(writer, sort_keys=True)}"
        if file.exists() and read_whole(file) != basis:
            discard(self.plan.workdir)
        self.plan.workdir.mkdir(parents=True, exist_ok=True)
        write_whole(file, basis)

    def write(self, writer: Callable[..., Any], sink: Sink, outcome: Outcome) -> None:
        """Write every block that is not written yet."""
        with self._timed("write"):
            writing = Writing(
                plan=self.plan,
                writer=writer,
                sink=sink,
                blocks=blocks_of(sink, self.plan.grid),
                dtype=outcome.dtype,
                attempt=self._attempt(),
                digesting=self.digesting,
            )
            written = self._do("write", "written", write, writing, self._blocks(writing.blocks))
            if self.digesting and all(each.guard >= 0 for each in written.values()):
                digests = [written[n].guard if n in written else 0 for n in range(len(writing.blocks))]
                self.content = Content.of(digests, writing.blocks.largest, outcome.dtype)

    def _blocks(self, blocks: TileGrid) -> Sequence[int]:
        """The blocks that have pixels of segmented tiles; the others are background."""
        plan = self.plan
        if len(plan.wanted) == len(plan.grid):
            return range(len(blocks))
        return sorted({each.number for number in plan.wanted for each in blocks.touching(plan.grid[number].core)})

    def finish(self, writer: Callable[..., Any], path: str, sink: Sink, provenance: Mapping[str, Any]) -> None:
        """Have the writer's sink put its output into place, at the path.

        From here on what was written may be moved away at any instant, so a run that is killed now writes anew.
        """
        self.report("finish", 0, 1, output=self.output)
        self.source.check()
        with self._timed("finish"):
            (self.plan.workdir / ATTEMPT).unlink()
            with blamed("writer", writer, f"finishing {path!r}"):
                sink.finish(provenance)
            discard(self.plan.workdir)
        self.report("finish", 1, 1, output=self.output)

    def _attempt(self) -> int:
        """The number of the output that is being filled: blocks written to an earlier one do not count for it."""
        file = self.plan.workdir / ATTEMPT
        if file.exists():
            return int(read_whole(file))
        attempt = secrets.randbits(62)
        write_whole(file, str(attempt))
        return attempt

    def _do(
        self,
        step: str,
        kind: str,
        work: Callable[[Any, Sequence[int]], list[Recorded]],
        shared: Any,
        numbers: Sequence[int],
        batches: Iterable[Sequence[int]] | None = None,
    ) -> dict[int, Recorded]:
        """Do the numbers that no earlier run did; return the records of all. `batches`: as they go together."""
        writing = isinstance(shared, Writing)
        recorded, begun = self._reuse(kind, numbers, shared.attempt if writing else shared.basis), time.perf_counter()
        grid = shared.blocks if writing else self.plan.grid
        output = "" if step == "segment" else self.output  # which is done once for all outputs
        named = f"{step} {output}".strip()
        self.report(step, len(recorded), len(numbers), output=output)
        logger.info("%s begins: %s, %s of them reused", named, f"{len(numbers):,}", f"{len(recorded):,}")
        if batches is None:
            batches = batched(numbers, self._batch(step, len(numbers) - len(recorded)))
        rest = ([number for number in batch if number not in recorded] for batch in batches) if recorded else batches
        for done in self.crew.each(work, shared, filter(len, rest), self.plan.checkpoint_path):
            recorded.update((each.number, each) for each in done)
            if self.plan.growing:  # the same step follows, with more tiles perhaps
                self._earlier.setdefault(kind, {}).update((each.number, each.place) for each in done)
            self.report(step, len(recorded), len(numbers), done, grid, output)
            _log_troubles(done)
        logger.info("%s ends: %s in %.1f s", named, f"{len(recorded):,}", time.perf_counter() - begun)
        self.undrawn += sum(each.undrawn for each in recorded.values())
        return recorded

    def _log_undrawn(self, drawn: int) -> None:
        """Log what the merger left out: a warning if it is more than a thousandth of what is drawn."""
        if self.undrawn and not self.partial:
            level = logging.WARNING if self.undrawn > 0.001 * drawn else logging.INFO
            why = "a tile labelled them in its own core, but nothing of these views is drawn there"
            logger.log(level, "%s pixels are left as background: %s", f"{self.undrawn:,}", why)

    def _reuse(self, kind: str, numbers: Sequence[int], basis: int) -> dict[int, Recorded]:
        """What was recorded of some tiles or blocks before: of tiles that are as they were, the rest on that basis."""
        earlier = self._earlier.get(kind, {})
        places = [(number, earlier[number]) for number in numbers if number in earlier]
        found = [(number, place, read(self.plan.checkpoint, place, Head)) for number, place in places]
        current = self._guards([number for number, _ in places]) if kind == "tile" else {}
        reused = {
            number: Recorded(
                number,
                place,
                _count(head),
                *_skipped_and_guard(head),
                0 if head.undrawn is None else int(head.undrawn),
                outputs=_outputs(number, head),
            )
            for number, place, head in found
            if (_skipped_and_guard(head)[1] == current[number] if kind == "tile" else head.basis == basis)
        }
        if kind == "tile" and len(reused) < len(found):
            logger.warning(
                "%s tiles are segmented again: their pixels, or the size or time of their files, have changed since",
                f"{len(found) - len(reused):,}",
            )
        return reused

    def _guards(self, numbers: Sequence[int]) -> dict[int, int]:
        """The guards of tiles that an earlier run segmented, as their pixels are now."""
        if not numbers:
            return {}
        if not self.plan.windows:
            batches = batched(numbers, self._batch("segment", len(numbers)))
            found = self.crew.each(guards, self.plan, batches, self.plan.checkpoint_path)
            return dict(itertools.chain.from_iterable(found))
        from .steps.predict import batch_guards  # most segmenters are not networks

        needs = {number: self.plan.needs(self.plan.grid[number]) for number in numbers}
        windows = [[batch] for batch in sorted(set().union(*needs.values()))]
        now = dict(
            itertools.chain.from_iterable(self.crew.each(batch_guards, self.plan, windows, self.plan.checkpoint_path))
        )
        of_pixels = ((number, combined([now[batch] for batch in batches])) for number, batches in needs.items())
        return {number: guard_with_given(self.plan, self.plan.grid[number], guard) for number, guard in of_pixels}

    def _batch(self, step: str, count: int) -> int:
        """Tiles to a task: many where they are small, but enough tasks to keep everybody busy to the end.

        Fewer where a task may take long, since whoever stops a run waits for those under way, and where it keeps what
        its tiles share: overlaps can be larger than the tiles. More where faces are all that is read, since those
        between two tasks are read twice.
        """
        if step == "join" and not self.plan.owning:
            most, tasks = 2**25, 2
        else:
            most, tasks = 2**20 if step in ("segment", "join") else 2**23, 8
        return max(1, min(self.plan.tiles_of(most), count // (tasks * self.crew.workers)))

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start


def _log_troubles(recorded: Sequence[Recorded]) -> None:
    for each in recorded:
        if each.failed:
            logger.warning("a tile is left as background: %s", printable(each.failed))
        elif each.retried:
            logger.info("tile %d was segmented after %d attempts that failed", each.number, each.retried)


def _count(head: Head) -> int:
    """What a record counts: pairs of a seam, objects of a tile."""
    if head.pairs is not None:
        return len(head.pairs)
    return 0 if head.head is None else int(head.head[0])


def _outputs(number: int, head: Head) -> tuple[Recorded, ...]:
    """What the record of a tile says of those of the segmenter's further outputs."""
    rows: list[list[int]] = [] if head.outputs is None else head.outputs.tolist()
    return tuple(Recorded(number, Place(*place), objects) for *place, objects in rows)


def _skipped_and_guard(head: Head) -> tuple[int, int]:
    return (0, 0) if head.head is None else (int(head.head[1]), int(head.head[2]))
