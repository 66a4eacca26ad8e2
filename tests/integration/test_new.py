"""`tilewright new`: what it writes installs, is found, and passes its own tests as it stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from environment import Environment

from tilewright import open_image
from tilewright.cli import main
from tilewright.cli.scaffold.project import SCAFFOLDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TAKEN = {
    "reader": "image",
    "transform": "context",
    "tiler": "needs",
    "segmenter": "test-spots",
    "network": "windows",
    "merger": "seam",
    "writer": "sink",
    "measurer": "quantity",
    "table": "columns",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of each kind."""
    folder = tmp_path_factory.mktemp("new")
    for kind in SCAFFOLDS:
        done = CliRunner().invoke(main, ["new", kind, f"my-{kind}", "--path", str(folder)])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def environment(project: Path) -> Environment:
    """An environment into which pip has installed them."""
    made = Environment(project / "environment")
    made.run("pip", "install", "--quiet", *(str(project / f"tilewright-my-{kind}") for kind in SCAFFOLDS), cwd=project)
    return made


def test_the_packages_pass_their_own_tests(project: Path, environment: Environment) -> None:
    folders = [f"tilewright-my-{kind}" for kind in SCAFFOLDS]
    said = environment.run("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *folders, cwd=project)
    # a merger for components leaves the law of instances out, and a format of one image's table that of several
    assert "2 skipped" in said


def test_a_package_named_like_a_class_that_it_uses_passes_its_tests_too(tmp_path: Path) -> None:
    for kind, name in TAKEN.items():
        done = CliRunner().invoke(main, ["new", kind, name, "--path", str(tmp_path)])
        assert done.exit_code == 0, done.output
    folders = [str(tmp_path / f"tilewright-{name}") for name in TAKEN.values()]
    environment = Environment(tmp_path / "environment")
    environment.run("pip", "install", "--quiet", *folders, cwd=tmp_path)
    environment.run(
        "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--import-mode=importlib", *folders, cwd=tmp_path
    )


def test_all_of_them_are_listed(project: Path, environment: Environment) -> None:
    said = environment.run("tilewright", "plugins", cwd=project)
    for kind in SCAFFOLDS:
        assert f"my-{kind}" in said
        assert f"tilewright-my-{kind} 0.1.0" in said


@pytest.mark.parametrize("kind", SCAFFOLDS)
def test_what_is_written_is_clean(kind: str, project: Path) -> None:
    folder = project / f"tilewright-my-{kind}"
    lint("ruff", "check", "--no-cache", "--select", "E,F,W,I,B,UP,C4,SIM,RUF,PT,N,ARG", ".", cwd=folder)
    lint("ruff", "format", "--no-cache", "--check", ".", cwd=folder)


def test_what_is_written_is_fully_typed(project: Path) -> None:
    sources = [str(project / f"tilewright-my-{kind}" / "src") for kind in SCAFFOLDS]
    # with the cache of `make lint`, which knows the libraries already
    settings = ("--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"))
    lint("mypy", *settings, *sources, cwd=project)


def lint(*words: str, cwd: Path) -> None:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_name_that_an_installed_component_has_is_warned_of(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new", "segmenter", "tilewright-threshold", "--path", str(tmp_path)])
    assert done.exit_code == 0
    assert "tilewright-threshold 0.1.0 offers a segmenter 'threshold' too" in done.stderr
    assert CliRunner().invoke(main, ["new", "tiler", "threshold-2", "--path", str(tmp_path)]).stderr == ""


def test_a_folder_that_is_there_is_left_alone(project: Path) -> None:
    kind = SCAFFOLDS[0]
    before = {path: path.stat().st_mtime_ns for path in (project / f"tilewright-my-{kind}").rglob("*")}
    done = CliRunner().invoke(main, ["new", kind, f"my-{kind}", "--path", str(project)])
    assert done.exit_code == 2
    assert "exists already" in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (project / f"tilewright-my-{kind}").rglob("*")}


@pytest.mark.parametrize("name", ["Foo", "1st", "a_b", "a--b", "../a", "", "none", "tilewright-"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new", "segmenter", "--path", str(tmp_path), "--", name])
    assert done.exit_code == 2
    assert "is not a name for a package" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_four_commands_lead_from_nothing_to_labels_of_the_demos_image(tmp_path: Path) -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## A plugin of your own")[2]
    commands = section.partition("```bash\n")[2].partition("```")[0].splitlines()
    assert len(commands) == 4
    shutil.copytree(ROOT / "docs" / "demo" / "data", tmp_path / "docs" / "demo" / "data")
    environment = Environment(tmp_path / "environment")
    said = [environment.run("bash", "-c", command, cwd=tmp_path) for command in commands]
    assert "passed" in said[2]
    assert "agreement of tiles with the whole: 100.00%; asked for: 100.00%" in said[2]
    assert "100 objects" in said[3]
    assert open_image(tmp_path / "foo.ome.zarr").data[...].max() == 100
