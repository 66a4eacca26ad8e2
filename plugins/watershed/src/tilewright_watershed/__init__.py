"""The hooks of tilewright-watershed, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="watershed",
            target="tilewright_watershed.segmenter:Watershed",
            summary="Round objects above a threshold, parted where they touch by the watershed of their distance map.",
        )
    ]
