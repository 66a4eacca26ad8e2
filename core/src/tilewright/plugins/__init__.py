"""Where users of patchworks look for its plugins: `from tilewright.plugins.cellpose import cellpose_fn`."""
