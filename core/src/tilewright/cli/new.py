"""The command `tilewright new`."""

from __future__ import annotations

from pathlib import Path

import click

from ..components.specs import Kind
from .errors import debuggable
from .scaffold.project import SCAFFOLDS, Scaffold, write_project
from .terminal import echo

__all__ = ["new"]


@click.command(short_help="Write a plugin package to start from.")
@click.argument("kind", type=click.Choice(SCAFFOLDS), metavar="KIND")
@click.argument("name")
@click.option("--path", "folder", default=".", metavar="DIR", help="Where to put it; the current folder if not said.")
@debuggable
def new(kind: Scaffold, name: str, folder: str) -> None:
    """Write a complete plugin package of one KIND.

    KIND is reader, transform, tiler, segmenter, network, merger, writer, measurer or table (a format of tables). The
    package is the folder tilewright-NAME, which installs and passes its tests. A network is a segmenter whose network
    sees each window of the image once.

    \b
    tilewright new segmenter foo
    pip install -e "tilewright-foo[test]"
    pytest tilewright-foo
    tilewright run image.ome.zarr labels.ome.zarr --segmenter foo
    """
    project = write_project(kind, name, Path(folder))
    echo(f'{project} is written; next: pip install -e "{project}[test]", then pytest "{project}"')
    _warn_of_others("segmenter" if kind == "network" else kind, project.name.removeprefix("tilewright-"))


def _warn_of_others(kind: Kind, name: str) -> None:
    from ..components.registry import registry

    for other in registry().components(kind):
        if other.spec.name == name:
            echo(
                f"warning: {other.distribution} {other.version} offers a {kind} {name!r} too; with both installed "
                "neither can be used by that name",
                err=True,
            )
