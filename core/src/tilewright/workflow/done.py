"""One image of a collection after a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import TilewrightError

if TYPE_CHECKING:
    from ..engine.result import Result

__all__ = ["ImageDone"]


@dataclass(frozen=True, kw_only=True)
class ImageDone:
    """One image of a collection after a run: the results of its steps by name, or the error that ended it."""

    name: str
    path: str
    results: Mapping[str, Result] = field(default_factory=dict)
    error: TilewrightError | None = None

    @property
    def labels(self) -> dict[str, Result]:
        """The label images by name, each output of a segmenter with several by its own."""
        results = self.results.items()
        return {label: each for name, result in results for label, each in (result.outputs or {name: result}).items()}
