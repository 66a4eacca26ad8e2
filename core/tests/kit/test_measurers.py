"""Every fault that a measurer can have is caught by the test that is there for it."""

from __future__ import annotations

import pytest

from .conftest import Catching

pytestmark = pytest.mark.slow

CAUGHT_BY = {
    "Untyped": "test_what_it_declares_makes_sense",
    "Unnamed": "test_what_it_declares_makes_sense",
    "Key": "test_what_it_declares_makes_sense",
    "Backwards": "test_what_it_declares_makes_sense",
    "Nowhere": "test_what_it_declares_makes_sense",
    "Renamed": "test_every_object_has_a_value_in_each_declared_column",
    "Fractional": "test_every_object_has_a_value_in_each_declared_column",
    "Shorter": "test_every_object_has_a_value_in_each_declared_column",
    "Narrow": "test_every_object_has_a_value_in_each_declared_column",
    "Constant": "test_it_tells_objects_apart",
    "Near": "test_blocks_equal_the_whole",
    "Averaging": "test_blocks_equal_the_whole",
    "Cropped": "test_blocks_equal_the_whole",
    "Crowded": "test_blocks_equal_the_whole",
    "Named": "test_permuted_labels_permute_rows",
    "Remembering": "test_workers_change_nothing",
    "Locked": "test_it_can_be_sent_to_another_process",
    "Random": "test_twice_gives_the_same",
    "Counting": "test_a_resumed_run_changes_nothing",
    "Learning": "test_without_objects_the_table_has_the_same_columns",
    "InPlace": "test_the_block_is_left_as_it_is",
    "ReadWrite": "test_the_block_is_left_as_it_is",
    "Overflowing": "test_the_same_pixels_in_another_dtype_give_the_same",
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_measurers_is_caught(catching: Catching) -> None:
    catching("broken_measurers", "MeasurerTests", "measurer", CAUGHT_BY)
