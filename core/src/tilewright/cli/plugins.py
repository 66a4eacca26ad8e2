"""The command `tilewright plugins`."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
import warnings
from collections.abc import Iterator

import click

from ..components.discovery import Plugin
from ..components.specs import KINDS
from ..errors import UnknownComponent
from .errors import debuggable
from .listing import Entry, Listing
from .terminal import echo

__all__ = ["plugins"]


@click.command(short_help="List what is installed; the options of NAME.")
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(KINDS), help="Only components of this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def plugins(name: str | None, kind: str | None, as_json: bool) -> None:
    """List the installed components; with a NAME, only those of that name, with their options.

    NAME is that of a component, a plugin or a distribution. The list of all imports none of the plugins' libraries, so
    it shows no options, with --json neither.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of broken plugins, which the list itself names
        listing = Listing.of(kind, name)
    if name and not (listing.entries or listing.broken or listing.disabled or listing.watching):
        raise UnknownComponent(_nobody(name, kind))
    if as_json:
        echo(json.dumps(listing.plain(), indent=2))
        return
    for number, (block, heading) in enumerate(_blocks(listing)):
        echo("\n" * bool(number), nl=False)
        echo(block, bold=heading or None)


def _nobody(name: str, kind: str | None) -> str:
    import difflib

    known = sorted({each.component.spec.name for each in Listing.of(kind, None).entries})
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"components are: {', '.join(known) or 'none'}"
    return f"no installed plugin offers a {kind or 'component'} {name!r}; {hint}"


def _blocks(listing: Listing) -> Iterator[tuple[str, bool]]:
    """The paragraphs of a listing, and which of them are headings."""
    for kind in KINDS:
        entries = [entry for entry in listing.entries if entry.component.kind == kind]
        if entries:
            yield f"{kind}s", True
            yield from ((_entry(entry), False) for entry in entries)
    yield from ((block, False) for block in _remarks(listing))


def _remarks(listing: Listing) -> Iterator[str]:
    for plugin in listing.watching:
        yield f"watches runs: {_named(plugin)}"
    for plugin in listing.broken:
        yield f"broken: {_named(plugin)}: {plugin.error}"
    for plugin in listing.disabled:
        yield f"disabled: {_named(plugin)}, by {plugin.disabled}={os.environ.get(plugin.disabled, '')}"
    yield from (f"clash: {clash}" for clash in listing.clashes())


def _named(plugin: Plugin) -> str:
    return f"{plugin.name} ({plugin.distribution} {plugin.version})"


def _entry(entry: Entry) -> str:
    spec, component = entry.component.spec, entry.component
    lines = [_wrapped(f"{spec.name}  {spec.summary}", 2)]
    if entry.options is None:
        return "\n".join([*lines, f"    {component.distribution} {component.version}"])
    lines += [_wrapped(f"{key}: {value}", 4) for key, value in entry.details().items()]
    for option in entry.options:
        default = f"; by default {option.default}" if option.default else ""
        lines.append(_wrapped(f"{option.name}: {option.type}{default}", 4))
        if option.help:
            lines.append(_wrapped(option.help, 8))
    return "\n".join(lines)


def _wrapped(text: str, indent: int) -> str:
    """The text within the terminal's width."""
    margin = " " * indent
    width = max(60, min(120, shutil.get_terminal_size(fallback=(110, 24)).columns))
    return textwrap.fill(text, width, initial_indent=margin, subsequent_indent=margin + "  ", break_long_words=False)
