"""Every fault that a transform can have is caught by the test that is there for it."""

from __future__ import annotations

import pytest

from .conftest import Catching

CAUGHT_BY = {
    "Beyond": "test_what_it_declares_makes_sense",
    "Shrinking": "test_it_returns_a_real_number_for_each_pixel",
    "Symbolic": "test_it_returns_a_real_number_for_each_pixel",
    "Fickle": "test_the_dtype_does_not_depend_on_the_pixels",
    "Bare": "test_tiles_equal_the_whole_cut",
    "Short": "test_tiles_equal_the_whole_cut",
    "Unprepared": "test_tiles_equal_the_whole_cut",
    "Placeless": "test_without_a_place_the_pixels_are_the_whole_image",
    "Random": "test_twice_gives_the_same",
    "Locked": "test_it_can_be_sent_to_another_process",
    "Remembering": "test_calls_at_the_same_time_do_not_disturb_each_other",
    "Thick": "test_regions_of_any_size_are_taken",
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_transforms_is_caught(catching: Catching) -> None:
    catching("broken_transforms", "TransformTests", "transform", CAUGHT_BY)
