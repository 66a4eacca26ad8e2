"""The hooks of tilewright-filters, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl

SUMMARIES = {
    "gaussian": "Gaussian smoothing, in pixels or in units of the spacing.",
    "median": "The median of a neighbourhood, against noise of single pixels.",
    "background": "Subtracts the background: by a top-hat, or an estimate that is fixed for the whole image.",
    "rescale": "Brings two percentiles of the whole image to 0 and 1.",
    "combine": "One channel of several: their maximum or their weighted sum.",
}


@hookimpl
def tilewright_transforms() -> list[Spec]:
    return [
        Spec(name=name, target=f"tilewright_filters.{name}:{name.capitalize()}", summary=summary)
        for name, summary in SUMMARIES.items()
    ]
