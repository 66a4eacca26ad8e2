"""The options of a component: one table of what is taken for which type, from Python, files and the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, Optional, Union

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import Grid, InvalidOption
from tilewright.components.options import Option, build, checked_arguments, options_of, parse
from tilewright.components.resolve import component


@dataclass(frozen=True, kw_only=True)
class Everything:
    """One option of each type that components use."""

    count: int = 1
    share: float = 0.5
    flag: bool = False
    name: str = "a"
    mode: Literal["near", "far", 3] = "near"
    threshold: float | Literal["otsu"] = "otsu"
    channel: int | str | None = None
    model: str | None = None
    tile: int | tuple[int, ...] | None = None
    pair: tuple[float, float] = (0.0, 1.0)
    boxes: tuple[tuple[int, int], ...] = ()
    old: Optional[int] = None  # noqa: UP045 - people write it so
    older: Union[int, float] = 0  # noqa: UP007 - likewise
    listed: list[int] = field(default_factory=list)
    table: dict[str, int] = field(default_factory=dict)
    mapping: Mapping[str, int] = field(default_factory=dict)
    mixed: tuple[float, str] = (0.0, "")
    channels: Sequence[int | str] = ()
    names: tuple[str, ...] | None = ()
    folder: str | Path | None = None
    told: Callable[[int], None] | None = None
    moment: date = date.min
    two: tuple[str, str] = ("a", "b")
    anything: Any = None


TAKEN = [
    ("count", 3, 3),
    ("share", 3, 3.0),
    ("share", 0.25, 0.25),
    ("share", math.inf, math.inf),
    ("flag", True, True),
    ("name", "1", "1"),
    ("mode", "far", "far"),
    ("mode", 3, 3),
    ("threshold", "otsu", "otsu"),
    ("threshold", 7, 7.0),
    ("channel", 0, 0),
    ("channel", "DAPI", "DAPI"),
    ("channel", None, None),
    ("model", None, None),
    ("tile", 5, 5),
    ("tile", [1, 2], (1, 2)),
    ("tile", (1, 2), (1, 2)),
    ("tile", [], ()),
    ("tile", None, None),
    ("pair", [1, 2.5], (1.0, 2.5)),
    ("boxes", [[1, 2], [3, 4]], ((1, 2), (3, 4))),
    ("old", None, None),
    ("old", 4, 4),
    ("older", 1.5, 1.5),
    ("older", 2, 2),
    ("listed", [1], [1]),
    ("table", {"a": 1}, {"a": 1}),
    ("mapping", {"a": 1}, {"a": 1}),
    ("mixed", [1, "a"], (1.0, "a")),
    ("channels", ["DAPI", np.int64(1)], ("DAPI", 1)),
    ("channels", range(2), (0, 1)),
    ("folder", Path("here"), Path("here")),
    ("folder", "here", "here"),
    ("told", print, print),
    ("moment", date.max, date.max),
    ("anything", {1, 2}, {1, 2}),
    ("count", np.int64(3), 3),
    ("count", np.uint8(3), 3),
    ("share", np.float32(0.5), 0.5),
    ("share", np.int64(3), 3.0),
    ("flag", np.True_, True),
    ("name", np.str_("a"), "a"),
    ("tile", np.int32(5), 5),
    ("tile", np.array([1, 2]), (1, 2)),
    ("tile", (np.int64(1), 2), (1, 2)),
    ("pair", np.array([0.5, 1]), (0.5, 1.0)),
]

REFUSED = [
    ("count", 3.0, "a whole number"),
    ("count", 2.5, "a whole number"),
    ("count", True, "a whole number"),
    ("count", np.True_, "a whole number"),
    ("count", "3", "a whole number"),
    ("count", None, "a whole number"),
    ("share", True, "a number"),
    ("share", "0.5", "a number"),
    ("share", 10**400, "a number"),
    ("flag", 1, "True or False"),
    ("flag", np.int8(1), "True or False"),
    ("flag", "yes", "True or False"),
    ("name", 1, "text"),
    ("mode", "middle", '"near", "far" or 3'),
    ("mode", 3.0, '"near", "far" or 3'),
    ("mode", True, '"near", "far" or 3'),
    ("threshold", "Otsu", 'a number or "otsu"'),
    ("threshold", None, 'a number or "otsu"'),
    ("channel", 1.5, "a whole number, text or None"),
    ("channel", True, "a whole number, text or None"),
    ("model", 1, "text or None"),
    ("tile", 2.5, "a whole number, a sequence of whole numbers or None"),
    ("tile", [1, 2.5], "a whole number, a sequence of whole numbers or None"),
    ("tile", [1, True], "a whole number, a sequence of whole numbers or None"),
    ("tile", "12", "a whole number, a sequence of whole numbers or None"),
    ("tile", {1, 2}, "a whole number, a sequence of whole numbers or None"),
    ("tile", np.eye(2, dtype=int), "a whole number, a sequence of whole numbers or None"),
    ("pair", [1], "a sequence of 2 numbers"),
    ("pair", [1, 2, 3], "a sequence of 2 numbers"),
    ("boxes", [[1, 2], [3]], "a sequence of sequences of 2 whole numbers"),
    ("mixed", [1, 2], "a sequence of a number and text"),
    ("channels", [0, 1.5], "a sequence of whole numbers or text"),
    ("listed", (1,), "a list"),
    ("table", [("a", 1)], "a mapping"),
    ("folder", 3, "text, a path or None"),
    ("told", True, "a function or None"),
    ("moment", 3, "a date"),
]


@pytest.mark.parametrize(("name", "value", "meant"), TAKEN)
def test_a_value_of_the_right_type_is_taken_and_converted(name: str, value: Any, meant: Any) -> None:
    made = getattr(build(Everything, {name: value}, "segmenter 'x'"), name)
    assert made == meant
    assert type(made) is type(meant)


@pytest.mark.parametrize(("name", "value", "wanted"), REFUSED)
def test_a_value_of_another_type_is_refused_with_both(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        build(Everything, {name: value}, "segmenter 'x'")
    message, shown = str(raised.value), " ".join(repr(value).split())
    assert message == f"segmenter 'x': {name} must be {wanted}, not {shown[:100]}{'…' * (len(shown) > 100)}"


def test_a_value_whose_text_is_long_is_shortened_in_the_message() -> None:
    for value in (np.zeros((50, 50)), -(10**5000)):  # Python refuses to write a number of so many digits
        with pytest.raises(InvalidOption) as raised:
            build(Everything, {"tile": (value, 1.5)}, "x")
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 200


@checked_arguments
def cut(image: Any, length: int, *, names: Sequence[str] = (), halo: float = 0.0) -> tuple[Any, ...]:
    return image, length, names, halo


def test_the_arguments_of_a_function_are_converted_by_its_annotations() -> None:
    assert cut("x", np.int64(3), halo=1) == ("x", 3, (), 1.0)
    assert cut(image=b"", length=3, names=["a"]) == (b"", 3, ("a",), 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cut("x", 3.0), "length must be a whole number, not 3.0"),
        (lambda: cut("x", 3, names="ab"), "names must be a sequence of text, not 'ab'"),
        (lambda: cut("x", 3, halo=True), "halo must be a number, not True"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_its_name(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        call()
    assert str(raised.value) == message


def test_what_is_no_argument_of_a_function_is_a_type_error_as_ever() -> None:
    with pytest.raises(TypeError, match=r"cut\(\) got an unexpected keyword argument 'lenght'"):
        cut("x", lenght=3)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match=r"cut\(\) missing 1 required positional argument: 'length'"):
        cut("x")  # type: ignore[call-arg]  # on purpose


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("count", "3", 3),
        ("count", "-3", -3),
        ("share", "3", 3.0),
        ("share", "1e-3", 0.001),
        ("flag", "true", True),
        ("flag", "False", False),
        ("name", "1", "1"),
        ("name", "true", "true"),
        ("name", "none", "none"),
        ("name", "a, b", "a, b"),
        ("name", "", ""),
        ("mode", "far", "far"),
        ("mode", "3", 3),
        ("threshold", "otsu", "otsu"),
        ("threshold", "12.5", 12.5),
        ("channel", "1", 1),
        ("channel", "DAPI", "DAPI"),
        ("channel", '"1"', "1"),
        ("channel", "none", None),
        ("model", "none", None),
        ("model", "None", None),
        ("model", "3", "3"),
        ("model", "true", "true"),
        ("model", "nuclei,v2", "nuclei,v2"),
        ("model", "1,2", "1,2"),
        ("tile", "512", 512),
        ("tile", "1,512,512", (1, 512, 512)),
        ("tile", "[1, 2]", (1, 2)),
        ("tile", "1, 2", (1, 2)),
        ("tile", "none", None),
        ("pair", "0,1.5", (0.0, 1.5)),
        ("boxes", "[1, 2], [3, 4]", ((1, 2), (3, 4))),
        ("names", "DAPI", ("DAPI",)),
        ("names", "1, true", ("1", "true")),
        ("names", '["a, b"]', ("a, b",)),
        ("names", "none", None),
        ("names", "", ()),
        ("channels", "DAPI,1", ("DAPI", 1)),
        ("table", '{"a": 1}', {"a": 1}),
        ("anything", "free text", "free text"),
        ("two", "cells,nuclei", ("cells", "nuclei")),
        ("names", '["a,b", "c"]', ("a,b", "c")),
    ],
)
def test_text_from_the_command_line_becomes_what_the_option_takes(name: str, text: str, meant: Any) -> None:
    made = getattr(build(Everything, parse(Everything, {name: text}), "segmenter 'x'"), name)
    assert made == meant
    assert type(made) is type(meant)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "3.5"),
        ("count", "three"),
        ("count", "9" * 5000),
        ("tile", "[" * 10**5),
        ("flag", "1"),
        ("tile", "1,x"),
        ("pair", "1"),
        ("two", "cells"),
        ("old", "x"),
    ],
)
def test_text_that_is_nothing_the_option_takes_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidOption, match=f"segmenter 'x': {name} must be"):
        build(Everything, parse(Everything, {name: text}), "segmenter 'x'")


@given(st.text())
def test_any_text_reaches_an_option_for_text_untouched(text: str) -> None:
    assert parse(Everything, {"name": text}) == {"name": text}


@given(st.integers() | st.floats(allow_nan=False) | st.booleans() | st.lists(st.integers(), min_size=2))
def test_a_value_written_as_text_is_read_as_itself(value: Any) -> None:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    assert parse(Everything, {"anything": text}) == {"anything": value} or math.isinf(float(text))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("cuont", "tiler 'grid' has no option 'cuont'; it has: tile, halo"),
        ("tiles", "tiler 'grid' has no option 'tiles'; did you mean 'tile'?"),
        ("haloes", "tiler 'grid' has no option 'haloes'; did you mean 'halo'?"),
        ("", "tiler 'grid' has no option ''; it has: tile, halo"),
    ],
)
def test_an_option_that_does_not_exist_is_refused_with_a_hint(option: str, said: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        build(Grid, {option: 3}, "tiler 'grid'")
    assert str(raised.value) == said


def test_an_option_that_has_to_be_given_is_named() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needy:
        weights: str

    with pytest.raises(InvalidOption, match=r"^segmenter 'x' needs its option 'weights', text; give it a value$"):
        build(Needy, {}, "segmenter 'x'")
    assert options_of(Needy) == (Option(name="weights", type="text", default="", help=""),)


def test_a_field_that_is_no_argument_is_no_option() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Prepared:
        scale: float = 1.0
        low: float = field(default=0.0, init=False)

    assert [option.name for option in options_of(Prepared)] == ["scale"]
    with pytest.raises(InvalidOption, match="has no option 'low'; it has: scale"):
        build(Prepared, {"low": 1.0}, "x")


def test_options_are_listed_with_type_default_and_help() -> None:
    assert options_of(Grid)[0] == Option(
        name="tile",
        type="a whole number, a sequence of whole numbers or None",
        default="None",
        help="core length, one for all spatial axes or one for each axis; None: the storage chunks",
    )
    listed = {option.name: option.default for option in options_of(Everything)}
    assert (listed["listed"], listed["mode"], listed["pair"]) == ("[]", "'near'", "(0.0, 1.0)")


@pytest.mark.parametrize("target", [len, lambda pixels: pixels, int])
def test_what_is_no_dataclass_has_no_options(target: Any) -> None:
    assert options_of(target) == ()
    assert parse(target, {"a": "1"}) == {"a": 1}


def test_what_a_component_says_of_its_own_options_is_passed_on() -> None:
    with pytest.raises(InvalidOption, match="connectivity must be at least 1, not 0"):
        component("merger", {"name": "touch", "configuration": {"connectivity": 0}})
