"""The scenes of a file, also those that a reader of BioIO does not list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["all_scenes"]


def all_scenes(reader: Any, path: str) -> tuple[str, ...]:
    """The names of all scenes, in their order.

    bioio-czi (3.0) lists the scenes that the XML of a CZI names. Files of other programs name none, and then all scenes
    but the first would be missing: the directory of the pixels says how many there are.
    """
    if not type(reader).__module__.startswith("bioio_czi"):
        return tuple(map(str, reader.scenes))
    from aicspylibczi import CziFile

    stated = tuple(map(str, reader.scenes))
    with Path(path).open("rb") as file:
        shapes = CziFile(file).get_dims_shape()
    count = max((shape["S"][1] for shape in shapes if "S" in shape), default=1)
    if len(stated) < count:
        stated += tuple(f"Image:{number}" for number in range(len(stated), count))
        reader._implementation._scenes = stated  # `scenes` of BioIO's readers is worked out once, and kept there
    return stated
