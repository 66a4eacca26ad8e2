"""The hooks of tilewright-stardist, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="stardist",
            target="tilewright_stardist.segmenter:StarDist",
            summary="Star-convex objects, nuclei above all, in 2-D and 3-D, by a StarDist network.",
        )
    ]
