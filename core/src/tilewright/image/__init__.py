"""The image: a lazily readable array with axes, spacing and channels, and samples of it."""

from .image import AXES, SPATIAL, Array, Image, Level, Region

__all__ = ["AXES", "SPATIAL", "Array", "Image", "Level", "Region"]
