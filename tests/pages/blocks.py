"""The code of a page, run as a reader would run it: top to bottom, in a folder and an environment of its own.

- A block with a `title="…"` is a file of that name.
- `bash` is run by bash, and `python` by Python, each block in a process of its own.
- `text` is what the block above it prints; `...` stands for anything.
- What is marked otherwise (`shell`, `toml` …) is shown and not run.
"""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass
from pathlib import Path

from environment import Environment

__all__ = ["ROOT", "Block", "blocks_of", "follow"]

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# The network, for a page that downloads one of the project's own files: curl -LO URL takes it from this checkout.
CURL = f"""#!/bin/bash
case "$2" in
  https://github.com/tilewright/tilewright/raw/main/*) cp "{ROOT}/${{2#*/raw/main/}}" . ;;
  *) echo "this page downloads $2, which is not of this project" >&2; exit 1 ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, the file that it is (if any), its text, and the page's line that it starts on."""

    language: str
    title: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    blocks = [
        Block(language=found[1], title=found[2] or "", text=found[3], line=text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]
    assert 2 * len(blocks) == len(re.findall("^```", text, re.MULTILINE)), f"{page} has a block of another form"
    return blocks


def follow(page: Path, environment: Environment, folder: Path) -> None:
    """Do what a page says, and check that it prints what it shows. An AssertionError names the page and its line."""
    (environment.scripts / "curl").write_text(CURL)
    (environment.scripts / "curl").chmod(0o755)
    printed = ""
    for block in blocks_of(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language in ("bash", "python"):
            command = ("bash", "-euc") if block.language == "bash" else ("python", "-c")
            try:
                printed = environment.run(*command, block.text, cwd=folder)
            except AssertionError as error:
                raise AssertionError(f"{where} failed:\n{error}") from error
        elif block.language == "text":
            same = doctest.OutputChecker().check_output(block.text, printed, SAME)
            assert same, f"{where} shows\n{block.text}but this is printed:\n{printed}"
