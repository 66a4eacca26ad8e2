"""A run on several images on the command line: which they are, a line for each, and one table."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
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
    from ..workflow.collection import Collection, ImageDone

__all__ = ["collection_foretold", "collection_of", "run_collection"]


def collection_of(image: str, output: str | None, said: Mapping[str, Any]) -> Collection | None:
    """The images of a command, if there are several; None for one image.

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
    try:
        images = images_at(image, reader=reader)
    except (NotReadable, UnknownComponent):  # likewise
        return None
    return Collection(images=images) if images else None


def collection_foretold(
    collection: Collection, image: str, output: str | None, said: Mapping[str, Any], sample: int = 8
) -> str:
    """What a pipeline or workflow would take on all images, in lines or as one JSON object."""
    work: Any = loaded(said["workflow"]) if said["workflow"] else pipeline_of(said, image)
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
    from ..workflow.collection import check_table, write_table

    if said["save_pipeline"]:
        raise click.UsageError("--save-pipeline is for one image; name one of: " + collection.names)
    if said["dry_run"]:
        echo(collection_foretold(collection, image, output, said))
        return
    work: Any = loaded(said["workflow"]) if said["workflow"] else pipeline_of(said, image)
    options, table = run_options(said, SHARED if said["workflow"] else None), said["table"]
    if said["table_format"] is not None:
        raise click.UsageError("--table-format is for one image; the table of several is CSV (--table PATH.csv)")
    if table is not None:
        check_table(table, work)
    of_images = {name: value for name, value in options.items() if name != "table"}
    done: list[ImageDone] = []
    with running(resume=options["resume"], scheduler=said["scheduler"]):
        for each in collection.running(
            work, output, jobs=said["jobs"], shared_prepare=said["shared_prepare"], **of_images
        ):
            done.append(each)
            if not said["quiet"]:
                echo(f"image {len(done)} of {len(collection)}: {_line(each)}", err=True)
        rows = None if table is None else write_table(done, table)
    echo(json.dumps(_plain(done, table, rows)) if said["as_json"] else _told(done, table, rows))
    if failed := _failed(done):
        left_out = " with --overwrite" if any(each.error is None for each in failed) else ""
        echo(f"{counted(len(failed), 'image')} failed; re-run the same command{left_out} to do just those", err=True)
        raise SystemExit(3)


def _failed(done: Sequence[ImageDone]) -> list[ImageDone]:
    return [each for each in done if each.error is not None or any(one.failed for one in each.labels.values())]


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


def _told(done: Sequence[ImageDone], table: str | None, rows: int | None) -> str:
    total = sum(one.n_objects for each in done for one in each.labels.values())
    lines = [_line(each) for each in done]
    lines.append(f"{counted(total, 'object')} in {counted(len(done) - len(_failed(done)), 'image')}")
    return "\n".join(lines + ([] if table is None else [f"table:  {table}, {counted(rows or 0, 'row')}"]))


def _plain(done: Sequence[ImageDone], table: str | None, rows: int | None) -> dict[str, Any]:
    images = {
        each.name: {"path": each.path}
        | ({"error": str(each.error)} if each.error is not None else {})
        | {"steps": steps_plain(each.results)}
        for each in done
    }
    return {"images": images} | ({} if table is None else {"table": {"path": str(table), "n_rows": rows}})
