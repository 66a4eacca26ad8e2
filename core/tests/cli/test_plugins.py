"""`tilewright plugins`: everything that is installed, quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tilewright import __version__
from tilewright.components.specs import KINDS

from .conftest import Invoke, install, result_of

Start = Callable[..., subprocess.Popen[str]]

HEAVY = ("numpy", "scipy", "zarr", "dask", "distributed", "rich", "clilab.parts", "tilewright.builtin.tilers")

WHAT_IS_IMPORTED = f"""
import sys
from tilewright.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["plugins"], ["plugins", "--json"], ["--help"], ["run", "--help"], ["--version"]])
def test_help_and_listings_import_no_library(lab: Path, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WHAT_IS_IMPORTED, *words],
        env={"PYTHONPATH": str(lab)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "\n"
    assert done.stdout


def test_the_list_names_components_with_their_distribution_and_without_options(invoke: Invoke) -> None:
    said = invoke("plugins").stdout
    assert (
        "  lab-components  Connected pixels.\n"
        "    cli-lab 1.5\n"
        "\n"
        "  lab-broken  Fails as it is told to.\n"
        "    cli-lab 1.5\n"
    ) in said
    assert [word for word in said.splitlines() if word in {f"{kind}s" for kind in KINDS}] == [f"{k}s" for k in KINDS]


def test_the_list_as_json_has_the_same_of_every_component(invoke: Invoke) -> None:
    components = json.loads(invoke("plugins", "--json", "--kind", "segmenter").stdout)["components"]
    found = {each["name"]: each for each in components}
    assert {each["kind"] for each in components} == {"segmenter"}
    assert found["lab-components"] == {
        "kind": "segmenter",
        "name": "lab-components",
        "summary": "Connected pixels.",
        "plugin": "clilab",
        "distribution": "cli-lab",
        "version": "1.5",
        "target": "clilab.parts:Components",
    }


def test_a_name_shows_the_imported_component_in_full(invoke: Invoke) -> None:
    assert invoke("plugins", "lab-components").stdout == (
        "segmenters\n"
        "\n"
        "  lab-components  Connected pixels.\n"
        "    distribution: cli-lab 1.5\n"
        "    plugin: clilab\n"
        "    target: clilab.parts:Components\n"
        "    threshold: a number; by default 0.0\n"
        "        pixels above it are objects\n"
        "    calls: text or None; by default None\n"
        "    hold: text or None; by default None\n"
        "    hold_at: a whole number; by default 1\n"
        "    says: text or None; by default None\n"
    )
    computed, *others = json.loads(invoke("plugins", "lab-computed", "--json").stdout)["components"]
    assert others == []
    assert computed["options"] == [{"name": "size", "type": "a whole number", "default": "3", "help": ""}]
    by_kind = json.loads(invoke("plugins", "tilewright", "--kind", "writer", "--json").stdout)["components"]
    assert [each["name"] for each in by_kind] == ["zarr-array"]


def test_a_name_that_is_none_or_cannot_be_imported_is_an_error(invoke: Invoke) -> None:
    unknown = invoke("plugins", "lab-component")
    assert unknown.exit_code == 2
    assert unknown.stderr == (
        "error: no installed plugin offers a component 'lab-component'; did you mean 'lab-components'?\n"
    )
    absent = invoke("plugins", "lab-absent")
    assert absent.exit_code == 2
    assert "segmenter 'lab-absent' of cli-lab 1.5 cannot be loaded" in absent.stderr


def test_broken_and_disabled_plugins_are_listed_with_the_reason(start: Start, broken: Path) -> None:
    process = start("plugins", paths=(broken,), TILEWRIGHT_DISABLE_PLUGINS="cli-lab")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "broken: clibroken (cli-broken 1.5): cannot be imported: ModuleNotFoundError: No module named 'a_lib" in out
    assert "disabled: clilab (cli-lab 1.5), by TILEWRIGHT_DISABLE_PLUGINS=cli-lab" in out
    assert "lab-components" not in out


def test_an_allow_list_leaves_the_others_out_and_the_list_says_so(start: Start, broken: Path) -> None:
    process = start("plugins", "--json", paths=(broken,), TILEWRIGHT_PLUGINS="cli-lab")
    out, err = process.communicate()
    listing = json.loads(out)
    assert (process.returncode, err, listing["broken"]) == (0, "", [])
    assert {each["distribution"] for each in listing["components"]} == {"cli-lab", "tilewright"}
    by = {each["plugin"]: each["by"] for each in listing["disabled"]}
    assert by["clibroken"] == "TILEWRIGHT_PLUGINS"


def test_a_name_that_two_distributions_offer_is_listed_as_a_clash(start: Start, tmp_path: Path) -> None:
    install(tmp_path, "cli-twin", "clitwin")
    hooks = '[Spec(name="lab-components", target="clitwin:run", summary="Another.")]'
    (tmp_path / "clitwin.py").write_text(
        f"from tilewright import Spec, hookimpl\n@hookimpl\ndef tilewright_segmenters():\n    return {hooks}\n"
        "def run(pixels):\n    return pixels\n"
    )
    process = start("plugins", paths=(tmp_path,))
    out, _ = process.communicate()
    assert process.returncode == 0
    said = (
        "segmenter 'lab-components' is offered by cli-lab 1.5 and cli-twin 1.5; uninstall one, or leave one out with "
    )
    assert f"clash: {said}TILEWRIGHT_DISABLE_PLUGINS=cli-lab" in out
    both = start("plugins", "lab-components", paths=(tmp_path,))
    out, _ = both.communicate()
    assert both.returncode == 0
    assert "target: clitwin:run" in out
    assert "target: clilab.parts:Components" in out


def test_what_a_plugin_prints_is_kept_out_of_what_a_program_reads(start: Start, tmp_path: Path) -> None:
    install(tmp_path, "cli-loud", "cliloud")
    (tmp_path / "cliloud.py").write_text(
        "from tilewright import Spec, hookimpl\nprint('Welcome to cliloud')\n@hookimpl\n"
        "def tilewright_segmenters():\n    print('which segmenters')\n"
        "    return [Spec(name='loud', target='cliloud_model:run', summary='Loud.')]\n"
    )
    (tmp_path / "cliloud_model.py").write_text("print('loading')\ndef run(pixels):\n    return pixels\n")
    out, err = start("plugins", "loud", "--json", paths=(tmp_path,)).communicate()
    assert json.loads(out)["components"][0]["name"] == "loud"
    assert err.splitlines() == ["Welcome to cliloud", "which segmenters", "loading"]


def test_a_broken_plugin_is_found_by_its_name(start: Start, broken: Path) -> None:
    process = start("plugins", "cli-broken", "--json", paths=(broken,))
    out, _ = process.communicate()
    listing = json.loads(out)
    assert [each["plugin"] for each in listing["broken"]] == ["clibroken"]
    assert (listing["components"], listing["disabled"]) == ([], [])


def test_version_is_the_packages(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"tilewright {__version__}\n"


def test_json_of_the_list_can_be_read_whatever_is_installed(invoke: Invoke) -> None:
    assert {"components", "broken", "disabled", "watching", "clashes"} == set(result_of(invoke("plugins", "--json")))
