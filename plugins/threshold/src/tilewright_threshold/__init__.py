"""The hooks of tilewright-threshold, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="threshold",
            target="tilewright_threshold.segmenter:Threshold",
            summary="Connected pixels above a threshold, fixed once for the whole image (Otsu's, or a number).",
        )
    ]
