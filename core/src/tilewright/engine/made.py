"""Labels that a step of a workflow makes: where they and their table go, and whether what is there is them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..abc.traits import WriterTraits
from ..io.destination import Destination
from ..labels.content import Content
from ..storage.location import Location
from .checkpoint.differences import differences
from .checkpoint.lock import remove_idle
from .recipe import is_as_written, labels_at
from .result import Result

__all__ = ["RECIPE", "Made"]

RECIPE = "made_from"  # in the provenance of labels


@dataclass(frozen=True, kw_only=True)
class Made:
    """A label image of a step: its name, where it goes, and where its table goes, if it has one."""

    name: str
    home: Destination
    table: Destination | None

    @property
    def path(self) -> Path | Location:
        return self.home.place

    @property
    def is_there(self) -> bool:
        return WriterTraits.of(self.home.writer).exists(self.home.path)

    @property
    def is_unfinished(self) -> bool:
        """Whether a run has left what it was building. One that ended has not, though it may keep its checkpoint."""
        return self.home.workdir.exists()

    @cached_property
    def _provenance(self) -> Mapping[str, Any]:
        return WriterTraits.of(self.home.writer).provenance(self.home.path) or {}

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What the labels that are there were made from; empty if they do not tell."""
        made = self._provenance.get(RECIPE)
        return made if isinstance(made, Mapping) else {}

    def other_than(self, recipe: Mapping[str, Any], unknown: Collection[str]) -> str:
        """Why what is there is not made from the recipe, in words for a user; empty if it is.

        unknown: the entries of the recipe that are not known yet.
        """
        provenance, made = self._provenance, self.recipe
        content = Content.noted(provenance)
        if not made or content is None:
            return "it does not tell that a workflow made it"
        old, new = ({n: v for n, v in each.items() if n not in ("files", *unknown)} for each in (made, recipe))
        if text := differences(old, new):
            return text
        for file, held in made.get("files", {}).items():
            if recipe["files"].get(file) != held:
                return f"the file {file} has changed since"
        if provenance.get("failed"):
            return f"{len(provenance['failed'])} of its tiles failed, which overwriting does again"
        if not is_as_written(self.path, content):
            return "its labels were changed after they had been written"
        return self._lack_of_table()

    def _lack_of_table(self) -> str:
        if self.table is None:
            return ""
        traits = WriterTraits.of(self.table.writer, "table")
        if not traits.exists(self.table.path):
            return f"there is no table {self.table.path} of it"
        held = traits.provenance(self.table.path)
        if held is not None and held.get("fingerprint") != self._provenance.get("table", {}).get("fingerprint"):
            return f"the table {self.table.path} is another one"
        return ""

    def result(self) -> Result:
        """The result of the run that made the labels."""
        table = None
        if self.table is not None:
            from .table import table_at  # most steps measure nothing

            traits, path = WriterTraits.of(self.table.writer, "table"), self.table.path
            data = None if traits.opened is None else traits.opened(path)
            table = table_at(Path(path), self._provenance["table"], traits.provenance(path) or {}, data)
        return Result.stored(self.path, self._provenance, labels_at(self.path), table)

    def clear_up(self) -> None:
        """Remove what a run left that was killed when its labels were in their place, and all but this was done."""
        homes = [home for home in (self.home, self.table) if home is not None]
        for folder in {folder for home in homes for folder in (home.checkpoint, home.beside) if folder.exists()}:
            remove_idle(folder)
