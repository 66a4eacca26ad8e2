"""What components declare, read and checked in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tilewright import Grid, Image, InvalidOption, Overlap, Pipeline, Touch
from tilewright.abc import Column, Facts, MeasurerTraits, MergerTraits, SinkTraits, Traits, WriterTraits

IMAGE = Image(np.zeros((2, 3, 8, 9)), "tcyx")


def declaring(**declared: Any) -> Any:
    def segmenter(pixels: Any) -> Any:
        return np.zeros(pixels.shape, int)

    for name, value in declared.items():
        setattr(segmenter, name, value)
    return segmenter


def test_a_plain_function_declares_nothing() -> None:
    assert Traits.of(declaring(), IMAGE) == Traits(axes="yx", separate="t")


def test_none_stands_for_nothing() -> None:
    names = ("axes", "channel", "channels", "halo", "context", "stride", "located", "merger", "min_size", "memory")
    names += ("given", "keeps_ids", "pixels")
    assert Traits.of(declaring(**dict.fromkeys(names)), IMAGE) == Traits.of(declaring(), IMAGE)


def test_numbers_are_given_by_axis_whatever_their_form_and_numpys_are_numbers() -> None:
    image = Image(np.zeros((5, 8, 9)), "zyx")
    for halo in (np.int64(3), (3, 3, 3), [3, 3, 3], np.array([3, 3, 3]), {"z": 3, "y": 3, "x": np.uint8(3)}):
        assert Traits.of(declaring(halo=halo), image).halo == {"z": 3, "y": 3, "x": 3}


def test_a_number_for_the_spatial_axes_asks_nothing_of_t() -> None:
    traits = Traits.of(declaring(halo=4, context=2, stride=8), IMAGE)
    assert traits.halo == {"t": 0, "y": 4, "x": 4}
    assert traits.context == {"t": 0, "y": 2, "x": 2}
    assert traits.stride == {"t": 1, "y": 8, "x": 8}


def test_a_stride_on_an_image_with_t_runs() -> None:
    pipeline = Pipeline(segmenter=declaring(stride=4, halo=2), tiler=Grid(tile=4))
    assert pipeline.run(np.zeros((2, 16, 16)), axes="tyx").n_objects == 0


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"axes": "tyx"}, "declares axes = 'tyx'; it must be c and any of z, y, x, each once"),
        ({"axes": 2}, "declares axes = 2"),
        ({"halo": -1}, "declares halo must be a whole number of at least 0, not -1"),
        ({"halo": 1.5}, "not 1.5"),
        (
            {"halo": (1, 2, 3, 4)},
            r"declares halo \[1, 2, 3, 4\] has 4 numbers, but the axes 'tyx' need 3",
        ),
        ({"halo": {"w": 1}}, "names 'w'; axes are t, c, z, y, x"),
        ({"stride": 0}, "at least 1, not 0"),
        ({"located": "yes"}, "declares located = 'yes'; it must be True or False"),
        ({"min_size": -3}, "declares min_size = -3; it must be a whole number of at least 0"),
        ({"min_size": True}, "declares min_size = True"),
        ({"memory": 10}, "declares memory = 10; it must be a method"),
        ({"channel": 1.5}, "declares channel = 1.5; it must be the index or the name of a channel"),
        ({"channels": "DAPI"}, "declares channels = 'DAPI'; it must be indices or names"),
        ({"outputs": "nuclei"}, "declares outputs = 'nuclei'; it must be names of label images"),
        ({"outputs": ("nuclei", 2)}, r"declares outputs = \('nuclei', 2\); it must be names"),
        ({"outputs": ("a/b",)}, r"declares outputs = \('a/b',\); it must be names"),
        ({"outputs": (".a",)}, r"declares outputs = \('.a',\); it must be names"),
        ({"outputs": ("a", "A")}, r"declares outputs = \('a', 'A'\); .*differ by more than case"),
        ({"given": "nuclei"}, "declares given = 'nuclei'; it must be names of label images"),
        ({"keeps_ids": "yes"}, "declares keeps_ids = 'yes'; it must be True or False"),
        ({"pixels": 0}, "declares pixels = 0; it must be True or False"),
        ({"keeps_ids": True, "merger": "touch"}, "declares merger = 'touch'; it must be left out beside keeps_ids"),
        ({"given": ("nuclei",)}, "needs the label image 'nuclei', but none of that name is given"),
        (
            {"batch": 8},
            "declares batch = 8; it must be left out: it is for networks, which have windows, predict, decode",
        ),
        ({"predict": len}, "declares windows = None; it must be a method, as it is in a network beside predict"),
        (
            {"predict": len, "windows": len, "decode": len, "predictions": {"flows": "float16"}},
            "must be Predictions by name",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_segmenters_name_before_any_tile(
    declared: dict[str, Any], message: str
) -> None:
    seen: list[Any] = []

    def watched(pixels: Any) -> Any:
        seen.append(pixels.shape)
        return np.zeros(pixels.shape, int)

    for name, value in declared.items():
        setattr(watched, name, value)
    with pytest.raises(InvalidOption, match=message) as caught:
        Pipeline(segmenter=watched).run(IMAGE, channel=0)
    assert "watched" in str(caught.value)
    assert seen == []


def test_a_property_that_fails_is_the_segmenters_fault_and_not_a_missing_one() -> None:
    class Failing:
        @property
        def halo(self) -> int:
            raise RuntimeError("the weights have no halo")

        def __call__(self, pixels: Any) -> Any:
            return pixels

    with pytest.raises(InvalidOption, match=r"Failing.* cannot give its halo: RuntimeError: the weights have no halo"):
        Pipeline(segmenter=Failing()).run(np.zeros((4, 4)))


def test_a_merger_owns_if_it_decides() -> None:
    assert MergerTraits.of(Overlap()) == MergerTraits(owns=True)
    assert MergerTraits.of(Touch(connectivity=2)) == MergerTraits(diagonals=2, batches=True)
    with pytest.raises(InvalidOption, match="declares diagonals = 'all'; it must be a whole number of at least 0"):
        MergerTraits.of(declaring(diagonals="all"))


def test_what_writers_and_sinks_leave_out_has_its_default(tmp_path: Any) -> None:
    traits = WriterTraits.of(declaring())
    assert traits.destination is None
    assert traits.exists(str(tmp_path))
    assert not traits.exists(str(tmp_path / "none"))
    assert traits.beside(str(tmp_path)) == tmp_path
    assert SinkTraits.of(object()) == SinkTraits(block=None, read=None)


FACTS = Facts(axes="yx", shape=(8, 9), spacing=(1.0, 1.0), units=("", ""))


class Area:
    def columns(self, facts: Facts) -> dict[str, Column]:
        return {"area": Column()}

    def __call__(self, block: Any) -> Any:
        return {"area": np.bincount(block.labels.ravel(), minlength=block.n + 1)[1 : block.n + 1]}


def measuring(**declared: Any) -> Any:
    measurer = Area()
    for name, value in declared.items():
        setattr(measurer, name, value)
    return measurer


def test_a_measurer_with_columns_alone_measures_whole_objects_in_the_pixels_of_all_channels() -> None:
    traits = MeasurerTraits.of(Area())
    assert (traits.pixels, traits.channels, traits.halo, traits.given) == (True, None, 0, ())
    assert (traits.partial, traits.after) == (False, None)
    assert traits.columns(FACTS) == {"area": Column()}
    assert traits.quantities(FACTS) == {}


def test_what_a_measurer_declares_is_read_and_numpys_numbers_are_numbers() -> None:
    traits = MeasurerTraits.of(
        measuring(pixels=np.bool_(False), channels=["DAPI", 1], halo=np.int64(2), given=["nuclei"], after=Area())
    )
    assert (traits.pixels, traits.channels, traits.halo, traits.given) == (False, ("DAPI", 1), 2, ("nuclei",))
    assert isinstance(traits.after, Area)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"columns": None}, "declares columns = None; it must be a method"),
        ({"pixels": "no"}, "declares pixels = 'no'; it must be True or False"),
        ({"channels": "DAPI"}, "declares channels = 'DAPI'; it must be indices or names"),
        ({"halo": (1, 1)}, r"declares halo = \(1, 1\); it must be a whole number of at least 0"),
        ({"given": "nuclei"}, "declares given = 'nuclei'; it must be names of label images"),
        ({"after": 3}, "declares after = 3; it must be a measurer"),
        ({"partial": len, "finish": len}, "declares quantities = None; it must be a method, as it is in a partial"),
    ],
)
def test_what_a_measurer_declares_wrongly_is_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        MeasurerTraits.of(measuring(**declared))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (lambda facts: ["area"], r"must return Columns by name from columns\(facts\), not \['area'\]"),
        (lambda facts: {"area": "float64"}, "must return Columns by name"),
        (lambda facts: {"": Column()}, "must return Columns by name"),
        (lambda facts: {"area": Column(dtype="U8")}, r"declares the dtype 'U8' in columns\(facts\)\['area'\]"),
        (lambda facts: {"area": Column(dtype="nothing")}, "declares the dtype 'nothing'"),
    ],
)
def test_columns_of_no_use_are_refused(columns: Any, message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        MeasurerTraits.of(measuring(columns=columns)).columns(FACTS)
