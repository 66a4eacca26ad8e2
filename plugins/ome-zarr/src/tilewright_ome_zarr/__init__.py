"""tilewright-ome-zarr: hooks only."""
