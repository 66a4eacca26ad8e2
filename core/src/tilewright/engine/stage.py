"""A step of a workflow on one image: whether its labels are there already, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..abc.traits import MeasurerTraits, Traits, WriterTraits
from ..components.blame import whose
from ..components.specs import Kind
from ..errors import AlreadyExists, CheckpointMismatch
from ..image import Image
from ..io.destination import Destination
from ..io.source import Source, chosen_channels
from ..labels.content import Content
from ..run_options import RunOptions
from .alignment import check_needed, check_wanted
from .checkpoint.differences import differences
from .checkpoint.lock import remove_idle
from .execution import Execution
from .given import given_labels
from .planning import Parts
from .recipe import (
    components_of,
    files_in,
    is_as_written,
    labels_at,
    labels_content,
    note_changes,
    recipe_of,
    region_content,
)
from .result import Result
from .table import Table, table_at

if TYPE_CHECKING:
    from .forecast import Forecast

__all__ = ["Stage"]

RECIPE = "made_from"  # in the provenance of the labels


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
        given_labels(options.given, image)  # they are opened
        combined = bool(self.parts.transforms)
        chosen_channels(image, traits, options.channel, options.channels, combined=combined)
        if self._home is not None and not options.overwrite and self._is_there and not self._unfinished:
            self._refuse(self._other)

    def run(self) -> Result:
        """The result of the step, which is run unless its labels are there already."""
        home = self._home
        if home is None or not self._is_there:
            return self._run(self.options)
        if self._other:
            if not (self.options.overwrite or self._unfinished):
                self._refuse(self._other)
            return self._run(self.options)
        if self._unfinished:  # it was killed when its labels were in their place already
            with suppress(CheckpointMismatch):  # of another run, which was to replace these labels
                return self._run(replace(self.options, overwrite=True))
        elif not self.options.keep_checkpoint:
            self._clear_up()
        return Result.stored(Path(home.path), self._provenance, labels_at(Path(home.path)), self._table())

    @cached_property
    def done(self) -> dict[str, Path]:
        """The labels by the name of the step, if they are there already; empty if not."""
        if self._unknown or self._home is None or not self._is_there or self._other:
            return {}
        return {self.name: Path(self._home.path)}

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
        return replace(foreseen, done=bool(self.done), waiting=(*self.waiting, *region))

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

    def _clear_up(self) -> None:
        """Remove what a run left that was killed when its labels were in their place, and all but this was done."""
        homes = [home for home in (self._home, self._table_home) if home is not None]
        for folder in {folder for home in homes for folder in (home.checkpoint, home.beside) if folder.exists()}:
            remove_idle(folder)

    def _refuse(self, other: str) -> None:
        if other:
            assert self._home is not None
            raise AlreadyExists(
                f"{self._home.path} exists, and is not what step {self.name!r} makes: {other}. Pass overwrite=True "
                "(--overwrite) to replace it, which repeats only what differs, or choose another destination"
            )

    @cached_property
    def _other(self) -> str:
        """Why what is there is not what the step makes, in words for a user; empty if it is."""
        assert self._home is not None
        provenance, path = self._provenance, Path(self._home.path)
        made, content = provenance.get(RECIPE), Content.noted(provenance)
        if not isinstance(made, Mapping) or content is None:
            return "it does not tell that a workflow made it"
        left_out = ("files", *self._unknown)
        old, new = ({name: each[name] for name in each if name not in left_out} for each in (made, self._recipe))
        if text := differences(old, new):
            return text
        for file, held in made.get("files", {}).items():
            if self._recipe["files"].get(file) != held:
                return f"the file {file} has changed since"
        if provenance.get("failed"):
            return f"{len(provenance['failed'])} of its tiles failed, which overwriting does again"
        if not is_as_written(path, content):
            return "its labels were changed after they had been written"
        return self._lack_of_table()

    def _lack_of_table(self) -> str:
        home, record = self._table_home, self._provenance.get("table", {})
        if home is None:
            return ""
        traits = WriterTraits.of(home.writer, "table")
        if not traits.exists(home.path):
            return f"there is no table {home.path} of it"
        held = traits.provenance(home.path)
        if held is not None and held.get("fingerprint") != record.get("fingerprint"):
            return f"the table {home.path} is another one"
        return ""

    def _table(self) -> Table | None:
        home = self._table_home
        if home is None:
            return None
        traits = WriterTraits.of(home.writer, "table")
        data = None if traits.opened is None else traits.opened(home.path)
        return table_at(Path(home.path), self._provenance["table"], traits.provenance(home.path) or {}, data)

    @cached_property
    def _source(self) -> Source:
        return Execution(parts=self.parts, options=self.options).open(self.source)

    @cached_property
    def _home(self) -> Destination | None:
        if self.destination is None and not (self._source.whole.source or self._source.path):
            return None
        return Execution(parts=self.parts, options=self.options).destination(self._source, self.destination)

    @cached_property
    def _table_home(self) -> Destination | None:
        if not self.parts.measure or self._home is None:
            return None
        from .tabling import table_home  # most runs measure nothing

        return table_home(self.options, self._home)

    @property
    def _formats(self) -> Mapping[Kind, Any]:
        formats: dict[Kind, Any] = {} if self._home is None else {"writer": self._home.writer}
        return formats if self._table_home is None else {**formats, "table": self._table_home.writer}

    @cached_property
    def _recipe(self) -> dict[str, Any]:
        """What the labels are made from; given labels that are not there yet are left out."""
        given = given_labels(self.options.given, self._source.whole)
        inputs: dict[str, Any] = {"given": {name: labels_content(each) for name, each in given.items()}}
        if laid := {name: each.lattice for name, each in given.items() if each.lattice is not None}:
            inputs["laid"] = {name: [lattice.starts, lattice.steps] for name, lattice in laid.items()}
        within = getattr(self.options, "within", None)
        if within is not None:
            inputs["within"] = region_content(within)
        return recipe_of(self.parts, self.options, self._source, self._formats, inputs)

    @property
    def _unknown(self) -> tuple[str, ...]:
        given, region = ("given", "laid") if self.waiting else (), ("within",) if self.unbounded else ()
        return (*given, *region)

    @property
    def _is_there(self) -> bool:
        assert self._home is not None
        return WriterTraits.of(self._home.writer).exists(self._home.path)

    @property
    def _unfinished(self) -> bool:
        """Whether a run has left what it was building. One that ended has not, though it may keep its checkpoint."""
        assert self._home is not None
        return self.options.resume and self._home.workdir.exists()

    @cached_property
    def _provenance(self) -> Mapping[str, Any]:
        assert self._home is not None
        return WriterTraits.of(self._home.writer).provenance(self._home.path) or {}
