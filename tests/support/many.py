"""Many installed plugins: the packages that `tilewright new` writes, where pip would put them.

`python tests/support/many.py FOLDER 50` installs fifty.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path

from tilewright.cli.scaffold.project import write_project
from tilewright.components.specs import KINDS

__all__ = ["install_many"]


def install_many(folder: Path, count: int) -> list[str]:
    """Install so many packages, of each kind in turn; returns their import names."""
    packages = []
    with tempfile.TemporaryDirectory() as aside:
        for number, kind in zip(range(count), itertools.cycle(KINDS), strict=False):
            project = write_project(kind, f"many-{number}", Path(aside))
            (package,) = (project / "src").iterdir()
            package.rename(folder / package.name)
            _describe(folder, project.name, package.name)
            packages.append(package.name)
    return packages


def _describe(folder: Path, distribution: str, package: str) -> None:
    info = folder / f"{package}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[tilewright]\n{package} = {package}\n")


if __name__ == "__main__":
    install_many(Path(sys.argv[1]), int(sys.argv[2]))
