"""What tiling did to labels, without truth: the geometry at seams, and crops that are segmented again in one piece."""

from __future__ import annotations

from .check import SeamCheck, check
from .crops import Difference
from .significance import Finding

__all__ = ["Difference", "Finding", "SeamCheck", "check"]
