"""The place of patchworks' plugins, for scripts that import `tilewright.plugins.cellpose`."""
