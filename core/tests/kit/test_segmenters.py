"""Every fault that a segmenter can have is caught by the test that is there for it."""

from __future__ import annotations

import pytest

from .conftest import Catching

CAUGHT_BY = {
    "Transposed": "test_labels_are_whole_numbers_of_the_shape_of_the_pixels",
    "Halved": "test_labels_are_whole_numbers_of_the_shape_of_the_pixels",
    "InPlace": "test_the_pixels_are_left_as_they_are",
    "WantsToWrite": "test_the_pixels_are_left_as_they_are",
    "NeverEmpty": "test_an_empty_tile_has_no_objects",
    "Random": "test_twice_gives_the_same",
    "Locked": "test_it_can_be_sent_to_another_process",
    "Heavy": "test_it_can_be_sent_to_another_process",
    "Remembering": "test_calls_at_the_same_time_do_not_disturb_each_other",
    "Even": "test_tiles_of_odd_sizes_are_taken",
    "Thick": "test_tiles_one_pixel_long_are_taken",
    "Unprepared": "test_tiles_agree_with_the_whole",
    "Bare": "test_tiles_agree_with_the_whole",
    "Blind": "test_it_finds_something",
    "Beyond": "test_what_it_declares_makes_sense",
    "Lost": "test_without_a_place_the_pixels_are_the_whole_image",
    "Homeless": "test_without_a_place_the_pixels_are_the_whole_image",
    "Backward": "test_what_it_declares_makes_sense",
    "Forgetful": "test_it_finds_something",
    "Incomplete": "test_labels_are_whole_numbers_of_the_shape_of_the_pixels",
    "Undeclared": "test_labels_are_whole_numbers_of_the_shape_of_the_pixels",
    "Vain": "test_it_finds_something",
    "Divided": "test_tiles_agree_with_the_whole",
    "Scaled": "test_the_same_pixels_in_another_dtype_give_the_same",
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_segmenters_is_caught(catching: Catching) -> None:
    catching("broken_segmenters", "SegmenterTests", "segmenter", CAUGHT_BY)
