"""From a pipeline's parts and an image to a plan: what the segmenter needs, and whether the tiler's grid gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..abc.traits import MergerTraits, Traits, TransformTraits, declared, prepared, prepares_on_pixels
from ..components.blame import blamed, whose
from ..components.resolve import component
from ..components.specs import Kind
from ..errors import InvalidOption
from ..image import Image
from ..io.destination import OUTPUT
from ..io.source import Source
from ..labels.slices import chosen_iou
from ..run_options import RunOptions
from ..tiling.axes import spatial
from ..tiling.grid import TileGrid
from .alignment import check_aligned, check_needed, check_wanted
from .checkpoint.predictions import PREDICTIONS
from .plan import Plan
from .reading import StoredLabels
from .shared import Shared

if TYPE_CHECKING:
    from ..tiling.windows import Windows

__all__ = ["Parts", "chosen_channels", "merger_of", "plan_of", "prepared_together", "windows_of"]

BUDGET = 2**31  # bytes that a batch of windows may take, where the tiler has no budget of its own


class Parts(Protocol):
    """The components of a pipeline; of those that are None a run chooses what fits."""

    @property
    def reader(self) -> Any: ...
    @property
    def transforms(self) -> Sequence[Any]: ...
    @property
    def tiler(self) -> Any: ...
    @property
    def segmenter(self) -> Any: ...
    @property
    def merger(self) -> Any: ...
    @property
    def writer(self) -> Any: ...
    @property
    def measure(self) -> tuple[Any, ...]: ...
    @property
    def shared(self) -> Shared | None:
        """Those that are prepared already, on several images."""


def plan_of(
    parts: Parts, source: Source, given: Mapping[str, Source], options: RunOptions, checkpoint: Path, workdir: Path
) -> Plan:
    """The plan of a run on a source that is opened. Any InvalidOption or InvalidImage for what does not fit.

    given: label images by name, for the segmenter and for measurers.
    """
    traits = Traits.of(parts.segmenter, source.opened)
    source = _transformed(source, parts, traits, options)
    image = source.opened
    labels = _given(parts, given, traits, image)
    segmenter = _prepared(parts, parts.segmenter, image, given={name: each.opened for name, each in labels.items()})
    if segmenter is not parts.segmenter:
        _check_outputs(parts, traits, traits := Traits.of(segmenter, image))
        labels = _given(parts, given, traits, image)
    _check_choices(parts, traits, options)
    merger = merger_of(parts)
    joining = MergerTraits() if traits.keeps_ids else _joining(merger, options)
    grid = _grid(parts.tiler, image, traits)
    _check_halo(grid, merger, joining)
    dimensions = len(grid.axes)
    plan = Plan(
        source=source,
        grid=grid,
        segmenter=segmenter,
        merger=merger,
        context=tuple(0 if axis in grid.separate else traits.context.get(axis, 0) for axis in grid.axes),
        checkpoint_path=checkpoint,
        workdir=workdir,
        axes=traits.axes,
        located=traits.located,
        joining=joining,
        given={name: StoredLabels.of(each, grid) for name, each in labels.items()},
        pixels=traits.pixels,
        keeps_ids=traits.keeps_ids,
        files=source.whole.identity.snapshot() if traits.pixels else None,
        digests=traits.pixels and not source.whole.identity.known,
        connectivity=min(dimensions, joining.diagonals or dimensions),
        min_size=traits.min_size,
        empty=options.empty,
        same_ids=options.same_ids,
        join_z=chosen_iou(options.join_z, grid),
        on_error=options.on_error,
        retries=options.retries,
        outputs=traits.outputs,
        wanted=grid.segmented,
        shared=None if parts.shared is None else parts.shared.record,
    )
    return _with_network(plan, traits, parts.tiler, options) if traits.predictions else plan


def _joining(merger: Callable[..., Any], options: RunOptions) -> MergerTraits:
    joining = MergerTraits.of(merger)
    if options.same_ids and joining.owns:
        raise InvalidOption(
            f"same_ids joins what has one id, but {whose('merger', merger)} chooses which of several "
            "views of an object is drawn; use merger 'touch' (--merger touch)"
        )
    return joining


def _check_outputs(parts: Parts, before: Traits, after: Traits) -> None:
    """InvalidOption if what `prepare` returns has other outputs than the segmenter, by which paths were chosen."""
    if before.outputs != after.outputs:
        raise InvalidOption(
            f"{whose('segmenter', parts.segmenter)} declares outputs = {before.outputs!r}, but what its prepare "
            f"returns declares {after.outputs!r}; declare the same in both"
        )


def _check_choices(parts: Parts, traits: Traits, options: RunOptions) -> None:
    """InvalidOption for what would do nothing: to named outputs, to ids that are kept, to pixels that are not read."""
    who = whose("segmenter", parts.segmenter)
    if traits.outputs and options.name != RunOptions.name:
        raise InvalidOption(
            f"name is {options.name!r}, but {who} names its outputs {', '.join(traits.outputs)}; leave name out, or "
            f"give an output path with {OUTPUT} in it, which stands for their names"
        )
    joining = {"same_ids": options.same_ids, "join_z": options.join_z, "merger": parts.merger is not None}
    for name, chosen in joining.items() if traits.keeps_ids else []:
        if chosen:
            raise InvalidOption(
                f"{name} is given, but {who} keeps ids (keeps_ids): equal ids are one object already, and nothing is "
                f"joined; leave {name} out"
            )
    of_pixels = {"empty": options.empty is not None, "transforms": bool(parts.transforms)}
    for name, chosen in [] if traits.pixels else of_pixels.items():
        if chosen:
            raise InvalidOption(f"{name} is given, but {who} looks at no pixels (pixels = False); leave {name} out")


def _given(parts: Parts, given: Mapping[str, Source], traits: Traits, image: Image) -> dict[str, Source]:
    """The label images that the segmenter is handed. InvalidOption and InvalidImage for wrong ones.

    Whether others are wanted is known when the measurers are asked.
    """
    for name in traits.outputs:
        if name in given:
            raise InvalidOption(
                f"the label image {name!r} is given, but {whose('segmenter', parts.segmenter)} returns an output of "
                "that name, which measurers are handed; leave it out, or give it another name"
            )
    check_needed(given, dict.fromkeys(traits.given, whose("segmenter", parts.segmenter)))
    if not parts.measure:
        check_wanted(given, traits.given)
    if not traits.given:
        return {}
    lengths = {axis: image.size(axis) for axis in image.axes if axis != "c"}
    for name in traits.given:
        check_aligned(name, given[name].opened, image, lengths)
    return {name: given[name] for name in traits.given}


def prepared_together(parts: Parts, sources: Mapping[str, Source], options: RunOptions) -> dict[str, Any]:
    """The transforms, the segmenter, and which of them are `shared`: prepared once, on all images; empty if none is.

    A component whose `prepare` takes given labels, or that is `located`, is of one image: each run prepares it.
    InvalidOption for images that are not alike.
    """
    of_image = (prepares_on_pixels(each, "transform") for each in parts.transforms)
    if not prepares_on_pixels(parts.segmenter, "segmenter") and not any(of_image):
        return {}
    several = [_chosen(each, parts, Traits.of(parts.segmenter, each.opened), options) for each in sources.values()]
    done: list[Any] = []
    transforms = []
    for each in parts.transforms:
        made = _prepared_once(each, several, "transform", done)
        several = [
            _with(source, prepared(each, source.opened, "transform") if made is None else made) for source in several
        ]
        transforms.append(each if made is None else made)
    segmenter = _prepared_once(parts.segmenter, several, "segmenter", done)
    return {
        "transforms": transforms,
        "segmenter": parts.segmenter if segmenter is None else segmenter,
        "shared": Shared(images=tuple(sources), components=tuple(done)),
    }


def _prepared_once(thing: Any, sources: Sequence[Source], kind: Kind, done: list[Any]) -> Any:
    """A component, prepared on all images and noted; None for one that each run prepares."""
    from ..image.gathered import gathered  # most runs are of one image

    if not prepares_on_pixels(thing, kind):
        return None
    made = prepared(thing, gathered([source.opened for source in sources]), kind)
    done.append(made)
    return made


def _with(source: Source, transform: Callable[..., Any]) -> Source:
    return source.transformed(TransformTraits.of(transform, source.opened))


def _transformed(source: Source, parts: Parts, traits: Traits, options: RunOptions) -> Source:
    """The source with its channels chosen, and with the transforms, each prepared on what those before it make.

    InvalidOption if they leave several channels to a segmenter that takes one.
    """
    source = _chosen(source, parts, traits, options)
    for each in parts.transforms:
        source = _with(source, _prepared(parts, each, source.opened, "transform"))
    if "c" in source.opened.axes and "c" not in traits.axes:
        raise InvalidOption(
            f"the transforms leave {source.opened.size('c')} channels along c, but the segmenter takes pixels without "
            "c; combine them by one more transform"
        )
    return source


def chosen_channels(
    image: Image,
    traits: Traits,
    channel: int | str | None,
    channels: Sequence[int | str] | None,
    *,
    combined: bool = False,
) -> int | tuple[int, ...] | None:
    """Which channels a run reads: one by number, several for a segmenter that takes `c`, or None for no choice.

    combined: whether a transform makes other channels of them, so that there may be several for any segmenter.

    InvalidOption if a channel does not exist, or if there are several and none is chosen.
    """
    if channel is None and channels is None:
        channel, channels = traits.channel, traits.channels
    if "c" in traits.axes or combined:
        several = [channel] if channel is not None else channels
        return None if several is None else tuple(image.channel_index(each) for each in several)
    if channels is not None:
        raise InvalidOption(
            f"channels {list(channels)} were asked for, but the segmenter takes one; choose it with channel "
            "(--channel), or combine them by a transform"
        )
    if channel is not None:
        return image.channel_index(channel)
    if image.size("c") > 1 and traits.pixels:
        names = ", ".join(image.channels) or f"0 to {image.size('c') - 1}"
        raise InvalidOption(f"the image has {image.size('c')} channels ({names}); choose one with channel (--channel)")
    return 0 if "c" in image.axes else None


def _chosen(source: Source, parts: Parts, traits: Traits, options: RunOptions) -> Source:
    """The source with its channels chosen."""
    whole = source.opened
    combined = any(TransformTraits.of(each, whole).channels is not None for each in parts.transforms)
    return source.choosing(chosen_channels(whole, traits, options.channel, options.channels, combined=combined))


def _prepared(
    parts: Parts,
    thing: Callable[..., Any],
    image: Image,
    kind: Kind = "segmenter",
    given: Mapping[str, Image] | None = None,
) -> Callable[..., Any]:
    """A component prepared on the image, unless it is prepared already, on several."""
    return thing if parts.shared is not None and parts.shared.has(thing) else prepared(thing, image, kind, given)


def _with_network(plan: Plan, traits: Traits, tiler: Any, options: RunOptions) -> Plan:
    return replace(
        plan,
        windows=windows_of(plan.segmenter, plan.source.opened, traits, tiler),
        predicts=traits.predictions,
        batch=traits.batch,
        gpu=traits.gpu,
        decode_options=traits.decode_options,
        predictions_path=plan.checkpoint_path / PREDICTIONS,
        most_kept=options.most_kept,
    )


def merger_of(parts: Parts) -> Callable[..., Any]:
    """The merger of a run: the pipeline's own, else the one that the segmenter declares, else `touch`."""
    chosen = parts.merger if parts.merger is not None else declared(parts.segmenter, "merger")
    return component("merger", "touch" if chosen is None else chosen)


def _grid(tiler: Callable[..., TileGrid], image: Image, traits: Traits) -> TileGrid:
    """The tiler's grid over the image's axes but `c`, with single planes along what never joins."""
    seen = image.select(0) if "c" in image.axes else image
    shape = seen.shape
    needs = replace(traits.needs(image), context=read_context(image, traits.context))
    with blamed("tiler", tiler, f"cutting an image of axes {seen.axes} and shape {shape}"):
        grid: object = tiler(seen, needs)
    if not isinstance(grid, TileGrid):
        raise InvalidOption(f"{whose('tiler', tiler)} must return a TileGrid, not {type(grid).__name__}")
    grid = grid.with_separate(traits.separate)
    if grid.axes != seen.axes or grid.shape != shape:
        raise InvalidOption(
            f"{whose('tiler', tiler)} cut axes {grid.axes!r} of shape {grid.shape}, "
            f"but the image has {seen.axes!r} of shape {shape}"
        )
    return grid


def read_context(image: Image, context: Mapping[str, int]) -> dict[str, int]:
    """The pixels around an outer region that are read, by axis: the segmenter's context, and the transforms'."""
    contexts = [context, *(each.context for each in image.transformations)]
    return {axis: sum(each.get(axis, 0) for each in contexts) for axis in spatial(image.axes)}


def windows_of(segmenter: Any, image: Image, traits: Traits, tiler: Any) -> tuple[Windows, ...]:
    """How a network's windows lie over an image, checked against its axes."""
    from ..tiling.windows import Windows  # most segmenters are not networks

    budget = getattr(tiler, "memory", None) or BUDGET
    with blamed("segmenter", segmenter, f"laying windows over {image!r}"):
        windows: object = segmenter.windows(image, budget)
    who = whose("segmenter", segmenter)
    if not isinstance(windows, Sequence) or not windows or not all(isinstance(each, Windows) for each in windows):
        raise InvalidOption(f"{who} must return Windows from windows(image, budget), one or several, not {windows!r}")
    for each in windows:
        strange = [axis for axis in each.axes if axis not in image.axes or axis not in traits.axes]
        if strange:
            raise InvalidOption(
                f"{who} lays windows along {each.axes!r}, but is handed {traits.axes!r} of an image of {image.axes!r}"
            )
    return tuple(windows)


def _check_halo(grid: TileGrid, merger: Callable[..., Any], joining: MergerTraits) -> None:
    """A merger that compares what two tiles saw needs a halo along every axis on which there are several tiles."""
    bare = [a for a, halo, n in zip(grid.axes, grid.halo, grid.counts, strict=True) if n > 1 and not halo]
    bare = [axis for axis in bare if axis not in grid.separate]
    if bare and joining.owns:
        raise InvalidOption(
            f"{whose('merger', merger)} compares what two tiles saw, but along {', '.join(bare)} the halo "
            "is 0; give a halo of at least 1 there (--halo), best the size of an object"
        )
