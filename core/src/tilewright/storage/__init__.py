"""Arrays and files: what is read region by region, local zarr chunks, atomic replacement of outputs."""
