"""How alike two label images are: their objects matched, and which of them are fused, split, lost or doubled."""

from .comparison import Comparison, Score, compare, compared

__all__ = ["Comparison", "Score", "compare", "compared"]
