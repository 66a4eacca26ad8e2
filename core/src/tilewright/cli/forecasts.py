"""What commands print of a forecast."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ..progress.units import duration
from .info import product, size

if TYPE_CHECKING:
    from ..engine.forecast import Forecast
    from ..workflow.totals import Total

__all__ = ["lines", "plain", "total_lines"]


def plain(told: Forecast) -> dict[str, Any]:
    return dataclasses.asdict(told) | {"stage": told.checkpoint}  # its old name, as long as programs read it


def _objects(told: Forecast) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in told.outputs.items()) or f"{told.objects:,}"


def lines(told: Forecast) -> list[str]:
    halo = f", halo {product(told.halo)}" if any(told.halo) else ""
    most = f", at most {told.most_tiles:,} if objects continue" if told.most_tiles > told.tiles else ""
    printed = [
        f"labels:  {product(told.shape)} ({told.axes})",
        f"tiles:   {told.tiles:,} of {product(told.tile)}{halo}{most}",
        f"read:    {told.overhead:.2f} times the image's pixels",
        f"memory:  {size(told.memory)} a worker, {size(told.memory * told.workers)} for {told.workers}",
    ]
    if told.windows:
        kept = f"{size(told.predictions)} if they are kept (--keep-predictions)"
        printed.append(
            f"windows: {told.windows:,} in {told.batches:,} batches, {duration(told.network)} of the network; {kept}"
        )
    if told.sampled:
        printed += [
            f"disk:    {size(told.checkpoint)} for the checkpoint, until the labels are written",
            f"objects: about {_objects(told)}, those in several tiles counted in each",
            f"time:    {duration(told.seconds)} to read and segment, from {told.sampled} tiles",
        ]
    return printed


def total_lines(total: Total) -> list[str]:
    """What a step would take on several images."""
    printed = [
        f"images:  {total.images:,} ({size(total.bytes)})",
        f"tiles:   {total.tiles:,}",
        f"memory:  {size(total.memory)} a worker, {size(total.memory * total.workers)} for {total.workers}",
    ]
    if total.windows:
        kept = f"{size(total.predictions)} if they are kept (--keep-predictions)"
        printed.append(f"windows: {total.windows:,} in {total.batches:,} batches; {kept}")
    if total.sampled:
        printed += [
            f"disk:    {size(total.checkpoint)} for the checkpoint of an image, until its labels are written",
            f"objects: about {total.objects:,}, those in several tiles counted in each",
            f"time:    {duration(total.seconds)} to read and segment, from {total.sampled} tiles",
        ]
    return printed
