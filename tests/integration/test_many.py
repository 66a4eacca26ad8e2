"""Fifty more plugins: a listing of all imports of each no more than its hooks, and no library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from many import install_many

LISTING = """
import sys
from tilewright.cli import main
try:
    main(["plugins"])
except SystemExit as end:
    assert not end.code, end.code
print(*sys.modules, file=sys.stderr)
"""
HEAVY = (
    "numpy",
    "scipy",
    "zarr",
    "dask",
    "distributed",
    "rich",
    "email.parser",
    "tilewright.builtin.tilers",
    "tilewright.image",
)


def test_a_listing_of_fifty_plugins_imports_no_library_and_of_each_its_hooks_alone(tmp_path: Path) -> None:
    packages = install_many(tmp_path, 50)
    settings = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    command = [sys.executable, "-W", "error", "-c", LISTING]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
    assert all(f"  many-{number}  " in done.stdout for number in range(50))
    assert "contact: int = 1" not in done.stdout, "options are shown of the component that is asked for"
    assert "contact: int = 1" not in done.stdout, "options are shown of the component that is asked for"
    imported = set(done.stderr.split())
    assert {name for name in imported if name.startswith("tilewright_many")} == set(packages)
    assert imported & set(HEAVY) == set()
