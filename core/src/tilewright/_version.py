"""The version of tilewright, for whatever needs it without the rest."""

__version__ = "0.1.0"
