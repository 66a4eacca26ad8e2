"""What is published: each distribution's files and metadata, and what a fresh environment has of a plain install."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from blocks import blocks_of

from tilewright import __version__

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT / "core", *sorted(each.parent for each in ROOT.glob("plugins/*/pyproject.toml"))]
PLAIN = [ROOT / "core", ROOT / "plugins" / "ome-zarr", ROOT / "plugins" / "threshold"]
PACKAGES = 28  # of others, that a plain install may bring
SIZE = 310_000_000  # bytes, of all that it installs
OF_VENV = ("pip", "setuptools", "pkg_resources", "_distutils_hack")

each_distribution = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


@each_distribution
def test_each_distribution_has_the_licence_and_the_addresses_of_the_project(folder: Path) -> None:
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert project(folder)["urls"] == project(ROOT / "core")["urls"]


@each_distribution
def test_each_distribution_takes_the_releases_of_the_others_that_are_compatible_with_its_own(folder: Path) -> None:
    major, minor = map(int, __version__.split(".")[:2])
    table = project(folder)
    assert table["version"] == __version__
    ours = [each for each in table["dependencies"] if each.startswith("tilewright")]
    assert all(each.endswith(f">={major}.{minor},<{major}.{minor + 1}") for each in ours), ours
    assert bool(ours) == (folder.name != "core")


def test_the_core_s_page_on_an_index_of_packages_shows_the_example_of_the_readme() -> None:
    example = [block.text for block in blocks_of(ROOT / "README.md")][:2]
    assert [block.text for block in blocks_of(ROOT / "core" / "README.md") if block.language != "bash"] == example


def call(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """What a command prints; it ends with that exit code."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_make_dist_builds_every_distribution() -> None:
    (loop,) = (line for line in call("make", "-n", "dist", cwd=ROOT).splitlines() if line.startswith("set -e"))
    assert {str(folder.relative_to(ROOT)) for folder in FOLDERS} <= set(loop.partition("; do")[0].split())


@pytest.mark.slow
@each_distribution
def test_the_sdist_and_the_wheel_made_from_it_hold_licence_and_addresses(folder: Path, tmp_path: Path) -> None:
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, folder, cwd=tmp_path)
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        assert f"{sdist.name.removesuffix('.tar.gz')}/LICENSE" in archive.getnames()
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert metadata.replace("METADATA", "licenses/LICENSE") in archive.namelist()
        text = archive.read(metadata).decode()
        code = {name.partition("/")[0] for name in archive.namelist()} - {metadata.partition("/")[0]}
    assert text.count("\nProject-URL: ") == len(project(folder)["urls"])
    assert "\nLicense-File: LICENSE\n" in text
    assert code == {path.name for path in (folder / "src").iterdir() if path.is_dir()}, "and nothing else, no tests"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment with what `pip install tilewright tilewright-ome-zarr …` installs."""
    folder = tmp_path_factory.mktemp("plain")
    for each in PLAIN:
        call(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, each, cwd=folder)
    venv.create(folder / "environment", with_pip=True)
    scripts = folder / "environment" / "bin"
    call(scripts / "python", "-m", "pip", "install", "--quiet", *folder.glob("*.whl"), cwd=folder)
    return scripts


@pytest.mark.slow
def test_a_plain_install_is_small_and_runs_the_example_of_the_readme(plain: Path, tmp_path: Path) -> None:
    listed = set(re.findall(r"^([\w.-]+)==", call(plain / "pip", "list", "--format", "freeze", cwd=tmp_path), re.M))
    others = {name for name in listed if not name.startswith("tilewright")} - {"pip", "setuptools"}
    assert len(others) <= PACKAGES, sorted(others)
    (packages,) = (plain.parent / "lib").glob("*/site-packages")
    installed = [
        path
        for folder in packages.iterdir()
        if not folder.name.startswith(OF_VENV)
        for path in (folder, *folder.rglob("*"))
    ]
    assert sum(path.stat().st_size for path in installed) <= SIZE
    code, printed = (block.text for block in blocks_of(ROOT / "README.md")[:2])
    assert call(plain / "python", "-c", code, cwd=tmp_path) == printed


@pytest.mark.slow
def test_a_plain_install_says_which_extra_is_missing(plain: Path, tmp_path: Path) -> None:
    zarr.save_array(tmp_path / "image.zarr", np.eye(64))
    run = (plain / "tilewright", "run", "image.zarr", "labels.ome.zarr", "--axes", "yx", "--segmenter", "threshold")
    missing = {
        "tilewright[cluster]": ("--scheduler", "tcp://127.0.0.1:8786"),
        "tilewright-threshold[methods]": ("--set", "threshold=otsu"),
    }
    for extra, options in missing.items():
        *_, message = call(*run, *options, cwd=tmp_path, code=2).splitlines()
        assert f"pip install '{extra}'" in message
    code = "from tilewright import make_local_cluster; make_local_cluster()"
    assert "pip install 'tilewright[cluster]'" in call(plain / "python", "-c", code, cwd=tmp_path, code=1)
    terminal = f"import pty; pty.spawn({[str(word) for word in run]})"
    shown = call(sys.executable, "-c", terminal, cwd=tmp_path)
    assert "labels: " in shown
    assert "pip install 'tilewright[progress]'" in shown
