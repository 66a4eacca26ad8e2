"""Measuring in the order of its passes: blocks, then rows of the table, then what comes after them; and the table."""

from __future__ import annotations

import hashlib
import itertools
import logging
import math
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..run_options import Progress
from .checkpoint.log import Place
from .checkpoint.records import PartsHead, Recorded, read
from .steps.extents import MARKS
from .steps.measure import Measure, Measuring, guards, key_of, measure
from .steps.tabulate import PART, RANGE, RANGES, tabulate
from .workers.crew import Crew, batched

__all__ = ["ROWS", "Measurement"]

ROWS = 2**16  # of a table that are written at a time
AT_ONCE = 2**26  # bytes of what blocks say of the rows that are put together in one go
PIXELS = 2**22  # in a task

logger = logging.getLogger("tilewright")


@dataclass(kw_only=True)
class Measurement:
    """The measuring of a label image by a crew.

    large: the time and the id of each object that was too large to be measured whole, and so has empty columns.
    """

    measuring: Measuring
    crew: Crew
    report: Progress
    large: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._earlier: dict[str, dict[int, Place]] = {"parts": {}, "rows": {}}
        for record in self.measuring.checkpoint.records():
            if record.kind in self._earlier:
                self._earlier[record.kind][record.number] = record.place
        self._rows: list[tuple[NDArray[Any], dict[int, Recorded]]] = []
        self._last: dict[int, tuple[int, dict[str, NDArray[Any]]]] = {}

    def through(self) -> None:
        """Measure everything that no earlier run did."""
        for depth in range(1 + max(each.depth for each in self.measuring.measurers)):
            self.measuring = replace(self.measuring, depth=depth)
            self._save_parts(self._parts())
            self._save_rows(self._tabulated())
        self._log_large()

    @property
    def n_rows(self) -> int:
        return len(self.measuring.objects.ids)

    def batches(self) -> Iterator[dict[str, NDArray[Any]]]:
        """The rows of the table, `ROWS` at a time; one without rows if there are none."""
        objects = self.measuring.objects
        for start in range(0, max(1, self.n_rows), ROWS):
            stop = min(start + ROWS, self.n_rows)
            row = np.arange(start, stop)
            when = np.searchsorted(objects.times, row, side="right") - 1
            key = {"t": when, "label": np.asarray(objects.ids[start:stop])}
            rest = self._made(self._shown(), start, stop)
            yield {name: key[name] for name in key_of(times=self.measuring.facts.times)} | rest

    def labels_fingerprint(self) -> str:
        """A text that is the same for equal label images, however they are stored or cut, and for no others."""
        measuring, (extents, *_) = self.measuring, self.measuring.measurers
        digest = hashlib.blake2b(repr((measuring.facts.axes, measuring.facts.shape)).encode(), digest_size=16)
        digest.update(measuring.objects.times.astype("<i8").tobytes())
        for start in range(0, self.n_rows, ROWS):
            stop = min(start + ROWS, self.n_rows)
            digest.update(measuring.objects.ids[start:stop].astype("<u8").tobytes())
            for values in self._made([(extents, name) for name in MARKS], start, stop).values():
                digest.update(values.astype("<u8").tobytes())
        return digest.hexdigest()

    def _shown(self) -> list[tuple[Measure, str]]:
        return [(each, name) for each in self.measuring.measurers if not each.hidden for name in each.columns]

    def _made(self, wanted: Sequence[tuple[Measure, str]], start: int, stop: int) -> dict[str, NDArray[Any]]:
        """Some rows of columns, by name."""
        made = {name: [np.zeros(0, each.columns[name].dtype)] for each, name in wanted}
        for depth in {each.depth for each, _ in wanted}:
            ranges, recorded = self._rows[depth]
            first, last = np.searchsorted(ranges["stop"], start, side="right"), np.searchsorted(ranges["start"], stop)
            for number in range(int(first), int(last)):  # all columns of a range, so that its record is decoded once
                low = int(ranges["start"][number])
                arrays = self._arrays(depth, number, recorded[number].place)
                for each, name in wanted:
                    if each.depth == depth:
                        made[name].append(arrays[each.array(name)][max(0, start - low) : stop - low])
        return {name: np.concatenate(parts) for name, parts in made.items()}

    def _arrays(self, depth: int, number: int, place: Place) -> dict[str, NDArray[Any]]:
        """What is recorded of a range; the last one of each pass is at hand."""
        last = self._last.get(depth)
        if last is None or last[0] != number:
            last = self._last[depth] = number, self.measuring.checkpoint.read(place)
        return last[1]

    def close(self) -> None:
        """Close the files of the checkpoint, which may be removed then."""
        self._last.clear()
        self.measuring.checkpoint.close()

    def _log_large(self) -> None:
        """Name some of the objects that were too large to be measured whole."""
        if self.large:
            times = self.measuring.facts.times
            names = ", ".join(f"{id_} at t {t}" if times else str(id_) for t, id_ in self.large[:10])
            logger.warning(
                "%s too large to be measured whole in %s bytes, and have empty columns: %s%s; give more memory "
                "(measure_memory, --measure-memory)",
                "1 object is" if len(self.large) == 1 else f"{len(self.large):,} objects are",
                f"{self.measuring.memory:,}",
                names,
                " …" if len(self.large) > 10 else "",
            )

    # Passes

    def _parts(self) -> dict[int, Recorded]:
        blocks = self.measuring.blocks
        size = max(1, PIXELS // max(1, math.prod(blocks.largest)))
        numbers = range(len(blocks))
        size = max(1, min(size, len(numbers) // (4 * self.crew.workers)))
        reused = self._reused("parts", numbers, self.measuring.depth * len(blocks))
        reused = self._unchanged(reused, size)
        return self._do("measure", measure, numbers, reused, size)

    def _tabulated(self) -> dict[int, Recorded]:
        numbers = range(len(self.measuring.checkpoint.load(f"ranges-{self.measuring.depth}")))
        reused = self._reused("rows", numbers, self.measuring.depth * RANGES)
        return self._do("tabulate", tabulate, numbers, reused, 1)

    def _do(
        self,
        step: str,
        work: Callable[[Any, Sequence[int]], list[Recorded]],
        numbers: Sequence[int],
        reused: dict[int, Recorded],
        size: int,
    ) -> dict[int, Recorded]:
        """Do the numbers that are not reused; the records of all, in their order."""
        recorded, begun, measuring = dict(reused), time.perf_counter(), self.measuring
        total = len(numbers)
        self.report(step, len(recorded), total)
        logger.info(
            "%s begins, pass %d: %s, %s of them reused", step, measuring.depth + 1, f"{total:,}", f"{len(reused):,}"
        )
        rest = [number for number in numbers if number not in recorded]
        for done in self.crew.each(work, measuring, batched(rest, size), measuring.checkpoint_path):
            recorded.update((each.number, each) for each in done)
            self.report(step, len(recorded), total)
        logger.info("%s ends: %s in %.1f s", step, f"{total:,}", time.perf_counter() - begun)
        # By the records themselves, as in a run: what was put together from others says nothing of these.
        made = zlib.crc32(repr([(n, *recorded[n].place) for n in numbers]).encode())
        self.measuring = replace(measuring, basis=zlib.crc32(f"{measuring.basis} {made}".encode()))
        return {number: recorded[number] for number in numbers}

    def _reused(self, kind: str, numbers: Sequence[int], before: int) -> dict[int, Recorded]:
        """What earlier runs recorded on the same basis."""
        earlier, checkpoint = self._earlier[kind], self.measuring.checkpoint
        places = [(number, earlier[before + number]) for number in numbers if before + number in earlier]
        found = ((number, place, read(checkpoint, place, PartsHead)) for number, place in places)
        return {
            number: Recorded(number, place, 0, guard=0 if head.head is None else int(head.head[1]))
            for number, place, head in found
            if head.basis == self.measuring.basis
        }

    def _unchanged(self, recorded: dict[int, Recorded], size: int) -> dict[int, Recorded]:
        """Those blocks whose labels and pixels are as they were."""
        found = self.crew.each(guards, self.measuring, batched(list(recorded), size), self.measuring.checkpoint_path)
        now = dict(itertools.chain.from_iterable(found))
        kept = {number: each for number, each in recorded.items() if each.guard == now[number]}
        if len(kept) < len(recorded):
            logger.warning(
                "%s blocks are measured again: their labels or pixels, or the size or time of the files, have changed",
                f"{len(recorded) - len(kept):,}",
            )
        return kept

    # Tables for the workers

    def _save_parts(self, recorded: Mapping[int, Recorded]) -> None:
        """Note where the parts of objects lie, which objects there are, and which rows go together."""
        measuring, checkpoint = self.measuring, self.measuring.checkpoint
        rows = np.zeros(len(recorded), PART)
        if measuring.facts.times:
            axis = measuring.blocks.axes.index("t")
            rows["time"] = np.unravel_index(np.arange(len(rows)), measuring.blocks.counts)[axis]
        size = 0
        for number, each in recorded.items():
            head = read(checkpoint, each.place, PartsHead)
            if head.span is not None and head.head is not None:
                rows[number] = (*each.place, rows["time"][number], *head.span)
                size += int(head.head[2])
            if head.large is not None:
                self.large += [(int(rows["time"][number]), int(id_)) for id_ in head.large]
        checkpoint.save(f"parts-{measuring.depth}", rows)
        if measuring.depth == 0:
            self._save_objects(rows)
        checkpoint.save(f"ranges-{measuring.depth}", _ranges(checkpoint.load("times"), size))

    def _save_objects(self, rows: NDArray[Any]) -> None:
        checkpoint, times = self.measuring.checkpoint, [0]
        ids: list[NDArray[np.uint64]] = []
        n_times = (
            self.measuring.blocks.shape[self.measuring.blocks.axes.index("t")] if self.measuring.facts.times else 1
        )
        order = np.argsort(rows["time"], kind="stable")
        bounds = np.searchsorted(rows["time"][order], np.arange(n_times + 1))
        for start, stop in itertools.pairwise(bounds.tolist()):
            own = [
                checkpoint.read(Place(int(row["pack"]), int(row["offset"]), int(row["size"])), "ids")["ids"]
                for row in rows[order[start:stop]]
                if row["size"]
            ]
            ids.append(np.unique(np.concatenate(own)) if own else np.zeros(0, np.uint64))
            times.append(times[-1] + len(ids[-1]))
        checkpoint.save("ids", np.concatenate([np.zeros(0, np.uint64), *ids]))
        checkpoint.save("times", np.array(times))

    def _save_rows(self, recorded: dict[int, Recorded]) -> None:
        """Keep the columns that later passes ask for."""
        measuring = self.measuring
        self._rows.append((measuring.checkpoint.load(f"ranges-{measuring.depth}"), recorded))
        wanted = {each.after for each in measuring.measurers} | {measuring.boxes}
        for each in measuring.now:
            if each.number in wanted:
                for name in each.columns:
                    values = self._made([(each, name)], 0, self.n_rows)[name]
                    measuring.checkpoint.save(f"known-{each.array(name)}", values)
        if measuring.depth == 0 and measuring.boxes is not None:
            self._save_owners(measuring.measurers[measuring.boxes])

    def _save_owners(self, boxes: Measure) -> None:
        """Note which block measures which objects whole: the one with the first corner of the object's box."""
        measuring = self.measuring
        blocks, place = measuring.blocks, []
        for axis, cores in zip(blocks.axes, blocks.cores, strict=True):
            if axis == "t":
                row = np.arange(self.n_rows)
                place.append(np.searchsorted(measuring.objects.times, row, side="right") - 1)
                continue
            starts = measuring.checkpoint.load(f"known-{boxes.array(f'start-{measuring.facts.axes.index(axis)}')}")
            place.append(np.searchsorted(np.cumsum(cores), starts, side="right"))
        owner = np.ravel_multi_index(place, blocks.counts)
        order = np.argsort(owner, kind="stable")
        measuring.checkpoint.save("owned", order)
        measuring.checkpoint.save("owned-starts", np.searchsorted(owner[order], np.arange(len(blocks) + 1)))


def _ranges(times: NDArray[Any], size: int) -> NDArray[Any]:
    """Which rows are put together in one go: of one time, and so many that what blocks say of them fits into memory.

    They depend on what is measured alone, not on the number of workers.
    """
    n = int(times[-1])
    most = max(1, min(AT_ONCE * n // max(1, size), max(2**12, -(-n // 16)), 2**20))
    ranges = [
        (number, low, min(low + most, stop))
        for number, (start, stop) in enumerate(itertools.pairwise(times.tolist()))
        for low in range(start, stop, most)
    ]
    return np.array(ranges, RANGE)
