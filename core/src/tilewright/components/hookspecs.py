"""The hooks: all that a plugin package can implement. Mark an implementation with `hookimpl`.

Five offer components. Three more, all optional, are for tools that watch runs: they are told what happens and return
nothing. The process that started the run calls them one after the other, so they have to return at once. One that fails
costs a warning, not the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from .events import RunFinished, RunPlanned, TileDone
    from .specs import FormatSpec, Spec

__all__ = ["WATCHING", "hookimpl"]

WATCHING = ("tilewright_run_planned", "tilewright_tile_done", "tilewright_run_finished")

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


@hookspec
def tilewright_run_planned(event: RunPlanned) -> None:
    """A run begins."""


@hookspec
def tilewright_tile_done(event: TileDone) -> None:
    """A tile, or several small ones, went through a step. Progress bars are drawn from these."""


@hookspec
def tilewright_run_finished(event: RunFinished) -> None:
    """A run is over, with its labels in place or with an error. Of a process that is killed nobody is told."""
