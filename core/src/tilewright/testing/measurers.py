"""The tests of a measurer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..abc.measurer import Block, Facts
from ..abc.traits import MeasurerTraits
from ..components.resolve import component
from ..engine.steps.measure import Measure, checked_columns
from ..errors import InvalidOption, TilewrightError
from ..functions.measure import measure
from ..image import Image
from ..tiling.placement import Placement
from .kit import Kit, sent
from .pictures import cells
from .segmenters import PICKLED

__all__ = ["MeasurerTests", "Objects"]

Rows = Mapping[str, NDArray[Any]]

PIXELS = (30, 400, 2**20)  # of a block
STOPPED = 2  # reports of progress after which a run is stopped


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What is measured.

    labels, image: of the same shape; the image may have channels beside. given: further label images by name.
    """

    labels: Image
    image: Image
    given: Mapping[str, Image]


class MeasurerTests(Kit):
    """Tests of a measurer. The fixture `measurer` returns it: an instance, a function, or an installed one's name.

        class TestBlobs(MeasurerTests):
            @pytest.fixture
            def measurer(self):
                return Blobs(level=3)

    axes: of the labels that are tried. Those for which `columns` raises InvalidOption are passed over, but not all.
    dtypes: the dtypes of pixels that it takes, which hold values up to 255.
    tolerance: by how much a float may differ between blocks and the whole, as a part of the largest in its column.
        Whole numbers and truth values have to be equal.
    objects(axes, channels, given): override it to try others. By default they touch, lie in two parts, have holes, are
        one pixel large, and are cut by the image's border. channels: names that the measurer knows. given: the names of
        the further label images.
    """

    axes: ClassVar[Sequence[str]] = ("yx", "zyx")
    dtypes: ClassVar[Sequence[str]] = ("uint8", "uint16", "float32")
    tolerance: ClassVar[float] = 1e-9

    def objects(self, axes: str, channels: tuple[str, ...], given: tuple[str, ...]) -> Objects:
        """What is tried, with these axes."""
        labels, pixels = cells(axes, len(channels))
        spacing = {axis: 2.0 if axis == "z" else 0.5 for axis in axes}
        facts: dict[str, Any] = {"spacing": spacing, "units": dict.fromkeys(axes, "micrometer")}
        shifted = Image(np.roll(labels, 2, axis=-1), axes, **facts)
        return Objects(
            labels=Image(labels, axes, **facts),
            image=Image(pixels, f"c{axes}", channels=channels, **facts),
            given=dict.fromkeys(given, shifted),
        )

    def test_what_it_declares_makes_sense(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            columns = MeasurerTraits.of(made).columns(_block(made, objects).facts)
            assert columns, "it has no columns; return at least one from columns(facts)"
            taken = {"t", "label"} & {*columns}
            assert not taken, f"it has the column {taken.pop()!r}, which is of the table's key; give it another name"

    def test_every_object_has_a_value_in_each_declared_column(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            block = _block(made, objects)
            rows, returned = _called(made, block), _returned(made, block)
            for name, held in rows.items():
                values = np.asarray(returned[name])
                assert held.dtype.kind == "f" or np.array_equal(held, values), (
                    f"the column {name!r} is declared as {held.dtype}, which does not hold what it returned "
                    f"({values.dtype}, {values.min()} to {values.max()}); declare a wider dtype"
                )

    def test_it_tells_objects_apart(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            rows = _called(made, _block(made, objects))
            assert any(len(np.unique(values)) > 1 for values in rows.values()), (
                "all objects have the same values, so the other tests would say nothing; override objects()"
            )

    def test_blocks_equal_the_whole(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            whole = _called(made, _block(made, objects))
            for pixels in PIXELS:
                self._check(
                    self._table(made, objects, measure_pixels=pixels),
                    whole,
                    f"measured in blocks of about {pixels:,} pixels and in one call",
                    "declare as halo how far it looks beyond an object, merge sums and counts rather than means, and "
                    "look at the objects numbered 1 to n alone",
                )

    def test_permuted_labels_permute_rows(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            whole, labels = self._table(made, objects), objects.labels.data[...]
            ids = np.unique(labels)
            others = np.random.default_rng(3).permutation(ids[1:].astype(np.uint64)) * np.uint64(2**40)
            mapped = np.concatenate([np.zeros(1, np.uint64), others])[np.searchsorted(ids, labels)]
            rows = self._table(made, replace(objects, labels=replace(objects.labels, data=mapped)))
            self._check(
                rows,
                {name: values[np.argsort(others)] for name, values in whole.items()},
                "measured with other ids",
                "ids are names, so no value may depend on them",
            )

    def test_workers_change_nothing(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            blocks = [_block(made, _without(objects, n)) for n in range(4)]
            alone = [_called(made, each) for each in blocks]
            with ThreadPoolExecutor(len(blocks)) as threads:
                together = list(threads.map(_called, [made] * len(blocks), blocks))
            for one, other in zip(together, alone, strict=True):
                self._check(
                    one,
                    other,
                    "measured by several threads and one after the other",
                    "keep no state between calls, or take a lock",
                    exact=True,
                )

    def test_it_can_be_sent_to_another_process(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            block = _block(made, objects)
            rows = _called(made, block)
            advice = "what decides them must be in its options"
            self._check(_called(sent(made, PICKLED), block), rows, "measured by a copy", advice, exact=True)

    def test_twice_gives_the_same(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            block = _block(made, objects)
            first, second = (_called(made, block) for _ in range(2))
            advice = "seed what is random, and keep nothing between calls"
            self._check(second, first, "measured a second time", advice, exact=True)

    def test_a_resumed_run_changes_nothing(self, measurer: Any, tmp_path: Path) -> None:
        for made, objects in self._each(measurer):
            path = tmp_path / f"{objects.labels.axes}.table.zarr"
            whole = self._table(made, objects, measure_pixels=400, workers=1)
            rows: Rows | None = None
            while rows is None:
                try:
                    stop = _Stop()
                    rows = self._table(made, objects, table=path, measure_pixels=400, workers=1, progress=stop)
                except _StoppedError:
                    continue
            advice = "keep nothing between calls, and seed what is random"
            self._check(rows, whole, "measured by a run that was stopped and resumed", advice, exact=True)

    def test_without_objects_the_table_has_the_same_columns(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            typed = {name: values.dtype for name, values in self._table(made, objects).items()}
            nothing = replace(objects.labels, data=np.zeros_like(objects.labels.data[...]))
            empty = self._table(made, replace(objects, labels=nothing))
            assert {name: values.dtype for name, values in empty.items()} == typed, (
                f"labels without objects have the columns {sorted(empty)}, labels with objects {sorted(typed)}; "
                "columns(facts) must depend on the facts alone"
            )
            assert not any(len(values) for values in empty.values())

    def test_the_block_is_left_as_it_is(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            block = _block(made, objects)
            before = sum(array.astype(np.float64).sum() for array in _arrays(block))
            rows = _called(made, block)
            after = sum(array.astype(np.float64).sum() for array in _arrays(block))
            assert after == before, "the block was changed, which other measurers see too; copy before working in place"
            for array in _arrays(block):
                array.setflags(write=False)
            advice = "copy before working in place"
            self._check(_called(made, block), rows, "measured in read-only arrays", advice, exact=True)

    def test_the_same_pixels_in_another_dtype_give_the_same(self, measurer: Any) -> None:
        for made, objects in self._each(measurer):
            whole, image = self._table(made, objects), objects.image
            for dtype in self.dtypes if MeasurerTraits.of(made).pixels else ():
                other = replace(objects, image=replace(image, data=image.data[...].astype(dtype)))
                self._check(
                    {name: values.astype(np.float64) for name, values in self._table(made, other).items()},
                    {name: values.astype(np.float64) for name, values in whole.items()},
                    f"measured in pixels of dtype {dtype} and {image.dtype}",
                    "convert the pixels, or leave it out of dtypes",
                )

    def _each(self, measurer: Any) -> Iterator[tuple[Any, Objects]]:
        """The measurer with the objects of all axes that it measures."""
        try:
            made = component("measurer", measurer)
            traits = MeasurerTraits.of(made)
            tried = [(axes, self.objects(axes, _names(traits), traits.given)) for axes in self.axes]
            refusals = {axes: _refusal(made, objects) for axes, objects in tried}
        except TilewrightError as error:
            raise AssertionError(str(error)) from error
        assert None in refusals.values(), f"it measures none of the axes {refusals}; name others in axes"
        return ((made, objects) for axes, objects in tried if refusals[axes] is None)

    def _table(self, made: Any, objects: Objects, **options: Any) -> Rows:
        """The table as a run has it, without its key."""
        given = objects.given or None
        try:
            table = measure(objects.labels, objects.image, given=given, measure=made, **options)
        except TilewrightError as error:
            raise AssertionError(str(error)) from error
        return {name: table[name] for name in table if name not in ("t", "label")}

    def _check(self, rows: Rows, expected: Rows, what: str, advice: str, *, exact: bool = False) -> None:
        for name, values in expected.items():
            worst = _difference(rows[name], values)
            allowed = 0.0 if exact or values.dtype.kind != "f" else self.tolerance
            assert worst <= allowed, (
                f"the column {name!r} {what} differs by up to {worst:g} of its largest value, not {allowed:g}; {advice}"
            )


class _StoppedError(Exception):
    """What ends a run as a kill does."""


class _Stop:
    """A function of progress that ends a run after some tasks of measuring."""

    def __init__(self) -> None:
        self._done = 0

    def __call__(self, step: str, done: int, total: int) -> None:
        self._done += step == "measure" and 0 < done < total
        if self._done > STOPPED:
            raise _StoppedError


def _names(traits: MeasurerTraits) -> tuple[str, ...]:
    """Two channels' names, or those that the measurer names if they are more."""
    named = [each for each in traits.channels or () if isinstance(each, str)]
    return (*named, "first", "second")[: max(2, len(named))]


def _block(made: Any, objects: Objects) -> Block:
    """The whole as one block."""
    traits, labels, image = MeasurerTraits.of(made), objects.labels, objects.image
    chosen = traits.channels if traits.channels is not None else range(image.size("c"))
    channels = [image.channel_index(each) for each in chosen] if traits.pixels else []
    pixels = image.data[...] if "c" in image.axes else image.data[...][np.newaxis]
    facts = Facts(
        axes=labels.axes,
        shape=labels.shape,
        spacing=tuple(labels.spacing[axis] for axis in labels.axes),
        units=tuple(labels.units[axis] for axis in labels.axes),
        channels=tuple(image.channels[i] for i in channels),
        dtype=image.dtype if traits.pixels else None,
    )
    block = Block.of(
        labels.data[...],
        core=tuple(slice(0, n) for n in labels.shape),
        place=Placement.whole(labels.axes, labels.shape),
        facts=facts,
        pixels=pixels[channels] if traits.pixels else None,
        given={name: np.asarray(objects.given[name].data[...], np.uint64) for name in traits.given},
    )
    if traits.after is None:
        return block
    before = _block(traits.after, objects)
    return replace(
        block, known=_called(traits.after, before) if MeasurerTraits.of(traits.after).columns(before.facts) else {}
    )


def _refusal(made: Any, objects: Objects) -> str | None:
    """Why it does not measure them; None if it does."""
    try:
        MeasurerTraits.of(made).columns(_block(made, objects).facts)
    except InvalidOption as error:
        return str(error)
    return None


def _without(objects: Objects, n: int) -> Objects:
    """The objects without one of them."""
    labels = objects.labels.data[...]
    return replace(
        objects, labels=replace(objects.labels, data=np.where(labels == np.unique(labels)[n + 1], 0, labels))
    )


def _returned(made: Any, block: Block) -> Any:
    """What it returns for whole objects in one call."""
    try:
        return made(block)
    except Exception as error:
        raise AssertionError(
            f"{block.n} objects in labels with axes {block.facts.axes} raised {type(error).__name__}: {error}"
        ) from error


def _called(made: Any, block: Block) -> Rows:
    """The columns of whole objects in one call, as they are declared."""
    traits = MeasurerTraits.of(made)
    columns = traits.columns(block.facts)
    asked = Measure(number=0, measurer=made, facts=block.facts, columns=columns, quantities={}, partial=traits.partial)
    try:
        return checked_columns(asked, _returned(made, block), block.n)
    except TilewrightError as error:
        raise AssertionError(str(error)) from error


def _arrays(block: Block) -> list[NDArray[Any]]:
    pixels = [] if block.pixels is None else [block.pixels]
    return [block.labels, block.ids, *pixels, *block.given.values(), *block.known.values()]


def _difference(values: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference as a part of the largest value; 0 for equal values only, of which NaN is one."""
    if values.shape != expected.shape:
        return np.inf
    differs = ~((values == expected) | ((values != values) & (expected != expected)))
    if not differs.any():
        return 0.0
    one, other = values.astype(np.float64), expected.astype(np.float64)
    largest = np.abs(other[np.isfinite(other)]).max(initial=0) or 1.0
    with np.errstate(invalid="ignore"):
        worst = np.nan_to_num(np.abs(one - other)[differs] / largest, nan=np.inf).max()
    return max(float(worst), np.finfo(np.float64).tiny)  # whole numbers may differ by less than a float tells
