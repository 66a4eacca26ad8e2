"""What all test classes of the kit have in common: tests that can be left out for a reason."""

from __future__ import annotations

import difflib
import pickle
import unittest
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

__all__ = ["Kit", "sent"]


class Kit:
    """The base of the kit's classes.

    `leave_out` names tests of the class that do not apply, each with the reason, which the test run shows:

        leave_out = {"test_twice_gives_the_same": "the GPU adds in any order, so the last bit differs"}

    TypeError, as soon as the class is defined, for a name that is not a test of the class and for a missing reason.
    """

    leave_out: ClassVar[Mapping[str, str]] = {}
    loud = True

    @property
    def notes(self) -> list[str]:
        """What this test measured."""
        notes: list[str] = vars(self).setdefault("_notes", [])
        return notes

    def measured(self, note: str) -> None:
        """Note a figure, which `tilewright check` shows and pytest prints with `-rP`."""
        self.notes.append(note)
        if self.loud:
            print(note)

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        tests = [name for name in dir(cls) if name.startswith("test_")]
        for name, reason in cls.leave_out.items():
            if name not in tests:
                close = difflib.get_close_matches(name, tests, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"its tests are: {', '.join(tests)}"
                raise TypeError(f"{cls.__name__}.leave_out names {name!r}, which is not a test of it; {hint}")
            if not reason.strip():
                raise TypeError(f"{cls.__name__}.leave_out gives no reason for {name!r}; say why it does not apply")
            setattr(cls, name, _left_out(reason))


def _left_out(reason: str) -> Callable[[Kit], NoReturn]:
    def test(_: Kit) -> NoReturn:
        raise unittest.SkipTest(reason)  # which pytest reports as skipped, and needs no pytest

    return test


def sent(made: object, most: int | None = None) -> Any:
    """A component as another process gets it. AssertionError if it has no pickle of at most so many bytes."""
    try:
        data = pickle.dumps(made)
    except Exception as error:
        raise AssertionError(
            f"it cannot be pickled ({error}); make it a frozen dataclass of plain options, or a module's function"
        ) from error
    assert most is None or len(data) <= most, (
        f"its pickle has {len(data):,} bytes after a call; load weights on the first call and keep them in a "
        "functools.cache keyed by the options, not in the component"
    )
    return pickle.loads(data)
