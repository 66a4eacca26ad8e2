"""The command `tilewright compare`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .errors import debuggable
from .terminal import echo

if TYPE_CHECKING:
    from ..metrics.comparison import Comparison

__all__ = ["compare"]


def numbers(_: click.Context, parameter: click.Parameter, said: str) -> tuple[float, ...]:
    """`"0.5,0.75"` as numbers."""
    try:
        return tuple(float(each) for each in said.split(","))
    except ValueError:
        raise click.BadParameter(f"{said!r} is not a list of numbers, such as 0.5,0.75", param=parameter) from None


@click.command(short_help="Match the objects of two label images.")
@click.argument("reference", metavar="REFERENCE")
@click.argument("labels", metavar="LABELS")
@click.option(
    "--thresholds",
    callback=numbers,
    default="0.5,0.7,0.9",
    show_default=True,
    help="Intersection over union from which two objects are one.",
)
@click.option("--reader", metavar="NAME", help="What opens both; else for each the one that fits it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@debuggable
def compare(reference: str, labels: str, thresholds: tuple[float, ...], reader: str | None, as_json: bool) -> None:
    """Match the objects of LABELS with those of REFERENCE, block by block: images may be of any size.

    Average precision (AP) is matched / (matched + missed + extra). A fused object holds half of several of REFERENCE;
    a split one lies in several parts in LABELS; of a lost one no object holds a quarter; a doubled one lies where
    another object holds more.

    \b
    tilewright compare truth.tif cells.ome.zarr/labels/cells
    tilewright compare untiled.zarr tiled.zarr --thresholds 0.5,0.75,0.95 --json
    """
    from ..io.formats import open_image
    from ..metrics.comparison import compare as compare_images

    paths = {"reference": reference, "labels": labels}
    one, other = (open_image(path, reader=reader) for path in paths.values())
    found = compare_images(one, other, thresholds=thresholds)
    echo(json.dumps(paths | found.plain(), indent=2) if as_json else "\n".join(_lines(found, paths)))


def _lines(found: Comparison, paths: dict[str, str]) -> list[str]:
    counts = {"reference": found.n_reference, "labels": found.n_predicted}
    lines = [f"{name:<10}{counts[name]:,} objects in {path}" for name, path in paths.items()]
    lines += ["", "   IoU      AP  precision  recall      F1  matched  missed  extra"]
    lines += [_row(each.plain()) for each in found.scores]
    faults = (f"{len(getattr(found, name)):,} {name}" for name in ("fused", "split", "lost", "doubled"))
    return [*lines, "", ", ".join(faults)]


def _row(score: dict[str, Any]) -> str:
    figures = "{threshold:6.3g}  {ap:6.4f}     {precision:6.4f}  {recall:6.4f}  {f1:6.4f}"
    return (figures + "  {matched:7,}  {missed:6,}  {extra:5,}").format(**score)
