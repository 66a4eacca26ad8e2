"""A zarr array of a store, opened for reading, with one line for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import NotReadable
from ..storage.hierarchy import check_node

__all__ = ["stored_array"]


def stored_array(store: Path, component: str) -> Any:
    """The array of that name in a group. NotReadable if there is none, or its metadata cannot be understood."""
    import zarr

    if not store.exists():
        raise NotReadable(f"{str(store)!r} does not exist, so there is no zarr array {component!r} in it")
    check_node(store / component)
    try:
        return zarr.open_array(store / component, mode="r")
    except (FileNotFoundError, zarr.errors.ContainsGroupError, zarr.errors.NodeTypeValidationError) as error:
        raise NotReadable(f"there is no zarr array {component!r} in {str(store)!r}; give the name of one") from error
    except Exception as error:  # corrupt metadata makes zarr raise nearly anything
        said = " ".join(str(error).split())[:200]
        raise NotReadable(
            f"the zarr array {component!r} in {str(store)!r} cannot be read ({type(error).__name__}: {said}); "
            "repair or export it again"
        ) from error
