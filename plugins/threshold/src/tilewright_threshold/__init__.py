"""The hooks of tilewright-threshold, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="threshold",
            target="tilewright_threshold.segmenter:Threshold",
            summary="Connected pixels above or below a threshold: a number, or found once for the whole image.",
        ),
        Spec(
            name="tissue",
            target="tilewright_threshold.tissue:Tissue",
            summary="Tissue against the glass of a slide, on a coarse level: a region for other runs (--within).",
        ),
    ]
