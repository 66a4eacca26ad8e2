"""What is done to pixels before the network and to its output after it, with statistics that are those of the image.

A statistic that the package takes from each sample, or from a data set, is taken once from the whole image: taken from
windows, it would make the same cell bright in one and dark in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright import Image
from tilewright.errors import InvalidOption

from .package import channel_of, input_of, space_of

__all__ = ["Statistics", "check", "check_statistics", "measured", "processed", "statistics"]

Statistics = tuple[tuple[float, ...], ...]

# What makes of each pixel something that depends on this pixel and on statistics alone.
POINTWISE = (
    *("binarize", "clip", "ensure_dtype", "fixed_zero_mean_unit_variance", "scale_linear", "scale_range"),
    *("sigmoid", "softmax", "zero_mean_unit_variance"),
)


def check(description: Any, output: Any, dtype: np.dtype[Any]) -> None:
    """InvalidOption for processing of a model that is not the same in a window as in the whole image.

    dtype: of the image, which a model of whole numbers has to hold.
    """
    tensor = input_of(description)
    for owner, steps in ((tensor, tensor.preprocessing), (output, output.postprocessing)):
        for step in steps:
            if reason := _unfit(step, owner, tensor):
                other = "another model" if owner is tensor else "another output, or another model"
                raise InvalidOption(
                    f"the processing {step.id!r} of {str(owner.id)!r} in the model {description.name!r} {reason}, so "
                    f"tiles would not agree; choose {other}"
                )
    taken = np.dtype(tensor.preprocessing[0].kwargs.dtype)
    if taken.kind in "iub" and not np.can_cast(dtype, taken):
        raise InvalidOption(
            f"the model {description.name!r} takes pixels of {taken}, and the image has {dtype}, which it cannot hold; "
            "rescale the image (a transform)"
        )


def measured(description: Any, image: Image) -> Statistics:
    """The statistics that preprocessing asks for, of finite pixels of a sample of the whole image: all its times.

    Each for all channels at once, or for each of them, as the package says; in the order of `statistics`.
    """
    measures = list(_measures(description))
    if not measures:
        return ()
    values = _values(image)
    groups = (values.reshape(_count(description, each), -1) for each in measures)
    return tuple(tuple(_value(each, group) for group in of) for each, of in zip(measures, groups, strict=True))


def check_statistics(description: Any, values: Statistics) -> None:
    """InvalidOption for statistics that are not those that preprocessing asks for."""
    counts = {measure: _count(description, measure) for measure in _measures(description)}
    if [len(each) for each in values] != list(counts.values()):
        wanted = ", ".join(f"{measure.name} ({count})" for measure, count in counts.items()) or "none"
        raise InvalidOption(
            f"the preprocessing of {description.name!r} asks for the statistics {wanted}, with so many values each, "
            f"and statistics is {values}; give those, or None for the image's"
        )


def statistics(description: Any, values: Statistics) -> dict[Any, Any]:
    """Values of `measured` as bioimageio.core's operators look them up."""
    from bioimageio.core import Tensor

    axis = channel_of(input_of(description))
    return {
        measure: each[0] if len(each) == 1 else Tensor(np.array(each), dims=[axis.id])
        for measure, each in zip(_measures(description), values, strict=True)
    }


def processed(steps: Iterable[Any], tensor: Any, members: Mapping[Any, Any], stat: Mapping[Any, Any]) -> Any:
    """A tensor out of some members after the steps that are described for it. Other members are left as they are."""
    from bioimageio.core import Sample
    from bioimageio.core.proc_ops import get_proc

    sample = Sample(members=dict(members), stat=dict(stat), id=None)
    with np.errstate(over="ignore"):  # a sigmoid's, whose value is 0 then
        for step in steps:
            get_proc(step, tensor)(sample)
    return sample.members[tensor.id]


def _unfit(step: Any, owner: Any, tensor: Any) -> str:
    """Why a step is refused; empty if it is not."""
    from bioimageio.core.proc_ops import get_proc

    if step.id not in POINTWISE:
        return "depends on more than each pixel"
    axis = getattr(step.kwargs, "axis", None)
    if axis is not None and str(axis) in space_of(owner):
        return f"goes along {axis}"
    for measure in sorted(get_proc(step, owner).required_measures, key=repr):
        if measure.member_id != tensor.id or owner is not tensor:
            return f"takes the {measure.name} of {str(measure.member_id)!r}, which is not known of the whole image"
        if measure.axes is not None and (missing := set(space_of(tensor)) - set(map(str, measure.axes))):
            return f"takes the {measure.name} for each {' and '.join(sorted(missing))}"
    return ""


def _measures(description: Any) -> dict[Any, None]:
    """The measures of preprocessing, each once, in an order that is always the same."""
    from bioimageio.core.proc_ops import get_proc

    tensor = input_of(description)
    operators = [get_proc(step, tensor) for step in tensor.preprocessing]
    ordered = (sorted(each.required_measures, key=repr) for each in operators)
    return dict.fromkeys(measure for each in ordered for measure in each)


def _values(image: Image) -> NDArray[np.float64]:
    """Pixels of a sample, (channels, n), NaN where one is not finite."""
    at = image.axes.find("c")
    blocks = (np.moveaxis(block, at, 0) if at >= 0 else block[np.newaxis] for block in image.sample())
    values = np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1, dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _count(description: Any, measure: Any) -> int:
    """How many values a measure has: one for all channels, or one for each."""
    axis = channel_of(input_of(description))
    joint = measure.axes is None or axis is None or axis.id in measure.axes
    return 1 if joint else len(axis.channel_names)


def _value(measure: Any, values: NDArray[np.float64]) -> float:
    """Of no finite pixel the mean and the quantiles are 0, and the deviation is 1."""
    finite = values[~np.isnan(values)]
    if not finite.size:
        return float(measure.name == "std")
    if measure.name == "quantile":
        return float(np.quantile(finite, measure.q, method=getattr(measure, "method", "linear")))
    return float(finite.mean() if measure.name == "mean" else finite.std())
