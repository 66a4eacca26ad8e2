"""The versions of Python and of libraries that the README promises: `make matrix`, and .github/workflows/test.yml.

One session: `nox -s "tests(python='3.13', dependencies='newest')"`. What follows `--` is for pytest.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv"  # which picks the lowest versions that are declared, and finds Pythons

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DEPENDENCIES = {
    "newest": (),
    "lowest": ("--resolution", "lowest-direct"),
    "coming": ("--prerelease", "allow"),
}
# The lowest declared numpy and scipy have no wheels for later Pythons, and pre-releases are for the latest.
MATRIX = [
    *((python, "newest") for python in PYTHONS),
    (PYTHONS[0], "lowest"),
    (PYTHONS[-1], "coming"),
]
PACKAGES = (
    "core[cluster,profiles,progress,report]",
    "plugins/ome-zarr",
    "plugins/threshold[methods]",
    "plugins/tiff",
    "plugins/filters",
    "plugins/measure",
)
TESTS = ("core/tests", "plugins/filters", "plugins/ome-zarr", "plugins/threshold", "plugins/tiff")


@nox.session
@nox.parametrize("python,dependencies", MATRIX)
def tests(session: nox.Session, dependencies: str) -> None:
    """The tests of the core and of plugins, but for those that take seconds each."""
    editable = [part for package in PACKAGES for part in ("--editable", package)]
    session.install(*DEPENDENCIES[dependencies], "--group", "matrix-tests", *editable)
    # Not the script: what tests hand to new processes is found from this folder.
    session.run("python", "-m", "pytest", *(session.posargs or (*TESTS, "-m", "not slow")))
