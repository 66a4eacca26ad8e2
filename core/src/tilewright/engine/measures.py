"""From measurers and images to what a run measures: every measurer is asked once, and all images are checked."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..abc.measurer import Facts
from ..abc.traits import MeasurerTraits
from ..components.blame import whose
from ..errors import InvalidImage, InvalidOption
from ..image import Image
from ..io.source import Source
from ..tiling.axes import spatial
from ..tiling.grid import TileGrid
from .alignment import both_spacings, check_aligned, check_needed, check_wanted, differs, shape_text
from .fingerprint import identity, stored_record
from .reading import Stored, StoredLabels
from .steps.extents import Extents
from .steps.label_images import LabelImage
from .steps.measure import Measure, Measuring, key_of

__all__ = [
    "Wanted",
    "basis_of",
    "blocks_over",
    "image_of",
    "measuring_of",
    "record_of",
]

DEEPEST = 8  # passes that come after each other


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be measured: by which measurers, in which channels, with which given labels.

    elsewhere: the names of given labels that the run needs for something else too.
    outputs: of the run, by name; measurers may ask for them as for given labels.
    """

    measurers: tuple[Any, ...]
    channels: Sequence[int | str] | None
    given: Mapping[str, Source]
    memory: int
    elsewhere: Collection[str] = ()
    outputs: Mapping[str, LabelImage] = field(default_factory=dict)


# Images


def image_of(source: Source, labels: Image, reopened: Any) -> Source:
    """The image at the resolution of the labels.

    reopened: opens it again at a level of its pyramid; None if the user chose the level.

    InvalidImage, with both shapes, if none of its levels has the shape of the labels.
    """
    image = source.whole
    wanted = {axis: labels.size(axis) for axis in labels.axes if axis != "c"}
    if not differs(image.axes, image.shape, wanted):
        return source
    fitting = [i for i, level in enumerate(image.levels) if not differs(image.axes, level.shape, wanted)]
    if fitting and reopened is not None:
        again: Source = reopened(fitting[0])
        return again
    found = [level.shape for level in image.levels] or [image.shape]
    raise InvalidImage(
        f"the labels have the shape {shape_text(wanted)}, but the image {image.source or image.name} has {image.axes} "
        f"{' or '.join(map(str, found))}; give the image and the resolution (level, --level) that were segmented"
    )


# Measurers


def blocks_over(axes: str, shape: Sequence[int], unit: Sequence[int], most: int) -> TileGrid:
    """Blocks of about so many pixels of one time, which are whole multiples of a unit or, of a large one, parts."""
    size = [1 if axis == "t" else max(1, min(u, n)) for axis, u, n in zip(axes, unit, shape, strict=True)]
    along = [i for i, axis in enumerate(axes) if axis != "t"]

    def pixels() -> int:
        return int(np.prod([size[i] for i in along]))

    while pixels() > max(1, 2 * most):
        longest = max(along, key=lambda i: size[i])
        size[longest] = -(-size[longest] // 2)
    while (growing := [i for i in along if size[i] < shape[i]]) and pixels() <= most // 2:
        size[min(growing, key=lambda i: size[i])] *= 2
    size = [min(s, max(1, n)) for s, n in zip(size, shape, strict=True)]
    separate = "t" if "t" in axes else ""
    return TileGrid.regular(axes, shape=shape, tile=size, halo=[0] * len(axes), separate=separate)


def measuring_of(
    wanted: Wanted,
    labels: LabelImage,
    label_image: Image,
    image: Source | None,
    blocks: TileGrid,
    *,
    checkpoint: Path,
    workdir: Path,
    part: int = 0,
) -> Measuring:
    """What the tasks of measuring share. `label_image` says axes, shape and spacing of the labels.

    InvalidOption for measurers that lack what they need, or that have columns of the same name; InvalidImage for given
    labels of another shape.
    """
    whole = None if image is None else image.whole
    facts = _facts(label_image, whole, blocks)
    collected = _Collected(wanted, facts, whole)
    for measurer in wanted.measurers:
        collected.add(measurer)
    measures = collected.measures
    _check_names(measures, times=facts.times)
    needed = _check_given(wanted, measures, label_image, blocks)
    read = sorted({index for each in measures for index in each.channels or ()})
    if image is not None and "c" in image.whole.axes:
        image = image.choosing(tuple(read))
    names = _names(whole)
    return Measuring(
        labels=labels,
        image=Stored.of(image, blocks) if image is not None and read else None,
        given={
            name: wanted.outputs[name] if name in wanted.outputs else StoredLabels.of(wanted.given[name], blocks)
            for name in needed
        },
        blocks=blocks,
        facts=replace(facts, channels=tuple(names[i] for i in read)),
        measurers=tuple(
            replace(each, channels=None if each.channels is None else tuple(map(read.index, each.channels)))
            for each in measures
        ),
        boxes=0 if any(not each.partial for each in measures) else None,
        memory=wanted.memory,
        checkpoint_path=checkpoint,
        workdir=workdir,
        part=part,
    )


class _Collected:
    """The measurers of a run, each after the one that it comes after, with what they declare. Channels are the image's.

    The first is the engine's own.
    """

    def __init__(self, wanted: Wanted, facts: Facts, image: Image | None) -> None:
        self._wanted, self._facts, self._image = wanted, facts, image
        self.measures: list[Measure] = []
        self.add(Extents(), hidden=True)

    def add(self, measurer: Any, *, hidden: bool = False, above: int = 0) -> int | None:
        """Append a measurer; its number. None for one that comes before another and has no columns of this image."""
        if above > DEEPEST:
            raise InvalidOption(
                f"{whose('measurer', measurer)} comes after more than {DEEPEST} others; does one come after itself?"
            )
        traits = MeasurerTraits.of(measurer)
        channels = self._channels(measurer, traits) if traits.pixels else None
        facts, image = self._facts, self._image
        if channels is not None and image is not None:
            names = _names(image)
            dtype = image.dtype.newbyteorder("=")
            facts = replace(facts, channels=tuple(names[i] for i in channels), dtype=dtype)
        columns = traits.columns(facts)
        if above and not columns:
            return None
        after = None if traits.after is None else self._before(traits.after, above + 1)
        first = 0 if traits.partial else 1  # whole objects are known after a pass
        self.measures.append(
            Measure(
                number=len(self.measures),
                measurer=measurer,
                facts=facts,
                columns=columns,
                quantities=traits.quantities(facts),
                partial=traits.partial,
                halo=traits.halo,
                channels=channels,
                given=traits.given,
                depth=first if after is None else max(first, 1 + self.measures[after].depth),
                after=after,
                hidden=hidden,
            )
        )
        return len(self.measures) - 1

    def _before(self, measurer: Any, above: int) -> int | None:
        known = [each.number for each in self.measures if each.hidden and _same(each.measurer, measurer)]
        return known[0] if known else self.add(measurer, hidden=True, above=above)

    def _channels(self, measurer: Any, traits: MeasurerTraits) -> tuple[int, ...]:
        """The channels of the image that a measurer looks at."""
        if self._image is None:
            raise InvalidOption(
                f"{whose('measurer', measurer)} measures pixels, but no image is given; give the image that was "
                "segmented"
            )
        several = self._wanted.channels if self._wanted.channels is not None else traits.channels
        if several is None:
            return tuple(range(self._image.size("c")))
        return tuple(dict.fromkeys(self._image.channel_index(each) for each in several))


def _facts(labels: Image, image: Image | None, blocks: TileGrid) -> Facts:
    axes = spatial(blocks.axes)
    return Facts(
        axes=axes,
        shape=tuple(n for n, axis in zip(blocks.shape, blocks.axes, strict=True) if axis != "t"),
        spacing=tuple(both_spacings(labels, image, axis)[0] for axis in axes),
        units=tuple(both_spacings(labels, image, axis)[1] for axis in axes),
        times="t" in blocks.axes,
    )


def _same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(type(one) is type(other) and one == other)
    except ValueError:  # arrays, which have no one answer
        return False


def _names(image: Image | None) -> tuple[str, ...]:
    """The names of the channels, each once."""
    if image is None:
        return ()
    said = image.channels or tuple(map(str, range(image.size("c"))))
    return tuple(name if said.count(name) == 1 else f"{name}-{i}" for i, name in enumerate(said))


def _check_names(measures: Sequence[Measure], *, times: bool) -> None:
    """InvalidOption for two columns of one name."""
    owners = dict.fromkeys(key_of(times=times), "the key of the rows")
    for each in measures:
        for name in () if each.hidden else each.columns:
            if name in owners:
                raise InvalidOption(
                    f"the column {name!r} is one of {owners[name]} and one of {each.who}; leave one out, or have it "
                    "measure other properties"
                )
            owners[name] = each.who


def _check_given(wanted: Wanted, measures: Sequence[Measure], labels: Image, blocks: TileGrid) -> list[str]:
    """The names of the given labels that measurers need.

    InvalidOption for labels that are missing or that nothing needs, InvalidImage for those of another shape.
    """
    needed = {name: each.who for each in measures for name in each.given}
    check_needed({**wanted.given, **wanted.outputs}, needed)
    check_wanted(wanted.given, {*needed, *wanted.elsewhere})
    lengths = dict(zip(blocks.axes, blocks.shape, strict=True))
    for name in (each for each in needed if each in wanted.given):
        check_aligned(name, wanted.given[name].opened, labels, lengths, "label image")
    return list(needed)


def record_of(measuring: Measuring) -> dict[str, Any]:
    """What decides a table, but for the labels, as plain JSON values."""
    image = measuring.image
    record = {
        "image": None if image is None else stored_record(image),
        "given": {
            name: stored_record(each) if isinstance(each, Stored) else "an output of the run"
            for name, each in measuring.given.items()
        },
        "channels": None if image is None else image.source.channels,
        "measurers": [
            identity("measurer", each.measurer) | {"channels": each.channels} for each in measuring.measurers[1:]
        ],
        "blocks": [measuring.blocks.axes, measuring.blocks.cores],
        "spacing": [measuring.facts.spacing, measuring.facts.units],
        "memory": measuring.memory,
    }
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def basis_of(record: Mapping[str, Any], labels: object) -> int:
    """A number that stands for what decides a table, and for its labels."""
    return zlib.crc32(json.dumps([__version__, record, labels]).encode())
