"""The code of a page, run as a reader would run it: top to bottom, in a folder and an environment of its own.

- A block with a `title="…"` is a file of that name.
- `bash` is run by bash, and `python` by Python, each block in a process of its own.
- `text` is what the block above it prints; `...` stands for anything.
- What is marked otherwise (`shell`, `toml` …) is shown and not run.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "Environment", "blocks_of", "follow"]

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
    return [
        Block(language=found[1], title=found[2] or "", text=found[3], line=text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A fresh virtual environment that sees the packages of the one that runs the tests, and installs into itself."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        venv.create(folder, symlinks=True)
        (site,) = folder.glob("lib/python*/site-packages")
        seen = [path for path in sys.path if path.endswith("site-packages")]
        (site / "tests.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in seen))
        environment = cls(folder=folder)
        environment._add("curl", CURL)
        for name, module in {"pip": "pip", "pytest": "pytest", "tilewright": "tilewright.cli"}.items():
            environment._add(name, f'#!/bin/bash\nexec "{folder}/bin/python" -m {module} "$@"\n')
        return environment

    def _add(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(script)
        path.chmod(0o755)

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as if the environment were active; what pip installs brings nothing from elsewhere."""
        environment = {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "COLUMNS": "120",
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # which means that there is none: pip reads the option's value, not its name
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_QUIET": "1",
        }
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def follow(page: Path, environment: Environment, folder: Path) -> None:
    """Do what a page says, and check that it prints what it shows. An AssertionError names the page and its line."""
    printed = ""
    for block in blocks_of(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language in ("bash", "python"):
            command = ("bash", "-euc") if block.language == "bash" else ("python", "-c")
            done = environment.run(*command, block.text, cwd=folder)
            assert done.returncode == 0, f"{where} failed:\n{done.stdout}{done.stderr}"
            printed = done.stdout
        elif block.language == "text":
            same = doctest.OutputChecker().check_output(block.text, printed, SAME)
            assert same, f"{where} shows\n{block.text}but this is printed:\n{printed}"
