"""Render the project's docstrings as Markdown: `name: meaning` becomes a list, and an example a block of code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import griffe

ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): (?P<meaning>\S.*)")


class PlainDocstrings(griffe.Extension):
    """Rewrites each docstring once its object is loaded; a class's is followed by its options and their help."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        options = [said for each in cls.attributes.values() if (said := option(each))]
        if options and cls.docstring:
            cls.docstring.value += "\n\nOptions:\n\n" + "\n".join(options)


def option(attribute: griffe.Attribute) -> str:
    """An item of a list for a field with help in its metadata: its name, type, default and help. Else nothing."""
    call = ast.parse(str(attribute.value), mode="eval").body if str(attribute.value).startswith("field(") else None
    given = {each.arg: each.value for each in call.keywords} if isinstance(call, ast.Call) else {}
    match given.get("metadata"):
        case ast.Dict(keys=[ast.Constant(value="help")], values=[ast.Constant(value=str(text))]):
            meaning = text
        case ast.Dict(keys=[ast.Constant(value="help")], values=[ast.Name(id=name)]):
            meaning = str(ast.literal_eval(str(attribute.module[name].value)))
        case _:
            return ""
    default = f" = {ast.unparse(given['default'])}" if "default" in given else ""
    return f"- **`{attribute.name}`**: `{attribute.annotation}{default}`. {meaning[0].upper()}{meaning[1:]}"


def markdown(docstring: str) -> str:
    """A docstring as Markdown: `tile: its length` becomes an item of a list, `>>> cut(1)` and its answer a block."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip("\n"))
    return "\n\n".join(_example(part) if part.startswith(">>>") else "\n".join(_listed(part)) for part in paragraphs)


def _example(paragraph: str) -> str:
    return f"```pycon\n{paragraph}\n```"


def _listed(paragraph: str) -> Iterator[str]:
    """Entries of names with their meanings as a list; in a paragraph that begins otherwise nothing is an entry."""
    if ENTRY.match(paragraph):
        return (_entry(line) for line in paragraph.splitlines())
    return iter(paragraph.splitlines())


def _entry(line: str) -> str:
    entry = ENTRY.match(line)
    if not entry:
        return line
    names = ", ".join(f"`{name}`" for name in entry["names"].split(", "))
    return f"- **{names}**: {entry['meaning']}"
