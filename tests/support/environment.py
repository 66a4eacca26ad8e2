"""A fresh virtual environment, for what has to be installed for good reason: a package that somebody else wrote."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

__all__ = ["Environment"]

# Everything that such a package needs is there already, so that pip has nothing to fetch.
OFFLINE = {
    "PIP_NO_BUILD_ISOLATION": "0",  # which means that there is none: pip takes the option's value, not its name
    "PIP_NO_DEPS": "1",
    "PIP_NO_INDEX": "1",
    "PIP_QUIET": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
COMMANDS = {"tilewright": "tilewright.cli", "pytest": "pytest", "pip": "pip"}


class Environment:
    """A virtual environment that sees the packages of the running one below its own."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self.scripts = folder / "bin"
        inherited = sysconfig.get_path("purelib")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "inherited.pth").write_text(f"import site; site.addsitedir({inherited!r})\n")
        for name, module in COMMANDS.items():
            (self.scripts / name).write_text(f'#!/bin/sh\nexec "{self.scripts}/python" -m {module} "$@"\n')
            (self.scripts / name).chmod(0o755)

    def run(self, *command: str, cwd: Path) -> str:
        """Run a command; returns what it printed. AssertionError with its output if it fails."""
        path = os.pathsep.join([str(self.scripts), os.environ["PATH"]])
        settings = os.environ | OFFLINE | {"PATH": path}
        done = subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout
