"""The short form of `make cluster`: a job on a real SLURM, where the machine allows one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SKIPPED = 77


@pytest.mark.slow
def test_a_job_array_of_which_a_task_is_cancelled_makes_the_labels_of_a_local_run() -> None:
    words = [sys.executable, str(Path(__file__).with_name("slurm_jobs.py")), "--rounds", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 right" in done.stdout
