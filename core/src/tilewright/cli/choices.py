"""The options of the command `run`, in the order in which its help shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..components.specs import Kind
from .parts import Texts

__all__ = ["choices", "parts", "settings"]

F = TypeVar("F", bound=Callable[..., Any])


def option_texts(_: click.Context, parameter: click.Parameter, said: tuple[str, ...]) -> Texts:
    """`("sigma=2", "min_size=9")` as a mapping; a later text for the same option wins."""
    for text in said:
        name, equals, _value = text.partition("=")
        if not (name.strip() and equals):
            raise click.BadParameter(f"{text!r} is not of the form option=value", param=parameter)
    return {name.strip(): value for name, _, value in (text.partition("=") for text in said)}


def names(_: click.Context, __: click.Parameter, said: str | None) -> list[str] | None:
    """`"DAPI,GFP"` as a list."""
    return None if said is None else [name.strip() for name in said.split(",")]


def choices(command: F) -> F:
    """Give a command all of the options below."""
    for option in reversed(_PARTS + _RUN):
        command = option(command)
    return command


def parts(command: F) -> F:
    """Give a command the options that say what is segmented, and with what."""
    for option in reversed(_PARTS):
        command = option(command)
    return command


def settings(kind: Kind, *names: str) -> Callable[[F], F]:
    """The option that sets options of a part, under other names than `--KIND-set` if there are any."""
    return click.option(
        *(names or [f"--{kind}-set"]),
        multiple=True,
        callback=option_texts,
        metavar="OPTION=VALUE",
        help=f"Set an option of the {kind}; may be repeated.",
    )


_PARTS: tuple[Callable[[Any], Any], ...] = (
    click.option("--segmenter", metavar="NAME", help="What finds the objects; see `tilewright plugins`."),
    settings("segmenter", "--set", "segmenter_set"),
    click.option("--channel", metavar="NAME|INDEX", help="The channel to segment."),
    click.option("--channels", callback=names, metavar="A,B", help="Channels for a segmenter that takes several."),
    click.option("--level", type=click.IntRange(min=0), help="The resolution to segment; 0 is the finest."),
    click.option("--axes", metavar="ZYX", help="The image's axes, for a format that does not say them."),
    click.option("--tile", metavar="1,1024,1024", help="Core of a tile: one number for each spatial axis, or for all."),
    click.option("--halo", metavar="0,32,32", help="Context around the core, likewise. Else what the segmenter wants."),
    click.option("--tiler", metavar="NAME", help="What cuts the image: `auto`, or `grid` if --tile is given."),
    settings("tiler"),
    click.option("--merger", metavar="NAME", help="What joins the tiles; else the one that the segmenter asks for."),
    settings("merger"),
    click.option(
        "--join-z",
        type=float,
        metavar="[IOU]",
        is_flag=False,
        flag_value=0.25,
        callback=lambda _, __, said: False if said is None else said,
        help="Link slices that were segmented one by one where objects overlap so much (0.25 if not said).",
    ),
    click.option("--reader", metavar="NAME", help="What opens IMAGE; else the one that fits it."),
    settings("reader"),
    click.option("--writer", metavar="NAME", help="What writes OUTPUT; else the one that fits its suffix."),
    settings("writer"),
    click.option("--pipeline", metavar="FILE", help="A .toml or .json file of parts; other options override it."),
    click.option(
        "--workers", type=click.IntRange(min=1), help="Threads on this machine; one for each CPU if not said."
    ),
)

_RUN: tuple[Callable[[Any], Any], ...] = (
    click.option("--name", default="labels", show_default=True, help="Name of the labels within the image's store."),
    click.option("--save-pipeline", metavar="FILE", help="Save the parts and their options for --pipeline."),
    click.option(
        "--processes", is_flag=True, help="Workers are processes: for a segmenter that is Python all through."
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Run on the dask cluster of this scheduler (tcp://host:8786)."),
    click.option("--stage-dir", metavar="DIR", help="Where tiles are kept until the end; else beside OUTPUT."),
    click.option(
        "--overwrite", is_flag=True, help="Replace labels that are there already, once the new ones are whole."
    ),
    click.option("--no-resume", is_flag=True, help="Discard what an earlier, unfinished run has done."),
    click.option(
        "--on-error",
        type=click.Choice(["raise", "skip"]),
        default="raise",
        show_default=True,
        help="End the run at a tile that fails, or leave it as background and end with exit code 3.",
    ),
    click.option(
        "--retries", type=click.IntRange(min=0), default=0, help="How often a tile that fails is tried again first."
    ),
    click.option("--dry-run", is_flag=True, help="Say what the run would take, as `tilewright plan`; write nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object."),
    click.option("--quiet", is_flag=True, help="Show no progress."),
)
