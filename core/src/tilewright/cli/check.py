"""The command `tilewright check`."""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InvalidOption, UnknownComponent
from .choices import option_texts
from .errors import debuggable, one_line
from .terminal import echo

if TYPE_CHECKING:
    from ..components.discovery import Plugin
    from ..testing.runner import Finding
    from .parts import Texts

__all__ = ["check"]


@click.command(short_help="Test an installed plugin, and say what to fix.")
@click.argument("name", required=False)
@click.option("--image", type=click.Path(exists=True, path_type=Path), help="A file to try the plugin's readers on.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    callback=option_texts,
    metavar="OPTION=VALUE",
    help="Set an option of the component NAME, which alone is then tried; may be repeated.",
)
@debuggable
def check(name: str | None, image: Path | None, texts: Texts) -> None:
    """Test what a plugin promises, as tilewright.testing does, and say what to fix.

    NAME is that of a distribution, a plugin or a component; without it all that are installed are tested. Components
    are tried with their default options, for which a model may download its weights, or with those of --set. Exit code
    2: something is wrong.
    """
    if not __debug__:
        raise InvalidOption("python -O leaves out all that is checked here; run it without -O and PYTHONOPTIMIZE")
    from ..testing.runner import examine

    wrong = 0
    for plugin in _with_options(_chosen(name), name, texts):
        echo(f"{plugin.distribution} {plugin.version}", bold=True)
        for subject, findings in itertools.groupby(examine(plugin, image, texts), key=lambda finding: finding.subject):
            wrong += _tell(subject, list(findings))
    if wrong:
        raise SystemExit(2)


def _chosen(name: str | None) -> list[Plugin]:
    from ..components.registry import registry

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of broken plugins, which are told of below
        plugins = [plugin for plugin in registry().plugins if not plugin.disabled]
    found = [
        plugin
        for plugin in plugins
        if name in (None, plugin.name, plugin.distribution, *(each.spec.name for each in plugin.components))
    ]
    if not found:
        names = ", ".join(plugin.distribution for plugin in plugins)
        raise UnknownComponent(f"no plugin or component {name!r} is installed; installed are: {names}")
    return found


def _with_options(plugins: list[Plugin], name: str | None, texts: Texts) -> list[Plugin]:
    """The plugins as they are, or the one component whose options are said, with nothing else of its plugin."""
    if not texts:
        return plugins
    found = [(plugin, one) for plugin in plugins for one in plugin.components if one.spec.name == name]
    if len(found) != 1:
        known = ", ".join(f"{one.kind} {one.spec.name!r}" for plugin in plugins for one in plugin.components)
        given = f"{name!r} is the name of {len(found) or 'none'}" if name else "no NAME is given"
        raise InvalidOption(f"--set sets options of one component, but {given}; there are: {known}")
    return [replace(plugin, components=(one,)) for plugin, one in found]


def _tell(subject: str, findings: Sequence[Finding]) -> int:
    """Print what was found of a subject; returns how much is wrong."""
    passed = sum(finding.outcome == "passed" for finding in findings)
    echo(f"  {subject}: {passed} of {len(findings)} checks passed")
    for finding in findings:
        if finding.outcome == "passed" and finding.message:
            echo(_wrapped(finding.message, 4))
    told: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        if finding.outcome != "passed":
            told.setdefault((finding.outcome, finding.message), []).append(finding.test)
    for (outcome, message), tests in told.items():
        echo(_wrapped(f"{outcome}: {'; '.join(tests)}", 4), fg="red" if outcome == "wrong" else None)
        echo(_wrapped(one_line(message), 8))
    return sum(finding.outcome == "wrong" for finding in findings)


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, 110, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2))
