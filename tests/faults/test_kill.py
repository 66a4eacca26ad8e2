"""The short form of the fault harness; `make faults` runs the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_killed_runs_go_on_to_the_same_labels() -> None:
    command = [sys.executable, str(Path(__file__).with_name("kill.py")), "--rounds", "4", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 right" in done.stdout
