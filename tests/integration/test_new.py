"""`tilewright new`: what it writes installs, is found, and passes its own tests as it stands."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner

from tilewright.cli import main
from tilewright.specs import KINDS

# Everything that the package needs is there already, so that pip has nothing to fetch.
OFFLINE = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Environment:
    """A virtual environment that sees the packages of this one below its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, symlinks=os.name != "nt")
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        inherited = sysconfig.get_path("purelib")
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "inherited.pth").write_text(f"import site; site.addsitedir({inherited!r})\n")

    def run(self, *command: str, cwd: Path) -> str:
        """Run a module with its arguments; returns what it printed."""
        python = self.scripts / "python"
        done = subprocess.run(
            [str(python), "-m", *command],
            cwd=cwd,
            env=os.environ | OFFLINE,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of each kind."""
    folder = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        done = CliRunner().invoke(main, ["new", kind, f"my-{kind}", "--path", str(folder)])
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def environment(project: Path) -> Environment:
    """An environment into which pip has installed them."""
    made = Environment(project / "environment")
    made.run("pip", "install", "--quiet", *(str(project / f"tilewright-my-{kind}") for kind in KINDS), cwd=project)
    return made


def test_the_packages_pass_their_own_tests(project: Path, environment: Environment) -> None:
    folders = [f"tilewright-my-{kind}" for kind in KINDS]
    said = environment.run("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *folders, cwd=project)
    assert "1 skipped" in said, "a merger for components leaves the law of instances out"


def test_all_of_them_are_listed_with_their_options(project: Path, environment: Environment) -> None:
    said = environment.run("tilewright.cli", "plugins", cwd=project)
    for kind in KINDS:
        assert f"my-{kind}" in said
        assert f"tilewright-my-{kind} 0.1.0" in said


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean(kind: str, project: Path, environment: Environment) -> None:
    folder = project / f"tilewright-my-{kind}"
    environment.run("ruff", "check", "--no-cache", "--select", "E,F,W,I,B,UP,C4,SIM,RUF,PT,N,ARG", ".", cwd=folder)
    environment.run("ruff", "format", "--no-cache", "--check", ".", cwd=folder)


def test_what_is_written_is_fully_typed(project: Path, environment: Environment) -> None:
    root = Path(__file__).parents[2]
    # with the cache of `make lint`, which knows the libraries already
    settings = ("--config-file", str(root / "pyproject.toml"), "--cache-dir", str(root / ".mypy_cache"))
    environment.run("mypy", *settings, *(str(project / f"tilewright-my-{kind}" / "src") for kind in KINDS), cwd=project)


def test_a_folder_that_is_there_is_left_alone(project: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*") if "environment" not in path.parts}
    done = CliRunner().invoke(main, ["new", KINDS[0], f"my-{KINDS[0]}", "--path", str(project)])
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in project.rglob("*") if "environment" not in path.parts}


@pytest.mark.parametrize("name", ["Foo", "1st", "a_b", "a--b", "../a", "", "none", "tilewright-"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new", "segmenter", "--path", str(tmp_path), "--", name])
    assert done.exit_code == 2
    assert "is no name for a package" in done.stderr
    assert list(tmp_path.iterdir()) == []
