"""The command `tilewright plan`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..run_options import PLANNED
from .choices import planning, run_options
from .collection import collection_foretold, collection_of
from .errors import debuggable
from .forecasts import lines, plain
from .parts import pipeline_of
from .terminal import echo
from .workflow import workflow_foretold

if TYPE_CHECKING:
    from ..pipeline import Pipeline

__all__ = ["foretold", "plan"]


@click.command(short_help="Say what a run on IMAGE would take.")
@click.argument("image")
@click.argument("output", required=False)
@planning
@click.option("--only", metavar="PATTERN", help="Of several images in IMAGE those whose names match, such as 'A/*'.")
@click.option("--sample", type=int, default=8, show_default=True, help="Tiles to segment and time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def plan(image: str, output: str | None, sample: int, **said: Any) -> None:
    """Say what a run on IMAGE would take: tiles, memory, disk and time. Segments a few tiles, and writes nothing.

    With --workflow it says so of every step, and which are done: OUTPUT is the folder of their labels, as for `run`.
    Of several images, such as those of a plate, it says the sums.

    \b
    tilewright plan cells.ome.zarr --segmenter threshold --tile 1024 --halo 32
    tilewright plan cells.ome.zarr --workflow cells.toml
    """
    if output is not None and not said["workflow"]:
        raise click.UsageError(f"OUTPUT {output!r} is for --workflow, whose steps may be done there; leave it out")
    collection, as_json = collection_of(image, output, said), said["as_json"]
    if collection is not None:
        echo(collection_foretold(collection, image, output, said, sample))
        return
    if said["workflow"]:
        echo(workflow_foretold(image, output, said, sample, as_json=as_json))
        return
    echo(foretold(pipeline_of(said, image), image, run_options(said), sample, as_json=as_json))


def foretold(pipeline: Pipeline, image: Any, options: Mapping[str, Any], sample: int = 8, *, as_json: bool) -> str:
    """What a run of this pipeline with these options would take, in lines or as one JSON object."""
    chosen = {name: options[name] for name in PLANNED}
    with contextlib.redirect_stdout(sys.stderr):  # what models print; stdout is for what is told
        told = pipeline.plan(image, sample=sample, **chosen)
    return json.dumps(plain(told)) if as_json else "\n".join(lines(told))
