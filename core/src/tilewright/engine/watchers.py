"""Tell the tools that watch a run what happens in it, without letting one of them end it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from ..components.discovery import Plugin
from ..components.events import DoneTile, RunFinished, RunPlanned, TileDone
from ..components.isolation import describe
from ..components.printable import printable
from ..components.registry import registry
from ..tiling.grid import TileGrid
from .checkpoint.records import Recorded
from .result import Result

__all__ = ["Watchers"]

logger = logging.getLogger("tilewright")


class Watchers:
    """The plugins that watch a run while it is in this context, and the function that its caller gave for its progress.

    A plugin that fails is warned of once, and told nothing more of this run. The caller's function may end the run by
    raising, since it is the caller's.
    """

    def __init__(
        self,
        progress: Callable[[str, int, int], None] | None,
        planned: RunPlanned,
    ) -> None:
        self._progress, self._planned = progress, planned
        self._plugins = [plugin for plugin in registry().plugins if plugin.watch is not None]
        self.pipeline = planned.pipeline
        self._facts: dict[str, Any] = {"run": planned.run, "pipeline": planned.pipeline}

    def __enter__(self) -> Watchers:
        event = self._planned
        logger.info(
            "run %s: %r to %r: %s of %s in %s tiles of %s with halo %s, segmenter %s, merger %s",
            event.run,
            event.source,
            event.destination,
            event.axes,
            event.shape,
            f"{event.tiles:,}",
            event.tile,
            event.halo,
            event.segmenter,
            event.merger,
        )
        self._tell("tilewright_run_planned", event)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            event = RunFinished(destination=self._planned.destination, error=describe(error), **self._facts)
            logger.info("run %s ended early: %s", event.run, printable(event.error))
            self._tell("tilewright_run_finished", event)

    def tile_done(
        self,
        step: str,
        done: int,
        total: int,
        recorded: Sequence[Recorded] = (),
        grid: TileGrid | None = None,
        output: str = "",
    ) -> None:
        """Tell of tiles, or of blocks of the output, that went through a step; `recorded` are their records."""
        if self._progress is not None:
            self._progress(f"{step} {output}".strip(), done, total)
        if self._plugins:
            tiles = tuple(_facts(each, grid) for each in recorded) if grid is not None else ()
            event = TileDone(step=step, done=done, total=total, run=self._facts["run"], tiles=tiles, output=output)
            self._tell("tilewright_tile_done", event)

    def finished(self, result: Result) -> None:
        event = RunFinished(
            destination=self._planned.destination,
            objects=sum(each.n_objects for each in result.outputs.values() or [result]),
            tiles=result.n_tiles,
            skipped=result.n_skipped,
            failed=len(result.failed),
            seconds=dict(result.seconds),
            failures=result.failed,
            **self._facts,
        )
        logger.info(
            "run %s is finished: %s objects in %s tiles, %s of them empty and %s failed, in %.1f s",
            event.run,
            f"{event.objects:,}",
            f"{event.tiles:,}",
            f"{event.skipped:,}",
            f"{event.failed:,}",
            sum(event.seconds.values()),
        )
        self._tell("tilewright_run_finished", event)

    def _tell(self, hook: str, event: object) -> None:
        for plugin in tuple(self._plugins):
            try:
                getattr(plugin.watch, hook)(event=event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - who only watches must not end what is watched
                self._plugins.remove(plugin)
                _warn_of(plugin, hook, error)


def _facts(recorded: Recorded, grid: TileGrid) -> DoneTile:
    tile = grid[recorded.number]
    return DoneTile(
        index=tile.index,
        region=tuple((part.start, part.stop) for part in tile.core),
        objects=recorded.objects,
        skipped=bool(recorded.skipped),
        failed=recorded.failed,
    )


def _warn_of(plugin: Plugin, hook: str, error: BaseException) -> None:
    warnings.warn(
        f"plugin {plugin.name!r} of {plugin.distribution} {plugin.version} failed in {hook}: {describe(error)}; the "
        "run continues without calling it again",
        RuntimeWarning,
        stacklevel=2,
    )
