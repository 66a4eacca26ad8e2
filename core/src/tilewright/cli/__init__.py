"""The command line: `tilewright run` and its kin.

A command's module is imported when the command is used, and what it works with when it runs: help and listings come
without numpy.
"""

from __future__ import annotations

import click

from .._version import __version__
from .errors import Reporting, debuggable

__all__ = ["main"]


@click.group(
    cls=Reporting,
    commands_in={
        "run": ".run",
        "submit": ".submit",
        "work": ".work",
        "measure": ".measure",
        "plan": ".plan",
        "preview": ".preview",
        "plugins": ".plugins",
        "info": ".info",
        "view": ".view",
        "report": ".report",
        "compare": ".compare",
        "seams": ".seams",
        "clean": ".clean",
        "new": ".new",
        "check": ".check",
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="tilewright", message="%(prog)s %(version)s")
@debuggable
def main() -> None:
    """Segment images of any size, tile by tile, into one consistent label image.

    \b
    tilewright plugins                               what is installed
    tilewright info image.ome.zarr                   what an image holds
    tilewright run image.ome.zarr --segmenter NAME   segment it
    tilewright submit image.ome.zarr … --tasks N     the same in N tasks of a SLURM job, or in N shells
    tilewright work CHECKPOINT                       be one of these tasks
    tilewright measure LABELS TABLE --measure NAME   measure the objects of a label image
    tilewright plan image.ome.zarr --segmenter NAME  tiles, memory, disk and time of that run
    tilewright preview IMAGE --segmenter NAME        a picture of what it finds in a part
    tilewright view image.ome.zarr LABELS            look at them in the browser
    tilewright report LABELS                         a page about them
    tilewright compare LABELS LABELS                 match the objects of two label images
    tilewright seams LABELS                          what tiling did to labels
    tilewright clean                                 what unfinished runs left behind
    tilewright new segmenter NAME                    a plugin package to start from
    tilewright check NAME                            test a plugin, and say what to fix
    """
