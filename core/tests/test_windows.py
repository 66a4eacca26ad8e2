"""Windows: what is wrong with them is refused before anything is predicted."""

from __future__ import annotations

from typing import Any

import pytest

from tilewright import InvalidOption
from tilewright.abc import Windows


def along_x(*starts: int, **others: Any) -> Windows:
    """Windows of 8 pixels over an image of 20."""
    return Windows(**{"axes": "x", "shape": (20,), "starts": (starts,), "size": (8,), **others})


def test_windows_may_begin_before_the_image_end_after_it_and_lie_twice_at_one_place() -> None:
    first, last = along_x(-3, 4, 4, 12, 19).kept[0]
    assert first.tolist() == [0, 4, 4, 12, 19]
    assert last.tolist() == [5, 12, 12, 20, 20]


def test_a_margin_is_kept_at_the_images_border_alone() -> None:
    first, last = along_x(0, 4, 8, 12, margin=(2,)).kept[0]
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [(0, 6), (6, 10), (10, 14), (14, 20)]


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"starts": ()}, "leave out x 0:20 of 20"),
        ({"starts": (0, 8)}, "leave out x 16:20 of 20"),
        ({"starts": (0, 7, 12), "margin": (1,)}, "leave out x 7:8 of 20"),
        ({"starts": (1, 8, 12)}, "leave out x 0:1 of 20"),
        ({"starts": (0, 12, 8)}, "start along x at 12 and then at 8; starts must ascend"),
        ({"starts": (0, 8, 16, 20)}, "the window x 20:28 sees nothing of the image, whose length there is 20"),
        ({"starts": (-8, 0, 8, 16)}, "the window x -8:0 sees nothing of the image"),
        ({"starts": (0, 8, 12), "taper": ((1.0,) * 7,)}, "taper has 7 weights along x, windows 8"),
        ({"starts": (0, 8, 12), "size": (8, 8)}, "windows have 1 axes 'x', but size is for another number"),
        ({"starts": (0, 8, 12), "axes": "c"}, "distinct letters out of 'z y x'"),
    ],
)
def test_windows_that_do_not_cover_the_image_or_fit_it_are_refused(windows: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        along_x(*windows.pop("starts"), **windows)
    assert message in str(raised.value)
