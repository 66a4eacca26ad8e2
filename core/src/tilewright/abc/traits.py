"""What components declare, read and checked once, before the first tile.

No other module asks a component for what it may leave out.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..components.blame import blamed, whose
from ..components.isolation import describe
from ..components.options import shown
from ..components.quantities import is_name, whole_number
from ..components.specs import Kind
from ..errors import InvalidImage, InvalidOption, TilewrightError
from ..image import Image
from ..image.mapped import Transformation
from ..tiling.axes import SPATIAL, by_axis, spatial
from .tiler import Needs

if TYPE_CHECKING:
    from .measurer import Column, Facts, Quantity
    from .network import Prediction

__all__ = [
    "MeasurerTraits",
    "MergerTraits",
    "ReaderTraits",
    "SinkTraits",
    "Traits",
    "TransformTraits",
    "WriterTraits",
    "declared",
    "lean",
    "outputs_of",
    "prepared",
    "prepares_on_pixels",
]

T = TypeVar("T")

HALVES = ("windows", "predict", "decode")  # the methods of a network, which has all of them
OUTPUTS = "names of label images, which differ by more than case, of letters, digits, '-', '_' and '.'"
PARTS = ("quantities", "partial", "finish")  # the methods of a partial measurer, which has all of them


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a segmenter declares, for an image. The names and their meaning are those of `abc.segmenter.Segmenter`.

    axes: the axes of the pixels that it is handed; the image's spatial axes if it declares none.
    separate: the image's axes along which objects never join: `t`, and spatial axes that it is not handed.
    halo, context, stride: pixels by axis; an axis that is left out has 0, 0 and 1.
    merger: what it declares; None if it declares none.
    memory: the bytes that a call takes for a tile of a shape and dtype; None if it does not declare it.
    predictions: what the network of an `abc.network.Network` says of a window, by name; empty for any other segmenter.
    batch: windows that go through it at once. decode_options: those of its options that `predict` does not depend on.
    gpu: whether it runs on a GPU where there is one.
    pixels: whether it looks at pixels; else it is handed None, and none are read.
    """

    axes: str
    separate: str = ""
    channel: int | str | None = None
    channels: tuple[int | str, ...] | None = None
    halo: Mapping[str, int] = field(default_factory=dict)
    context: Mapping[str, int] = field(default_factory=dict)
    stride: Mapping[str, int] = field(default_factory=dict)
    located: bool = False
    merger: Any = None
    min_size: int = 0
    memory: Callable[[tuple[int, ...], np.dtype[Any]], int] | None = None
    outputs: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    keeps_ids: bool = False
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    batch: int = 1
    decode_options: tuple[str, ...] = ()
    gpu: bool = False
    pixels: bool = True

    @classmethod
    def of(cls, segmenter: object, image: Image) -> Traits:
        """Read and check what a segmenter declares.

        InvalidOption for a wrong value; InvalidImage if the image lacks an axis that the segmenter needs.
        """
        asked = _Asked("segmenter", segmenter)
        axes = _axes(asked, image)
        without_c = image.axes.replace("c", "")
        channels = asked.value("channels")
        return cls(
            axes=axes,
            separate="".join(axis for axis in without_c if axis not in axes),
            channel=asked.of_type("channel", (int, str), "the index or the name of a channel"),
            channels=None if channels is None else asked.sequence("channels", (int, str), "indices or names"),
            halo=asked.by_axis("halo", without_c, 0),
            context=asked.by_axis("context", without_c, 0),
            stride=asked.by_axis("stride", without_c, 1),
            located=asked.flag("located"),
            merger=asked.value("merger"),
            min_size=0 if asked.flag("keeps_ids") else asked.whole("min_size"),
            memory=asked.guarded("memory"),
            predictions=_predictions(asked),
            batch=asked.whole("batch") or 1,
            decode_options=asked.sequence("decode_options", (str,), "names of options")
            if asked.value("decode_options")
            else (),
            gpu=_gpu(asked),
            outputs=asked.outputs(),
            given=asked.given(),
            keeps_ids=asked.flag("keeps_ids"),
            pixels=asked.value("pixels") is None or asked.flag("pixels"),
        )._consistent(asked)

    def _consistent(self, asked: _Asked) -> Traits:
        """InvalidOption for what cannot be declared together."""
        if self.predictions and not self.pixels:
            raise asked.wrong("pixels", "left out: a network looks at pixels")
        if self.keeps_ids and self.merger:
            raise asked.wrong("merger", "left out beside keeps_ids: labels are kept as they are, and nothing is joined")
        if both := sorted({*self.outputs} & {*self.given}):
            raise asked.wrong("outputs", f"names other than those of the given labels, but {both[0]!r} is in given too")
        return self

    def needs(self, image: Image) -> Needs:
        """The needs that a tiler is called with."""
        return Needs(
            separate=self.separate,
            halo=self.halo,
            stride=self.stride,
            context=self.context,
            memory=self.memory,
            channels=image.size("c") if self.pixels else 0,
            given=len(self.given),
        )


def declared(component: object, name: str, kind: Kind = "segmenter") -> Any:
    """What a component declares under a name, unchecked, for use before there is an image; None if nothing."""
    return _Asked(kind, component).value(name)


def outputs_of(segmenter: object) -> tuple[str, ...]:
    """The names of the label images that a segmenter returns, for use before there is an image.

    Empty for one that returns labels alone. InvalidOption for what cannot be names.
    """
    return _Asked("segmenter", segmenter).outputs()


def prepared(
    component: Callable[..., Any], image: Image, kind: Kind = "segmenter", given: Mapping[str, Image] | None = None
) -> Callable[..., Any]:
    """The segmenter or transform that `prepare` returns, or the component itself if it has no `prepare`.

    given: label images by name, for a `prepare` that takes them.

    InvalidOption if what `prepare` returns cannot be called.
    """
    prepare = _Asked(kind, component).function("prepare")
    if prepare is None:
        return component
    with blamed(kind, component, f"running prepare({image!r})"):
        made: object = prepare(image, given=given) if given and _takes(prepare, "given") else prepare(image)
    if not callable(made):
        raise InvalidOption(f"{whose(kind, component)} must return a {kind} from prepare, not {made!r}")
    return made


def prepares_on_pixels(component: Callable[..., Any], kind: Kind) -> bool:
    """Whether it has a `prepare` that may be called with the pixels of several images.

    What is `located`, or is prepared on given labels, belongs to the one image.
    """
    asked = _Asked(kind, component)
    prepare = asked.function("prepare")
    return prepare is not None and not _takes(prepare, "given") and not asked.flag("located")


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of that name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of some functions in C nothing is known
        return False


def lean(network: Any) -> Any:
    """The network that `lean` returns, for a run that keeps no predictions, or itself if it has no `lean`."""
    method = _Asked("segmenter", network).guarded("lean")
    return network if method is None else method()


@dataclass(frozen=True, kw_only=True, eq=False)
class TransformTraits(Transformation):
    """What a transform declares, for an image. The names and their meaning are those of `abc.transform.Transform`."""

    @classmethod
    def of(cls, transform: Callable[..., Any], image: Image) -> TransformTraits:
        """Read and check what a transform declares.

        InvalidOption for a wrong value; InvalidImage if the image lacks an axis that the transform needs.
        """
        asked = _Asked("transform", transform)
        axes = _axes(asked, image)
        channels = None if asked.value("channels") is None else asked.whole("channels")
        if channels is not None and "c" not in axes:
            raise asked.wrong("channels", f"left out: the pixels that it is handed have axes {axes!r}, without c")
        if channels and "c" not in image.axes:
            raise InvalidImage(
                f"{asked.who} returns {channels} channels, but the image's axes {image.axes!r} have no c"
            )
        return cls(
            function=transform,
            axes=axes,
            context=asked.by_axis("context", spatial(axes), 0),
            located=asked.flag("located"),
            channels=channels,
            dtype=asked.dtype("dtype"),
        )

    def map(self, image: Image) -> Image:
        """The image, transformed."""
        return image.map(**{each.name: getattr(self, each.name) for each in dataclasses.fields(self)})


@dataclass(frozen=True, kw_only=True)
class MergerTraits:
    """What a merger declares.

    owns: whether it has `decide` (`OwningMerger`).
    diagonals: tiles that meet across more axes than this have no seam; None if it does not declare it.
    batches: whether `many` can be called (`BatchMerger`).
    """

    owns: bool = False
    diagonals: int | None = None
    batches: bool = False

    @classmethod
    def of(cls, merger: object) -> MergerTraits:
        """Read and check what a merger declares. InvalidOption for a wrong value."""
        asked = _Asked("merger", merger)
        diagonals = asked.value("diagonals")
        return cls(
            owns=asked.function("decide") is not None,
            diagonals=None if diagonals is None else asked.whole("diagonals"),
            batches=asked.function("many") is not None and _as_late(type(merger), "many", "__call__"),
        )


@dataclass(frozen=True, kw_only=True)
class ReaderTraits:
    """What a reader declares.

    labels: the names of the label images at a path; None if it has no such method.
    images: the paths of the images at a path by name, checked; empty if the path is one image.
    """

    labels: Callable[[str], Sequence[str]] | None
    images: Callable[[str], Mapping[str, str]]

    @classmethod
    def of(cls, reader: object) -> ReaderTraits:
        asked = _Asked("reader", reader)
        images = asked.guarded("images")
        return cls(
            labels=asked.guarded("labels"),
            images=lambda path: {} if images is None else _image_paths(asked, images(path)),
        )

    @staticmethod
    def with_options(reader: Callable[[str], Image], **options: Any) -> Callable[[str], Image]:
        """The reader with some options set; None leaves an option as it is. InvalidOption if it has no such option."""
        given = {name: value for name, value in options.items() if value is not None}
        if not given:
            return reader
        names = {each.name for each in dataclasses.fields(reader)} if dataclasses.is_dataclass(reader) else set()
        for name in given:
            if name not in names:
                raise InvalidOption(f"{whose('reader', reader)} has no option {name!r}; leave {name} out (--{name})")
        with blamed("reader", reader, f"making it with {shown(given)}"):
            return dataclasses.replace(reader, **given)  # type: ignore[type-var]  # it is a dataclass: it has fields


def _image_paths(asked: _Asked, images: object) -> dict[str, str]:
    """What a reader returned from `images`, if the names can be parts of paths: none leads out of a folder."""
    texts = [text for each in images.items() for text in each] if isinstance(images, Mapping) else [None]
    good = all(isinstance(text, str) and text for text in texts)
    for name in images if good else ():  # type: ignore[attr-defined]  # it is a mapping
        good = good and name.isprintable() and not {"", ".", ".."} & set(name.split("/"))
    if not good:
        raise InvalidOption(
            f"{asked.who} must return paths by name from images(path), and names without '..', without an empty part "
            f"and without control characters, not {images!r}"
        )
    return dict(images)  # type: ignore[call-overload,no-any-return]  # it is a mapping


@dataclass(frozen=True, kw_only=True)
class WriterTraits:
    """What a writer or a table's format declares, or what stands in for it: see `abc.writer`.

    destination: where the output goes that belongs to an image; None if there is no such method.
    provenance: what an output at a path holds of how it was made; nothing without such a method.
    opened: the columns of a table that is at a path; None if there is no such method.
    remote: whether it writes to buckets.
    several_images: whether a table's format writes the table of several images.
    """

    destination: Callable[[str, str], str] | None
    provenance: Callable[[str], Mapping[str, Any] | None]
    opened: Callable[[str], Any] | None
    exists: Callable[[str], bool]
    beside: Callable[[str], Path]
    remote: bool = False
    several_images: bool = False

    @classmethod
    def of(cls, writer: object, kind: Kind = "writer") -> WriterTraits:
        asked = _Asked(kind, writer)
        return cls(
            destination=asked.guarded("destination"),
            provenance=asked.guarded("provenance") or (lambda _: None),
            opened=asked.guarded("opened") if kind == "table" else None,
            exists=asked.guarded("exists") or (lambda path: Path(path).exists()),
            beside=asked.guarded("beside") or Path,
            remote=getattr(writer, "remote", False) is True,
            several_images=asked.flag("several_images"),
        )


@dataclass(frozen=True, kw_only=True)
class MeasurerTraits:
    """What a measurer declares: see `abc.measurer.Measurer`.

    partial: whether it is a `PartialMeasurer`. after: the measurer that is finished before; None if there is none.
    columns: what `columns(facts)` returns, checked. quantities: likewise; empty for one that is not partial.
    """

    pixels: bool
    channels: tuple[int | str, ...] | None
    halo: int
    given: tuple[str, ...]
    after: Any
    partial: bool
    columns: Callable[[Facts], dict[str, Column]]
    quantities: Callable[[Facts], dict[str, Quantity]]

    @classmethod
    def of(cls, measurer: object) -> MeasurerTraits:
        """Read and check what a measurer declares. InvalidOption for a wrong value, or for one without `columns`."""
        from .measurer import Column, Quantity  # most runs measure nothing

        asked = _Asked("measurer", measurer)
        there = [name for name in PARTS if asked.function(name) is not None]
        if there and len(there) < len(PARTS):
            missing = next(name for name in PARTS if name not in there)
            raise asked.wrong(missing, f"a method, as it is in a partial measurer beside {' and '.join(there)}")
        after = asked.value("after")
        if after is not None and not callable(after):
            raise asked.wrong("after", "a measurer")
        columns, quantities = asked.required("columns"), asked.guarded("quantities")
        return cls(
            pixels=asked.value("pixels") is None or asked.flag("pixels"),
            channels=None
            if asked.value("channels") is None
            else asked.sequence("channels", (int, str), "indices or names"),
            halo=asked.whole("halo"),
            given=asked.given(),
            after=after,
            partial=bool(there),
            columns=lambda facts: _typed(asked, "columns", columns(facts), Column),
            quantities=lambda facts: _typed(asked, "quantities", quantities(facts), Quantity) if there else {},
        )


def _typed(asked: _Asked, method: str, value: object, kind: type[T]) -> dict[str, T]:
    """What a measurer's method returned, by name, if all of it is of a kind that can be kept."""
    good = isinstance(value, Mapping) and all(
        isinstance(name, str) and name and isinstance(each, kind) for name, each in value.items()
    )
    if not good:
        raise InvalidOption(f"{asked.who} must return {kind.__name__}s by name from {method}(facts), not {value!r}")
    kept: dict[str, T] = dict(value)  # type: ignore[call-overload]  # it is a mapping
    for name, each in kept.items():
        _check_dtype(asked, f"{method}(facts)[{name!r}]", each.dtype)  # type: ignore[attr-defined]  # both have one
    return kept


def _check_dtype(asked: _Asked, what: str, dtype: object) -> None:
    try:
        kind = np.dtype(dtype).kind  # type: ignore[call-overload]  # whatever a stranger writes
    except TypeError:
        kind = ""
    if kind not in tuple("biuf"):
        raise InvalidOption(
            f"{asked.who} declares the dtype {dtype!r} in {what}; it must be a boolean, whole or float dtype"
        )


@dataclass(frozen=True, kw_only=True)
class SinkTraits:
    """What a sink declares: see `abc.writer` and `abc.table.TableSink`.

    block: the shape of the unit in which regions are written; None for the tiles' cores. read: opens the labels.
    """

    block: tuple[int, ...] | None
    read: Callable[[], Any] | None

    @classmethod
    def of(cls, sink: object) -> SinkTraits:
        return cls(block=getattr(sink, "block", None), read=getattr(sink, "read", None))


class _Asked:
    """Reads what a component declares. A value is None if the component does not have it."""

    def __init__(self, kind: Kind, component: object) -> None:
        self.kind, self._component = kind, component

    def value(self, name: str) -> Any:
        try:
            return getattr(self._component, name)
        except AttributeError:
            if not hasattr(type(self._component), name):
                return None
            raise
        except TilewrightError:
            raise
        except Exception as error:
            raise InvalidOption(f"{self.who} cannot give its {name}: {describe(error)}") from error

    def of_type(self, name: str, types: tuple[type, ...], wanted: str) -> Any:
        value = self.value(name)
        if value is None or (isinstance(value, (*types, np.integer)) and not isinstance(value, bool)):
            return value
        raise self.wrong(name, wanted)

    def sequence(self, name: str, types: tuple[type, ...], wanted: str) -> tuple[Any, ...]:
        value = self.value(name)
        if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, types) for v in value):
            return tuple(value)
        raise self.wrong(name, wanted)

    def given(self) -> tuple[str, ...]:
        """The names of the label images that it needs."""
        return () if self.value("given") is None else self.sequence("given", (str,), "names of label images")

    def outputs(self) -> tuple[str, ...]:
        """The names of the label images that a segmenter returns."""
        names = () if self.value("outputs") is None else self.sequence("outputs", (str,), OUTPUTS)
        if all(map(is_name, names)) and len({name.casefold() for name in names}) == len(names):
            return names
        raise self.wrong("outputs", OUTPUTS)

    def whole(self, name: str) -> int:
        value = self.value(name)
        try:
            return 0 if value is None else whole_number(name, value, least=0)
        except InvalidOption:
            raise self.wrong(name, "a whole number of at least 0") from None

    def dtype(self, name: str) -> np.dtype[Any] | None:
        value = self.value(name)
        try:
            return None if value is None else np.dtype(value)
        except TypeError:
            raise self.wrong(name, "a dtype of numpy's or its name") from None

    def by_axis(self, name: str, axes: str, least: int) -> Mapping[str, int]:
        value = self.value(name)
        try:
            return {} if value is None else by_axis(name, value, axes, least=least)
        except InvalidOption as error:
            raise InvalidOption(f"{self.who} declares {error}") from None

    def flag(self, name: str) -> bool:
        value = self.value(name)
        if value is None or isinstance(value, bool | np.bool_):
            return bool(value)
        raise self.wrong(name, "True or False")

    def function(self, name: str) -> Any:
        value = self.value(name)
        if value is None or callable(value):
            return value
        raise self.wrong(name, "a method")

    def guarded(self, name: str) -> Any:
        """A method whose errors name the component; None if the component does not have it."""
        method = self.function(name)
        if method is None:
            return None

        def called(*args: Any) -> Any:
            with blamed(self.kind, self._component, f"running {name}({', '.join(map(repr, args))})"):
                return method(*args)

        return called

    def required(self, name: str) -> Callable[..., Any]:
        """As `guarded`, of a method that every such component has."""
        method = self.guarded(name)
        if method is None:
            raise self.wrong(name, "a method")
        return method  # type: ignore[no-any-return]  # it is a function

    def wrong(self, name: str, wanted: str) -> InvalidOption:
        return InvalidOption(f"{self.who} declares {name} = {self.value(name)!r}; it must be {wanted}")

    @property
    def who(self) -> str:
        return whose(self.kind, self._component)


def _axes(asked: _Asked, image: Image) -> str:
    axes: Any = asked.value("axes")
    if axes is None:
        return spatial(image.axes)
    good = isinstance(axes, str) and set(axes) <= set("c" + SPATIAL) and len(set(axes)) == len(axes)
    if not good or not set(axes) & set(SPATIAL):
        raise asked.wrong("axes", "c and any of z, y, x, each once, and at least one of z, y, x")
    missing = [axis for axis in axes if axis in "yx" and axis not in image.axes]
    if missing:
        raise InvalidImage(
            f"{asked.who} needs axes {axes!r}, but the image has {image.axes!r}; use another {asked.kind}, or give the "
            "image's axes (axes, --axes) if these are wrong"
        )
    return str(axes)


def _predictions(asked: _Asked) -> Mapping[str, Prediction]:
    """What a network declares that it says; empty for a segmenter that is none."""
    there = [name for name in HALVES if asked.function(name) is not None]
    if not there:
        for name in ("batch", "predictions", "decode_options"):
            if asked.value(name):
                raise asked.wrong(name, f"left out: it is for networks, which have {', '.join(HALVES)} too")
        return {}
    if missing := [name for name in HALVES if name not in there]:
        raise asked.wrong(missing[0], f"a method, as it is in a network beside {' and '.join(there)}")
    from .network import PLACE, Prediction  # most segmenters are not networks

    value = asked.value("predictions")
    good = isinstance(value, Mapping) and value and all(isinstance(each, Prediction) for each in value.values())
    tables = [name for name, each in value.items() if each.rows] if good else []
    if not good or (tables and PLACE not in tables):
        raise asked.wrong("predictions", f"Predictions by name, with {PLACE!r} among those that are rows")
    return dict(value)


def _gpu(asked: _Asked) -> bool:
    """Whether a network runs on a GPU where there is one. What another segmenter calls so is its own affair."""
    if asked.function("predict") is None:
        return False
    value = asked.value("gpu")
    if value in (None, True, False, "auto"):
        return bool(value)
    raise asked.wrong("gpu", "True, False or 'auto'")


def _as_late(kind: type, name: str, other: str) -> bool:
    """Whether the nearest base of a class that defines one of two names defines the first of them."""
    first: Mapping[str, Any] = next((names for names in map(vars, kind.__mro__) if name in names or other in names), {})
    return name in first
