"""The hooks that a plugin package can implement, as functions marked with `tilewright.hookimpl`.

A package has one entry point in the group `tilewright`. The entry point's target is a module or a package that holds
hooks and imports nothing heavy, because every start of tilewright imports it.

Eight hooks offer components. If one of them raises, or returns anything else than specs, that plugin's components are
left out, with a warning. Three more hooks are for tools that watch runs: they are called with an event and return
nothing. The process that started the run calls them, so they have to return at once. A watcher that fails is warned of
once and is not called again in that run; the run continues.
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
    """Readers: formats that `reader(path) -> Image` opens lazily."""


@hookspec
def tilewright_transforms() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Transforms: what is done to an image before it is segmented, `transform(pixels) -> pixels`."""


@hookspec
def tilewright_tilers() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Tilers: ways to cut an image, `tiler(image, needs) -> TileGrid`."""


@hookspec
def tilewright_segmenters() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Segmenters: models and methods that turn a tile's pixels into labels, `segmenter(pixels) -> labels`."""


@hookspec
def tilewright_mergers() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Mergers: rules for which labels on two sides of a seam are one object, `merger(seam) -> pairs`."""


@hookspec
def tilewright_writers() -> Iterable[FormatSpec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Writers: formats for label images, `writer(path, spec) -> sink`."""


@hookspec
def tilewright_measurers() -> Iterable[Spec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Measurers: what is measured of each object, `measurer(block) -> columns`."""


@hookspec
def tilewright_tables() -> Iterable[FormatSpec]:  # type: ignore[empty-body]  # a hookspec has no body
    """Formats for tables of measured objects, `format(path, spec) -> sink`."""


@hookspec
def tilewright_run_planned(event: RunPlanned) -> None:
    """A run begins."""


@hookspec
def tilewright_tile_done(event: TileDone) -> None:
    """A tile, or several small ones, went through a step. Progress bars are drawn from these events."""


@hookspec
def tilewright_run_finished(event: RunFinished) -> None:
    """A run is over, with its labels in place or with an error. It is not called for a process that is killed."""
