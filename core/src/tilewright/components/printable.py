"""Texts that came from files or strangers, as they may be shown and written."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["printable", "printable_values"]

HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format (bidi among them), lone surrogates, separators of lines
KEPT = {"\n", "\t"}


def printable(text: str) -> str:
    r"""The text with what would steer a terminal, hide itself or have no bytes as escapes.

    >>> printable("nuclei\x1b[31m \u202eγ"), printable("z\udcfcrich")
    ('nuclei\\x1b[31m \\u202eγ', 'z\\udcfcrich')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(each) for each in text)


def printable_values(record: Any) -> Any:
    """A record of plain values with all of its texts so."""
    if isinstance(record, str):
        return printable(record)
    if isinstance(record, dict):
        return {key: printable_values(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return type(record)(printable_values(each) for each in record)
    return record


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in HIDDEN and character not in KEPT
    return character.encode("unicode_escape", "surrogatepass").decode() if hidden else character
