"""The command `tilewright run`."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..progress.report import watching
from .choices import choices, run_options
from .collection import collection_of, run_collection
from .errors import debuggable
from .parts import pipeline_of
from .plan import foretold
from .results import plain, show_failed, told
from .scheduler import running
from .terminal import echo
from .workflow import run_workflow

if TYPE_CHECKING:
    from ..engine.result import Result
    from ..io.source import Source
    from ..pipeline import Pipeline

__all__ = ["run"]


@click.command()
@click.argument("image")
@click.argument("output", required=False)
@choices
@click.option("--only", metavar="PATTERN", help="Of several images in IMAGE those whose names match, such as 'A/*'.")
@click.option("--report", metavar="FILE", help="Write a page about the labels too: one HTML file.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Images at once, of several.")
@click.option(
    "--shared-prepare",
    is_flag=True,
    help="Of several images: what the segmenter and transforms prepare on an image, such as a threshold, is prepared "
    "once, on all of them together.",
)
@debuggable
def run(image: str, output: str | None, **said: Any) -> None:
    """Segment IMAGE and write its labels to OUTPUT.

    Without OUTPUT the labels go where labels of that image belong: into an OME-Zarr's own `labels` group. Give the
    same command again to resume a run that was stopped. If the segmenter returns several label images, such as nuclei
    and cells, {output} in OUTPUT stands for their names. With --workflow OUTPUT is a folder for the labels of all
    steps, and steps that are done are not repeated.

    If IMAGE holds several, such as a plate, a file of scenes, or a folder or pattern of files, all of them are done,
    each with labels of its own: in OUTPUT, a folder, or with the images. One that fails is listed and does not end the
    others; the same command does just what is missing. --table PATH.csv (or .parquet) is one table, with a column
    `image`.

    \b
    tilewright run cells.ome.zarr --segmenter threshold --set sigma=1.5
    tilewright run cells.ome.zarr nuclei.ome.zarr --segmenter threshold --channel DAPI --tile 1024 --halo 32
    tilewright run cells.ome.zarr --workflow cells.toml
    tilewright run plate.ome.zarr --only "A/*" --segmenter threshold
    """
    if said["scheduler"] and (said["workers"] or said["processes"]):
        raise click.UsageError(
            "--workers and --processes are for this machine, and --scheduler has its own workers; leave them out"
        )
    page, work = said.pop("report"), None if said["workflow"] else (pipeline_of(said, image), run_options(said))
    opened = None if work is None else cache(partial(_opened, image, *work))
    collection = collection_of(image, output, said, opened)
    if page and (collection is not None or said["workflow"] or said["dry_run"]):
        raise click.UsageError("--report is for one run on one image; make the others' with `tilewright report LABELS`")
    if collection is not None:
        run_collection(collection, image, output, said)
        return
    if said["shared_prepare"]:
        raise click.UsageError(f"--shared-prepare is for several images, and {image} is one; leave it out")
    if work is None or opened is None:
        run_workflow(image, output, said)
        return
    pipeline, options = work
    if said["save_pipeline"]:
        pipeline.save(said["save_pipeline"])
    if said["dry_run"]:
        echo(foretold(pipeline, opened(), options, as_json=said["as_json"]))
        return
    result = _run(pipeline, opened(), output, options, scheduler=said["scheduler"], quiet=said["quiet"])
    echo(json.dumps(plain(result)) if said["as_json"] else told(result))
    if page:
        _write_report(result, page, options)
    if result.failed:
        raise SystemExit(show_failed(result.failed))


def _opened(image: str, pipeline: Pipeline, options: dict[str, Any]) -> Source:
    from ..engine.execution import Execution
    from ..run_options import RunOptions

    return Execution(parts=pipeline, options=RunOptions(**options)).open(image)


def _run(
    pipeline: Pipeline,
    image: Source,
    output: str | None,
    options: dict[str, Any],
    *,
    scheduler: str | None,
    quiet: bool,
) -> Result:
    with running(resume=options["resume"], scheduler=scheduler), watching(quiet=quiet):
        return pipeline.run(image, output, **options)


def _write_report(result: Result, page: str, options: dict[str, Any]) -> None:
    from ..report import report

    for name, each in (result.outputs or {"": result}).items():
        target = Path(page)
        named = target.with_name(f"{target.stem}.{name}{target.suffix}") if name else target
        echo(f"report: {report(each.path, storage=options.get('storage')).save(named)}", err=True)
