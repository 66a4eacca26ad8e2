"""The command `tilewright report`."""

from __future__ import annotations

from pathlib import Path

import click

from .choices import opening
from .errors import debuggable
from .parts import Texts
from .terminal import echo

__all__ = ["report"]


@click.command(short_help="A page about a label image, to look at before one believes it.")
@click.argument("labels", metavar="LABELS")
@click.option("--image", metavar="PATH", help="What was segmented; else what the labels name.")
@click.option("--table", metavar="PATH", help="The table of the labels; else their run's, else they are measured.")
@click.option("--output", metavar="FILE", help="Where the page goes; else NAME.report.html in this folder.")
@click.option("--no-seams", is_flag=True, help="Do not check what tiling did, for which crops are segmented again.")
@opening
@debuggable
def report(
    labels: str, image: str | None, table: str | None, output: str | None, no_seams: bool, storage: Texts | None
) -> None:
    """Write a page about LABELS: one HTML file that needs nothing else.

    It shows the image with outlines, what tiling did (as `tilewright seams`), objects at random, across seams, the
    largest, smallest and oddest, how sizes and intensities are distributed, where objects are, what failed, and the
    command that makes the labels again.

    \b
    tilewright report image.ome.zarr/labels/cells
    tilewright report cells.ome.tif --image slide.ome.tif --table cells.parquet --output cells.html
    """
    from ..report import report as page_of

    page = page_of(labels, image, table=table, storage=storage, seams=not no_seams)
    target = page.save(output or f"{Path(labels).name.partition('.')[0]}.report.html")
    echo(f"report: {target}")
