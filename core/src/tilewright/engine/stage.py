"""A step of a workflow on one image: whether its labels are there already, and its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..abc.traits import MeasurerTraits, Traits, outputs_of
from ..components.blame import whose
from ..components.specs import Kind
from ..errors import AlreadyExists, CheckpointMismatch
from ..image import Image
from ..io.destination import Destination
from ..io.source import Source
from ..run_options import RunOptions
from ..storage.location import Location
from .alignment import check_needed, check_wanted
from .checkpoint.differences import differences
from .execution import Execution
from .given import given_labels
from .made import RECIPE, Made
from .planning import Parts, chosen_channels
from .recipe import (
    components_of,
    files_in,
    labels_content,
    note_changes,
    recipe_of,
    region_content,
)
from .result import Result

if TYPE_CHECKING:
    from .forecast import Forecast

__all__ = ["Stage"]


class _Unprepared:
    """A segmenter without its `prepare`, which may look at labels that are not there yet."""

    def __init__(self, segmenter: Any) -> None:
        self._segmenter = segmenter

    def __call__(self) -> None:
        """It is a component, and is not called."""

    def __getattr__(self, name: str) -> Any:
        if name == "prepare":
            raise AttributeError(name)
        return getattr(self._segmenter, name)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A step: its components and options, the image, and where the labels go.

    waiting: the names of given labels that are not there yet; the options do without them.
    unbounded: whether the region is not there yet, likewise.
    """

    name: str
    parts: Parts
    options: RunOptions
    source: Any
    destination: str | Path | None
    waiting: tuple[str, ...] = ()
    unbounded: bool = False

    def check(self) -> None:
        """Refuse, before the first step, what is known to be wrong with this one.

        AlreadyExists for labels that are there and would be others, unless they may be replaced.
        """
        image, options = self._source.opened, self.options
        given: dict[str, Any] = dict.fromkeys((*(options.given or {}), *self.waiting))
        traits = Traits.of(self.parts.segmenter, image)
        needed = dict.fromkeys(traits.given, whose("segmenter", self.parts.segmenter))
        for each in self.parts.measure:
            needed |= dict.fromkeys(MeasurerTraits.of(each).given, whose("measurer", each))
        check_needed(given, needed)
        check_wanted(given, needed)
        given_labels(options.given, image, options.storage)  # they are opened
        combined = bool(self.parts.transforms)
        chosen_channels(image, traits, options.channel, options.channels, combined=combined)
        there = [made for made in self._made if made.is_there]
        if there and not options.overwrite and not self._unfinished:
            self._refuse(there)

    @property
    def prepared_otherwise(self) -> str | None:
        """How what is prepared differs from what labels that are there were made with; None if a workflow made none."""
        there = [made for made in self._made if made.is_there and made.recipe]
        if not there:
            return None
        parts, old = components_of(self.parts, self._source, {}), there[0].recipe
        now = {name: each for name, each in parts.items() if name.startswith(("segmenter", "transform"))}
        now["shared"] = None if self.parts.shared is None else self.parts.shared.record
        return differences({name: old.get(name) for name in now}, now)

    def opened_as(self, checked: Stage) -> Stage:
        """This stage with the image and the places that were opened to check it."""
        vars(self).update(_source=checked._source, _made=[replace(made) for made in checked._made])
        return self

    def run(self) -> Result:
        """The result of the step, which is run unless its labels are there already."""
        if not self._is_done:
            there, options = [made for made in self._made if made.is_there], self.options
            if there and not (options.overwrite or self._unfinished):
                self._refuse(there)
                options = replace(options, overwrite=True)  # of several label images one was removed
            return self._run(options)
        if self._unfinished:  # it was killed when its labels were in their place already
            with suppress(CheckpointMismatch):  # of another run, which was to replace these labels
                return self._run(replace(self.options, overwrite=True))
        elif not self.options.keep_checkpoint:
            for made in self._made:
                made.clear_up()
        results = {made.name: made.result() for made in self._made}
        return results[""] if "" in results else Result.of_outputs(results)

    @property
    def done(self) -> dict[str, Path | Location]:
        """The paths of the labels by their names, if all are there already; empty if not."""
        return {made.name or self.name: made.path for made in self._made} if self._is_done else {}

    @cached_property
    def _is_done(self) -> bool:
        if self._unknown or not self._made:
            return False
        return all(made.is_there and not self._other(made) for made in self._made)

    def forecast(self, sample: int) -> Forecast:
        """What the step would take; of given labels that are not there yet an empty image stands in."""
        image = self._source.whole
        axes = "".join(axis for axis in image.axes if axis != "c")
        lengths = tuple(image.size(axis) for axis in axes)
        spacing = {axis: step for axis, step in image.spacing.items() if axis in axes}
        units = {axis: unit for axis, unit in image.units.items() if axis in axes}
        empty = Image(np.broadcast_to(np.uint32(0), lengths), axes, spacing=spacing, units=units)
        given = {**(self.options.given or {}), **dict.fromkeys(self.waiting, empty)}
        parts: Any = self.parts
        if self.waiting:
            parts = replace(parts, segmenter=_Unprepared(parts.segmenter))
        execution = Execution(parts=parts, options=replace(self.options, given=given or None))
        foreseen = execution.forecast(self.source, 0 if self._unknown else sample)
        region = ("within",) if self.unbounded else ()
        return replace(foreseen, done=self._is_done, waiting=(*self.waiting, *region))

    def _run(self, options: RunOptions) -> Result:
        recipe = self._recipe  # before anything changes
        execution = Execution(parts=self.parts, options=options, noted=self._noted)
        try:
            return execution.run(self.source, self.destination)
        finally:
            note_changes(self.parts, self._source, self._formats, recipe)

    def _noted(self) -> dict[str, Any]:
        """What the labels hold of what they are made from: of files, those that the run itself has not changed."""
        now = files_in(components_of(self.parts, self._source, self._formats))
        kept = {path: content for path, content in self._recipe["files"].items() if now.get(path) == content}
        return {RECIPE: {**self._recipe, "files": kept}}

    def _refuse(self, there: Sequence[Made]) -> None:
        for made in there:
            if other := self._other(made):
                raise AlreadyExists(
                    f"{made.path} exists, and is not what step {self.name!r} makes: {other}. Pass overwrite=True "
                    "(--overwrite) to replace it, which repeats only what differs, or choose another destination"
                )

    def _other(self, made: Made) -> str:
        return made.other_than(self._recipe, self._unknown)

    @cached_property
    def _source(self) -> Source:
        return Execution(parts=self.parts, options=self.options).open(self.source)

    @cached_property
    def _made(self) -> list[Made]:
        """The labels of the step; none in a folder that a run makes, because nobody named one."""
        if self.destination is None and not (self._source.whole.source or self._source.path):
            return []
        execution, outputs = Execution(parts=self.parts, options=self.options), outputs_of(self.parts.segmenter)
        homes = {name: execution.destination(self._source, self.destination, name) for name in outputs or ("",)}
        return [Made(name=name, home=home, table=self._table(home, name)) for name, home in homes.items()]

    def _table(self, labels: Destination, output: str) -> Destination | None:
        if not self.parts.measure:
            return None
        from .tabling import table_home  # most runs measure nothing

        return table_home(self.options, labels, output or self.options.name, outputs_of(self.parts.segmenter))

    @property
    def _formats(self) -> Mapping[Kind, Any]:
        formats: dict[Kind, Any] = {}
        for made in self._made[:1]:  # those of all outputs are the same
            formats["writer"] = made.home.writer
            if made.table is not None:
                formats["table"] = made.table.writer
        return formats

    @cached_property
    def _recipe(self) -> dict[str, Any]:
        """What the labels are made from; given labels that are not there yet are left out."""
        given = given_labels(self.options.given, self._source.whole, self.options.storage)
        inputs: dict[str, Any] = {"given": {name: labels_content(each) for name, each in given.items()}}
        if laid := {name: each.lattice for name, each in given.items() if each.lattice is not None}:
            inputs["laid"] = {name: [lattice.starts, lattice.steps] for name, lattice in laid.items()}
        region = self.options.within
        inputs["region"] = None if region is None else region_content(region, self.options.storage)
        return recipe_of(self.parts, self.options, self._source, self._formats, inputs)

    @property
    def _unknown(self) -> tuple[str, ...]:
        given, region = ("given", "laid") if self.waiting else (), ("region", "within_rule") if self.unbounded else ()
        return (*given, *region)

    @property
    def _unfinished(self) -> bool:
        return self.options.resume and any(made.is_unfinished for made in self._made)
