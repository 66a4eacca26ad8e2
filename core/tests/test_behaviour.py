"""A run goes on from an earlier one's tiles only if its function would do the same: what tells functions apart."""

from __future__ import annotations

import decimal
import enum
import fractions
import functools
import os
import pathlib
import re
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tilewright.engine.code_identity import behaviour

Make = Callable[[int], Any]


class Held:
    def __init__(self, value: object) -> None:
        self.value = value

    def helper(self, pixels: Any) -> Any:
        return pixels > self.value

    def __call__(self, pixels: Any) -> Any:
        return self.helper(pixels)


class Slots:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


@dataclass
class Record:
    value: object


class Choice(enum.Enum):
    ONE = 1
    TWO = 2


VALUES: dict[str, Make] = {
    "a number": int,
    "a number of numpy's": np.uint16,
    "a float of numpy's": np.float32,
    "a tuple of numpy's numbers": lambda n: (np.int64(n),),
    "a list in a dict": lambda n: {"a": [n]},
    "a set": lambda n: {n, 99},
    "an instance": Held,
    "an instance in an instance": lambda n: Held(Held(n)),
    "a list in an instance": lambda n: Held([n]),
    "an instance with slots": Slots,
    "a dataclass in another": lambda n: Record(Record(n)),
    "a namespace": lambda n: types.SimpleNamespace(a=n),
    "a member of an enumeration": Choice,
    "a path": lambda n: pathlib.Path(str(n)),
    "a pattern": lambda n: re.compile(str(n)),
    "a range": range,
    "a slice": slice,
    "a fraction": lambda n: fractions.Fraction(1, n + 1),
    "a decimal": decimal.Decimal,
    "bytes that may change": lambda n: bytearray([n]),
    "a partial": lambda n: functools.partial(max, n),
    "a function": lambda n: lambda pixels: pixels > n,
    "an array": lambda n: np.full(3, n),
    "an array of objects": lambda n: np.array([n, "a"], object),
}


def closing_over(value: object) -> Any:
    return lambda pixels: pixels > value


def with_global(value: object) -> Any:
    script: dict[str, Any] = {"__name__": "script", "value": value}
    exec("def above(pixels):\n    return [pixels > value for _ in range(1)]", script)  # a script edited between runs
    return script["above"]


def with_default(value: object) -> Any:
    def above(pixels: Any, value: object = value) -> Any:
        return pixels > value

    return above


@pytest.mark.parametrize("holds", [closing_over, with_global, with_default, Held, lambda value: Held(value).helper])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_function_that_works_with_another_value_is_another(value: Make, holds: Callable[[object], Any]) -> None:
    assert behaviour(holds(value(1))) == behaviour(holds(value(1)))
    assert behaviour(holds(value(1))) != behaviour(holds(value(2)))


EDITED = {
    "a method that is called": "class K:\n  def f(s, p): return p > {}\n  def __call__(s, p): return s.f(p)",
    "an inherited call": "class B:\n  def __call__(self, p): return p > {}\nclass K(B): pass",
    "an attribute of the class": "class K:\n  least = {}\n  def __call__(self, p): return p > self.least",
    "a property": "class K:\n  @property\n  def f(self): return {}\n  def __call__(self, p): return p > self.f",
    "a cached helper": "import functools\n@functools.cache\ndef f(p): return p > {}\nK = lambda: lambda p: f(p)",
    "a wrapper of something installed": (
        "import functools, json\n@functools.wraps(json.dumps)\ndef f(p): return p > {}\nK = lambda: lambda p: f(p)"
    ),
}


@pytest.mark.parametrize("text", EDITED.values(), ids=EDITED)
def test_code_that_a_function_calls_belongs_to_it(text: str) -> None:
    def edited(number: int) -> Any:
        script: dict[str, Any] = {"__name__": "script"}
        exec(text.format(number), script)  # as above
        return script["K"]()

    assert behaviour(edited(1)) == behaviour(edited(1))
    assert behaviour(edited(1)) != behaviour(edited(2))


def test_methods_that_could_change_a_value_do_not_hide_it() -> None:
    class Table:
        def __init__(self, value: int) -> None:
            self.table = {"value": value}

        def remember(self, key: str, value: int) -> None:
            self.table.update({key: value})
            self.table.setdefault(key, value)

        def __call__(self, pixels: Any) -> Any:
            return pixels > self.table["value"]

    assert behaviour(Table(1)) == behaviour(Table(1))
    assert behaviour(Table(1)) != behaviour(Table(2))


def test_a_list_that_an_object_is_made_with_belongs_to_it() -> None:
    class Made:
        def __init__(self, value: int) -> None:
            self.values: list[int] = []
            self.values.append(value)

        def __call__(self, pixels: Any) -> Any:
            return pixels > self.values[0]

    assert behaviour(Made(1)) == behaviour(Made(1))
    assert behaviour(Made(1)) != behaviour(Made(2))


def test_an_object_that_holds_itself_or_a_lock_is_described_once() -> None:
    held = Held([threading.Lock()])
    held.value.append(held)  # type: ignore[attr-defined]  # the list
    assert behaviour(held) == behaviour(held)


def test_what_is_too_deep_to_be_followed_is_never_taken_for_the_same() -> None:
    deep = Held(0)
    for _ in range(5000):
        deep = Held(deep)
    assert behaviour(deep) != behaviour(deep)


HASHED = """
from tilewright.engine.code_identity import behaviour
names = {"DAPI", "GFP", "RFP", "nuclei", "cells"}
def chosen(pixels):
    return {len(name) for name in names} | {"a", "b", "c"}
print(behaviour(chosen))
"""


def test_the_text_is_the_same_in_every_process_whatever_its_hash_seed() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", HASHED], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "2", "3")
    }
    assert len(texts) == 1
