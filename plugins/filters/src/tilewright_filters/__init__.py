"""The hooks of tilewright-filters, and nothing else: discovery imports this module, and it has to stay light."""

from __future__ import annotations

from tilewright import Spec, hookimpl

TRANSFORMS = {
    "gaussian": "Gaussian smoothing, in pixels or in units of the spacing.",
    "median": "The median of a neighbourhood, against noise of single pixels.",
    "background": "Subtracts the background: by a top-hat, or an estimate that is fixed for the whole image.",
    "rescale": "Brings two percentiles of the whole image to 0 and 1.",
    "combine": "One channel of several: their maximum or their weighted sum.",
}
SEGMENTERS = {
    "expand": "Given labels, grown by a distance; objects keep their ids.",
    "ring": "A ring around each object of given labels, with its id.",
    "combine-labels": "The union, the difference or the intersection of two given label images.",
    "fill-holes": "Given labels with their holes filled.",
    "keep": "Those objects of given labels that a rule keeps: by size, by border, by a column of a table.",
    "seeded-watershed": "Cells grown from given nuclei over the image; each has its nucleus' id.",
}


@hookimpl
def tilewright_transforms() -> list[Spec]:
    return _specs(TRANSFORMS)


@hookimpl
def tilewright_segmenters() -> list[Spec]:
    return _specs(SEGMENTERS)


def _specs(summaries: dict[str, str]) -> list[Spec]:
    """`combine-labels` is `CombineLabels` of the module `combine_labels`."""
    return [
        Spec(
            name=name,
            target=f"tilewright_filters.{name.replace('-', '_')}:{name.title().replace('-', '')}",
            summary=summary,
        )
        for name, summary in summaries.items()
    ]
