"""Whose code failed: what a component raises leaves with its name, its distribution, and what it was asked."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..errors import ComponentFailed, TilewrightError
from .isolation import describe
from .registry import registry
from .specs import Kind

__all__ = ["blamed", "definition", "name_of", "whose"]


def name_of(kind: Kind, thing: object) -> str:
    """A short name for messages: the name that a plugin gives it, else the function's or class's own."""
    owner = registry().owner(kind, definition(thing))
    if owner:
        return owner.spec.name
    named = definition(thing.func if isinstance(thing, functools.partial) else thing)
    return f"{named.__module__}.{named.__qualname__}"


def definition(thing: object) -> Any:
    """What a plugin's target can lead to: the function itself, or the class of an instance."""
    return thing if hasattr(thing, "__qualname__") else type(thing)


def whose(kind: Kind, thing: object) -> str:
    """`segmenter 'threshold' of tilewright-threshold 0.1.0`; without a distribution for what is not a plugin's."""
    owner = registry().owner(kind, definition(thing))
    brought = f" of {owner.distribution} {owner.version}" if owner and owner.distribution != "tilewright" else ""
    return f"{kind} {name_of(kind, thing)!r}{brought}"


def blamed(
    kind: Kind, thing: object, doing: str, raises: type[TilewrightError] = ComponentFailed
) -> AbstractContextManager[None]:
    """Run a component's code; whatever it raises becomes an error that says whose it is, with its cause.

    doing: what it was called for and with, as in `running prepare(Image(name='cells', …))`.

    Errors of tilewright pass as they are, since a component raises them on purpose; so do Ctrl-C, and what the system
    tells a writer of its files. SystemExit and panics of extensions, which would end the process, are errors like any
    other.
    """
    return _Blame(kind, thing, doing, raises)


@dataclass(frozen=True)
class _Blame(AbstractContextManager[None]):
    """Not a generator: contextlib takes a RuntimeError that is caused by a StopIteration for Python's own."""

    kind: Kind
    thing: object
    doing: str
    raises: type[TilewrightError]

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or isinstance(error, TilewrightError | KeyboardInterrupt | GeneratorExit):
            return
        if self.kind in ("writer", "table") and isinstance(error, OSError):
            return
        raise self.raises(f"{whose(self.kind, self.thing)} raised {describe(error)}, while {self.doing}") from error
