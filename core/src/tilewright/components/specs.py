"""The light descriptions of components that a plugin's hooks return; nothing is imported until one is used."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["CONTRACT", "FORMATS", "KINDS", "FormatSpec", "Kind", "Spec"]

Kind = Literal["reader", "transform", "tiler", "segmenter", "merger", "writer", "measurer", "table"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMATS: tuple[Kind, ...] = ("reader", "writer", "table")
"""The kinds that are chosen by a path, whose specs are `FormatSpec`s."""

CONTRACT = 1
"""The newest contract that this version keeps; `docs/reference/compatibility.md` says what raises it."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A component's name, where its code is, and one sentence on what it does.

    name: the name that users give; lower-case words joined by hyphens.
    target: `"package.module:Name"`, a class or a function, imported when the component is first used.
    summary: what `tilewright plugins` shows.
    contract: the number of the contract that the component was written for. A version of tilewright that does not know
        it yet leaves the plugin out and says what to upgrade.

    ValueError for a malformed name, target or number, which discovery reports as that plugin's error.
    """

    name: str
    target: str
    summary: str = ""
    contract: int = 1

    def __post_init__(self) -> None:
        for field in ("name", "target", "summary"):
            if not isinstance(getattr(self, field), str):
                raise TypeError(f"{field} of a {type(self).__name__} is text, not {getattr(self, field)!r}")
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a component name; use lower-case words joined by hyphens")
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"{self.target!r} is not a target for {self.name!r}; write 'package.module:Name'")
        if type(self.contract) is not int or self.contract < 1:
            raise ValueError(f"contract of {self.name!r} must be a whole number of at least 1, not {self.contract!r}")

    def load(self) -> Any:
        """Import and return the target. Any error of the import is raised as it is."""
        return pkgutil.resolve_name(self.target)


@dataclass(frozen=True, kw_only=True)
class FormatSpec(Spec):
    """The spec of a reader, a writer or a table's format: which paths are of its format.

    suffixes: lower case with their dot (`".ome.zarr"`); the longest that fits a path wins.
    sniff: `sniff(path, first_bytes) -> bool` looks at the path and its first 4,096 bytes (none for a folder), with the
        standard library alone. Readers whose sniff returns False are left out, even if they claim the suffix. If no
        reader claims the suffix, one whose sniff returns True is used; likewise of the writers for labels that go to
        where the image lies. A sniff that raises counts as False, with a warning.
    priority: if several components are left after that, the one with the highest priority is used. Leave it 0 unless
        there is a reason.

    ValueError for a malformed suffix, as above.
    """

    suffixes: tuple[str, ...] = ()
    sniff: Callable[[str, bytes], bool] | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_format(self.name, self.suffixes, self.sniff, self.priority)
        for suffix in self.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise ValueError(f"{suffix!r} of {self.name!r} is not a suffix; write it lower case with its dot")


def _check_format(name: str, suffixes: object, sniff: object, priority: object) -> None:
    """TypeError for values of other types than the fields have."""
    if not (isinstance(suffixes, tuple | list) and all(isinstance(suffix, str) for suffix in suffixes)):
        raise TypeError(f"suffixes of {name!r} are several texts, not {suffixes!r}; write ('.tif',)")
    if not (sniff is None or callable(sniff)):
        raise TypeError(f"sniff of {name!r} is a function of a path and its first bytes, not {sniff!r}")
    if not isinstance(priority, int):
        raise TypeError(f"priority of {name!r} is a whole number, not {priority!r}")
