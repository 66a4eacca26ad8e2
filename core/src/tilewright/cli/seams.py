"""The command `tilewright seams`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from .errors import debuggable
from .terminal import echo

if TYPE_CHECKING:
    from ..metrics.seams import SeamCheck

__all__ = ["seams"]

SHOWN = 20  # objects that differ


@click.command(short_help="What tiling did to labels, without truth.")
@click.argument("labels", metavar="LABELS")
@click.option("--image", metavar="IMAGE", help="What they were made from; otherwise what their provenance names.")
@click.option("--pipeline", metavar="FILE", help="The pipeline that made them; otherwise that of their provenance.")
@click.option("--tile", type=click.IntRange(min=1), help="The length of the tiles' cores, for labels without either.")
@click.option(
    "--seconds",
    type=float,
    help="Time for segmenting crops again; otherwise a twentieth of the run's, and at least 10 s.",
)
@click.option("--level", type=float, default=0.001, show_default=True, help="The probability of a false alarm.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def seams(
    labels: str,
    image: str | None,
    pipeline: str | None,
    tile: int | None,
    seconds: float | None,
    level: float,
    seed: int,
    as_json: bool,
) -> None:
    """Check what tiling did to LABELS at a sample of seams, against places away from seams. No truth is needed.

    The labels' own geometry is looked at, and crops across seams are segmented again in one piece, as the run was.

    \b
    tilewright seams cells.ome.zarr/labels/cells
    tilewright seams cells.tif --image image.tif --pipeline pipeline.toml --seconds 60
    """
    from ..functions.seams import check_seams
    from ..pipeline import Pipeline

    made_by = None if pipeline is None else Pipeline.load(pipeline)
    checked = check_seams(labels, image, pipeline=made_by, tile=tile, seconds=seconds, level=level, seed=seed)
    echo(json.dumps({"labels": labels} | checked.plain(), indent=2) if as_json else "\n".join(_lines(checked)))


def _lines(checked: SeamCheck) -> list[str]:
    lines = [checked.verdict]
    if checked.findings:
        lines += ["", "figure   at seams  elsewhere  difference (95 % interval)           p"]
    for each in checked.findings:
        interval = f"{each.difference:+.4f} ({each.low:+.4f} to {each.high:+.4f})"
        lines.append(f"{each.name:<8} {each.at_seams:8.4f}  {each.elsewhere:9.4f}  {interval:<30} {each.p:8.2g}")
    if checked.objects:
        lines += [
            "",
            f"{checked.differing:,} objects beside seams differ from crops in one piece",
        ]
    for difference in checked.differences[:SHOWN]:
        place = ", ".join(f"{axis} {at}" for axis, at in zip(checked.axes, difference.place, strict=True))
        lines.append(f"  {difference.how:<8} label {difference.label} at {place}, IoU {difference.iou:.2f}")
    return [*lines, *(["", f"note: {checked.note}"] if checked.note and checked.findings else [])]
