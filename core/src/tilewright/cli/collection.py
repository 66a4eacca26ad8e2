"""A run on several images on the command line: which they are, a line for each, and one table."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..errors import NotReadable, TilewrightError, UnknownComponent
from ..progress.units import duration
from ..run_options import PLANNED, SHARED
from .choices import run_options
from .forecasts import total_lines
from .parts import pipeline_of, reader_for
from .results import counted
from .scheduler import running
from .terminal import echo
from .workflow import loaded, steps_plain

if TYPE_CHECKING:
    from ..io.source import Source
    from ..workflow.collection import Collection
    from ..workflow.done import ImageDone

__all__ = ["collection_foretold", "collection_of", "run_collection"]

OF_SEVERAL = ("jobs", "shared_prepare", "table", "table_format")
"""The options of a run on several images, whether of a pipeline or of a workflow."""


def collection_of(
    image: str, output: str | None, said: Mapping[str, Any], opened: Callable[[], Source] | None = None
) -> Collection | None:
    """The images of a command, if there are several; None for one image.

    opened: the image, if it is to be opened anyway: one that says that there are no others is not opened once more.

    Of a file with several images, those are meant unless OUTPUT is a file. The files of a folder or a pattern are
    images of their own if they do not make one stack, or if `--only` names some.
    """
    from ..io.collection import all_images, images_at
    from ..io.formats import choose_writer
    from ..workflow.collection import Collection

    try:
        reader = reader_for(image, said["reader"], said["reader_set"])
        if said["only"] is not None:
            return Collection(images=all_images(image, reader=reader)).only(said["only"])
    except (NotReadable, UnknownComponent):
        if said["only"] is not None:
            raise
        return None  # the run says what is wrong
    if said["axes"] is not None:
        return None  # files that make one stack
    if output is not None and not said["workflow"]:
        try:
            choose_writer(output)
        except UnknownComponent:
            pass
        else:
            return None
    with warnings.catch_warnings(record=True) as of_one:
        warnings.simplefilter("always")
        alone = opened is not None and _is_alone(opened)
        try:
            images = {} if alone else images_at(image, reader=reader)
        except (NotReadable, UnknownComponent):  # likewise
            images = {}
    for each in () if images else of_one:
        warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return Collection(images=images) if images else None


def _is_alone(opened: Callable[[], Source]) -> bool:
    """Whether an image can be opened, and does not say that there are others beside it."""
    try:
        return not opened().whole.images
    except TilewrightError:
        return False


def collection_foretold(
    collection: Collection, image: str, output: str | None, said: Mapping[str, Any], sample: int = 8
) -> str:
    """What a pipeline or workflow would take on all images, in lines or as one JSON object."""
    work: Any = loaded(said["workflow"], OF_SEVERAL) if said["workflow"] else pipeline_of(said, image)
    names = ("axes", "workers", "storage") if said["workflow"] else PLANNED
    options = {name: value for name, value in run_options(said).items() if name in names}
    with contextlib.redirect_stdout(sys.stderr):  # what models print
        totals = collection.plan(work, output, sample=sample, **options)
    if said["as_json"]:
        steps = {name: dataclasses.asdict(each) for name, each in totals.steps.items()}
        return json.dumps({"steps": steps, "errors": {name: str(error) for name, error in totals.errors.items()}})
    lines = []
    for number, (name, total) in enumerate(totals.steps.items(), 1):
        lines += [f"step {number} of {len(totals.steps)}: {name}"] if said["workflow"] else []
        lines += total_lines(total)
        lines += [f"time:    not known until {', '.join(total.waiting)} are there"] if total.waiting else []
    return "\n".join([*lines, *(_failed_line(name, error) for name, error in totals.errors.items())])


def run_collection(collection: Collection, image: str, output: str | None, said: Mapping[str, Any]) -> None:
    """Run a pipeline or workflow on all images, and print a line for each. Exit code 3 if one failed."""
    if said["save_pipeline"]:
        raise click.UsageError("--save-pipeline is for one image; name one of: " + collection.names)
    if said["dry_run"]:
        echo(collection_foretold(collection, image, output, said))
        return
    work: Any = loaded(said["workflow"], OF_SEVERAL) if said["workflow"] else pipeline_of(said, image)
    options = run_options(said, SHARED if said["workflow"] else None)
    options |= {name: said[name] for name in OF_SEVERAL}
    table = said["table"]
    reports: list[Report] = []
    with running(resume=options["resume"], scheduler=said["scheduler"]):
        for each in collection.running(work, output, **options):
            reports.append(Report.of(each))
            if not said["quiet"]:
                echo(f"image {len(reports)} of {len(collection)}: {reports[-1].line}", err=True)
    echo(json.dumps(_plain(reports, table)) if said["as_json"] else _lines(reports, table))
    if failed := [each for each in reports if each.failed]:
        left_out = " with --overwrite" if any(each.in_part for each in failed) else ""
        echo(f"{counted(len(failed), 'image')} failed; re-run the same command{left_out} to do just those", err=True)
        raise SystemExit(3)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is printed of an image that is done, whose results are not kept.

    failed: whether the image, or tiles of it, are to be done again; in_part: only tiles.
    """

    name: str
    line: str
    n_objects: int
    n_rows: int
    failed: bool
    in_part: bool
    plain: Mapping[str, Any]

    @classmethod
    def of(cls, image: ImageDone) -> Report:
        error, in_part = image.error, any(each.failed for each in image.labels.values())
        texts = {} if error is None else {"error": str(error)}
        return cls(
            name=image.name,
            line=_line(image),
            n_objects=sum(each.n_objects for each in image.labels.values()),
            n_rows=sum(each.table.n_rows for each in image.labels.values() if each.table is not None),
            failed=error is not None or in_part,
            in_part=in_part,
            plain={"path": image.path, **texts, "steps": steps_plain(image.results)},
        )


def _line(each: ImageDone) -> str:
    if each.error is not None:
        return _failed_line(each.name, each.error)
    labels = each.labels.items()
    counts = ", ".join(f"{counted(one.n_objects, 'object')}" + f" ({name})" * (len(labels) > 1) for name, one in labels)
    spent = sum(sum(one.seconds.values()) for one in each.results.values())
    failed = sum(len(one.failed) for one in each.labels.values())
    return (
        f"{each.name}: {counts}, "
        + (duration(spent) if spent else "unchanged")
        + (f", {counted(failed, 'tile')} failed" if failed else "")
    )


def _failed_line(name: str, error: TilewrightError) -> str:
    return f"{name}: error: {' '.join(str(error).split())}"


def _lines(reports: Sequence[Report], table: str | None) -> str:
    total, done = sum(each.n_objects for each in reports), sum(not each.failed for each in reports)
    lines = [each.line for each in reports]
    lines.append(f"{counted(total, 'object')} in {counted(done, 'image')}")
    if table is not None and any("error" not in each.plain for each in reports):
        lines.append(f"table:  {table}, {counted(_rows(reports), 'row')}")
    return "\n".join(lines)


def _plain(reports: Sequence[Report], table: str | None) -> dict[str, Any]:
    images = {each.name: each.plain for each in reports}
    return {"images": images} | ({} if table is None else {"table": {"path": str(table), "n_rows": _rows(reports)}})


def _rows(reports: Sequence[Report]) -> int:
    return sum(each.n_rows for each in reports)
