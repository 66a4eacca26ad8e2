"""Every fault that a tiler, merger, writer or table's format can have is caught by the test that is there for it."""

from __future__ import annotations

import pytest

from .conftest import Catching

pytestmark = pytest.mark.slow

TILERS = {
    "Listing": "test_the_grid_is_over_the_axes_and_the_shape_of_the_image",
    "Short": "test_the_grid_is_over_the_axes_and_the_shape_of_the_image",
    "Renaming": "test_the_grid_is_over_the_axes_and_the_shape_of_the_image",
    "Gaps": "test_law_1_the_cores_partition_the_image",
    "Inside": "test_every_core_lies_in_its_outer_region",
    "Peeking": "test_law_1_the_cores_partition_the_image",
    "WithoutHalo": "test_the_halo_is_at_least_what_the_segmenter_needs",
    "WithoutStride": "test_outer_regions_start_at_multiples_of_the_stride",
    "Idle": "test_not_every_tile_is_left_out",
    "Fickle": "test_the_same_image_is_cut_the_same",
    "Locked": "test_it_can_be_sent_to_another_process",
}
MERGERS = {
    "Never": "test_law_2_components_are_those_of_the_whole",
    "Always": "test_law_2_components_are_those_of_the_whole",
    "WithBackground": "test_a_seam_without_objects_has_no_pairs",
    "Swapped": "test_law_2_components_are_those_of_the_whole",
    "Turned": "test_pairs_are_labels_of_the_seam",
    "Fractional": "test_pairs_are_labels_of_the_seam",
    "InPlace": "test_the_labels_are_left_as_they_are",
    "Fickle": "test_the_labels_are_left_as_they_are",
    "Locked": "test_it_can_be_sent_to_another_process",
}
OWNERS = {
    "Hasty": "test_what_it_decides_of_a_part_is_what_it_decides_of_all",
    "Linking": "test_what_it_decides_of_a_part_is_what_it_decides_of_all",
    "Ranking": "test_what_it_decides_of_a_part_is_what_it_decides_of_all",
    "Silent": "test_what_it_is_shown_all_of_it_decides",
    "ThreeColumns": "test_pairs_are_labels_of_the_seam",
}
WRITERS = {
    "InTheOpen": "test_nothing_is_visible_before_finish",
    "Anew": "test_reopened_it_goes_on",
    "Narrow": "test_large_ids_are_kept",
    "Wide": "test_ids_that_the_format_cannot_hold_are_refused",
    "Filled": "test_blocks_that_never_come_are_background",
    "Adding": "test_a_block_may_come_again",
    "InOrder": "test_blocks_in_any_order_make_the_whole",
    "Locked": "test_processes_and_threads_write_together",
    "Flat": "test_the_block_is_a_shape",
    "Elsewhere": "test_nothing_is_visible_before_finish",
}

TABLES = {
    "InTheOpen": "test_nothing_is_visible_before_finish",
    "Writing": "test_an_earlier_table_stays_until_the_new_one_is_whole",
    "Appending": "test_a_second_try_begins_anew",
    "Rounding": "test_rows_are_read_back_as_they_were_written",
    "Sorted": "test_rows_are_read_back_as_they_were_written",
    "Doubled": "test_rows_are_read_back_as_they_were_written",
    "Timeless": "test_times_are_a_part_of_the_key",
    "Imageless": "test_the_table_of_several_images_says_the_image_of_each_row",
    "Filled": "test_no_rows_are_a_table_too",
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_tilers_is_caught(catching: Catching) -> None:
    catching("broken_tilers", "TilerTests", "tiler", TILERS)


def test_what_breaks_the_contract_of_mergers_is_caught(catching: Catching) -> None:
    reason = 'leave_out = {"test_law_3_objects_that_touch_stay_apart": "it is for components"}'
    catching("broken_mergers", "MergerTests", "merger", MERGERS, body=reason)


def test_what_breaks_the_contract_of_owning_mergers_is_caught(catching: Catching) -> None:
    catching("broken_owners", "OwnerTests", "merger", OWNERS)


def test_what_breaks_the_contract_of_writers_is_caught(catching: Catching) -> None:
    catching("broken_writers", "WriterTests", "writer", WRITERS, body='suffix = ".lab"; dtypes = ("uint32",)')


def test_what_breaks_the_contract_of_tables_is_caught(catching: Catching) -> None:
    catching("broken_tables", "TableTests", "table", TABLES, body='suffix = ".lab"')
