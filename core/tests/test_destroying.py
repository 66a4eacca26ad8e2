"""What writing at a path would destroy of an image in a zarr store."""

from __future__ import annotations

from pathlib import Path

import pytest
import zarr

from tilewright.storage.identity import Identity


@pytest.mark.parametrize(
    ("place", "destroyed"),
    [
        ("labels/cells", False),
        ("tables/cells", False),
        ("../other.ome.zarr", False),
        ("labels", True),
        ("tables", True),
        ("0", True),
        ("other/cells", True),
        (".", True),
        ("..", True),
    ],
)
def test_labels_and_tables_in_an_images_store_do_not_destroy_it(tmp_path: Path, place: str, destroyed: bool) -> None:
    store = tmp_path / "image.ome.zarr"
    array = zarr.create_array(store, shape=(8, 8), dtype="u1")
    assert (Identity(array).destroyed_by(store / place) is not None) == destroyed
