"""The reference of the command line: what `tilewright COMMAND --help` prints, as mkdocs builds the page."""

from __future__ import annotations

from typing import Any

import click

from tilewright.cli import main

PAGE = "reference/commands.md"


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Append each command's help to the page."""
    if page.file.src_uri != PAGE:
        return markdown
    whole = click.Context(main, info_name="tilewright")
    commands = ((name, main.get_command(whole, name)) for name in main.list_commands(whole))
    return markdown + "".join(_section(name, command, whole) for name, command in commands if command)


def _section(name: str, command: click.Command, whole: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=whole, terminal_width=92)
    return f"\n## tilewright {name}\n\n```text\n{command.get_help(context)}\n```\n"
