"""The shape of the code: what is public, what is imported when, and how long a thing may be."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import zarr

import tilewright
import tilewright.abc

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "src" / "tilewright"
SOURCES = sorted(path for folder in ROOT.glob("plugins/*/src") for path in folder.rglob("*.py"))
SOURCES += sorted(CORE.rglob("*.py"))
FUNCTION = 45  # lines
LONGER = {"tile_process": 70}  # its signature has a line for each of the options that scripts call it with


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# What is public


@pytest.mark.parametrize("name", tilewright.__all__)
def test_every_public_name_resolves_to_what_its_module_calls_public(name: str) -> None:
    found = getattr(tilewright, name)
    module = getattr(found, "__module__", "")
    if module.startswith("tilewright."):
        home = importlib.import_module(module)
        assert getattr(home, name, found) is found
        assert name in home.__all__


def test_the_public_names_are_listed_once_and_no_others_are_there() -> None:
    assert len(set(tilewright.__all__)) == len(tilewright.__all__)
    assert dir(tilewright) == sorted(tilewright.__all__)
    with pytest.raises(AttributeError, match="module 'tilewright' has no attribute 'Tilewright'"):
        _ = tilewright.Tilewright  # type: ignore[attr-defined]  # on purpose


@pytest.mark.parametrize("door", [tilewright, tilewright.abc], ids=lambda door: door.__name__)
def test_type_checkers_see_the_names_that_are_public_and_no_others(door: ModuleType) -> None:
    tree = ast.parse(Path(door.__file__ or "").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    lazy = set(door.__all__) - {"FormatSpec", "Spec", "__version__", "hookimpl"}
    assert seen == lazy
    assert all(hasattr(door, name) for name in lazy)


def test_what_a_module_calls_public_is_there() -> None:
    for path in set(SOURCES) - {CORE / "__init__.py", CORE / "abc" / "__init__.py"}:
        tree = ast.parse(path.read_text())
        bound = {name for node in tree.body for name in _bound(node)}
        assert _listed(tree) <= bound, named(path)


def _listed(tree: ast.Module) -> set[str]:
    """The names in a module's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [t.id for t in node.targets if isinstance(t, ast.Name)] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return set()


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.If):
        yield from (name for inner in [*node.body, *node.orelse] for name in _bound(inner))


# What is imported when


HEAVY = (
    "numpy",
    "scipy",
    "zarr",
    "dask",
    "distributed",
    "numcodecs",
    "fsspec",
    "torch",
    "tensorflow",
    "click",
    "rich",
    "asyncio",
)


def modules_after(code: str) -> set[str]:
    command = [sys.executable, "-W", "error", "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tilewright",
        "from tilewright import FormatSpec, Spec, hookimpl",
        "from tilewright.components.registry import registry; assert registry().components('segmenter')",
        "from tilewright.components.registry import registry; registry().find('tiler', 'grid')",
    ],
)
def test_importing_tilewright_and_listing_the_plugins_imports_no_library(code: str) -> None:
    assert modules_after(code) & set(HEAVY) == set()


def test_a_plain_run_imports_nothing_that_only_an_extra_brings(tmp_path: Path) -> None:
    zarr.save_array(tmp_path / "image.zarr", np.eye(64))
    command = ["run", str(tmp_path / "image.zarr"), str(tmp_path / "labels.ome.zarr"), "--axes", "yx"]
    command += ["--segmenter", "threshold"]
    imported = modules_after(f"from tilewright.cli import main; assert not main({command}, standalone_mode=False)")
    assert {"tilewright_threshold.segmenter", "tilewright_ome_zarr.writer"} <= imported
    assert imported & extra_modules() == set()


def extra_modules() -> set[str]:
    """The modules of the libraries that only extras of the core and of the plugins of a plain install bring."""
    extras = set()
    for name in ("core", "plugins/ome-zarr", "plugins/threshold"):
        project = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
        extras |= {each for extra in project.get("optional-dependencies", {}).values() for each in extra}
    names = {each.partition(">")[0] for each in extras}
    assert names >= {"distributed", "rich", "scikit-image"}
    return {{"pillow": "PIL", "scikit-image": "skimage"}.get(name, name) for name in names}


def test_listing_the_plugins_imports_no_more_of_a_plugin_than_its_hooks() -> None:
    found = modules_after("from tilewright.components.registry import registry; registry()")
    packages = [path.name for path in ROOT.glob("plugins/*/src/*") if path.is_dir() and (path / "__init__.py").exists()]
    assert {"tilewright_ome_zarr", "tilewright_stardist", "tilewright_threshold"} <= found
    for package in packages:
        assert {name for name in found if name.partition(".")[0] == package} <= {package}


# What imports what: every import counts, those within functions and those for types alone too


ROOMS = (
    "deprecation",
    "errors",
    "_version",
    "components",
    "run_options",
    "tiling",
    "storage",
    "labels",
    "image",
    "abc",
    "io",
    "builtin",
    "hookspecs",
    "ownership",
    "sinks",
    "metrics",
    "engine",
    "pipeline",
    "workflow",
    "progress",
    "functions",
    "report",
    "testing",
    "plugins",
    "cli",
)
"""Each imports what stands before it, and nothing that stands behind."""

ENGINE = (
    "checkpoint",
    "batches",
    "reading",
    "within",
    "plan",
    "alignment",
    "lookahead",
    "steps",
    "workers",
    "joining",
    "growth",
    "run",
    "crop",
    "measuring",
    "code_identity",
    "shared",
    "planning",
    "fingerprint",
    "measures",
    "provenance",
    "table",
    "no_table",
    "tabling",
    "measurement",
    "result",
    "given",
    "region",
    "watchers",
    "forecast",
    "execution",
    "preview",
    "recipe",
    "made",
    "stage",
)


def imports(path: Path, package: str, root: Path) -> set[str]:
    """The modules of the same package that a module imports anywhere in it."""
    here = [package, *path.relative_to(root).with_suffix("").parts][:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == package}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            if origin.split(".")[0] == package:
                inner = {f"{origin}.{alias.name}" for alias in node.names}
                found |= {each if _is_module(root, each) else origin for each in inner}
    return found


def _is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def dotted(path: Path, root: Path) -> str:
    return ".".join([root.name, *path.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")


def rooms() -> set[str]:
    entries = (path for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    return {path.stem for path in entries} - {"__init__"}


def test_every_room_of_the_core_has_its_place_and_there_are_few() -> None:
    assert rooms() <= set(ROOMS)
    assert len(rooms()) <= 25


def test_imports_go_down() -> None:
    for path in set(CORE.rglob("*.py")) - {CORE / "__init__.py"}:  # the front door names what is behind it
        own = dotted(path, CORE).split(".")
        for name in imports(path, "tilewright", CORE):
            other = name.split(".")
            assert len(other) > 1, f"{named(path)} imports the front door; import from the module itself"
            assert ROOMS.index(other[1]) <= ROOMS.index(own[1]), f"{named(path)} imports {name}, which stands above"
            if own[1] == other[1] == "engine" and len(own) > 2 and len(other) > 2:
                above = f"{named(path)} imports {name}, which stands above"
                assert ENGINE.index(other[2]) <= ENGINE.index(own[2]), above


PACKAGES = [p for p in ROOT.glob("plugins/*/src/*") if (p / "__init__.py").exists()]


@pytest.mark.parametrize("root", [CORE, *PACKAGES], ids=lambda p: p.name)
def test_no_modules_import_each_other_in_a_circle_not_even_for_types(root: Path) -> None:
    graph = {dotted(path, root): imports(path, root.name, root) - {dotted(path, root)} for path in root.rglob("*.py")}
    left = {name: needs for name, needs in graph.items() if name != root.name}  # the front door, as above
    while left:
        free = [name for name, needs in left.items() if not needs & left.keys()]
        assert free, f"these import each other: { ({name: sorted(left[name] & left.keys()) for name in left}) }"
        for name in free:
            del left[name]


PUBLIC = ("tilewright", "tilewright.abc", "tilewright.errors", "tilewright.testing", "tilewright.testing.fixtures")


def test_plugins_import_only_what_is_public() -> None:
    for path in [path for root in PACKAGES for path in root.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                private = [alias.name for alias in node.names if alias.name.split(".")[0] == "tilewright"]
                assert set(private) <= {"tilewright"}, f"{named(path)} imports {private}"
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tilewright":
                assert node.module in PUBLIC, (
                    f"{named(path)} imports from {node.module}; public are {', '.join(PUBLIC)}"
                )
                listed = importlib.import_module(node.module).__all__
                private = sorted({alias.name for alias in node.names} - set(listed))
                assert not private, (
                    f"{named(path)} imports {', '.join(private)} of {node.module}, which does not list them"
                )


# How long a thing may be


def test_functions_stay_short() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                documented = ast.get_docstring(node, clean=False) or ""
                lines = (node.end_lineno or 0) - node.lineno + 1 - len(documented.splitlines())
                assert lines <= LONGER.get(node.name, FUNCTION), (
                    f"{named(path)}:{node.lineno} {node.name} has {lines} lines without its docstring"
                )
