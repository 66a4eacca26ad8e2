"""The hooks of tilewright-cellpose, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="cellpose",
            target="tilewright_cellpose.segmenter:Cellpose",
            summary="Cells and nuclei by Cellpose 3 or 4, in planes or in 3-D, normalised once for the whole image.",
        )
    ]
