"""The options of a run: documented, typed and checked once, before any work."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import InvalidOption, Pipeline, merge_tile_labels, tile_process
from tilewright.run_options import PLANNED, PREVIEWED, RunOptions

FIELDS = {field.name: field for field in dataclasses.fields(RunOptions)}


def never(pixels: NDArray[Any]) -> NDArray[Any]:
    raise AssertionError("a tile was segmented")


def keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each for each in parameters if each.kind is each.KEYWORD_ONLY}


def test_run_takes_the_options_in_their_order_with_their_types_and_defaults() -> None:
    assert [(each.name, each.annotation, each.default) for each in keywords(Pipeline.run).values()] == [
        (field.name, field.type, field.default) for field in FIELDS.values()
    ]


def test_plan_takes_those_that_decide_what_a_run_takes() -> None:
    taken = keywords(Pipeline.plan)
    assert {"sample", *PLANNED} == set(taken)
    for name in PLANNED:
        assert (taken[name].annotation, taken[name].default) == (FIELDS[name].type, FIELDS[name].default)


@pytest.mark.parametrize("function", [Pipeline.preview, Pipeline.sweep])
def test_previews_take_those_that_decide_the_labels_of_a_place(function: Callable[..., Any]) -> None:
    taken = keywords(function)
    assert {"at", "size", *PREVIEWED} == set(taken)
    for name in PREVIEWED:
        assert (taken[name].annotation, taken[name].default) == (FIELDS[name].type, FIELDS[name].default)


def test_every_option_is_documented() -> None:
    for field in FIELDS.values():
        assert field.metadata["help"].endswith(".")


WRONG: list[tuple[str, Any, str]] = [
    ("channel", 1.5, "a whole number, text or None"),
    ("channel", True, "a whole number, text or None"),
    ("channels", 0, "a sequence of whole numbers or text, or None"),
    ("channels", "DAPI", "a sequence of whole numbers or text, or None"),
    ("channels", [0, None], "a sequence of whole numbers or text, or None"),
    ("spacing", 0, "a number of micrometres above 0"),
    ("spacing", "fine", "a number or None"),
    ("level", -1, "a whole number of at least 0"),
    ("level", True, "a whole number or None"),
    ("axes", ["y", "x"], "text or None"),
    ("name", 3, "text"),
    ("overwrite", "no", "True or False"),
    ("overwrite", 1, "True or False"),
    ("resume", None, "True or False"),
    ("workers", 0, "a whole number of at least 1"),
    ("workers", np.int64(-2), "a whole number of at least 1"),
    ("workers", 2.0, "a whole number or None"),
    ("workers", "all", "a whole number or None"),
    ("processes", "yes", "True or False"),
    ("checkpoint_dir", 3, "text, a path or None"),
    ("make_parents", "yes", "True or False"),
    ("keep_checkpoint", 0, "True or False"),
    ("keep_predictions", 5, "True, False or text"),
    ("keep_predictions", "much", "True, False or a size such as '50GB'"),
    ("empty", "3", "a number or None"),
    ("empty", True, "a number or None"),
    ("empty", math.nan, "a number"),
    ("empty", np.float32(math.nan), "a number"),
    ("same_ids", "no", "True or False"),
    ("join_z", "yes", "True, False or a number"),
    ("join_z", None, "True, False or a number"),
    ("join_z", 0.0, "True, False or an IoU above 0 and up to 1"),
    ("join_z", 1.5, "True, False or an IoU above 0 and up to 1"),
    ("join_z", math.nan, "True, False or an IoU above 0 and up to 1"),
    ("on_error", "stop", '"raise" or "skip"'),
    ("on_error", None, '"raise" or "skip"'),
    ("retries", -1, "a whole number of at least 0"),
    ("retries", "2", "a whole number"),
    ("retries", math.inf, "a whole number"),
    ("table", 3, "text, a path or None"),
    ("table_format", 3, "text, a mapping, a function or None"),
    ("measure_channels", "DAPI", "a sequence of whole numbers or text, or None"),
    ("given", "nuclei.tif", "a mapping or None"),
    ("within", 5, "a mask, a label image, polygons or a path"),
    ("within_rule", "outside", '"clip", "inside", "touching" or "centroid"'),
    ("measure_memory", 0, "a whole number of at least 1"),
    ("measure_pixels", 0.5, "a whole number"),
    ("storage", "endpoint=x", "a mapping or None"),
    ("keep_old", None, "text or a number"),
    ("keep_old", "soon", "a time such as '1h', or seconds"),
    ("progress", True, "a function or None"),
]


@pytest.mark.parametrize(("name", "value", "wanted"), WRONG)
def test_a_value_that_cannot_be_is_refused_with_both_before_any_work(
    name: str, value: Any, wanted: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidOption) as raised:
        Pipeline(segmenter=never).run(np.eye(9), tmp_path / "labels.zarr", **{name: value})
    assert str(raised.value).startswith(f"{name} must be {wanted}, not ")
    assert str(raised.value).endswith(str(value) if isinstance(value, np.generic) else repr(value))
    assert list(tmp_path.iterdir()) == []


def test_every_option_refuses_a_value_of_another_type() -> None:
    assert {name for name, _, _ in WRONG} == set(FIELDS)
    for name in FIELDS:
        with pytest.raises(InvalidOption, match=f"^{name} must be "):
            RunOptions.among({name: b"bytes"})


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "a b"])
def test_a_name_that_labels_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match="is not a name for labels"):
        RunOptions(name=name)


def test_a_channel_and_channels_are_not_both_given() -> None:
    with pytest.raises(InvalidOption, match=r"give channel or channels, not both \(0 and \[1\]\)"):
        RunOptions(channel=0, channels=[1])


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("workers", np.int64(2), 2),
        ("retries", np.uint8(1), 1),
        ("level", np.int32(0), 0),
        ("empty", np.float32(0.5), 0.5),
        ("empty", np.uint16(7), 7.0),
        ("empty", math.inf, math.inf),
        ("join_z", np.float64(0.5), 0.5),
        ("join_z", 1, 1.0),
        ("join_z", np.True_, True),
        ("overwrite", np.True_, True),
        ("channel", np.int64(1), 1),
        ("channels", ["DAPI", np.int64(1)], ("DAPI", 1)),
        ("channels", np.array([0, 1]), (0, 1)),
        ("name", np.str_("cells"), "cells"),
    ],
)
def test_scalars_of_numpy_are_pythons_own(name: str, value: Any, meant: Any) -> None:
    taken = getattr(RunOptions.among({name: value}), name)
    assert taken == meant
    assert type(taken) is type(meant)


def test_what_is_among_other_values_is_taken_by_name() -> None:
    assert RunOptions.among({"workers": 2, "source": "image.tif"}) == RunOptions(workers=2)


def test_an_option_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'worker'"):
        Pipeline(segmenter=never).run(np.eye(9), worker=2)  # type: ignore[call-arg]  # on purpose


def test_plan_checks_its_options_too() -> None:
    pipeline = Pipeline(segmenter=never)
    with pytest.raises(InvalidOption, match="workers must be a whole number of at least 1, not 0"):
        pipeline.plan(np.eye(9), workers=0)
    with pytest.raises(InvalidOption, match="sample must be a whole number of at least 0, not -1"):
        pipeline.plan(np.eye(9), sample=-1)
    with pytest.raises(InvalidOption, match="join_z links slices"):
        pipeline.plan(np.eye(9), join_z=True)


def test_a_segmenter_that_cannot_be_sent_to_processes_is_refused_before_any_tile(tmp_path: Path) -> None:
    stream = (number for number in range(3))  # no pickle holds a generator

    def counting(pixels: NDArray[Any]) -> NDArray[Any]:
        next(stream)
        return np.asarray(ndimage.label(pixels)[0])

    with pytest.raises(
        InvalidOption, match=r"the segmenter '.*counting' cannot be sent to worker processes \(cannot pickle"
    ):
        Pipeline(segmenter=counting).run(np.eye(9), tmp_path / "labels.zarr", processes=True)
    assert list(tmp_path.iterdir()) == []


def test_an_array_whose_dtype_numpy_lacks_is_refused() -> None:
    class Tensor:
        shape, dtype = (9, 9), "torch.float32"

        def __getitem__(self, region: Any) -> Any:
            raise AssertionError("it was read")

    for call in (lambda: tile_process(Tensor(), never), lambda: Pipeline(segmenter=never).run(Tensor())):
        with pytest.raises(InvalidOption, match=r"the Tensor has the dtype torch\.float32, which numpy lacks"):
            call()


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("level", 0.5, "a whole number"),
        ("channel", b"", "a whole number, text or None"),
        ("connectivity", True, "a whole number"),
        ("overlap", "8", "a whole number or a sequence of whole numbers"),
        ("compute", "no", "True or False"),
        ("overwrite", 1, "True or False"),
        ("use_gpu", "cuda", "True or False"),
        ("skip_empty", 5, "True or False"),
        ("empty_threshold", True, "a number or None"),
        ("progress", "bar", "True or False"),
        ("write_to", 3, "text, a path or None"),
        ("output_component", 3, "text"),
        ("stage_dir", 3, "text, a path or None"),
        ("keep_stage", "yes", "True or False"),
        ("join_z", "yes", "True, False or a number"),
    ],
)
def test_an_argument_of_tile_process_of_another_type_is_refused_by_its_own_name(
    name: str, value: Any, wanted: str
) -> None:
    with pytest.raises(InvalidOption) as raised:
        tile_process(np.eye(9), never, **{name: value})
    assert str(raised.value) == f"{name} must be {wanted}, not {value!r}"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("unique", "no", "True or False"),
        ("overlap", 1.5, "a whole number or a sequence of whole numbers"),
        ("n_workers", 2.0, "a whole number or None"),
        ("input_component", 3, "text"),
        ("stage_dir", 3, "text, a path or None"),
    ],
)
def test_an_argument_of_merge_tile_labels_of_another_type_is_refused_by_its_own_name(
    name: str, value: Any, wanted: str
) -> None:
    with pytest.raises(InvalidOption) as raised:
        merge_tile_labels(np.eye(9, dtype=int), **{name: value})
    assert str(raised.value) == f"{name} must be {wanted}, not {value!r}"


def test_integers_of_numpy_are_integers_for_the_functions_too() -> None:
    image = np.eye(8, dtype=np.uint8)

    def components(tile: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(ndimage.label(tile)[0])

    plain = tile_process(image, components, tile_shape=(4, 4), overlap=1, connectivity=2, level=0, compute=True)
    numbers = {"tile_shape": np.array([4, 4]), "overlap": np.int64(1), "connectivity": np.uint8(2), "level": np.int8(0)}
    np.testing.assert_array_equal(tile_process(image, components, compute=np.True_, **numbers), plain)
