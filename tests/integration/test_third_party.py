"""A package that somebody else wrote: after `pip install` all its components are there, with nothing else done."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

PYPROJECT = """
    [project]
    name = "lab-format"
    version = "1.2.3"
    dependencies = ["tilewright"]

    [project.entry-points.tilewright]
    lab = "lab_format"

    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"

    [tool.setuptools]
    packages = ["lab_format"]
"""

HOOKS = """
    from tilewright import FormatSpec, Spec, hookimpl


    @hookimpl
    def tilewright_readers():
        yield FormatSpec(name="lab-text", target="lab_format.parts:read", suffixes=(".lab",))


    @hookimpl
    def tilewright_tilers():
        return [Spec(name="lab-stripes", target="lab_format.parts:Stripes", summary="Stripes along y.")]


    @hookimpl
    def tilewright_segmenters():
        return [Spec(name="lab-above", target="lab_format.parts:Above")]


    @hookimpl
    def tilewright_mergers():
        return [Spec(name="lab-straight", target="lab_format.parts:straight")]


    @hookimpl
    def tilewright_writers():
        return [FormatSpec(name="lab-text", target="lab_format.parts:LabWriter", suffixes=(".lab",))]


    @hookimpl
    def tilewright_measurers():
        yield Spec(name="lab-heights", target="lab_format.measures:heights", summary="Rows of an object.")
        yield Spec(name="lab-share", target="lab_format.measures:Share", summary="The share of high pixels.")


    @hookimpl
    def tilewright_tables():
        return [FormatSpec(name="lab-lines", target="lab_format.measures:lines", suffixes=(".lines",))]
"""

MEASURES = """
    from dataclasses import dataclass
    from pathlib import Path

    import numpy as np

    from tilewright.abc import Column, Quantity, unsplit


    def heights(block):
        rows = [(block.labels == number).any(axis=1).sum() for number in range(1, block.n + 1)]
        return {"height": np.array(rows)}


    heights.columns = lambda facts: {"height": Column(dtype="int64", unit="pixel")}
    heights.pixels = False


    @dataclass(frozen=True, kw_only=True)
    class Share:
        level: float = 0.0
        names: tuple[str, ...] = ("share",)

        def columns(self, facts):
            return {name: Column() for name in self.names}

        def quantities(self, facts):
            return {"high": Quantity(dtype="int64"), "all": Quantity(dtype="int64")}

        def partial(self, block):
            labels, pixels = block.labels[block.core], block.pixels[0][block.core]
            chosen = {"high": labels[pixels > self.level], "all": labels.ravel()}
            return {name: np.bincount(each, minlength=block.n + 1)[1:] for name, each in chosen.items()}

        def finish(self, merged, facts):
            return {name: merged["high"] / merged["all"] for name in self.names}

        def __call__(self, block):
            return unsplit(self, block)


    def lines(path, spec):
        return Lines(Path(path), spec.workdir / "lines.txt", list(spec.columns))


    class Lines:
        def __init__(self, path, aside, names):
            self.path, self.aside = path, aside
            aside.write_text(" ".join(names) + "\\n")

        def write(self, columns):
            with self.aside.open("a") as file:
                for row in zip(*columns.values()):
                    print(*row, file=file)

        def finish(self, provenance):
            self.aside.replace(self.path)
"""

PARTS = """
    from dataclasses import dataclass
    from pathlib import Path

    import numpy as np

    from tilewright import Image, TileGrid


    def read(path):
        return Image(data=np.loadtxt(path, ndmin=2), axes="yx", source=path, format="lab text")


    @dataclass(frozen=True, kw_only=True)
    class Stripes:
        rows: int = 2

        def __call__(self, image, needs):
            return TileGrid.regular("yx", shape=image.shape, tile=(self.rows, image.shape[1]), halo=(0, 0))


    @dataclass(frozen=True, kw_only=True)
    class Above:
        threshold: float = 0.0

        def __call__(self, pixels):
            from scipy import ndimage

            return ndimage.label(pixels > self.threshold)[0]


    def straight(seam):
        lower, upper = seam.labels
        return sorted({(int(a), int(b)) for a, b in zip(lower.ravel(), upper.ravel()) if a and b})


    @dataclass(frozen=True, kw_only=True)
    class LabWriter:
        def __call__(self, path, spec):
            aside = spec.workdir / "labels.npy"
            np.lib.format.open_memmap(aside, "w+", spec.dtype, spec.shape)
            return LabSink(aside, path)


    @dataclass
    class LabSink:
        aside: Path
        path: str

        def write(self, region, labels):
            np.load(self.aside, mmap_mode="r+")[region] = labels

        def finish(self, provenance):
            labels = np.load(self.aside)
            np.savetxt(self.aside.with_suffix(".txt"), labels, fmt="%d", header=provenance["source"])
            self.aside.with_suffix(".txt").replace(self.path)

        def read(self):
            return np.loadtxt(self.path, dtype="u4", ndmin=2)
"""

SCRIPT = """
    import sys
    from tilewright import Pipeline
    from tilewright.components.registry import registry

    for component in (c for kind in ("reader", "tiler", "segmenter", "merger", "writer")
                      for c in registry().components(kind) if c.distribution == "lab-format"):
        print(component.kind, component.spec.name, component.version)
    pipeline = Pipeline(
        reader="lab-text",
        tiler={"name": "lab-stripes", "configuration": {"rows": 3}},
        segmenter={"name": "lab-above", "configuration": {"threshold": 0.5}},
        merger="lab-straight",
        writer="lab-text",
    )
    named = pipeline.run("image.lab", "labels.lab")
    chosen = Pipeline(segmenter="lab-above", tiler="lab-stripes", merger="lab-straight").run("image.lab", "other.lab")
    assert (named.labels == chosen.labels).all().compute()
    print(named.n_objects, named.n_tiles, chosen.n_tiles)
    pipeline.save("pipeline.json")
    assert Pipeline.load("pipeline.json") == pipeline
"""

IMAGE = """
    1 0 0 1
    1 0 0 1
    1 0 0 0
    1 1 0 1
    0 0 0 1
    0 1 0 0
    0 1 1 0
"""

LABELS = [[1, 0, 0, 2], [1, 0, 0, 2], [1, 0, 0, 0], [1, 1, 0, 3], [0, 0, 0, 3], [0, 4, 0, 0], [0, 4, 4, 0]]


def write_project(folder: Path) -> Path:
    (folder / "lab_format").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(dedent(PYPROJECT))
    (folder / "lab_format" / "__init__.py").write_text(dedent(HOOKS))
    (folder / "lab_format" / "parts.py").write_text(dedent(PARTS))
    (folder / "lab_format" / "measures.py").write_text(dedent(MEASURES))
    return folder


def build_wheel(project: Path) -> Path:
    """The wheel of a pure package by hand: which build tools are installed here does not matter then."""
    info = "lab_format-1.2.3.dist-info"
    files = {f"lab_format/{path.name}": path.read_bytes() for path in sorted((project / "lab_format").iterdir())}
    files |= {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: lab-format\nVersion: 1.2.3\nRequires-Dist: tilewright\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[tilewright]\nlab = lab_format\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for name, content in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,\n"]).encode()
    wheel = project / "lab_format-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def pip_install(what: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    command += ["--disable-pip-version-check", *([] if what.suffix == ".whl" else ["--no-build-isolation"]), str(what)]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip put the package: built by setuptools if it is there, else from a wheel made by hand."""
    project = write_project(tmp_path_factory.mktemp("project"))
    target = tmp_path_factory.mktemp("installed")
    try:
        import setuptools  # noqa: F401 - only whether it is there counts
        import wheel  # noqa: F401 - setuptools before 70 needs it to build one
    except ImportError:
        pip_install(build_wheel(project), target)
    else:
        pip_install(project, target)
    return target


def run(folder: Path, installed: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_package_offers_all_five_kinds_and_they_run_together(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "image.lab").write_text(dedent(IMAGE))
    printed = run(tmp_path, installed, "-c", dedent(SCRIPT)).splitlines()
    assert printed[:5] == [
        "reader lab-text 1.2.3",
        "tiler lab-stripes 1.2.3",
        "segmenter lab-above 1.2.3",
        "merger lab-straight 1.2.3",
        "writer lab-text 1.2.3",
    ]
    assert printed[5:] == ["4 3 4"]
    for name in ("labels.lab", "other.lab"):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0] == f"# {tmp_path / 'image.lab'}"
        assert [[int(label) for label in line.split()] for line in lines[1:]] == LABELS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "image.lab",
        "labels.lab",
        "other.lab",
        "pipeline.json",
    ]


def test_the_command_line_lists_and_runs_it_too(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "image.lab").write_text(dedent(IMAGE))
    listed = run(tmp_path, installed, "-m", "tilewright.cli", "plugins")
    assert all(name in listed for name in ("lab-text", "lab-stripes", "lab-above", "lab-straight", "lab-format"))
    parts = ("--segmenter", "lab-above", "--set", "threshold=0.5", "--merger", "lab-straight", "--tiler", "lab-stripes")
    run(tmp_path, installed, "-m", "tilewright.cli", "run", "image.lab", "labels.lab", *parts)
    lines = (tmp_path / "labels.lab").read_text().splitlines()
    assert [[int(label) for label in line.split()] for line in lines[1:]] == LABELS


def test_its_measurers_run_from_the_command_line_into_its_table(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "image.lab").write_text(dedent(IMAGE))
    (tmp_path / "labels.lab").write_text("\n".join(" ".join(map(str, row)) for row in LABELS))
    words = ("--measure", "lab-heights,lab-share", "--measure-set", "lab-share.names=share")
    words += ("--measure-set", "lab-share.level=0.5", "--measure-pixels", "6", "--processes")
    printed = run(tmp_path, installed, "-m", "tilewright.cli", "measure", "labels.lab", "image.lab", "a.lines", *words)
    assert printed == f"table:  {tmp_path / 'a.lines'} (4 rows of 3 columns)\n"
    expected = ["label height share", "1 4 1.0", "2 2 1.0", "3 2 1.0", "4 2 1.0"]
    assert (tmp_path / "a.lines").read_text().splitlines() == expected
    parts = ("--segmenter", "lab-above", "--merger", "lab-straight", "--tiler", "lab-stripes", "--table", "b.lines")
    run(tmp_path, installed, "-m", "tilewright.cli", "run", "image.lab", "found.lab", *parts, *words)
    assert (tmp_path / "b.lines").read_text().splitlines() == expected


def test_without_it_nothing_is_left(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code = "from tilewright.components.registry import registry; print(*(p.distribution for p in registry().plugins))"
    assert "lab-format" not in run(tmp_path, empty, "-c", code)
