"""The command `tilewright preview`."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvalidOption
from ..run_options import PREVIEWED
from .choices import option_texts, previewing, run_options
from .errors import debuggable
from .parts import Texts, pipeline_of
from .places import place
from .terminal import echo

if TYPE_CHECKING:
    from ..engine.preview import Preview, Sweep
    from ..pipeline import Pipeline

__all__ = ["preview"]


def swept(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> Texts:
    """`("sigma=1,2", "min_size=9")` as a mapping. BadParameter for an option that comes twice."""
    options = option_texts(context, parameter, texts)
    if len(options) < len(texts):
        names = [text.partition("=")[0].strip() for text in texts]
        twice = next(name for name in names if names.count(name) > 1)
        raise click.BadParameter(f"{twice!r} comes twice; give all of its values at once", param=parameter)
    return options


@click.command(short_help="Show what a run finds in a part of IMAGE.")
@click.argument("image")
@previewing
@click.option(
    "--at", callback=place, metavar="Y,X", help="The pixel in the middle: y,x or z,y,x; else where there is signal."
)
@click.option("--size", type=int, default=1024, show_default=True, help="Pixels of the part along y and x.")
@click.option(
    "--sweep",
    multiple=True,
    callback=swept,
    metavar="OPTION=A,B",
    help="Values of an option of the segmenter to try; may be repeated. The first goes across, the second down.",
)
@click.option("--output", metavar="PNG", help="The picture; else IMAGE.preview.png in this folder. It is replaced.")
@debuggable
def preview(image: str, at: tuple[int, ...] | None, size: int, sweep: Texts, output: str | None, **said: Any) -> None:
    """Segment a part of IMAGE as a run does, and show it with outlines as a picture.

    The part is of the size of --size, around the pixel --at, or where the pixels vary most. What the picture shows is
    what a run with the same options finds there: tiles and halos are those of the run, and thresholds and percentiles
    are of the whole image. With --sweep it is a sheet of pictures, one for each combination of values.

    \b
    tilewright preview cells.ome.zarr --segmenter threshold --set sigma=1.5
    tilewright preview slide.ome.tif --segmenter stardist --at 51200,30720 --size 512
    tilewright preview cells.ome.zarr --segmenter cellpose --sweep diameter=15,25,35 --sweep cellprob_threshold=-2,0
    """
    if said["workflow"]:
        raise click.UsageError(f"--workflow {said['workflow']!r} has several steps; give the parts of one of them")
    target = _target(image, output)  # before any work
    pipeline, options = pipeline_of(said, image), run_options(said, PREVIEWED)
    with contextlib.redirect_stdout(sys.stderr):  # what models print; stdout is for what is told
        shown = _shown(pipeline, image, sweep, {"at": at, "size": size, **options})
    echo(f"picture: {shown.save(target)}\n" + "\n".join(_lines(shown)))


def _shown(pipeline: Pipeline, image: str, sweep: Texts, options: Mapping[str, Any]) -> Preview | Sweep:
    if not sweep:
        return pipeline.preview(image, **options)
    return pipeline.sweep(image, {name: _values(pipeline, name, text) for name, text in sweep.items()}, **options)


def _values(pipeline: Pipeline, name: str, text: str) -> Sequence[Any]:
    """The values between commas, of which those in brackets are parts of one value."""
    from ..components.options import parse

    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", text)]
    return [parse(type(pipeline.segmenter), {name: part})[name] for part in parts if part]


def _target(image: str, output: str | None) -> Path:
    """Where the picture goes. InvalidOption if none can be written there, or if that is the image itself."""
    from ..engine.preview import picture_path

    name = re.split(r"[/\\]", image.rstrip("/\\"))[-1]
    target = picture_path(output or f"{name}.preview.png")
    if target.exists() and Path(image).exists() and target.samefile(image):
        raise InvalidOption(f"the picture {str(target)!r} would replace the image {image!r}; give another --output")
    return target


def _lines(shown: Preview | Sweep) -> list[str]:
    """What there is to say of each picture."""
    from ..engine.preview import Preview

    return [each.caption for each in ([shown] if isinstance(shown, Preview) else shown.previews)]
