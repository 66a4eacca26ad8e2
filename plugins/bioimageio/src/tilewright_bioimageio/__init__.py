"""The hooks of tilewright-bioimageio, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return [
        Spec(
            name="bioimageio",
            target="tilewright_bioimageio.segmenter:BioImageModel",
            summary="Objects by a model of the BioImage Model Zoo: its foreground, parted by its boundaries.",
        )
    ]
