"""The short form of the fault harness; `make faults` runs the long one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("segmenter", ["function", "network"])
def test_killed_runs_go_on_to_the_same_labels(segmenter: str) -> None:
    script = str(Path(__file__).with_name("kill.py"))
    command = [sys.executable, script, "--rounds", "4", "--seed", "3", "--segmenter", segmenter]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 right" in done.stdout


@pytest.mark.parametrize(("rule", "segmenter"), [("clip", "function"), ("touching", "network")])
def test_killed_runs_within_a_region_go_on_to_the_same_labels(rule: str, segmenter: str) -> None:
    script = str(Path(__file__).with_name("kill.py"))
    command = [sys.executable, script, "--rounds", "3", "--seed", "5", "--segmenter", segmenter, "--rule", rule]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 right" in done.stdout


@pytest.mark.parametrize("kind", ["labels", "run"])
def test_measuring_that_is_killed_goes_on_to_the_same_table(kind: str) -> None:
    script = str(Path(__file__).with_name("measured.py"))
    command = [sys.executable, script, "--rounds", "3", "--seed", "3", "--kind", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 right" in done.stdout


@pytest.mark.parametrize("harness", ["workflow", "plate"])
def test_a_workflow_that_is_killed_goes_on_to_the_same_labels_and_tables(harness: str) -> None:
    script = str(Path(__file__).with_name(f"{harness}.py"))
    command = [sys.executable, script, "--kills", "3", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b(\d+) of \1 rounds right, after [3-9] kills", done.stdout)
