"""A call that runs out of memory is repeated, then given less at a time; the log says each attempt."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from tilewright import fit_into_memory
from tilewright.components import exhaustion

pytestmark = pytest.mark.slow

BEYOND = 2**60  # bytes: more than any address space holds


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustion, "PAUSES", (0.01, 0.02))


def taking_more_than_two(size: int) -> int:
    np.empty(max(0, size - 2) * BEYOND, np.uint8)
    return size


def test_the_size_is_halved_until_it_fits_and_each_attempt_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tilewright"):
        assert fit_into_memory(taking_more_than_two, 9) == 2
    assert [message.partition("(")[0] + message.rpartition(")")[2] for message in caplog.messages] == [
        "out of memory at size 9 ; trying size 9 in 0.01 s",
        "out of memory at size 9 ; trying size 9 in 0.02 s",
        "out of memory at size 9 ; trying size 4 in 0 s",
        "out of memory at size 4 ; trying size 2 in 0 s",
    ]
    assert all("Unable to allocate" in message for message in caplog.messages)


def test_memory_that_another_process_gives_back_is_used_at_the_full_size() -> None:
    taken = [BEYOND]

    def work(size: int) -> int:
        np.empty(taken.pop() if taken else 0, np.uint8)
        return size

    assert fit_into_memory(work, 8) == 8


@pytest.mark.parametrize(("size", "least", "last"), [(8, 1, 1), (8, 3, 4), (100, 32, 50), (40, 32, 40), (1, 1, 1)])
def test_below_the_least_size_the_error_is_raised(size: int, least: int, last: int) -> None:
    sizes = []

    def work(size: int) -> None:
        sizes.append(size)
        np.empty(BEYOND, np.uint8)

    with pytest.raises(MemoryError, match="Unable to allocate"):
        fit_into_memory(work, size, least=least)
    assert sizes[:3] == [size] * 3
    assert sizes[-1] == last


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch names it."""


class ResourceExhaustedError(Exception):
    """Named as TensorFlow names it."""


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA"),
        ResourceExhaustedError("OOM when allocating tensor"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    ],
    ids=lambda error: f"{type(error).__name__}: {error}",
)
def test_exhaustion_is_recognised_without_any_library(error: Exception) -> None:
    def work(size: int) -> int:
        if size > 1:
            raise error
        return size

    assert fit_into_memory(work, 2) == 1


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), ValueError("out of memory of another kind")])
def test_any_other_error_is_raised_at_once(error: Exception) -> None:
    sizes = []

    def work(size: int) -> None:
        sizes.append(size)
        raise error

    with pytest.raises(type(error), match=str(error)):
        fit_into_memory(work, 8)
    assert sizes == [8]
