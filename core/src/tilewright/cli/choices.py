"""The options of the commands `run` and `plan`: those of the parts, and those that `RunOptions` has."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from ..components.options import parse, types_of
from ..components.specs import Kind
from ..run_options import MEASURED, PLANNED, PREVIEWED, RENAMED, RunOptions
from .parts import Texts
from .terminal import echo

__all__ = [
    "choices",
    "component_texts",
    "measuring",
    "opening",
    "option_texts",
    "planning",
    "previewing",
    "run_options",
    "settings",
    "submitting",
]

IN_PYTHON = {"progress"}  # what no text can be
_ALL = [each.name for each in dataclasses.fields(RunOptions) if each.name not in IN_PYTHON]

F = TypeVar("F", bound=Callable[..., Any])


def option_texts(_: click.Context, parameter: click.Parameter, said: tuple[str, ...]) -> Texts:
    """`("sigma=2", "min_size=9")` as a mapping; a later text for the same option wins."""
    for text in said:
        name, equals, _value = text.partition("=")
        if not (name.strip() and equals):
            raise click.BadParameter(f"{text!r} is not of the form OPTION=VALUE, such as sigma=2", param=parameter)
    return {name.strip(): value for name, _, value in (text.partition("=") for text in said)}


def component_texts(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> list[tuple[str, Texts]]:
    """`("gaussian:sigma=2,axes=yx", "rescale")` as names, each with its options; a value may have commas too."""
    return [_component_text(text) for text in said]


def _component_text(text: str) -> tuple[str, Texts]:
    name, colon, options = text.partition(":")
    texts = re.split(r",(?=\s*\w+=)", options) if colon else []
    if not name.strip() or not all(re.match(r"\s*\w+=", each) for each in texts):
        raise click.BadParameter(f"{text!r} is not of the form NAME or NAME:OPTION=VALUE,OPTION=VALUE")
    pairs = (each.split("=", 1) for each in texts)
    return name.strip(), {option.strip(): value for option, value in pairs}


def choices(command: F) -> F:
    """Give the command `run` all of its options."""
    aliases = [
        click.option(_flag(old), old, hidden=True, is_flag=types_of(RunOptions)[new] is bool)
        for old, new in RENAMED.items()
    ]
    return _with(command, [*_PARTS, *_options(_ALL), *aliases, *_RUN])


def submitting(command: F) -> F:
    """Give the command `submit` the parts and options of `run`."""
    return _with(command, [*_PARTS, *_options(_ALL)])


def planning(command: F) -> F:
    """Give the command `plan` the options of `run` that decide what a run takes."""
    return _with(command, [*_PARTS, *_options(PLANNED)])


def previewing(command: F) -> F:
    """Give the command `preview` the options of `run` that decide the labels of a place."""
    return _with(command, [*_PARTS, *_options(PREVIEWED)])


def opening(command: F) -> F:
    """Give the command `info` the options of `run` that say how a path is opened."""
    return _with(command, [*_options(["storage"])])


def run_options(said: Mapping[str, Any], names: Collection[str] | None = None) -> dict[str, Any]:
    """The arguments for `Pipeline.run` or `Pipeline.plan` among those of a command; old names warn.

    names: of the arguments that are meant; all if None.

    InvalidOption for a value that a run would refuse: it is known before a cluster is connected.
    """
    known = [each.name for each in dataclasses.fields(RunOptions)] if names is None else names
    given = {name: said[name] for name in known if name in said}
    for old, new in RENAMED.items():
        if said.get(old):
            echo(f"warning: {_flag(old)} is now {_flag(new)}; the old name will be removed", err=True)
            given[new] = said[old]
    RunOptions(**given)
    return given


def _with(command: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def _options(names: Iterable[str]) -> Iterator[Callable[[Any], Any]]:
    types, fields = types_of(RunOptions), {each.name: each for each in dataclasses.fields(RunOptions)}
    return (_option(fields[name], types[name]) for name in names)


def _option(option: dataclasses.Field[Any], wanted: Any) -> Callable[[Any], Any]:
    """The option of a command line for an option of a run, as its type needs it."""
    flag, kinds = _flag(option.name), set(get_args(wanted)) - {NoneType} or {wanted}
    given: dict[str, Any] = {"help": option.metadata["help"], "show_default": option.default not in (None, True, False)}
    if wanted is bool and option.default:
        return click.option(f"--no-{option.name}", option.name, is_flag=True, callback=_negated, **given)
    if wanted is bool:
        return click.option(flag, is_flag=True, **given)
    given["default"] = option.default
    if get_origin(wanted) is Literal:
        return click.option(flag, type=click.Choice(get_args(wanted)), **given)
    if bool in kinds:
        metavar = "[NUMBER]" if float in kinds else "[SIZE]"
        return click.option(flag, type=str, metavar=metavar, is_flag=False, flag_value="true", callback=_read, **given)
    if kinds <= {int, float}:
        return click.option(flag, type=kinds.pop(), **given)
    if str not in kinds and any(get_origin(kind) is Mapping for kind in kinds):
        metavar = "NAME=PATH" if option.name == "given" else "NAME=VALUE"
        return click.option(flag, multiple=True, metavar=metavar, callback=_paths, **given)
    if any(get_origin(kind) is Sequence for kind in kinds):
        return click.option(flag, metavar="A,B", callback=_separated, **given)
    place = "DIR" if flag.endswith("-dir") else "PATH"
    return click.option(flag, metavar="INDEX|NAME" if int in kinds else place if Path in kinds else "TEXT", **given)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _negated(_: click.Context, __: click.Parameter, said: bool) -> bool:
    return not said


def _read(_: click.Context, parameter: click.Parameter, said: Any) -> Any:
    assert parameter.name
    return parse(RunOptions, {parameter.name: said})[parameter.name] if isinstance(said, str) else said


def _separated(_: click.Context, __: click.Parameter, said: str | None) -> list[str] | None:
    return None if said is None else [name.strip() for name in said.split(",")]


def _paths(context: click.Context, parameter: click.Parameter, said: tuple[str, ...]) -> Texts | None:
    return option_texts(context, parameter, said) or None


def measures(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> list[str]:
    """`("size,intensity", "overlaps")` as the names of measurers."""
    return [name.strip() for text in said for name in text.split(",") if name.strip()]


def measuring(command: F) -> F:
    """Give the command `measure` the options of `run` that concern the table."""
    return _with(command, [*_MEASURE, *_options(MEASURED)])


def settings(kind: Kind, *names: str) -> Callable[[F], F]:
    """The option that sets options of a part, under other names than `--KIND-set` if there are any."""
    return click.option(
        *(names or [f"--{kind}-set"]),
        multiple=True,
        callback=option_texts,
        metavar="OPTION=VALUE",
        help=f"Set an option of the {kind}; may be repeated.",
    )


_MEASURE: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--measure",
        multiple=True,
        callback=measures,
        metavar="NAME,NAME",
        help="What to measure of the objects: measurers, separated by commas; see `tilewright plugins`.",
    ),
    click.option(
        "--measure-set",
        multiple=True,
        callback=option_texts,
        metavar="NAME.OPTION=VALUE",
        help="Set an option of the measurer NAME; may be repeated.",
    ),
)

_PARTS: tuple[Callable[[Any], Any], ...] = (
    click.option("--segmenter", metavar="NAME", help="What finds the objects; see `tilewright plugins`."),
    settings("segmenter", "--set", "segmenter_set"),
    click.option(
        "--transform",
        "transforms",
        multiple=True,
        callback=component_texts,
        metavar="NAME[:OPTION=VALUE,…]",
        help="What is done to the image before it is segmented, such as gaussian:sigma=2; may be repeated, in order.",
    ),
    click.option("--tile", metavar="1,1024,1024", help="Core of a tile: one number for each spatial axis, or for all."),
    click.option("--halo", metavar="0,32,32", help="Context around the core, likewise. Else what the segmenter wants."),
    click.option("--tiler", metavar="NAME", help="What cuts the image: `auto`, or `grid` if --tile is given."),
    settings("tiler"),
    click.option("--merger", metavar="NAME", help="What joins the tiles; else the one that the segmenter asks for."),
    settings("merger"),
    click.option("--reader", metavar="NAME", help="What opens IMAGE; else the one that fits it."),
    settings("reader"),
    click.option("--writer", metavar="NAME", help="What writes OUTPUT; else the one that fits its suffix."),
    settings("writer"),
    *_MEASURE,
    click.option("--pipeline", metavar="FILE", help="A .toml or .json file of parts; other options override it."),
    click.option(
        "--workflow",
        metavar="FILE",
        help="A .toml or .json file of named steps, each with its parts and options, that work on each other's labels.",
    ),
)

_RUN: tuple[Callable[[Any], Any], ...] = (
    click.option("--save-pipeline", metavar="FILE", help="Save the parts and their options for --pipeline."),
    click.option("--scheduler", metavar="ADDRESS", help="Run on the dask cluster of this scheduler (tcp://host:8786)."),
    click.option("--dry-run", is_flag=True, help="Say what the run would take, as `tilewright plan`; write nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object."),
    click.option("--quiet", is_flag=True, help="Show no progress."),
)
