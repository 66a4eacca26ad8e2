"""Components that were prepared once, on several images, for a run on each of them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .code_identity import behaviour

__all__ = ["Shared"]


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Components that are prepared already: a run on one of the images does not prepare them again.

    images: the names of those on which they were prepared.
    """

    images: tuple[str, ...]
    components: tuple[Callable[..., Any], ...]

    def has(self, component: object) -> bool:
        """Whether a component is one of them."""
        return any(each is component for each in self.components)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What tells it from others, in JSON's values: how many images, which ones, and what no options of it tell."""
        beside = [behaviour(_beside_options(each)) for each in self.components]
        return {"images": len(self.images), "names": _digest(self.images), "beside": _digest(beside)}


def _beside_options(component: object) -> dict[str, Any]:
    """What a component holds that is not an option: records of its options do not have it."""
    options = {each.name for each in dataclasses.fields(component)} if dataclasses.is_dataclass(component) else set()
    return {name: value for name, value in getattr(component, "__dict__", {}).items() if name not in options}


def _digest(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=16).hexdigest()
