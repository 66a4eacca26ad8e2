"""The files that hosts and tools read of this repository agree with what it uses and has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tilewright import __version__

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
TEMPLATE = ROOT / "core/src/tilewright/cli/scaffold/templates/common/github/workflows/test.yml.txt"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def groups() -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "dependency-groups"
    ]
    return table


def test_pre_commit_runs_what_make_lint_runs_with_the_same_versions() -> None:
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    listed = subprocess.run(["make", "-n", "lint"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"bin/(ruff \w+(?: --check)?|mypy)", listed)
    assert [hook["entry"].replace(" --force-exclude", "").replace("make ", "") for hook in hooks] == commands
    pinned = {each for hook in hooks for each in hook.get("additional_dependencies", ())}
    assert pinned == {each for each in groups()["format"] if each.startswith("ruff")}


def sessions() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "nox", "--list", "--json"]
    listed: list[dict[str, Any]] = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    return listed


def test_the_matrix_has_every_python_from_the_lowest_that_is_declared_and_the_lowest_dependencies() -> None:
    lowest = tomllib.loads((ROOT / "core/pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    pythons = sorted({each["python"] for each in sessions() if each["call_spec"]["dependencies"] == "newest"})
    assert pythons[0] == lowest.removeprefix(">=")
    assert pythons == [f"3.{minor}" for minor in range(11, 11 + len(pythons))]
    assert {each["call_spec"]["dependencies"] for each in sessions()} >= {"newest", "lowest"}


def test_the_workflow_adds_other_systems_to_sessions_that_the_matrix_has() -> None:
    added = read(GITHUB / "workflows/test.yml")["jobs"]["matrix"]["strategy"]["matrix"]["include"]
    assert {each["session"] for each in added} <= {each["session"] for each in sessions()}


def test_a_new_plugin_uses_the_workflow_that_checks_plugins_with_inputs_that_it_has() -> None:
    used = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["jobs"]["check"]
    path, _, _ = used["uses"].removeprefix("tilewright/tilewright/").partition("@")
    workflow = read(ROOT / path)
    inputs = workflow[True]["workflow_call"]["inputs"]  # YAML reads `on` as a boolean
    assert set(used["with"]) <= set(inputs)
    assert {name for name, each in inputs.items() if each.get("required")} <= set(used["with"])


@pytest.mark.parametrize("path", sorted(GITHUB.rglob("*.yml")), ids=lambda path: path.name)
def test_what_github_reads_is_yaml(path: Path) -> None:
    assert isinstance(read(path), dict)


def test_a_citation_names_the_version() -> None:
    assert read(ROOT / "CITATION.cff")["version"] == __version__
