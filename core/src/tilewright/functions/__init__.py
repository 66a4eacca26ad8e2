"""The functions that users of patchworks know, over `Pipeline`: each is imported from `tilewright` itself."""
