"""mypy and pyright hold authors' components to the protocols of `tilewright.abc`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "authors"
Refused = set[tuple[str, int]]


def mypy() -> Refused:
    printed = printed_by("mypy", "--no-error-summary")
    return {(Path(name).name, int(line)) for name, line in re.findall(r"^(.+?):(\d+): error:", printed, re.MULTILINE)}


def pyright() -> Refused:
    printed = printed_by("basedpyright", "--outputjson", "--pythonpath", sys.executable)
    errors = json.loads(printed)["generalDiagnostics"]
    return {(Path(each["file"]).name, each["range"]["start"]["line"] + 1) for each in errors}


def printed_by(checker: str, *options: str) -> str:
    command = [sys.executable, "-m", checker, *options, str(EXAMPLES)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_type_checker_refuses_what_a_run_could_not_use_and_nothing_else(checker: Callable[[], Refused]) -> None:
    lines = enumerate((EXAMPLES / "wrong.py").read_text(encoding="utf-8").splitlines(), start=1)
    marked = {("wrong.py", number) for number, line in lines if line.endswith("# refused")}
    assert marked
    assert checker() == marked
