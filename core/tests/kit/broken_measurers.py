"""A measurer that keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, unsplit
from tilewright.errors import InvalidOption

FOUR = threading.Barrier(4)

random = np.random.default_rng()


def summed(block: Block, weights: Any = None) -> NDArray[Any]:
    labels = block.labels[block.core].ravel()
    return np.bincount(labels, None if weights is None else weights[block.core].ravel(), block.n + 1)[1 : block.n + 1]


def facing(block: Block) -> NDArray[np.int64]:
    """Pixels of the core whose next pixel along the last axis is of another object."""
    after = np.pad(block.labels[..., 1:], [(0, 0)] * (block.labels.ndim - 1) + [(0, 1)])
    return summed(block, (after > 0) & (after != block.labels)).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Good:
    halo: ClassVar = 1

    def columns(self, facts: Facts) -> Any:
        return {"area": Column(dtype="int64"), "mean": Column(), "facing": Column(dtype="int64")}

    def quantities(self, facts: Facts) -> Any:
        return {"area": Quantity(dtype="int64"), "sum": Quantity(), "facing": Quantity(dtype="int64")}

    def partial(self, block: Block) -> Any:
        assert block.pixels is not None
        return {"area": summed(block), "sum": summed(block, block.pixels[0]), "facing": facing(block)}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {"area": merged["area"], "mean": merged["sum"] / merged["area"], "facing": merged["facing"]}

    def __call__(self, block: Block) -> Columns:
        return unsplit(self, block)


class Untyped(Good):
    def columns(self, facts: Facts) -> Any:
        return {name: column.dtype for name, column in super().columns(facts).items()}


class Unnamed(Good):
    def columns(self, facts: Facts) -> Any:
        return {}


class Key(Good):
    def columns(self, facts: Facts) -> Any:
        return super().columns(facts) | {"label": Column()}


class Backwards(Good):
    halo: ClassVar = -1


class Nowhere(Good):
    def columns(self, facts: Facts) -> Any:
        raise InvalidOption(f"it measures no image of axes {facts.axes}")


class Renamed(Good):
    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {f"{name}s": values for name, values in super().finish(merged, facts).items()}


class Fractional(Good):
    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {**super().finish(merged, facts), "area": merged["area"] / 1}


class Shorter(Good):
    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {name: values[1:] for name, values in super().finish(merged, facts).items()}


class Narrow(Good):
    def columns(self, facts: Facts) -> Any:
        return super().columns(facts) | {"area": Column(dtype="int8")}


class Constant(Good):
    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {name: np.ones_like(values) for name, values in super().finish(merged, facts).items()}


class Near(Good):
    halo: ClassVar = 0


class Averaging(Good):
    def partial(self, block: Block) -> Any:
        parts = super().partial(block)
        return parts | {"sum": parts["sum"] / parts["area"] ** 2}


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """Sees objects whole."""

    def columns(self, facts: Facts) -> Any:
        return {"area": Column(dtype="int64")}

    def __call__(self, block: Block) -> Any:
        return {"area": np.bincount(block.labels.ravel(), minlength=block.n + 1)[1 : block.n + 1]}


class Cropped(_Whole):
    """Sees its objects' box too."""

    def __call__(self, block: Block) -> Any:
        return {"area": np.argmax(np.arange(1, block.n + 1)[:, None] == block.labels.ravel(), axis=1)}


class Crowded(_Whole):
    """Sees other objects than its own."""

    def __call__(self, block: Block) -> Any:
        return {"area": super().__call__(block)["area"] + len(block.ids)}


class Named(Good):
    def partial(self, block: Block) -> Any:
        return super().partial(block) | {"area": summed(block) * block.ids[: block.n].astype(np.int64)}


@dataclass(frozen=True, kw_only=True)
class Remembering(Good):
    seen: dict[str, Any] = field(default_factory=dict)

    def __call__(self, block: Block) -> Columns:
        self.seen["block"] = block
        if threading.current_thread() is not threading.main_thread():
            FOUR.wait()
        return super().__call__(self.seen["block"])


@dataclass(frozen=True, kw_only=True)
class Locked(Good):
    lock: Any = field(default_factory=threading.Lock)


class Random(Good):
    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        return {**super().finish(merged, facts), "mean": random.random(len(merged["area"]))}


@dataclass(frozen=True, kw_only=True)
class Counting(Good):
    calls: list[int] = field(default_factory=list)

    def partial(self, block: Block) -> Any:
        self.calls.append(1)
        parts = super().partial(block)
        return parts | {"area": parts["area"] + len(self.calls)}


@dataclass(frozen=True, kw_only=True)
class Learning(Good):
    seen: dict[str, Any] = field(default_factory=dict)

    def columns(self, facts: Facts) -> Any:
        return super().columns(facts) | self.seen

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Columns:
        self.seen["more"] = Column()
        return super().finish(merged, facts)


class InPlace(Good):
    def partial(self, block: Block) -> Any:
        assert block.pixels is not None
        block.pixels[0] += 1
        return super().partial(block)


class ReadWrite(Good):
    """Needs arrays that can be written."""

    def partial(self, block: Block) -> Any:
        assert block.pixels is not None
        block.pixels[0] -= block.pixels[0].min() * 0
        return super().partial(block)


class Overflowing(Good):
    def partial(self, block: Block) -> Any:
        assert block.pixels is not None
        return super().partial(block) | {"sum": summed(block, block.pixels[0] * block.pixels.dtype.type(3))}
