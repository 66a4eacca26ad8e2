"""Which merger the functions mean: `merger` and `connectivity` as one component."""

from __future__ import annotations

from typing import Any

from ..components import component, declared
from ..errors import InvalidOption
from ..mergers import Touch
from .quantities import whole_number

__all__ = ["chosen_merger"]


def chosen_merger(merger: Any, connectivity: int, segmenter: object, dimensions: int) -> Any:
    """The merger of a run. The default, `"touch"` with connectivity 1, gives way to one that the segmenter declares.

    UnknownComponent for a name that nobody offers; InvalidOption for a connectivity that there cannot be, or for one
    beside a merger that has none.
    """
    if whole_number("connectivity", connectivity, least=1) > dimensions:
        raise InvalidOption(f"connectivity {connectivity} is more than the image's {dimensions} spatial dimensions")
    if merger == "touch":
        standing = declared(segmenter, "merger") if connectivity == 1 else None
        return Touch(connectivity=connectivity) if standing is None else component("merger", standing)
    found = component("merger", merger)
    if connectivity != 1:
        raise InvalidOption(f"connectivity {connectivity} is for merger 'touch', not for {merger!r}; leave it out")
    return found
