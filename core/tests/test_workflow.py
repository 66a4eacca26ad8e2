"""The workflow as a value: what it is made of, what it refuses, and how it is kept in files."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tilewright import Grid, InvalidOption, Pipeline, RunOptions, Step, Workflow, hookimpl, register
from tilewright.components.registry import unregister
from tilewright.components.specs import Spec
from tilewright.run_options import SHARED


@dataclasses.dataclass(frozen=True, kw_only=True)
class Above:
    """Every pixel above a level is of object 1."""

    level: int = 5

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        return (pixels > self.level).astype(int)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Same:
    """The given labels as they are."""

    given: tuple[str, ...] = ("nuclei",)
    keeps_ids = True
    pixels = False

    def __call__(self, pixels: None, given: dict[str, NDArray[Any]]) -> NDArray[Any]:
        return given[self.given[0]]


class Plugin:
    @hookimpl
    def tilewright_segmenters(self) -> list[Spec]:
        return [
            Spec(name="above", target=f"{__name__}:Above", summary="Above a level."),
            Spec(name="same", target=f"{__name__}:Same", summary="Given labels."),
        ]


@pytest.fixture
def plugin() -> Any:
    register(Plugin(), "workflow-plugin")
    yield
    unregister("workflow-plugin")


def two(level: int = 5) -> Workflow:
    return Workflow(
        steps={
            "nuclei": {"segmenter": Above(level=level), "tiler": Grid(tile=4), "channel": "DAPI"},
            "cells": {"segmenter": Same(), "given": {"nuclei": "nuclei"}},
        }
    )


def test_a_step_is_the_same_as_parts_and_options_as_a_pipeline_and_as_a_step() -> None:
    pipeline = Pipeline(segmenter=Above())
    assert Workflow(steps={"a": pipeline}) == Workflow(steps={"a": {"segmenter": Above()}})
    step = Step(pipeline=pipeline, options=RunOptions(channel=1, empty=0.5))
    flat: dict[str, Any] = {"segmenter": Above(), "channel": 1, "empty": 0.5}
    assert Workflow(steps={"a": flat}) == Workflow(steps={"a": step})
    assert Workflow(steps={"a": {"pipeline": pipeline, "channel": 1, "empty": 0.5}}).steps["a"] == step
    assert RunOptions(table="a.csv") == Step(pipeline=pipeline, options=RunOptions(table=Path("a.csv"))).options


def test_workflows_are_equal_if_their_steps_are_and_can_be_pickled() -> None:
    assert two() == two() != two(level=6)
    assert pickle.loads(pickle.dumps(two())) == two()
    with pytest.raises(dataclasses.FrozenInstanceError):
        two().steps = {}  # type: ignore[misc]  # on purpose


def test_the_repr_is_a_graph_of_the_steps() -> None:
    assert repr(two()).splitlines() == [
        "Workflow(",
        f"    image[DAPI] -> nuclei: {__name__}.Above",
        f"    nuclei -> cells: {__name__}.Same",
        ")",
    ]


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_file_brings_a_workflow_back_with_its_order(tmp_path: Path, suffix: str) -> None:
    workflow, path = two(), tmp_path / f"cells.{suffix}"
    workflow.save(path)
    assert Workflow.load(path) == workflow == Workflow.from_dict(workflow.to_dict())
    assert list(Workflow.load(path).steps) == ["nuclei", "cells"]


@pytest.mark.usefixtures("plugin")
def test_a_file_may_be_written_by_hand_with_names_alone(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(
        '[steps.nuclei]\nsegmenter = "above"\nchannel = 0\n'
        '[steps.cells]\nsegmenter = "same"\ngiven = {nuclei = "nuclei"}\ntable = "cells.csv"\n'
    )
    steps = Workflow.load(path).steps
    assert steps["nuclei"].pipeline.segmenter == Above()
    assert steps["nuclei"].options == RunOptions(channel=0)
    assert steps["cells"].options == RunOptions(given={"nuclei": "nuclei"}, table="cells.csv")


@pytest.mark.usefixtures("plugin")
def test_what_a_file_cannot_hold_is_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    with pytest.raises(InvalidOption, match="cannot hold the options of step 'cells'"):
        Workflow(steps={"cells": {"segmenter": Same(), "given": {"nuclei": np.zeros((2, 2), int)}}}).save(path)
    with pytest.raises(InvalidOption, match="cannot hold the options of step 'cells'"):
        Workflow(steps={"cells": {"segmenter": Above(), "within": np.ones((2, 2), bool)}}).save(path)
    with pytest.raises(InvalidOption, match=r"segmenter .* does not come from a plugin"):
        Workflow(steps={"cells": {"segmenter": lambda pixels: pixels}}).save(path)
    with pytest.raises(InvalidOption, match=r"must end in \.json or \.toml"):
        two().save(tmp_path / "cells.yaml")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[steps]\n", "a workflow needs steps by name"),
        ("[stages.a]\n", "a workflow has steps and nothing else, not stages"),
        ("steps = 1\n", "a workflow needs steps by name"),
        ("[steps.a]\n", "step 'a': the pipeline has no segmenter"),
        ("[steps]\na = 3\n", "step 'a' must be a Step, a Pipeline or a mapping, not 3"),
        ("[steps.a]\nsegmenter = 'x'\nchanel = 1\n", "step 'a': a step has no part or option 'chanel'"),
        ("[steps.a]\nsegmenter = 'x'\noverwrite = true\n", "step 'a': a step has no part or option 'overwrite'"),
        ("[steps.a\n", "is not a workflow file"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_with_what_is_wrong(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "cells.toml").write_text(text)
    with pytest.raises(InvalidOption, match=error):
        Workflow.load(tmp_path / "cells.toml")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"the workflow file .* cannot be read"):
        Workflow.load(tmp_path / "cells.toml")


@pytest.mark.parametrize("steps", [None, {}, [Pipeline(segmenter=Above())], {"": {}}, {"a/b": {}}, {3: {}}, {".a": {}}])
def test_what_is_not_steps_by_name_is_refused(steps: Any) -> None:
    with pytest.raises(InvalidOption, match=r"by name|not a name for a step"):
        Workflow(steps=steps)


def test_a_step_can_be_given_the_labels_of_earlier_steps_alone() -> None:
    cells = {"segmenter": Same(), "given": {"nuclei": "nuclei"}}
    with pytest.raises(InvalidOption, match="'cells' is given the labels of step 'nuclei', which comes later"):
        Workflow(steps={"cells": cells, "nuclei": Pipeline(segmenter=Above())})
    with pytest.raises(InvalidOption, match="'nuclei' is given the labels of itself"):
        Workflow(steps={"nuclei": cells})


@pytest.mark.parametrize("option", ["name", *SHARED])
def test_the_options_of_the_whole_run_are_not_those_of_a_step(option: str) -> None:
    values = {
        "name": "cells",
        "axes": "yx",
        "resume": False,
        "workers": 2,
        "checkpoint_dir": "a",
        "on_error": "skip",
        "retries": 1,
        "storage": {"retries": 2},
        "keep_old": "2h",
        "progress": print,
    }
    with pytest.raises(InvalidOption, match=f"{option} is "):
        Step(pipeline=Pipeline(segmenter=Above()), options=RunOptions(**{option: values.get(option, True)}))


def test_the_options_of_a_step_are_checked_as_those_of_a_run() -> None:
    with pytest.raises(InvalidOption, match="step 'a': give level or spacing, not both"):
        Workflow(steps={"a": {"segmenter": Above(), "level": 1, "spacing": 2.0}})
    with pytest.raises(InvalidOption, match="step 'a': a step has no part or option 'retries'"):
        Workflow(steps={"a": {"segmenter": Above(), "retries": 1}})
