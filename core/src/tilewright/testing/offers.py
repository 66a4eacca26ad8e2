"""What the installed plugins say of a component under test."""

from __future__ import annotations

from typing import Any

from ..components.registry import registry
from ..components.specs import FormatSpec, Kind

__all__ = ["format_of"]


def format_of(kind: Kind, said: Any) -> FormatSpec:
    """The spec of a reader or writer that was given as a name, an instance or a function."""
    if isinstance(said, str):
        found = registry().find(kind, said)
    else:
        owner = registry().owner(kind, said if hasattr(said, "__qualname__") else type(said))
        assert owner is not None, (
            f"no installed plugin offers the {kind} {said!r}; install its package first (pip install -e .), and give "
            "its spec this target"
        )
        found = owner
    assert isinstance(found.spec, FormatSpec)
    return found.spec
