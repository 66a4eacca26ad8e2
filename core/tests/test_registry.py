"""Names to components: what is missing, doubled or misspelt is said in one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import install, offers

from tilewright import FormatSpec, PluginError, Spec, Touch, UnknownComponent, hookimpl, register
from tilewright.components.registry import registry, unregister
from tilewright.components.resolve import component
from tilewright.components.specs import KINDS, Kind


class Hooks:
    """A lab's own components, offered from a script."""

    @hookimpl
    def tilewright_segmenters(self) -> list[Spec]:
        return [Spec(name="script-made", target="builtins:abs")]

    @hookimpl
    def tilewright_readers(self) -> list[FormatSpec]:
        return [FormatSpec(name="script-format", target="builtins:open", suffixes=(".script",))]


class Misspelt:
    @hookimpl
    def tilewright_segmentor(self) -> list[Spec]:
        return []


def test_a_name_from_two_distributions_is_an_error_only_when_it_is_used(site: Path) -> None:
    install(site, "lab-one", offers("segmenter", "cells", "one"), version="1.5")
    install(site, "lab-two", offers("segmenter", "cells", "two"), version="2.5")
    found = registry()
    assert found.find("segmenter", "one").distribution == "lab-one"
    assert found.find("segmenter", "two").distribution == "lab-two"
    with pytest.raises(UnknownComponent) as raised:
        found.find("segmenter", "cells")
    assert str(raised.value) == (
        "segmenter 'cells' is offered by lab-one 1.5 and lab-two 2.5; uninstall one, or leave one out with "
        "TILEWRIGHT_DISABLE_PLUGINS=lab-one"
    )


def test_leaving_one_of_two_out_settles_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "lab-one", offers("segmenter", "cells"))
    install(site, "lab-two", offers("segmenter", "cells"))
    monkeypatch.setenv("TILEWRIGHT_DISABLE_PLUGINS", "lab-one")
    assert registry().find("segmenter", "cells").distribution == "lab-two"


def test_one_name_may_be_offered_for_two_kinds(site: Path) -> None:
    install(site, "lab-one", offers("reader", "cells") + offers("writer", "cells"))
    assert registry().find("reader", "cells").kind == "reader"
    assert registry().find("writer", "cells").kind == "writer"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("tiler", "girdd", "did you mean 'grid'?"),
        ("merger", "overlaps", "did you mean 'overlap'?"),
        ("merger", "xyzzy", "installed are: overlap, touch"),
        ("tiler", "", "installed are: auto, grid"),
    ],
)
def test_a_name_that_nobody_offers_gets_a_hint(kind: Kind, name: str, said: str) -> None:
    with pytest.raises(UnknownComponent) as raised:
        registry().find(kind, name)
    assert f"no installed plugin offers a {kind} {name!r}" in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_listed(kind: Kind) -> None:
    assert all(found.kind == kind and found.spec.summary for found in registry().components(kind))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere_at_all:Thing", "nowhere_at_all"),
        ("tilewright.builtin.mergers:Missing", "Missing"),
        ("lab_raises:Thing", "no GPU here"),
        ("lab_syntax:Thing", "SyntaxError"),
        ("lab_exits:Thing", "SystemExit: no licence"),
    ],
)
def test_a_component_that_cannot_be_imported_is_named_with_its_distribution(site: Path, target: str, said: str) -> None:
    (site / "lab_raises.py").write_text("raise RuntimeError('no GPU here')")
    (site / "lab_syntax.py").write_text("def (")
    (site / "lab_exits.py").write_text("raise SystemExit('no licence')")
    install(site, "lab-lazy", offers("segmenter", "lazy", target=target), version="0.2")
    with pytest.raises(PluginError, match=r"segmenter 'lazy' of lab-lazy 0\.2 cannot be loaded") as raised:
        registry().load("segmenter", "lazy")
    assert said in str(raised.value)
    assert raised.value.__cause__ is not None


def test_a_component_is_imported_only_when_it_is_used(site: Path) -> None:
    (site / "lab_code.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').touch()\nThing = len\n")
    install(site, "lab-lazy", offers("segmenter", "lazy", target="lab_code:Thing"))
    registry().find("segmenter", "lazy")
    assert not (site / "lab_code.py.ran").exists()
    assert registry().load("segmenter", "lazy") is len
    assert (site / "lab_code.py.ran").exists()


@pytest.fixture
def registered() -> object:
    register(Hooks(), "lab")
    yield None
    unregister("lab")


@pytest.mark.usefixtures("registered")
def test_what_a_script_registers_is_found_like_what_is_installed() -> None:
    assert component("segmenter", "script-made") is abs
    assert registry().find("reader", "script-format").distribution == "register(lab)"
    assert component("merger", "touch") == Touch()


@pytest.mark.usefixtures("registered")
def test_registering_again_replaces() -> None:
    register(Hooks(), "lab")
    assert component("segmenter", "script-made") is abs


def test_what_is_taken_back_is_gone() -> None:
    register(Hooks(), "lab")
    unregister("lab")
    unregister("lab")
    with pytest.raises(UnknownComponent):
        component("segmenter", "script-made")


def test_a_module_can_be_registered_and_is_named_by_its_name() -> None:
    register(SimpleNamespace(__name__="lab_module", tilewright_segmenters=Hooks().tilewright_segmenters))
    try:
        assert registry().find("segmenter", "script-made").distribution == "register(lab_module)"
    finally:
        unregister("lab_module")


def test_registering_what_keeps_no_contract_is_an_error_at_once_and_leaves_nothing() -> None:
    before = registry().plugins
    with pytest.raises(PluginError, match=r"'Misspelt' cannot be registered: .*tilewright_segmentor"):
        register(Misspelt())
    assert registry().plugins == before


def test_a_failed_registration_leaves_the_earlier_one_of_that_name() -> None:
    register(Hooks(), "lab")
    try:
        with pytest.raises(PluginError):
            register(Misspelt(), "lab")
        assert component("segmenter", "script-made") is abs
    finally:
        unregister("lab")
