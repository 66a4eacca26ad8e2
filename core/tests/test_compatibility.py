"""What docs/reference/compatibility.md promises to the authors of plugins."""

from __future__ import annotations

import dataclasses

import pytest

import tilewright
from tilewright import Spec, hookimpl
from tilewright.components import hookspecs
from tilewright.components.discovery import Plugin, read_plugin

VALUES = [
    name
    for name in tilewright.__all__
    if isinstance(getattr(tilewright, name), type) and dataclasses.is_dataclass(getattr(tilewright, name))
]


class Hooks:
    @hookimpl
    def tilewright_segmenters(self) -> list[Spec]:
        return [Spec(name="spots", target="spots:Spots")]


def test_a_hook_that_goes_warns_its_plugins_and_works_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    going = hookspecs.tilewright_segmenters.tilewright_spec  # type: ignore[attr-defined]  # where pluggy keeps it
    monkeypatch.setitem(going, "warn_on_impl", DeprecationWarning("implement tilewright_finders"))
    with pytest.warns(DeprecationWarning, match="implement tilewright_finders"):
        read = read_plugin(Hooks(), Plugin(name="spots", distribution="spots", version="1"))
    assert [component.spec.name for component in read.components] == ["spots"]


@pytest.mark.parametrize("name", VALUES)
def test_fields_are_given_by_name_so_that_more_can_come(name: str) -> None:
    positional = [
        field.name for field in dataclasses.fields(getattr(tilewright, name)) if field.init and not field.kw_only
    ]
    assert positional == (["data", "axes"] if name == "Image" else [])
