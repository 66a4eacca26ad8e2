"""The command `tilewright measure`."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import click

from ..progress.report import reporting
from ..run_options import MEASURED
from .choices import measuring, run_options
from .errors import debuggable
from .interrupt import interruptible
from .parts import measurers_of
from .scheduler import connected
from .tables import table_plain, table_told
from .terminal import echo

__all__ = ["measure"]


@click.command(short_help="Measure the objects of a label image.")
@click.argument("labels")
@click.argument("paths", nargs=-1, required=True, metavar="[IMAGE] TABLE")
@measuring
@click.option("--channels", metavar="A,B", help="The channels to measure, by index or name; otherwise all.")
@click.option("--level", type=int, help="The resolution of IMAGE; otherwise the one with the shape of the labels.")
@click.option("--axes", metavar="TEXT", help="The axes of LABELS, where the file does not name them.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on the dask cluster of this scheduler (tcp://host:8786).")
@click.option("--json", "as_json", is_flag=True, help="Print the table's facts as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@debuggable
def measure(labels: str, paths: tuple[str, ...], **said: Any) -> None:
    """Measure the objects of LABELS in IMAGE, and write a TABLE with a row for each (and each time).

    IMAGE is left out if nobody looks at pixels, or if LABELS lie in the `labels` group of an OME-Zarr image. Give the
    same command again to resume one that was stopped.

    \b
    tilewright measure cells.ome.zarr/labels/cells cells.parquet --measure size,intensity
    tilewright measure labels.tif image.tif cells.csv --measure intensity --channels DAPI,GFP
    """
    if len(paths) > 2:
        raise click.UsageError(f"give LABELS, IMAGE and TABLE, or LABELS and TABLE, not {1 + len(paths)} paths")
    from ..functions.measure import measure as measured

    image, table = paths if len(paths) == 2 else (None, paths[0])
    measurers = measurers_of(said["measure"], said["measure_set"])
    channels = None if said["channels"] is None else [name.strip() for name in said["channels"].split(",")]
    with (
        connected(said["scheduler"]),
        interruptible("re-run the same command to resume"),
        reporting(quiet=said["quiet"]) as report,
        contextlib.redirect_stdout(sys.stderr),  # what measurers print; stdout is for the result
    ):
        made = measured(
            labels,
            image,
            table,
            measure=measurers,
            channels=channels,
            level=said["level"],
            axes=said["axes"],
            progress=report,
            **run_options(said, MEASURED),
        )
    echo(json.dumps(table_plain(made)) if said["as_json"] else table_told(made))
