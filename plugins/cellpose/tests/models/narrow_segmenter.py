"""The segmenter with a small model, for processes in which no test has made the network's class narrow."""

from __future__ import annotations

from dataclasses import dataclass

import small_cellpose

from tilewright_cellpose.segmenter import Cellpose

small_cellpose.narrow()


@dataclass(frozen=True, kw_only=True)
class Narrow(Cellpose):
    """A process that receives one imports this module."""

    model: str = str(small_cellpose.SMALL)
