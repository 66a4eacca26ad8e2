"""The command `tilewright view`."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import InvalidOption, PluginError
from .choices import opening
from .errors import debuggable
from .parts import Texts
from .places import place
from .terminal import echo

if TYPE_CHECKING:
    from tilewright_view import Layer

    from ..image import Image

__all__ = ["view"]

# Told apart by the colour-blind, and added up to white where channels overlap.
COLORS = ("#00a0ff", "#ff8c00", "#00c864", "#ff50ff", "#ffe119", "#b4b4b4")


@click.command(short_help="Look at IMAGE and LABELS in the browser.")
@click.argument("path", metavar="IMAGE")
@click.argument("labels", metavar="[LABELS]...", nargs=-1)
@click.option("--channel", "channels", multiple=True, help="A channel to show, by name or number; else the first six.")
@click.option("--at", callback=place, metavar="Y,X", help="The pixel in the middle: y,x or z,y,x; else all is shown.")
@click.option("--reader", metavar="NAME", help="What opens all of them; else for each the one that fits it.")
@opening
@click.option("--port", type=int, default=0, help="The port of 127.0.0.1; else any that is free.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@debuggable
def view(
    path: str,
    labels: tuple[str, ...],
    channels: tuple[str, ...],
    at: tuple[int, ...] | None,
    reader: str | None,
    storage: Texts | None,
    port: int,
    no_browser: bool,
) -> None:
    """Look at IMAGE with LABELS over it in the browser, in 2-D and 3-D, at any size.

    The images are served from this machine to this machine alone, under an address that nobody can guess, until Ctrl-C.
    Labels have a colour for each object, whose id is shown under the pointer, and the tiles of their run as lines.

    \b
    tilewright view image.ome.zarr image.ome.zarr/labels/cells
    tilewright view slide.ome.tif cells.ome.tif --at 51200,30720
    """
    try:
        from tilewright_view import Viewer
    except ImportError as error:
        raise PluginError(f"the viewer cannot be imported: {error}; install it: pip install tilewright-view") from error

    from ..io.formats import open_levels

    opened = {each: open_levels(each, reader=reader, storage=storage) for each in (path, *labels)}
    image = opened[path][0]
    layers = [*_channels(opened[path], channels)]
    for each in labels:
        layers += _labels(each, opened[each])
    viewer = Viewer(layers, at=None if at is None else _middle(image, at), port=port)
    echo(f"{viewer.url}\nCtrl-C ends it.")
    if not no_browser:
        webbrowser.open(viewer.url)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        viewer.stop()


def _channels(levels: Sequence[Image], chosen: Sequence[str]) -> Iterator[Layer]:
    from tilewright_view import Layer

    image = levels[0]
    if "c" not in image.axes:
        if chosen:
            image.channel_index(chosen[0])  # which says that there are none
        yield Layer.of_image(image.name, levels)
        return
    numbers = [image.channel_index(each) for each in chosen] or range(min(image.size("c"), len(COLORS)))
    for index, number in enumerate(numbers):
        name = image.channels[number] if image.channels else f"channel {number}"
        color = COLORS[index % len(COLORS)] if len(numbers) > 1 else "#ffffff"
        yield Layer.of_image(name, [level.select(number) for level in levels], color)


def _labels(path: str, levels: Sequence[Image]) -> Iterator[Layer]:
    """The layer of a label image, and that of the tiles of the run that made it, if it says so."""
    from tilewright_view import Layer, seams

    from ..engine.recipe import provenance_at

    levels = [level.select(0) if level.size("c") == 1 and "c" in level.axes else level for level in levels]
    yield Layer(name=levels[0].name, kind="labels", levels=tuple(levels))
    tiles = provenance_at(path).get("tiles", {})
    if tiles.get("axes") == levels[0].axes and len(tiles.get("largest", ())) == len(levels[0].axes):
        yield seams(levels, tiles["largest"])


def _middle(image: Image, at: Sequence[int]) -> dict[str, int]:
    axes = image.spatial_axes[-len(at) :]
    if len(axes) != len(at):
        raise InvalidOption(
            f"--at has {len(at)} numbers, but the image has the axes {image.axes!r}; give one for each of "
            f"{', '.join(image.spatial_axes)}"
        )
    middle = dict(zip(axes, at, strict=True))
    for axis, position in middle.items():
        if not 0 <= position < image.size(axis):
            raise InvalidOption(
                f"--at has {axis} {position}, but the image has {image.size(axis)} pixels along {axis}; give one from "
                f"0 to {image.size(axis) - 1}"
            )
    return middle
