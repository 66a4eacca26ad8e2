"""Random runs give the labels of the whole image; `make faults` tries ten times as many."""

from __future__ import annotations

import pytest
from exactness import Case, fault

from tilewright import Grid

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_random_runs_give_the_labels_of_the_whole_image(first: int) -> None:
    cases = [Case(number) for number in range(first, first + 25)]
    faults = {number: (case, found) for number, case in enumerate(cases, first) if (found := fault(case))}
    assert not faults, "\n".join(f"{case}\n    {found}" for case, found in faults.values())


def test_a_halo_that_is_too_small_is_found() -> None:
    """The comparison can fail."""
    cases = (case for case in map(Case, range(1000)) if case.kind == "smooth" and case.pixels.size > 500)
    smooth = [case for case, _ in zip(cases, range(10), strict=False)]
    for case in smooth:
        case.parts["tiler"] = Grid(tile=(5,) * len(case.space), halo=0)
    assert any("pixels wrong" in fault(case) for case in smooth)
