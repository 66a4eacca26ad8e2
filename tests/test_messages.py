"""What a refused value is answered with, for every option of every component that is installed and of every run."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, LiteralString, NewType, Optional, Protocol, TypeVar, Union

import pytest

import tilewright
from tilewright import InvalidOption
from tilewright.components.options import build, options_of
from tilewright.components.registry import registry
from tilewright.components.resolve import component
from tilewright.components.specs import KINDS, Kind
from tilewright.run_options import RunOptions

SYNTAX = re.compile(
    r"Union\[|Literal\[|Optional\[|\w\[|<class|typing\.|\||__init__|NoneType|Any\b|\bstr\b|\bint\b|\bfloat\b"
)


class Nothing:
    """A value of a type that no option has."""

    def __repr__(self) -> str:
        return "NOTHING"


def installed() -> Iterator[tuple[Kind, str, str]]:
    for kind in KINDS:
        for one in registry().components(kind):
            if one.distribution.startswith("tilewright"):
                yield from ((kind, one.spec.name, option.name) for option in options_of(one.spec.load()))


def refused(*call: Any, **options: Any) -> str:
    with pytest.raises(InvalidOption) as raised:
        call[0](*call[1:], **options)
    message = str(raised.value)
    assert not SYNTAX.search(message), f"{message} has Python's syntax of types"
    return message


@pytest.mark.parametrize(("kind", "name", "option"), list(installed()))
def test_an_option_of_a_component_names_what_it_takes_in_plain_words(kind: Kind, name: str, option: str) -> None:
    for value, shown in ((Nothing(), "NOTHING"), ([[Nothing()]], "[[NOTHING]]"), ({"a": Nothing()}, "{'a': NOTHING}")):
        message = refused(component, kind, {"name": name, "configuration": {option: value}})
        assert re.fullmatch(rf"{kind} '{name}'( of \S+ \S+)?: {option} must be .+, not {re.escape(shown)}", message)


@pytest.mark.parametrize("option", [each.name for each in dataclasses.fields(RunOptions)])
def test_an_option_of_a_run_does_so_too(option: str) -> None:
    assert re.fullmatch(rf"{option} must be .+, not NOTHING", refused(RunOptions, **{option: Nothing()}))


REQUIRED = {"Sequence[int]": (4, 4), "float": 1.0}  # a value for an argument that has no default, by its annotation


def arguments() -> Iterator[tuple[str, str]]:
    for name in tilewright.__all__:
        function = getattr(tilewright, name)
        if hasattr(function, "__wrapped__") and not isinstance(function, type):
            for each in inspect.signature(function).parameters.values():
                if each.annotation != "Any" and each.kind is not each.VAR_KEYWORD:
                    yield name, each.name


@pytest.mark.parametrize(("name", "argument"), list(arguments()))
def test_an_argument_of_a_function_does_so_too(name: str, argument: str) -> None:
    function = getattr(tilewright, name)
    parameters = inspect.signature(function).parameters.values()
    given = {
        each.name: REQUIRED.get(str(each.annotation), Nothing())
        for each in parameters
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }
    assert re.fullmatch(rf"{argument} must be .+, not NOTHING", refused(function, **given | {argument: Nothing()}))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Optional[int], "a whole number or None"),  # noqa: UP045 - as an author of today may write it
        (Union[float, Literal["otsu"]], 'a number or "otsu"'),  # noqa: UP007 - likewise
        (NewType("Pixels", int), "a whole number"),
        (frozenset[str], "a set"),
        (Iterable[int], "an Iterable"),
        (tuple[()], "a sequence of nothing"),
        (dict[str, list[int]], "a mapping"),
        (Annotated[int, "of pixels"], "a whole number"),
        (type[int], "a type"),
    ],
)
def test_any_type_that_an_author_may_write_has_words(wanted: Any, words: str) -> None:
    made = dataclasses.make_dataclass("Made", [("option", wanted)], kw_only=True, frozen=True)
    assert refused(build, made, {"option": Nothing()}, "x") == f"x: option must be {words}, not NOTHING"


@pytest.mark.parametrize("wanted", [TypeVar("T"), type("Asked", (Protocol,), {}), LiteralString])
def test_a_type_that_cannot_be_asked_refuses_nothing(wanted: Any) -> None:
    value = Nothing()
    made = dataclasses.make_dataclass("Made", [("option", wanted)], kw_only=True, frozen=True)
    assert build(made, {"option": value}, "x").option is value
