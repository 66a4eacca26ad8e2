"""The pages that the code itself writes, as mkdocs builds them: the commands' help, and all plugins' components."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tilewright import builtin
from tilewright.cli import main
from tilewright.components.discovery import Component, Plugin, read_plugin
from tilewright.components.specs import KINDS, FormatSpec

PLUGINS = Path(__file__).parents[1] / "plugins"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Append what the code says to the pages of the commands and of the components."""
    written = {"reference/commands.md": commands, "reference/components.md": components}.get(page.file.src_uri)
    return markdown + "\n" + "\n\n".join(written()) if written else markdown


def commands() -> Iterator[str]:
    """What `tilewright COMMAND --help` prints, for each command."""
    whole = click.Context(main, info_name="tilewright")
    for name in main.list_commands(whole):
        command = main.get_command(whole, name)
        assert command
        context = click.Context(command, info_name=name, parent=whole, terminal_width=92)
        yield f"## tilewright {name}\n\n```text\n{command.get_help(context)}\n```"


def components() -> Iterator[str]:
    """The components of the core and of the plugins beside it, by kind, with their options."""
    offered = [*_offered("tilewright", builtin)]
    for package in sorted(PLUGINS.glob("*/src/tilewright_*")):
        manifest = tomllib.loads((package.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
        if "entry-points" not in manifest["project"]:
            continue  # the viewer, which is not a plugin
        sys.path.append(str(package.parent))
        offered += _offered(f"tilewright-{package.parents[1].name}", importlib.import_module(package.name))
    for kind in KINDS:
        described = [_described(each) for each in offered if each.kind == kind]
        yield from ([f"## {kind.capitalize()}s", *described] if described else [])


def _offered(distribution: str, hooks: Any) -> tuple[Component, ...]:
    read = read_plugin(hooks, Plugin(name=distribution, distribution=distribution, version=""))
    assert not read.error, read.error
    return read.components


def _described(component: Component) -> str:
    spec = component.spec
    suffixes = " ".join(f"`{suffix}`" for suffix in spec.suffixes) if isinstance(spec, FormatSpec) else ""
    claimed = f" Files: {suffixes}." if suffixes else ""
    shown = "show_root_heading: false, show_root_toc_entry: false, members: []"
    reference = f"::: {spec.target.replace(':', '.')}\n    options: {{{shown}}}"
    return f"### {spec.name}\n\n{spec.summary}{claimed} From `{component.distribution}`.\n\n{reference}"
