"""What is written into the labels of what ran: enough to run it again, and to know what it ran on."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..components.printable import printable_values
from ..components.resolve import configuration
from ..components.specs import Kind
from .plan import Plan
from .planning import Parts
from .run import Outcome, Run
from .workers.environment import WorkerFacts

if TYPE_CHECKING:
    from .steps.measure import Measuring

__all__ = ["pipeline_record", "provenance_of", "source_record", "table_provenance", "workers_record"]

NAMED = 16  # workers of equal versions: the record does not grow with the cluster


def pipeline_record(parts: Parts, plan: Plan, writer: Callable[..., Any]) -> dict[str, Any]:
    """The components of a run as plain values, those that were chosen for it included."""
    ran: dict[Kind, Callable[..., Any] | None] = {
        "reader": plan.source.reader,
        "tiler": parts.tiler,
        "segmenter": plan.segmenter,
        "merger": None if plan.keeps_ids else plan.merger,
        "writer": writer,
    }
    record: dict[str, Any] = {kind: configuration(kind, part) for kind, part in ran.items() if part is not None}
    several = {
        "transforms": [configuration("transform", each.function) for each in plan.source.transforms],
        "measure": [configuration("measurer", each) for each in parts.measure],
    }
    return record | {name: records for name, records in several.items() if records}


def provenance_of(
    pipeline: Mapping[str, Any], run: Run, outcome: Outcome, started: datetime.datetime
) -> dict[str, Any]:
    """The provenance of a run, in plain values; a path that has no text in UTF-8 has escapes."""
    grid = run.plan.grid
    record = {
        "tilewright": __version__,
        "python": platform.python_version(),
        "pipeline": dict(pipeline),
        **({"output": run.output, "outputs": list(run.plan.outputs)} if run.output else {}),
        "source": run.source.path,
        "channels": run.source.channels,
        "tiles": {"axes": grid.axes, "largest": grid.largest, "halo": grid.halo, "count": len(grid)},
        "workers": workers_record(run.crew.seen),
        **({"join": "skipped: the segmenter keeps ids"} if run.plan.keeps_ids else {}),
        "join_z": run.plan.join_z,
        **({"given": {name: each.path for name, each in run.given.items()}} if run.given else {}),
        **({"within": {"region": run.within.name, **run.within.record, "tiles": run.segmented}} if run.within else {}),
        **({"n_predicted": run.predicted} if run.plan.windows else {}),
        "n_skipped": run.skipped,
        "n_undrawn": run.undrawn,
        "failed": run.failed,
        "n_objects": outcome.n_objects,
        **({} if run.content is None else {"content": run.content._asdict()}),
        "started": started.isoformat(timespec="seconds"),
        "seconds": {step: round(spent, 3) for step, spent in run.seconds.items()},
    }
    plain: dict[str, Any] = printable_values(record)
    return plain


def source_record(run: Run) -> dict[str, Any]:
    """Where a run's image lies and which reader opened it, as in the provenance of its labels."""
    reader = run.source.reader
    opened = {"pipeline": {"reader": configuration("reader", reader)}} if reader is not None else {}
    plain: dict[str, Any] = printable_values({"source": run.source.path, **opened})
    return plain


def table_provenance(measuring: Measuring, labels: Mapping[str, Any], n_rows: int, fingerprint: str) -> dict[str, Any]:
    """The provenance of a table, in plain values. It has no times, so that equal tables are equal files.

    labels: path and fingerprint of the label image. fingerprint: of the table.
    """
    record = {
        "tilewright": __version__,
        "measurers": [configuration("measurer", each.measurer) for each in measuring.measurers if not each.hidden],
        "labels": dict(labels),
        "image": measuring.image.source.path if measuring.image else "",
        "channels": list(measuring.facts.channels),
        "n_rows": n_rows,
        "fingerprint": fingerprint,
    }
    plain: dict[str, Any] = printable_values(record)
    return plain


def workers_record(seen: Collection[WorkerFacts]) -> list[dict[str, Any]]:
    """The workers of a cluster that did tasks, those with equal versions together; a few of each are named."""
    versions: dict[str, dict[str, str]] = {}
    for each in seen:  # once for each set of packages that a step needs
        versions.setdefault(each.name, {}).update(each.versions)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, packages in sorted(versions.items()):
        alike.setdefault(tuple(sorted(packages.items())), []).append(name)
    return [
        {"versions": dict(packages), "count": len(names), "names": names[:NAMED]} for packages, names in alike.items()
    ]
