"""The ways of naming a component, and the record that leads back to it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import install, offers

from tilewright import Auto, Grid, InvalidOption, Overlap, Pipeline, Spec, Touch, UnknownComponent, hookimpl, register
from tilewright.components.blame import name_of
from tilewright.components.registry import unregister
from tilewright.components.resolve import component, configuration
from tilewright.components.specs import Kind


def labels_of(pixels: Any) -> Any:
    return pixels


@dataclass(frozen=True, kw_only=True)
class Lab:
    size: float = 3.0
    names: tuple[str, ...] = ()
    mode: str | None = "fast"

    def __call__(self, pixels: Any) -> Any:
        return pixels


class Plain:
    """A component of a class that is no dataclass, and so has no options."""

    def __call__(self, pixels: Any) -> Any:
        return pixels


class Hooks:
    @hookimpl
    def tilewright_segmenters(self) -> list[Spec]:
        return [Spec(name=name, target=f"{__name__}:{at}") for name, at in LISTED.items()]


LISTED = {"lab": "Lab", "lab-function": "labels_of", "lab-plain": "Plain"}


@pytest.fixture(autouse=True)
def lab() -> Iterator[None]:
    register(Hooks(), "lab")
    yield
    unregister("lab")


@pytest.mark.parametrize(
    ("kind", "said", "meant"),
    [
        ("tiler", "grid", Grid()),
        ("tiler", Grid(tile=7), Grid(tile=7)),
        ("tiler", {"name": "grid"}, Grid()),
        ("tiler", {"name": "grid", "configuration": {}}, Grid()),
        ("tiler", {"name": "grid", "configuration": None}, Grid()),
        ("tiler", {"name": "grid", "configuration": {"tile": [3, 4]}}, Grid(tile=(3, 4))),
        ("tiler", {"name": "grid", "distribution": "tilewright", "version": "0"}, Grid()),
        ("tiler", Auto, Auto()),
        ("merger", "overlap", Overlap()),
        ("segmenter", labels_of, labels_of),
        ("segmenter", "lab-function", labels_of),
        ("segmenter", "lab", Lab()),
        ("segmenter", {"name": "lab", "configuration": {"size": 5, "names": ["a"]}}, Lab(size=5.0, names=("a",))),
    ],
)
def test_a_component_can_be_said_in_four_ways(kind: Kind, said: Any, meant: Any) -> None:
    assert component(kind, said) == meant


@pytest.mark.parametrize("said", [5, None, 2.5, ["grid"], b"grid"])
def test_what_is_no_component_is_refused_with_the_ways_to_name_one(said: Any) -> None:
    with pytest.raises(InvalidOption, match=r"is not a tiler; give a name, an instance, a function, or \{'name'"):
        component("tiler", said)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"configuration": {"tile": 3}},
        {"name": 5},
        {"name": "grid", "options": {"tile": 3}},
        {"name": "grid", "configuration": [3]},
        {"name": "grid", "tile": 3},
    ],
)
def test_a_mapping_of_another_form_is_refused(said: Any) -> None:
    with pytest.raises(InvalidOption, match=r"is not a tiler; write \{'name': \.\.\., 'configuration'"):
        component("tiler", said)


def test_a_name_of_another_kind_is_unknown() -> None:
    with pytest.raises(UnknownComponent, match="no installed plugin offers a tiler 'touch'"):
        component("tiler", "touch")


@pytest.mark.parametrize("said", ["lab-function", "lab-plain"])
def test_options_for_what_has_none_are_refused(said: str) -> None:
    with pytest.raises(InvalidOption, match=f"segmenter '{said}' of .* has no options, but was given mode, size"):
        component("segmenter", {"name": said, "configuration": {"size": 1, "mode": "x"}})


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("tiler", Grid()),
        ("tiler", Grid(tile=(1, 2, 3), halo=4)),
        ("tiler", Auto(memory=5)),
        ("merger", Touch(connectivity=3)),
        ("merger", Overlap(free=0.25)),
        ("segmenter", Lab(size=0.1, names=("a", "b"), mode=None)),
        ("segmenter", labels_of),
    ],
)
def test_a_component_comes_back_from_its_record_through_json(kind: Kind, thing: Callable[..., Any]) -> None:
    record = configuration(kind, thing)
    assert component(kind, json.loads(json.dumps(record))) == thing
    assert record["distribution"]
    assert record["version"]


def test_a_record_holds_all_options_with_their_defaults_and_who_brought_it() -> None:
    from tilewright import __version__

    assert configuration("tiler", Grid(tile=5)) == {
        "name": "grid",
        "configuration": {"tile": 5, "halo": None},
        "distribution": "tilewright",
        "version": __version__,
    }


def test_a_component_whose_package_exports_it_from_elsewhere_is_still_its_plugins(site: Path) -> None:
    package = site / "lab_pack"
    package.mkdir()
    (package / "deep.py").write_text(
        "from dataclasses import dataclass\n\n\n@dataclass(frozen=True, kw_only=True)\nclass Deep:\n    n: int = 1\n\n"
        "    def __call__(self, pixels):\n        return pixels\n\n\ndef flat(pixels):\n    return pixels\n"
    )
    (package / "__init__.py").write_text("from .deep import Deep, flat\n")
    install(site, "lab-deep", offers("segmenter", "deep", target="lab_pack:Deep"))
    install(site, "lab-flat", offers("segmenter", "flat", target="lab_pack:flat"))
    for name in ("deep", "flat"):
        made = component("segmenter", name)
        assert name_of("segmenter", made) == name
        assert configuration("segmenter", made)["distribution"] == f"lab-{name}"
        Pipeline(segmenter=made).save(site / "pipeline.json")
        assert Pipeline.load(site / "pipeline.json") == Pipeline(segmenter=made)


def test_an_instance_of_a_plain_class_is_its_plugins() -> None:
    made = component("segmenter", "lab-plain")
    assert isinstance(made, Plain)
    assert name_of("segmenter", made) == "lab-plain"
    assert configuration("segmenter", made)["distribution"] == "register(lab)"


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (np.sum, "numpy.sum"),
        (functools.partial(np.sum, axis=0), "numpy.sum"),
        (lambda pixels: pixels, f"{__name__}.<lambda>"),
    ],
)
def test_what_no_plugin_offers_is_recorded_by_where_it_is_and_without_a_distribution(thing: Any, name: str) -> None:
    record = configuration("segmenter", thing)
    assert record["name"] == name == name_of("segmenter", thing)
    assert "distribution" not in record


def test_numpys_numbers_are_recorded_as_plain_ones_and_what_is_no_plain_value_as_its_text() -> None:
    assert configuration("segmenter", Lab(size=np.float32(2.5)))["configuration"]["size"] == 2.5
    assert configuration("tiler", Grid(tile=(np.int64(3), 4)))["configuration"]["tile"] == [3, 4]
    assert configuration("segmenter", Lab(size=np.ones(2)))["configuration"]["size"] == "array([1., 1.])"  # type: ignore[arg-type]  # on purpose
