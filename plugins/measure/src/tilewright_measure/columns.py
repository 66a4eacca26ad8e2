"""Names of columns: scikit-image's, with the channel behind them where there are several."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Facts
from tilewright.errors import InvalidOption

__all__ = ["check_names", "names_of", "of_channel", "split"]


def names_of(name: str, shape: Sequence[int]) -> list[str]:
    """The columns of a property of several numbers: `bbox-0`, `moments-0-1`; its own name if it is one number."""
    return ["-".join([name, *map(str, index)]) for index in np.ndindex(*shape)]


def split(name: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The columns of a property, (n, *shape)."""
    shape = values.shape[1:]
    return dict(zip(names_of(name, shape), values.reshape(len(values), math.prod(shape)).T, strict=True))


def of_channel(name: str, channel: str, facts: Facts) -> str:
    """A column of one channel: `intensity_mean-DAPI`; without the channel if the image has no other."""
    return f"{name}-{channel}" if len(facts.channels) > 1 else name


def check_names(wanted: Iterable[str], known: Sequence[str], measurer: str) -> None:
    """InvalidOption for a name that is not among the known ones."""
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it knows {', '.join(known)}"
            raise InvalidOption(f"{measurer} has no property {name!r}{hint}")
