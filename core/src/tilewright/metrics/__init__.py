"""Comparison of label images: which objects match, and which are fused, split, lost or doubled."""

from .comparison import Comparison, Score, compare, compared

__all__ = ["Comparison", "Score", "compare", "compared"]
