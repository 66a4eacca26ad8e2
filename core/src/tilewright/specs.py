"""What a plugin's hooks return: light descriptions of components, which import nothing until one is used."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["KINDS", "FormatSpec", "Kind", "Spec"]

Kind = Literal["reader", "tiler", "segmenter", "merger", "writer"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A component's name, where its code is, and one sentence on what it does.

    `target` is `"package.module:Name"` and is imported when the component is first used. A name is lower-case words
    joined by hyphens. A malformed name or target raises ValueError, which discovery reports as that plugin's error.
    """

    name: str
    target: str
    summary: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no component name; use lower-case words joined by hyphens")
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"{self.target!r} is no target for {self.name!r}; write 'package.module:Name'")

    def load(self) -> Any:
        """Import and return the target."""
        return pkgutil.resolve_name(self.target)


@dataclass(frozen=True, kw_only=True)
class FormatSpec(Spec):
    """A reader's or writer's spec: how to tell that a path is its own.

    `suffixes` are lower case with their dot (`".ome.zarr"`); `sniff(path, first_bytes)` looks at the path and up to
    4,096 bytes of it (none for a folder) with the standard library alone; `priority` only breaks ties.
    """

    suffixes: tuple[str, ...] = ()
    sniff: Callable[[str, bytes], bool] | None = None
    priority: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for suffix in self.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise ValueError(f"{suffix!r} of {self.name!r} is no suffix; write it lower case with its dot")
