"""The hooks of tilewright-measure, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl


@hookimpl
def tilewright_measurers() -> list[Spec]:
    return [
        Spec(
            name="size",
            target="tilewright_measure.size:Size",
            summary="Area, place, axes, perimeter, holes, hull and moments, as scikit-image has them.",
        )
    ]
