"""The short forms of the harnesses of law 11 and of two runs at once; `make faults` runs the long ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def play(script: str, *options: str) -> None:
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name(script)), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (last,) = done.stdout.splitlines()[-1:]
    right, _, of, _ = last.split()
    assert right == of != "0", last


@pytest.mark.parametrize(
    "kind", ["image", "outputs", "workflow", "group", "ome-zarr", "zarr-array", "ome-tiff", "geojson"]
)
def test_a_run_that_is_killed_at_a_change_of_a_file_ends_with_the_result(kind: str) -> None:
    play("changes.py", "--case", kind, "--every", "37")


def test_a_run_that_is_killed_while_it_writes_a_table_ends_with_table_and_labels() -> None:
    play("table_changes.py", "--every", "61")


def test_labels_of_two_names_that_are_put_into_one_image_at_once_are_both_there() -> None:
    play("labels_at_once.py", "--rounds", "6")
