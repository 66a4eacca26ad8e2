"""Options read from source: the same as the imported class has, or none at all."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tilewright.cli.schema import written_options
from tilewright.cli.source import Unreadable
from tilewright.components.options import options_of

SHAPES = '''
from __future__ import annotations

import dataclasses
import math
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

from .constants import HELP, LIMIT as HIGHEST, Base
from . import constants

T = TypeVar("T")
SIZE = 2 * HIGHEST


@dataclass(frozen=True, kw_only=True)
class Plain:
    needed: int
    size: int = 128 * 2**20
    negative: float = -0.5
    mode: Literal["a", "b"] = "a"
    axes: tuple[int, ...] | None = (1, 2)
    named: int = SIZE
    endless: float = float("inf")


@dataclasses.dataclass(frozen=True)
class Fields(Generic[T]):
    shared: ClassVar[int] = 3
    _: KW_ONLY
    passing: InitVar[int] = 1
    names: list[str] = field(default_factory=list)
    pairs: dict[str, int] = field(default_factory=lambda: {"a": 1})
    helped: int = field(default=3, metadata={"help": HELP})
    long: int = field(default=3, metadata={"help": "in two "
                                                   "pieces"})
    hidden: int = field(default=0, init=False)
    bare: int = field(kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Derived(Base):
    size: int = Plain.size
    halo: int | None = Base.halo
    own: "int" = 3


class Undecorated(Plain):
    extra: int = 3


class NoOptions:
    """A class that is no dataclass."""

    def __call__(self, pixels):
        return pixels


def function(pixels):
    return pixels
'''

CONSTANTS = """
from dataclasses import dataclass, field

HELP = "what it is"
LIMIT = 21


@dataclass(frozen=True, kw_only=True)
class Base:
    first: int = 1
    size: "int" = 2
    halo: int | None = field(default=None, metadata={"help": HELP})
"""

UNKNOWABLE = """
from dataclasses import dataclass, field, make_dataclass
import functools
import math

def option(default):
    return field(default=default)

def decorated(cls):
    return cls

made = make_dataclass("made", ["a"])
other = functools.partial(option, 3)

@dataclass
class ComputedField:
    a: int = option(3)

@dataclass
class ComputedBase(made):
    b: int = 3

@decorated
@dataclass
class Decorated:
    a: int = 3

@dataclass
class Metaclass(metaclass=type):
    a: int = 3

if math.pi > 3:
    class Conditional:
        pass
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package on the path of which no module has been imported."""
    folder = tmp_path_factory.mktemp("schema")
    home = folder / "clischema"
    home.mkdir()
    (home / "__init__.py").write_text("from .shapes import Plain as Renamed\n")
    for name, text in (("shapes", SHAPES), ("constants", CONSTANTS), ("unknowable", UNKNOWABLE)):
        (home / f"{name}.py").write_text(text)
    (home / "wrong.py").write_text("class (:\n")
    (home / "written.py").write_text(
        "import math\nfrom dataclasses import dataclass\n@dataclass\nclass Some:\n    a: float = math.inf\n"
    )
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield "clischema"
    sys.path.remove(str(folder))


TARGETS = ["shapes:Plain", "shapes:Fields", "shapes:Derived", "shapes:Undecorated", "shapes:NoOptions"]


@pytest.mark.parametrize("target", [*TARGETS, "shapes:function", "constants:Base"])
def test_the_source_says_what_the_class_says(package: str, target: str) -> None:
    written = written_options(f"{package}.{target}")
    module, name = target.split(":")
    assert written == options_of(getattr(importlib.import_module(f"{package}.{module}"), name))


def test_a_name_that_a_package_imports_is_followed(package: str) -> None:
    assert written_options(f"{package}:Renamed") == written_options(f"{package}.shapes:Plain")


def test_a_default_that_is_no_constant_is_shown_as_written(package: str) -> None:
    assert [option.default for option in written_options(f"{package}.written:Some")] == ["math.inf"]


@pytest.mark.parametrize(
    "target",
    [
        "unknowable:ComputedField",
        "unknowable:ComputedBase",
        "unknowable:Decorated",
        "unknowable:Metaclass",
        "unknowable:Conditional",
        "unknowable:made",
        "unknowable:absent",
        "wrong:Class",
        "nowhere:Class",
    ],
)
def test_what_the_source_leaves_open_is_not_guessed(package: str, target: str) -> None:
    with pytest.raises(Unreadable):
        written_options(f"{package}.{target}")


def test_a_module_without_python_source_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no Python source"):
        written_options("time:sleep")


def test_reading_the_source_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clinever.py").write_text("class Model:\n    pass\nraise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert written_options("clinever:Model") == ()
    assert "clinever" not in sys.modules
