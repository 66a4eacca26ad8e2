"""Every fault that a reader can have is caught by the test that is there for it."""

from __future__ import annotations

import pytest

from tilewright.components.registry import unregister

from .conftest import Catching

CAUGHT_BY = {
    "OtherAxes": "test_the_axes_are_the_files",
    "OtherPixels": "test_the_pixels_are_the_files",
    "WithoutSpacing": "test_spacing_units_and_channels_are_the_files",
    "OffByOne": "test_random_regions_equal_slices_of_the_whole",
    "Padding": "test_a_region_past_the_end_is_clipped_or_refused",
    "OneHandle": "test_threads_may_read_at_the_same_time",
    "AtHome": "test_a_fresh_process_reads_the_same",
    "Unsourced": "test_the_image_says_where_it_is_from",
    "OneName": "test_the_images_that_it_lists_have_names_and_paths_of_their_own",
    "Twice": "test_the_images_that_it_lists_have_names_and_paths_of_their_own",
    "Unlisting": "test_the_images_that_it_lists_have_names_and_paths_of_their_own",
    "Elsewhere": "test_each_image_that_it_lists_is_opened_by_it",
    "Untold": "test_an_image_of_several_says_so",
    "Siblings": "test_one_image_lists_no_others",
    "Denying": "test_it_claims_its_own_file",
    "Greedy": "test_it_leaves_other_files_alone",
    "Hungry": "test_an_empty_file_is_none_of_its_own",
    "Startled": "test_what_is_not_there_or_empty_is_refused",
    "Inventive": "test_what_is_not_there_or_empty_is_refused",
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_readers_is_caught(catching: Catching) -> None:
    offered = "import broken_readers, tilewright; tilewright.register(broken_readers)"
    made = "{module}.sample({module}.{name}(), tmp_path)"
    try:
        catching("broken_readers", "ReaderTests", "sample", CAUGHT_BY, made, body=offered)
    finally:
        unregister("broken_readers")
