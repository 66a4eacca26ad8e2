"""The five hooks: all that a plugin package can offer. Mark an implementation with `hookimpl`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .specs import FormatSpec, Spec

__all__ = ["hookimpl"]

hookspec = pluggy.HookspecMarker("tilewright")
hookimpl = pluggy.HookimplMarker("tilewright")


@hookspec
def tilewright_readers() -> Iterable[FormatSpec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Formats that `reader(path) -> Image` opens lazily."""


@hookspec
def tilewright_tilers() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Ways to cut an image: `tiler(image, needs) -> TileGrid`."""


@hookspec
def tilewright_segmenters() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Models and methods that turn a tile's pixels into labels: `segmenter(pixels) -> labels`."""


@hookspec
def tilewright_mergers() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Rules that say which labels on two sides of a seam are one object: `merger(seam) -> pairs`."""


@hookspec
def tilewright_writers() -> Iterable[FormatSpec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Formats for label images: `writer(path, spec) -> sink`."""
