"""The kit's tests on what is installed, without pytest: a plugin's package, and its components by default."""

from __future__ import annotations

import inspect
import tempfile
import traceback
import unittest
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ..abc.traits import MergerTraits, SinkTraits, declared
from ..components.discovery import Component, Plugin
from ..components.isolation import contained, describe
from ..components.options import options_of, parse
from ..components.resolve import component, made
from ..errors import InvalidOption
from ..io.formats import read
from ..storage.location import Location
from .kit import Kit
from .measurers import MeasurerTests
from .mergers import MergerTests
from .networks import NetworkTests
from .owners import OwnerTests
from .plugins import PluginTests
from .readers import ReaderTests, Sample
from .segmenters import SegmenterTests
from .tables import TableTests
from .tilers import TilerTests
from .transforms import TransformTests
from .writers import WriterTests

__all__ = ["Finding", "examine"]

HERE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one test found of a package or component.

    message: what was measured if it passed, possibly nothing; else what is wrong, in words for the author.
    """

    subject: str
    test: str
    outcome: Literal["passed", "wrong", "left out"]
    message: str = ""


def examine(plugin: Plugin, image: Path | None = None, texts: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Test a plugin and all its components.

    image: a file for its readers, which are left out without one.
    texts: options of its components, as texts; the default ones if there are none.
    """
    if plugin.error:
        yield Finding(subject=f"package {plugin.target}", test="it can be used", outcome="wrong", message=plugin.error)
        return
    yield from _tried(f"package {plugin.target}", PluginTests, plugin=plugin.target)
    for one in plugin.components:
        subject = f"{one.kind} {one.spec.name}"
        try:
            yield from _of_component(subject, one, _made(one, texts or {}), image)
        except unittest.SkipTest as reason:
            yield Finding(subject=subject, test="it works", outcome="left out", message=str(reason))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's component raises is a finding
            yield Finding(subject=subject, test="it can be made", outcome="wrong", message=_with_place(error))


def _of_component(subject: str, one: Component, made: Callable[..., Any], image: Path | None) -> Iterator[Finding]:
    match one.kind:
        case "reader":
            yield from _tried(subject, ReaderTests, sample=_sample(one, made, image))
        case "transform":
            yield from _tried(subject, TransformTests, transform=made)
        case "segmenter":
            tests = SegmenterTests if declared(made, "windows") is None else NetworkTests
            yield from _tried(subject, tests, segmenter=made)
        case "merger":
            yield from _tried(subject, _merger_tests(made), merger=made)
        case "tiler":
            yield from _tried(subject, TilerTests, tiler=made)
        case "writer":
            yield from _tried(subject, _SilentWriters, writer=made)
        case "measurer":
            yield from _tried(subject, MeasurerTests, measurer=made)
        case "table":
            yield from _tried(subject, _SilentTables, table=made)


def _made(one: Component, texts: Mapping[str, str]) -> Callable[..., Any]:
    with contained():
        target = one.spec.load()
    given = parse(target, texts)
    needed = [option.name for option in options_of(target) if not option.default and option.name not in given]
    if needed:
        said = " ".join(f"--set {name}=VALUE" for name in needed)
        raise unittest.SkipTest(
            f"{', '.join(needed)} must be given, so there is no {one.kind} to try; say `tilewright check "
            f"{one.spec.name} {said}`, or inherit the test class of tilewright.testing and give it one"
        )
    return made(one.kind, target, given) if texts else component(one.kind, target)


def _sample(one: Component, reader: Callable[..., Any], path: Path | None) -> Sample:
    if path is None:
        raise unittest.SkipTest("a reader is tried on a file: name one with --image")
    found = read(reader, Location.of(path))
    facts = {name: getattr(found, name) for name in ("axes", "spacing", "units", "channels")}
    return Sample(reader=one.spec.name, path=path, **facts)


def _merger_tests(made: object) -> type[Kit]:
    if MergerTraits.of(made).owns:
        return OwnerTests
    return _without(MergerTests, {"test_law_3_objects_that_touch_stay_apart": "it decides nothing, as for components"})


class _Silent:
    """Leaves out tests of what cannot be read."""

    def read(self, path: Path, sink: Any) -> Any:
        if SinkTraits.of(sink).read is None:
            raise unittest.SkipTest("the sink has no read(), so nobody here can see what was written")
        return super().read(path, sink)  # type: ignore[misc]  # of the class that it is mixed into


class _SilentWriters(_Silent, WriterTests):
    dtypes = ("uint32",)  # which other dtypes it should hold is not known here
    leave_out: ClassVar = {"test_ids_that_the_format_cannot_hold_are_refused": "it may hold them"}


class _SilentTables(_Silent, TableTests):
    def _open(self, table: Any, path: Path, workdir: Path, rows: Any) -> Any:
        try:
            return super()._open(table, path, workdir, rows)
        except InvalidOption as error:
            reason = str(error).replace(str(path), path.name)
            raise unittest.SkipTest(
                f"it does not take the table that is tried ({reason}); inherit TableTests, and override what it needs"
            ) from error


def _without(tests: type[Kit], reasons: dict[str, str]) -> type[Kit]:
    return type(tests.__name__, (tests,), {"leave_out": reasons})


def _tried(subject: str, tests: type[Kit], **values: Any) -> Iterator[Finding]:
    for name in (name for name in _names(tests) if name.startswith("test_")):
        with tempfile.TemporaryDirectory(prefix="tilewright-check-") as folder:
            yield _outcome(subject, name, tests(), values | {"tmp_path": Path(folder)})


def _outcome(subject: str, name: str, tests: Kit, values: dict[str, Any]) -> Finding:
    sentence, test = name.removeprefix("test_").replace("_", " "), getattr(tests, name)
    tests.loud = False
    try:
        with contained():
            test(**{wanted: values[wanted] for wanted in inspect.signature(test).parameters})
    except unittest.SkipTest as reason:
        return Finding(subject=subject, test=sentence, outcome="left out", message=str(reason))
    except AssertionError as error:
        return Finding(subject=subject, test=sentence, outcome="wrong", message=str(error) + _place(error.__cause__))
    except Exception as error:  # noqa: BLE001 - as above
        return Finding(subject=subject, test=sentence, outcome="wrong", message=_with_place(error))
    return Finding(subject=subject, test=sentence, outcome="passed", message="; ".join(tests.notes))


def _with_place(error: BaseException) -> str:
    return describe(error) + _place(error)


def _place(error: BaseException | None) -> str:
    """Where in the author's own code an error came up; nothing for one of ours."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    ours = [Path(frame.filename).is_relative_to(HERE) for frame in frames]
    called = frames[len(ours) - ours[::-1].index(True) :] if True in ours else []
    if not called:
        return ""
    folder = Path(called[0].filename).parent
    last = [frame for frame in called if Path(frame.filename).is_relative_to(folder)][-1]
    return f" (in {Path(last.filename).name}, line {last.lineno})"


def _names(tests: type[Kit]) -> list[str]:
    """The names of a class's tests in the order in which they are written, inherited ones first."""
    return list(dict.fromkeys(name for base in reversed(tests.__mro__) for name in vars(base)))
