"""The command `tilewright plan`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..progress.units import duration
from ..run_options import PLANNED
from .choices import planning, run_options
from .errors import debuggable
from .info import product, size
from .parts import pipeline_of
from .terminal import echo

if TYPE_CHECKING:
    from ..engine.forecast import Forecast
    from ..pipeline import Pipeline

__all__ = ["foretold", "plan"]


@click.command(short_help="Say what a run on IMAGE would take.")
@click.argument("image")
@planning
@click.option("--sample", type=int, default=8, show_default=True, help="Tiles to segment and time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def plan(image: str, sample: int, as_json: bool, **said: Any) -> None:
    """Say what a run on IMAGE would take: tiles, memory, disk and time. Segments a few tiles, and writes nothing.

    \b
    tilewright plan cells.ome.zarr --segmenter threshold --tile 1024 --halo 32
    """
    echo(foretold(pipeline_of(said, image), image, run_options(said), sample, as_json=as_json))


def foretold(pipeline: Pipeline, image: str, options: Mapping[str, Any], sample: int = 8, *, as_json: bool) -> str:
    """What a run of this pipeline with these options would take, in lines or as one JSON object."""
    chosen = {name: options[name] for name in PLANNED}
    with contextlib.redirect_stdout(sys.stderr):  # what models print; stdout is for what is told
        told = pipeline.plan(image, sample=sample, **chosen)
    return json.dumps(_plain(told)) if as_json else "\n".join(_lines(told))


def _plain(told: Forecast) -> dict[str, Any]:
    return dataclasses.asdict(told) | {"stage": told.checkpoint}  # its old name, as long as programs read it


def _objects(told: Forecast) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in told.outputs.items()) or f"{told.objects:,}"


def _lines(told: Forecast) -> list[str]:
    halo = f", halo {product(told.halo)}" if any(told.halo) else ""
    most = f", at most {told.most_tiles:,} if objects continue" if told.most_tiles > told.tiles else ""
    lines = [
        f"labels:  {product(told.shape)} ({told.axes})",
        f"tiles:   {told.tiles:,} of {product(told.tile)}{halo}{most}",
        f"read:    {told.overhead:.2f} times the image's pixels",
        f"memory:  {size(told.memory)} a worker, {size(told.memory * told.workers)} for {told.workers}",
    ]
    if told.windows:
        kept = f"{size(told.predictions)} if they are kept (--keep-predictions)"
        lines.append(
            f"windows: {told.windows:,} in {told.batches:,} batches, {duration(told.network)} of the network; {kept}"
        )
    if told.sampled:
        lines += [
            f"disk:    {size(told.checkpoint)} for the checkpoint, until the labels are written",
            f"objects: about {_objects(told)}, those in several tiles counted in each",
            f"time:    {duration(told.seconds)} to read and segment, from {told.sampled} tiles",
        ]
    return lines
