"""Label images: runs of equal labels, pairs of labels, objects and their numbers, objects across slices."""
