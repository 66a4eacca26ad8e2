"""What one looks at: pictures of images and labels, and the page about a label image. Needs `tilewright[report]`."""

from .report import Report, report

__all__ = ["Report", "report"]
