"""`cellpose_fn`, the function of patchworks 0.2.0 for those who come from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tilewright import Pipeline
from tilewright.errors import InvalidOption

from .segmenter import Cellpose

__all__ = ["cellpose_fn"]


def cellpose_fn(
    model: str = "cpsam",
    *,
    gpu: bool | Literal["auto"] = "auto",
    diameter: float | None = None,
    do_3D: bool = False,  # noqa: N803 - Cellpose's own spelling
    channels: Sequence[int] | None = None,
    channel_axis: int | None = None,
    **eval_options: Any,
) -> Cellpose:
    """The segmenter with options as patchworks spells them, to be given to `tile_process`.

    channels: as Cellpose 3 counts them, from 1: the one to segment and the one of nuclei, 0 for none; `[0, 0]` and
        None for the one that `tile_process` is told.
    channel_axis: None or 0; tiles with several channels have them first.
    eval_options: further options of `Cellpose`, and `normalize` with `percentile` or `lowhigh`.

    InvalidOption for any other option, with what comes near to it.
    """
    if channel_axis not in (None, 0):
        raise InvalidOption(f"channel_axis must be 0 or None, not {channel_axis}: tiles have their channels first")
    if eval_options.get("stitch_threshold"):
        raise InvalidOption(
            "stitch_threshold would link planes within tiles alone; leave it out, and link them with join_z"
        )
    eval_options.pop("stitch_threshold", None)
    chosen = tuple(number - 1 for number in channels or () if number > 0)
    options = {"model": model, "gpu": gpu, "diameter": diameter, "do_3D": do_3D, "channels": chosen or None}
    made: Cellpose = Pipeline(segmenter={"name": "cellpose", "configuration": options | _plain(eval_options)}).segmenter
    return made


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Cellpose's `normalize` as the segmenter's options."""
    normalize = options.pop("normalize", True)
    if normalize is True:
        return options
    if normalize is False:
        return options | {"ranges": ((0.0, 1.0),)}
    known = {"percentile": "percentiles", "lowhigh": "ranges"}
    if not isinstance(normalize, Mapping) or not set(normalize) <= set(known):
        raise InvalidOption(
            f"normalize must be True, False, or a mapping with percentile or lowhigh, not {normalize!r}"
        )
    return options | {known[name]: value for name, value in normalize.items() if value is not None}
