"""The workflow: pipelines that work on each other's labels, as one value and one run."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from ..abc.traits import outputs_of
from ..components.blame import name_of
from ..components.files import read_record, record_of, text_of, write_text
from ..components.quantities import whole_number
from ..errors import InvalidOption, UnknownComponent
from ..io.destination import OUTPUT, place_for
from ..pipeline import PARTS, SEVERAL, Pipeline
from ..run_options import SHARED, Progress, RunOptions

if TYPE_CHECKING:
    from ..engine.forecast import Forecast
    from ..engine.result import Result
    from ..engine.stage import Stage
    from ..storage.location import Location

__all__ = ["Step", "Workflow"]

OWN = tuple(each.name for each in dataclasses.fields(RunOptions) if each.name not in (*SHARED, "name"))
"""The options that a step has for itself; the others are those of the workflow's run, and the step's name."""

DEFAULTS = RunOptions()
SUFFIXES = (".ome.zarr", ".zarr")  # of labels in a folder, where neither step nor image says another


@dataclass(frozen=True, kw_only=True)
class Step:
    """A pipeline of a workflow with the options of its run.

    A label image of `options.given` that has the name of an earlier step is the labels of that step.

    InvalidOption for an option that is not a step's own: those in `SHARED` are the whole workflow's.
    """

    pipeline: Pipeline
    options: RunOptions = DEFAULTS

    def __post_init__(self) -> None:
        for name in (*SHARED, "name"):
            if getattr(self.options, name) != getattr(DEFAULTS, name):
                whose = "the name of the step" if name == "name" else "an option of the workflow's run"
                raise InvalidOption(f"{name} is {whose}, and not of one step; leave it out of the step's options")
        object.__setattr__(self, "options", _without_paths(self.options))

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The step of a mapping with the parts of a pipeline, or a `pipeline`, and options by their names."""
        record = dict(record)
        options = {name: record.pop(name) for name in OWN if name in record}
        if isinstance(record.get("pipeline"), Pipeline) and len(record) == 1:
            return cls(pipeline=record["pipeline"], options=RunOptions(**options))
        extra = sorted(map(str, set(record) - {*PARTS, *SEVERAL}))
        if extra:
            raise InvalidOption(
                f"a step has no part or option {extra[0]!r}; its parts are {', '.join((*PARTS, *SEVERAL))}, its "
                f"options {', '.join(OWN)}"
            )
        return cls(pipeline=Pipeline.from_dict(record), options=RunOptions(**options))

    def to_dict(self) -> dict[str, Any]:
        """The step as plain values: the parts of its pipeline, and the options that are not the defaults."""
        values = ((name, getattr(self.options, name), getattr(DEFAULTS, name)) for name in OWN)
        chosen = {
            name: value for name, value, default in values if type(value) is not type(default) or value != default
        }
        return self.pipeline.to_dict() | {name: _plain(value) for name, value in chosen.items()}


@dataclass(frozen=True, kw_only=True, repr=False)
class Workflow:
    """Steps that are run one after the other on an image: a value that can be compared, pickled, saved and run.

    steps: by name, in their order. Each is a `Step`, a pipeline, or a mapping with the parts of a pipeline and the
    options of its run: `{"segmenter": "threshold", "channel": "DAPI"}`. A step whose given labels have the name of an
    earlier step is given the labels of that one; those of a segmenter with several outputs have the outputs' names.

    >>> workflow = Workflow(steps={
    ...     "nuclei": {"segmenter": "threshold", "channel": "DAPI"},
    ...     "cells": {"segmenter": "seeded-watershed", "channel": "MEM", "given": {"nuclei": "nuclei"}},
    ... })
    >>> workflow
    Workflow(
        image[DAPI] -> nuclei: threshold
        image[MEM], nuclei -> cells: seeded-watershed
    )
    """

    steps: Mapping[str, Step]

    def __post_init__(self) -> None:
        steps: Any = self.steps
        if not isinstance(steps, Mapping) or not steps:
            raise InvalidOption(
                f"a workflow needs steps by name, such as {{'nuclei': Pipeline(...)}}, not {self.steps!r}"
            )
        steps = {name: _step(name, value) for name, value in self.steps.items()}
        labels = [label for name, step in steps.items() for label in labels_of(name, step)]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise InvalidOption(
                f"two steps make labels of the name {twice[0]!r}; give steps and outputs names of their own"
            )
        for name, step in steps.items():
            later = labels[labels.index(labels_of(name, step)[0]) :]
            for value in (*(step.options.given or {}).values(), step.options.within):
                if isinstance(value, str) and value in later:
                    where = "itself" if value in labels_of(name, step) else f"step {value!r}, which comes later"
                    raise InvalidOption(f"step {name!r} is given the labels of {where}; name those of an earlier step")
        object.__setattr__(self, "steps", steps)

    def __repr__(self) -> str:
        lines = [f"    {', '.join(_inputs(step))} -> {name}: {_made(step)}" for name, step in self.steps.items()]
        return "\n".join(("Workflow(", *lines, ")"))

    def run(
        self,
        source: Any,
        destination: str | Path | None = None,
        *,
        axes: str | None = None,
        overwrite: bool = False,
        make_parents: bool = False,
        resume: bool = True,
        workers: int | None = None,
        processes: bool = False,
        checkpoint_dir: str | Path | None = None,
        keep_checkpoint: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        retries: int = 0,
        storage: Mapping[str, Any] | None = None,
        keep_old: str | float = "1h",
        progress: Progress | None = None,
    ) -> dict[str, Result]:
        """Run the steps that are not done yet; the result of each by its name.

        source: as for `Pipeline.run`.
        destination: a folder, in which each step's labels have the step's name, and tables with relative paths lie;
            None puts them where the writer puts labels of that name of the image (an OME-Zarr's own `labels/NAME`).
            The folder may lie in a bucket, where tables are not written: they need absolute paths then.

        A step is done if its labels are there and hold that they were made from the same: image and given labels by
        their content, components, options and versions. It is run if they are not there. AlreadyExists, before the
        first step, if they are there and differ; `overwrite` replaces these, and those alone.

        `RunOptions` documents all other arguments, which hold for every step.
        """
        running = self.running(
            source, destination, **{name: value for name, value in locals().items() if name in SHARED}
        )
        return {name: run() for name, run in running}

    def running(
        self, source: Any, destination: str | Path | None = None, **options: Any
    ) -> Iterator[tuple[str, Callable[[], Result]]]:
        """The steps of a run in their order, each to be called before the next one is asked for. Arguments as `run`."""
        shared, source = _opened(source, RunOptions(**options))
        labels: dict[str, Result] = {}
        done: dict[str, Path | Location] = {}
        checked: dict[str, Stage] = {}
        for stage in self.stages(source, destination, shared, done):
            stage.check()
            done |= stage.done
            checked[stage.name] = stage
        for number, stage in enumerate(self.stages(source, destination, shared, labels), 1):
            of_step = _progress(shared.progress, f"{number} of {len(self.steps)}, {stage.name}")
            reporting = replace(stage, options=replace(stage.options, progress=of_step))
            yield stage.name, partial(_kept, reporting.opened_as(checked[stage.name]), labels)

    def plan(
        self,
        source: Any,
        destination: str | Path | None = None,
        *,
        axes: str | None = None,
        workers: int | None = None,
        storage: Mapping[str, Any] | None = None,
        sample: int = 8,
    ) -> dict[str, Forecast]:
        """What the steps would take, by name; arguments as for `run`, and `sample` as for `Pipeline.plan`.

        `done` is True of a step that a run would not repeat. `waiting` names the given labels of a step that are not
        there yet: its tiles and memory are known, but no tile is segmented, and its time is not.
        """
        whole_number("sample", sample, least=0)
        shared, source = _opened(source, RunOptions(axes=axes, workers=workers, storage=storage))
        done: dict[str, Path | Location] = {}
        forecasts = {}
        for stage in self.stages(source, destination, shared, done):
            forecasts[stage.name] = stage.forecast(sample)
            done |= stage.done
        return forecasts

    def to_dict(self) -> dict[str, Any]:
        """The workflow as plain values, as `save` writes them."""
        return {"steps": {name: step.to_dict() for name, step in self.steps.items()}}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The workflow of such a record. InvalidOption if it has anything else than steps."""
        if set(record) != {"steps"}:
            raise InvalidOption(
                f"a workflow has steps and nothing else, not {', '.join(map(str, record)) or 'nothing'}"
            )
        return cls(steps=record["steps"])

    def save(self, path: str | Path) -> None:
        """Write the workflow to a `.json` or `.toml` file. InvalidOption for what a file cannot name or hold."""
        text = text_of(path, self.to_dict())
        for name, record in record_of(path, text)["steps"].items():
            step = self.steps[name]
            step.pipeline.check_saved(path, {part: record[part] for part in record if part not in OWN})
            if not _are_same(Step.from_dict(record).options, step.options):
                raise InvalidOption(f"{path} cannot hold the options of step {name!r}; give paths and plain values")
        write_text(path, text, "workflow")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a workflow from a `.json` or `.toml` file, which is data: nothing in it is run."""
        return cls.from_dict(read_record(path, "workflow"))

    def stages(
        self, source: Any, destination: str | Path | None, shared: RunOptions, known: Mapping[str, Any]
    ) -> Iterator[Stage]:
        """The steps on an image, in their order. known: the labels of steps before the one that is asked for."""
        from ..engine.stage import Stage

        for name, step in self.steps.items():
            own = {option: getattr(shared, option) for option in SHARED}
            several = outputs_of(step.pipeline.segmenter)
            own["name"] = DEFAULTS.name if several else name
            home = None if destination is None else place_for(destination, shared.storage)
            if home is not None and step.options.table is not None:
                own["table"] = _table_in(home, step.options.table)
            given = {of: self._labels(value, known) for of, value in (step.options.given or {}).items()}
            waiting = tuple(of for of, labels in given.items() if labels is None)
            own["given"] = {of: labels for of, labels in given.items() if labels is not None} or None
            region = self._labels(step.options.within, known)
            own["within"] = getattr(region, "path", region)
            unbounded = region is None and step.options.within is not None
            own |= {"within_rule": DEFAULTS.within_rule} if unbounded else {}
            yield Stage(
                name=name,
                parts=step.pipeline,
                options=replace(step.options, **own),
                source=source,
                destination=home and home.joined(f"{OUTPUT if several else name}{_suffix(step, source)}"),
                waiting=waiting,
                unbounded=unbounded,
            )

    def _labels(self, value: Any, known: Mapping[str, Any]) -> Any:
        """The labels that a step is given: those of a step by its name (None if they are not there yet), or others."""
        names = (label for name, step in self.steps.items() for label in labels_of(name, step))
        return known.get(value) if isinstance(value, str) and value in names else value


def _step(name: object, value: object) -> Step:
    """The step of what a user gives. InvalidOption, with the name of the step."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise InvalidOption(f"{name!r} is not a name for a step; use letters, digits, '-', '_' and '.'")
    if isinstance(value, Step):
        return value
    if isinstance(value, Pipeline):
        return Step(pipeline=value)
    if not isinstance(value, Mapping):
        raise InvalidOption(f"step {name!r} must be a Step, a Pipeline or a mapping, not {value!r}")
    try:
        return Step.from_dict(value)
    except InvalidOption as error:
        raise InvalidOption(f"step {name!r}: {error}") from error


def _table_in(home: Location, table: str | Path) -> str | Path:
    """The path of a step's table in the folder of the labels. InvalidOption if that is in a bucket."""
    if home.local is None and not Path(table).is_absolute():
        raise InvalidOption(
            f"tables are written to local folders, and {home} is not one; give an absolute path, not {str(table)!r}"
        )
    return table if home.local is None else home.local / table


def _opened(source: Any, shared: RunOptions) -> tuple[RunOptions, Any]:
    """The options and the source of all steps: an array is an image from now on, whose pixels are digested once."""
    from ..image import Image
    from ..io.source import open_source

    if isinstance(source, str | os.PathLike | Image):
        return shared, source
    return replace(shared, axes=None), open_source(source, axes=shared.axes).whole


def _kept(stage: Stage, labels: dict[str, Result]) -> Result:
    """Run a step, and keep each of its labels by its name."""
    result = stage.run()
    labels.update(result.outputs or {stage.name: result})
    return result


def _progress(report: Progress | None, where: str) -> Progress | None:
    """Progress whose steps are named with the step of the workflow."""
    return report and (lambda step, done, total: report(f"{where}: {step}", done, total))


def labels_of(name: str, step: Step) -> tuple[str, ...]:
    """The names of the labels that a step makes: those of its segmenter's outputs, or the step's own."""
    return outputs_of(step.pipeline.segmenter) or (name,)


def _suffix(step: Step, source: Any) -> str:
    """The suffix of labels in a folder: that of the step's writer, of the one for the image, or of OME-Zarr."""
    from ..io.formats import choose_writer, suffix_of

    if step.pipeline.writer is not None:
        return suffix_of(step.pipeline.writer)
    for path in (*([source] if isinstance(source, str | os.PathLike) else ()), *SUFFIXES):
        try:
            return suffix_of(choose_writer(os.fspath(path)))
        except UnknownComponent:
            continue
    return SUFFIXES[-1]


def _inputs(step: Step) -> list[str]:
    options, chosen = step.options, [step.options.channel, *(step.options.channels or ())]
    channels = ", ".join(str(each) for each in chosen if each is not None)
    pixels = getattr(step.pipeline.segmenter, "pixels", True)
    image = [f"image[{channels}]" if channels else "image"] if pixels else []
    given = [value if isinstance(value, str) else name for name, value in (options.given or {}).items()]
    region = options.within
    return image + given + ([] if region is None else [f"within {region}" if isinstance(region, str) else "a region"])


def _made(step: Step) -> str:
    measurers = ", ".join(name_of("measurer", each) for each in step.pipeline.measure)
    return name_of("segmenter", step.pipeline.segmenter) + (f"; measures {measurers}" if measurers else "")


def _plain(value: Any) -> Any:
    """A value of an option in plain values; in their place a text of what no file can hold."""
    return json.loads(json.dumps(value, default=repr))


def _are_same(one: RunOptions, other: RunOptions) -> bool:
    try:
        return one == other
    except ValueError:  # arrays, which have no one answer
        return False


def _without_paths(options: RunOptions) -> RunOptions:
    """The options with texts for paths, as files hold them."""
    texts = {each.name: _text(getattr(options, each.name)) for each in dataclasses.fields(options)}
    given = options.given and {name: _text(value) for name, value in options.given.items()}
    return RunOptions(**{**texts, "given": given})


def _text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
