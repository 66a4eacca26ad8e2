"""Whatever a component raises names it, its distribution, and what it was asked; and is the user's to catch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import install
from scipy import ndimage

from tilewright import ComponentFailed, Grid, Image, InvalidOption, NotReadable, Pipeline, TilewrightError

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
