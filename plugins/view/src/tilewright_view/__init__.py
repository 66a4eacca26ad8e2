"""Images and labels in the browser: neuroglancer's page, and the pixels that it asks for, from this machine alone."""

from .layers import Layer, seams
from .server import Viewer

__all__ = ["Layer", "Viewer", "seams"]
