"""Whatever a component raises names it, its distribution, and what it was asked; and is the user's to catch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fakes import install
from scipy import ndimage

from tilewright import ComponentFailed, Grid, Image, InvalidOption, NotReadable, Pipeline, TilewrightError
from tilewright.cli import main
from tilewright.components.resolve import component
from tilewright.components.specs import FORMATS, KINDS, Kind
from tilewright.pipeline import PARTS

MASK = np.random.default_rng(0).random((40, 40)) < 0.5


def fails(*_: Any) -> Any:
    raise ZeroDivisionError("no\nluck")


class Unprepared:
    prepare = staticmethod(fails)

    def __call__(self, pixels: Any) -> Any:
        return pixels


class Unmeasured(Unprepared):
    prepare = None  # type: ignore[assignment]  # nothing to prepare
    memory = staticmethod(fails)


class Undecided:
    decide = staticmethod(fails)

    def __call__(self, seam: Any) -> Any:
        return np.zeros((0, 5), int)


class Unwritten:
    """A writer whose sink opens and cannot be filled."""

    def __init__(self, at: str) -> None:
        self.at = at

    def __call__(self, path: str, spec: Any) -> Any:
        return self

    def write(self, region: Any, labels: Any) -> None:
        if self.at == "write":
            fails()

    def finish(self, provenance: Any) -> None:
        if self.at == "finish":
            fails()


FAILING: dict[str, tuple[dict[str, Any], str]] = {
    "a tiler": ({"tiler": fails}, r"tiler '.*fails' raised .*, while cutting an image of axes yx and shape \(40, 40\)"),
    "prepare": ({"segmenter": Unprepared()}, r"segmenter '.*Unprepared' raised .*, while running prepare\(Image\("),
    "memory": ({"segmenter": Unmeasured(), "tiler": "auto"}, r"segmenter '.*Unmeasured' .* running memory\("),
    "a merger": (
        {"merger": fails},
        r"merger '.*fails' raised .*, while judging the seam of tiles \(0, 0\) and",
    ),
    "decide": (
        {"merger": Undecided(), "tiler": Grid(tile=20, halo=2)},
        r"merger '.*Undecided' .*, while deciding",
    ),
    "a writer": ({"writer": fails}, r"writer '.*fails' raised .*, while opening '.*labels'"),
    "a sink": ({"writer": Unwritten("write")}, r"writer '.*Unwritten' raised .*, while writing the block \(0, 0\)"),
    "its end": ({"writer": Unwritten("finish")}, r"writer '.*Unwritten' raised .*, while finishing '.*labels'"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_whatever_a_component_raises_says_whose_it_is_and_what_it_was_asked(kind: str, tmp_path: Path) -> None:
    parts, message = FAILING[kind]
    whole = {"segmenter": lambda pixels: ndimage.label(pixels)[0], "tiler": Grid(tile=20), "writer": "zarr-array"}
    with pytest.raises(ComponentFailed, match=message) as caught:
        Pipeline(**whole | parts).run(MASK, tmp_path / "labels", workers=1)
    assert "ZeroDivisionError: no luck" in str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert isinstance(caught.value, TilewrightError)
    assert isinstance(caught.value, RuntimeError)


def exhausted(*_: Any) -> Any:
    return next(iter(()))


@pytest.mark.parametrize("kind", ["tiler", "merger", "writer"])
def test_an_iterator_that_ends_is_an_error_like_any_other(kind: str, tmp_path: Path) -> None:
    parts = {"segmenter": lambda pixels: ndimage.label(pixels)[0], "tiler": Grid(tile=20), kind: exhausted}
    with pytest.raises(ComponentFailed, match=f"{kind} '.*exhausted' raised StopIteration, while ") as caught:
        Pipeline(**parts).run(MASK, tmp_path / "labels.zarr", workers=1)
    assert isinstance(caught.value.__cause__, StopIteration)


def test_a_reader_that_fails_is_named_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "image.lab").touch()
    with pytest.raises(
        NotReadable, match=r"reader '.*fails' raised ZeroDivisionError: no luck, while opening '.*image.lab'"
    ):
        Pipeline(segmenter=len, reader=fails).run(tmp_path / "image.lab", tmp_path / "labels.zarr")


def test_a_component_of_a_plugin_is_named_with_its_distribution(site: Path) -> None:
    hooks = (
        "from tilewright import Spec\n"
        "@hookimpl\ndef tilewright_segmenters():\n    return [Spec(name='odd', target='lab_odd:Odd')]\n"
        "class Odd:\n"
        "    def __call__(self, pixels):\n        raise SystemExit('no licence')\n"
    )
    install(site, "lab-odd", hooks)
    with pytest.raises(
        ComponentFailed, match=r"segmenter 'odd' of lab-odd .*, tile \(0, 0\) .* SystemExit: no licence"
    ):
        Pipeline(segmenter="odd").run(MASK)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"tiler": lambda image, needs: 3}, "tiler .* must return a TileGrid, not int"),
        (
            {"segmenter": type("Odd", (Unprepared,), {"prepare": lambda self, image: 3})()},
            "must return a segmenter from",
        ),
    ],
)
def test_what_is_not_what_was_asked_for_is_named_too(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        Pipeline(**{"segmenter": len} | parts).run(MASK)


def test_a_writer_that_returns_no_sink_is_named_before_any_work(tmp_path: Path) -> None:
    seen: list[int] = []
    with pytest.raises(ComponentFailed, match=r"returned int for .*labels', which has no write and no finish"):
        Pipeline(segmenter=seen.append, writer=lambda path, spec: 3).run(MASK, tmp_path / "labels")
    assert seen == []


def test_what_a_component_raises_on_purpose_stays_as_it_is() -> None:
    def refuses(image: Image, needs: Any) -> Any:
        raise InvalidOption("tiles must be odd")

    with pytest.raises(InvalidOption, match=r"^tiles must be odd$"):
        Pipeline(segmenter=len, tiler=refuses).run(MASK)


# What a constructor raises

ODD_HOOKS = "\n".join(
    f"@hookimpl\ndef tilewright_{kind}s():\n"
    f"    return [{'FormatSpec' if kind in FORMATS else 'Spec'}(name=name, target='lab_odd_parts:' + name."
    "title().replace('-', '')) for name in ('odd', 'odd-plain', 'odd-init-var', 'odd-untyped')]\n"
    for kind in KINDS
)

ODD_PARTS = """
from __future__ import annotations
from dataclasses import InitVar, dataclass
import json

@dataclass(frozen=True, kw_only=True)
class Odd:
    how: str = ""
    size: float = 1.0

    def __post_init__(self):
        if self.how == "TypeError":
            "a" + 1
        if self.how == "ValueError":
            json.loads("")
        if self.how == "KeyError":
            {}[self.how]
        if self.how == "FileNotFoundError":
            open("/no/such/weights")
        if self.how == "InvalidOption":
            from tilewright.errors import InvalidOption
            raise InvalidOption(f"size must be odd, not {self.size}")
        if self.how == "ZeroDivisionError":
            1 / 0
        if self.how == "StopIteration":
            next(iter(()))
        if self.how == "ImportError":
            import a_library_that_nobody_has
        if self.how:
            raise SystemExit(self.how)

    def __call__(self, *args):
        pass

class OddPlain:
    def __init__(self, *, kind, size=3):
        pass
    __call__ = Odd.__call__

@dataclass(frozen=True, kw_only=True)
class OddInitVar:
    kind: InitVar[str]
    size: int = 3
    __call__ = Odd.__call__

@dataclass(frozen=True, kw_only=True)
class OddUntyped:
    size: Nothing = 3
    __call__ = Odd.__call__
"""

ODD: dict[str, tuple[type[TilewrightError], str]] = {
    "TypeError": (InvalidOption, "cannot be made with size=3, how='TypeError': TypeError: can only concatenate str"),
    "ValueError": (InvalidOption, "cannot be made with size=3, how='ValueError': JSONDecodeError: Expecting value"),
    "KeyError": (InvalidOption, "cannot be made with size=3, how='KeyError': KeyError: 'KeyError'"),
    "FileNotFoundError": (InvalidOption, "cannot be made with size=3, how='FileNotFoundError': FileNotFoundError: "),
    "InvalidOption": (InvalidOption, ": size must be odd, not 3.0"),
    "ZeroDivisionError": (ComponentFailed, "raised ZeroDivisionError: division by zero, while making it with size=3"),
    "StopIteration": (ComponentFailed, "raised StopIteration, while making it with size=3"),
    "ImportError": (ComponentFailed, "raised ModuleNotFoundError: No module named 'a_library_that_nobody_has', while "),
    "no licence": (ComponentFailed, "raised SystemExit: no licence, while making it with size=3, how='no licence'"),
}


@pytest.fixture
def odd(site: Path) -> None:
    install(site, "lab-odd", ODD_HOOKS, version="1.5")
    (site / "lab_odd_parts.py").write_text(ODD_PARTS)


def command(kind: Kind, image: Path, name: str, *settings: str) -> Any:
    """Run a pipeline with that component from the command line."""
    option = "--set" if kind == "segmenter" else f"--{kind}-set"
    parts = [f"--{kind}", name] if kind == "segmenter" else ["--segmenter", "odd", f"--{kind}", name]
    told = [each for setting in settings for each in (option, setting)]
    return CliRunner().invoke(main, ["run", str(image), str(image.with_name("out")), *parts, *told])


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize("kind", PARTS)
def test_what_a_constructor_raises_names_the_component_and_the_options_that_it_was_given(
    kind: Kind, how: str, tmp_path: Path
) -> None:
    kind_of_error, said = ODD[how]
    with pytest.raises(kind_of_error) as caught:
        component(kind, {"name": "odd", "configuration": {"size": 3, "how": how}})
    assert str(caught.value).startswith(f"{kind} 'odd' of lab-odd 1.5{'' if said.startswith(':') else ' '}{said}")
    refused = command(kind, tmp_path / "image", "odd", "size=3", f"how={how}")
    assert (refused.exit_code, refused.stderr) == (2, f"error: {caught.value}\n")


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("kind", PARTS)
def test_a_component_that_cannot_be_made_by_its_name_is_named_too(kind: Kind, tmp_path: Path) -> None:
    for name in ("odd-plain", "odd-init-var"):
        refused = command(kind, tmp_path / "image", name)
        whose = f"error: {kind} '{name}' of lab-odd 1.5"
        assert (refused.exit_code, refused.stderr.startswith(f"{whose} cannot be made without 'kind', ")) == (2, True)
        refused = command(kind, tmp_path / "image", name, "kind=a")
        assert (refused.exit_code, refused.stderr.startswith(f"{whose} has no option")) == (2, True)
    for settings in ((), ("size=3",)):
        refused = command(kind, tmp_path / "image", "odd-untyped", *settings)
        assert refused.exit_code == 2
        assert f"{kind} 'odd-untyped' of lab-odd 1.5 raised NameError: name 'Nothing' is not defined" in refused.stderr
    listed = CliRunner().invoke(main, ["plugins", "odd-untyped", "--kind", kind])
    assert listed.exit_code == 0


def test_a_reader_that_cannot_take_a_level_is_named() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Leveled:
        level: int | None = None

        def __post_init__(self) -> None:
            if self.level:
                raise IndexError("list index out of range")

        def __call__(self, path: str) -> Image:
            return Image(data=MASK, axes="yx")

    with pytest.raises(ComponentFailed, match=r"Leveled' raised IndexError: list .*, while making it with level=3$"):
        Pipeline(segmenter=len, reader=Leveled()).run("image.lab", level=3)
