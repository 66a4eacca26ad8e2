"""Installed plugins: found by their metadata alone, and a broken one costs one warning and only itself."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from fakes import HEAD, install, offers

from tilewright import UnknownComponent
from tilewright.components.discovery import ALLOW, DISABLE, installed_plugins
from tilewright.components.registry import registry

BROKEN = {
    "no such import": ("import torch_of_nowhere", "ModuleNotFoundError", "torch_of_nowhere"),
    "error on import": ("raise RuntimeError('no GPU')", "RuntimeError", "no GPU"),
    "exit on import": ("raise SystemExit('no licence')", "SystemExit", "no licence"),
    "panic on import": (
        "class PanicException(BaseException):\n    pass\n\nraise PanicException('no entry')",
        "PanicException",
        "no entry",
    ),
    "error without a text": (
        "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError\n\nraise Mute",
        "Mute",
        "an error without a readable text",
    ),
    "syntax error": ("def (", "SyntaxError", "invalid syntax"),
    "contract of the future": (
        "from tilewright import Spec\n"
        "@hookimpl\ndef tilewright_segmenters():\n    return [Spec(name='spots', target='a:b', contract=2)]\n",
        "ValueError",
        "its segmenter 'spots' was written for contract 2, but this version of tilewright knows contracts up to 1; "
        "upgrade tilewright",
    ),
    "misspelt hook": (
        "@hookimpl\ndef tilewright_segmentors():\n    return []\n",
        "PluginValidationError",
        "there is no hook 'tilewright_segmentors'; did you mean 'tilewright_segmenters'?",
    ),
    "hook with an argument": (
        "@hookimpl\ndef tilewright_segmenters(image):\n    return []\n",
        "PluginValidationError",
        "image",
    ),
    "hook without its mark": (
        "def tilewright_segmenters():\n    return []\n",
        "PluginValidationError",
        "tilewright_segmenters is not marked; write @tilewright.hookimpl above it",
    ),
    "hook that does not end": (
        "import itertools\n@hookimpl\ndef tilewright_segmenters():\n"
        "    return (Spec(name=f'a{i}', target='a:b') for i in itertools.count())\n",
        "ValueError",
        "does its generator end?",
    ),
    "one name twice": (
        "@hookimpl\ndef tilewright_segmenters():\n    return [Spec(name='half', target='a:b')] * 2\n",
        "ValueError",
        "offers 'half' twice",
    ),
    "hook that raises": (
        "@hookimpl\ndef tilewright_segmenters():\n    raise OSError('no weights')\n",
        "OSError",
        "no weights (raised in tilewright_segmenters)",
    ),
    "hook that raises half-way": (
        "@hookimpl\ndef tilewright_segmenters():\n    yield Spec(name='half', target='a:b')\n    raise OSError('gone')",
        "OSError",
        "gone (raised in tilewright_segmenters)",
    ),
    "hook without a return": (
        "@hookimpl\ndef tilewright_segmenters():\n    [Spec(name='forgotten', target='a:b')]\n",
        "TypeError",
        "tilewright_segmenters",
    ),
    "hook that returns a number": (
        "@hookimpl\ndef tilewright_segmenters():\n    return 5\n",
        "TypeError",
        "must return a list of Spec objects, not 5",
    ),
    "hook that returns names": (
        "@hookimpl\ndef tilewright_segmenters():\n    return ['half']\n",
        "TypeError",
        "tilewright_segmenters must return Spec objects, not 'half'",
    ),
    "spec where a format is needed": (
        "@hookimpl\ndef tilewright_readers():\n    return [Spec(name='half', target='a:b')]\n",
        "TypeError",
        "tilewright_readers must return FormatSpec objects",
    ),
    "malformed name": (
        "@hookimpl\ndef tilewright_mergers():\n    return [Spec(name='Half Done', target='a:b')]\n",
        "ValueError",
        "Half Done",
    ),
    "name that is a number": (
        "@hookimpl\ndef tilewright_mergers():\n    return [Spec(name=5, target='a:b')]\n",
        "TypeError",
        "name of a Spec is text, not 5",
    ),
    "suffixes in one text": (
        "@hookimpl\ndef tilewright_readers():\n    return [FormatSpec(name='half', target='a:b', suffixes='.tif')]\n",
        "TypeError",
        "suffixes of 'half' are several texts, not '.tif'",
    ),
    "sniff that is no function": (
        "@hookimpl\ndef tilewright_readers():\n    return [FormatSpec(name='half', target='a:b', sniff=True)]\n",
        "TypeError",
        "sniff of 'half' is a function",
    ),
    "malformed target": (
        "@hookimpl\ndef tilewright_mergers():\n    return [Spec(name='half', target='a.b')]\n",
        "ValueError",
        "'a.b' is not a target",
    ),
    "malformed suffix": (
        "@hookimpl\ndef tilewright_readers():\n    return [FormatSpec(name='half', target='a:b', suffixes=('tif',))]\n",
        "ValueError",
        "'tif' of 'half' is not a suffix",
    ),
}


@pytest.mark.parametrize(("code", "error", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_costs_one_warning_and_only_itself(site: Path, code: str, error: str, said: str) -> None:
    install(site, "lab-broken", code + "\n" + offers("tiler", "lost"), version="0.3")
    install(site, "lab-fine", offers("segmenter", "fine"))
    with pytest.warns(RuntimeWarning) as warned:
        found = registry()
    (message,) = [str(w.message) for w in warned]
    for part in ("'lab_broken'", "lab-broken 0.3", error, said, f"{DISABLE}=lab_broken"):
        assert part in message
    assert "\n" not in message
    assert found.find("segmenter", "fine").distribution == "lab-fine"
    assert found.find("tiler", "grid").distribution == "tilewright"
    (broken,) = [plugin for plugin in found.plugins if plugin.error]
    assert broken.components == ()
    with pytest.raises(UnknownComponent, match="no installed plugin offers a tiler 'lost'") as raised:
        found.find("tiler", "lost")
    assert "lab-broken might have: it is broken" in str(raised.value)
    assert error in str(raised.value)
    assert said in str(raised.value)


def test_the_registry_is_read_once_and_so_warns_once(site: Path) -> None:
    install(site, "lab-broken", "raise RuntimeError('no GPU')")
    with pytest.warns(RuntimeWarning):
        registry()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry()


def test_two_broken_plugins_are_both_named_where_something_is_missing(site: Path) -> None:
    install(site, "lab-one", "raise RuntimeError('first')")
    install(site, "lab-two", "raise RuntimeError('second')")
    with pytest.warns(RuntimeWarning) as warned:
        found = registry()
    assert len(warned) == 2
    with pytest.raises(UnknownComponent, match=r"first.*second"):
        found.find("segmenter", "anything")


def test_a_distribution_whose_metadata_is_gone_costs_only_itself(site: Path) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"))
    remains = site / "lab_half-1.0.dist-info"
    remains.mkdir()
    (remains / "entry_points.txt").write_text("[tilewright]\nlab_half = lab_half\n")
    with pytest.warns(RuntimeWarning, match="'lab_half'"):
        found = registry()
    assert found.find("segmenter", "fine")


def test_an_entry_point_that_names_no_module_costs_only_itself(site: Path) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"))
    install(site, "lab-odd", "")
    (site / "lab_odd-1.0.dist-info" / "entry_points.txt").write_text("[tilewright]\nodd = not a module!\n")
    with pytest.warns(RuntimeWarning, match="'odd' of lab-odd"):
        found = registry()
    assert found.find("segmenter", "fine")


GARBAGE = {
    "no key": b"[other]\nan entry without its value\n",
    "no text": b"[tilewright]\n\xff\xfe = \xff\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_distribution_whose_entry_points_are_garbage_costs_only_itself(site: Path, content: bytes) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"))
    install(site, "lab-odd", "")
    (site / "lab_odd-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    with pytest.warns(RuntimeWarning, match=r"lab_odd-1\.0\.dist-info.* again, or remove it"):
        found = registry()
    assert found.find("segmenter", "fine").version == "1.0"
    assert found.find("tiler", "grid")


def test_an_optional_hook_of_a_later_version_is_passed_over(site: Path) -> None:
    later = "@hookimpl(optionalhook=True)\ndef tilewright_dreams():\n    return []\n"
    install(site, "lab-fine", later + offers("segmenter", "fine"))
    assert registry().find("segmenter", "fine")


def test_entry_points_of_other_groups_are_not_ours(site: Path) -> None:
    install(site, "lab-other", "raise RuntimeError('never imported')")
    (site / "lab_other-1.0.dist-info" / "entry_points.txt").write_text("[pytest11]\nother = lab_other\n")
    assert "lab-other" not in {plugin.distribution for plugin in registry().plugins}


def test_a_distribution_that_is_on_the_path_twice_counts_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow = site.parent / "shadow"
    shadow.mkdir()
    install(shadow, "lab-fine", offers("segmenter", "fine"), version="0.9")
    install(site, "lab-fine", offers("segmenter", "fine"), version="1.1")
    monkeypatch.setattr(sys, "path", [*sys.path, str(shadow)])
    importlib.invalidate_caches()
    assert registry().find("segmenter", "fine").version == "1.1"


@pytest.mark.parametrize("said", ["lab_fine", "lab-fine", "LAB.Fine", "quick", " quick , other"])
def test_a_disabled_plugin_is_not_imported_whichever_of_its_names_is_said(
    site: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "lab-fine", "raise RuntimeError('imported')", point="quick")
    monkeypatch.setenv(DISABLE, said)
    (plugin,) = [plugin for plugin in registry().plugins if plugin.distribution == "lab-fine"]
    assert plugin.disabled
    assert plugin.error == ""
    assert "lab_fine" not in sys.modules


def test_disabling_one_plugin_leaves_the_others(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"))
    install(site, "lab-finer", offers("segmenter", "finer"))
    monkeypatch.setenv(DISABLE, "lab-fine")
    names = {c.spec.name for c in registry().components("segmenter")}
    assert "finer" in names
    assert "fine" not in names


@pytest.mark.parametrize("said", ["lab_fine", "lab-fine", "LAB.Fine", " quick , lab-finer"])
def test_an_allow_list_leaves_out_all_others_but_the_core(
    site: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"), point="quick")
    install(site, "lab-finer", offers("segmenter", "finer"))
    install(site, "lab-other", "raise RuntimeError('imported')")
    monkeypatch.setenv(ALLOW, said)
    found = registry()
    assert found.find("segmenter", "fine")
    assert found.find("tiler", "grid")
    assert {p.disabled for p in found.plugins if p.distribution == "lab-other"} == {ALLOW}
    with pytest.raises(UnknownComponent, match=f"'lab_other' of lab-other might have: {ALLOW} leaves it out"):
        found.find("segmenter", "other")


def test_what_is_both_allowed_and_denied_is_left_out(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "lab-fine", "raise RuntimeError('imported')")
    monkeypatch.setenv(ALLOW, "lab-fine")
    monkeypatch.setenv(DISABLE, "lab-fine")
    assert {p.disabled for p in registry().plugins if p.distribution == "lab-fine"} == {DISABLE}


def test_a_name_on_the_allow_list_that_nobody_has_is_warned_of(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "lab-fine", offers("segmenter", "fine"))
    monkeypatch.setenv(ALLOW, "lab-fine,lab-fien")
    with pytest.warns(RuntimeWarning, match=f"{ALLOW} allows 'lab-fien', but no such plugin is installed.*lab-fine"):
        registry()


def test_plugins_are_listed_in_the_order_of_their_names(site: Path) -> None:
    for name in ("lab-b", "lab-c", "lab-a"):
        install(site, name, offers("segmenter", name))
    names = [plugin.name for plugin in installed_plugins()]
    assert names == sorted(names)


def test_a_plugin_is_found_by_a_fresh_process(tmp_path: Path) -> None:
    install(tmp_path, "lab-fine", offers("segmenter", "fine"))
    code = (
        "from tilewright.components.registry import registry; print(registry().find('segmenter', 'fine').distribution)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "lab-fine"


def test_the_head_that_plugins_import_is_public() -> None:
    names: dict[str, object] = {}
    exec(HEAD, names)
    assert {"FormatSpec", "Spec", "hookimpl"} <= set(names)
