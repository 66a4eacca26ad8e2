"""The measurer `intensity`: what the pixels of objects are like, channel by channel."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.abc import Block, Column, Columns, Facts, Quantity, unsplit
from tilewright.errors import InvalidOption

from . import moments
from .columns import check_names, names_of, of_channel, split
from .ranks import LAST, RankPass, quantiles
from .runs import Runs
from .shapes import Property, unit_of
from .values import Values

__all__ = ["Intensity"]

Floats = NDArray[np.float64]

BASIC = ("intensity_mean", "intensity_std", "intensity_min", "intensity_max", "intensity_sum")
WEIGHTED = {
    "centroid_weighted": Property(shape=lambda d: (d,), length=1),
    "centroid_weighted_local": Property(shape=lambda d: (d,), length=1),
    "moments_weighted": Property(shape=lambda d: (4,) * d),
    "moments_weighted_central": Property(shape=lambda d: (4,) * d),
    "moments_weighted_normalized": Property(shape=lambda d: (4,) * d),
    "moments_weighted_hu": Property(shape=lambda _: (7,), axes=(2,), spacing="one"),
}
FIRST = ("centroid_weighted", "centroid_weighted_local")
KNOWN = (*BASIC, "intensity_median", *WEIGHTED, "correlation")
SUMS = ((0,), (1,), (2,))
PRODUCTS = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True, kw_only=True)
class Intensity:
    """The intensities of objects, with the names and the meaning of scikit-image's `regionprops_table`.

    A column of one channel among several ends in its name: `intensity_mean-DAPI`. An object with a NaN has NaN, as in
    scikit-image. Means, deviations and sums of whole numbers are exact as long as float64 is; of numbers near 1e9 they
    are no worse, as sums of squares are of distances from an object's own minimum.

    InvalidOption for a name that is no property, and for a percentile outside of 0 to 100.
    """

    properties: tuple[str, ...] = field(
        default=BASIC,
        metadata={"help": f"by name: {', '.join(KNOWN)} (between the channels)"},
    )
    percentiles: tuple[float, ...] = field(
        default=(), metadata={"help": "from 0 to 100: each is a column intensity_percentile-5"}
    )

    def __post_init__(self) -> None:
        check_names(self.properties, KNOWN, "intensity")
        for each in self.percentiles:
            if not 0 <= each <= 100:
                raise InvalidOption(f"percentiles must be from 0 to 100, not {each}")

    @property
    def _ranked(self) -> dict[str, float]:
        """The fractions of what is found by rank, by column."""
        median = {"intensity_median": 0.5} if "intensity_median" in self.properties else {}
        return median | {f"intensity_percentile-{each:g}": each / 100 for each in self.percentiles}

    @property
    def _last(self) -> RankPass:
        return RankPass(fractions=tuple(self._ranked.values()), number=LAST)

    @property
    def after(self) -> RankPass | None:
        """The passes that find quantiles of more than 8 bits."""
        return self._last.after if self._ranked else None

    def _weighted(self, facts: Facts) -> dict[str, Property]:
        return {name: each for name, each in WEIGHTED.items() if name in self.properties and each.defined(facts)}

    def _exponents(self, facts: Facts) -> moments.Exponents:
        d = len(facts.axes)
        return moments.every(d) if self._weighted(facts).keys() - FIRST else moments.up_to(1, d)

    def _pairs(self, facts: Facts) -> list[tuple[int, int]]:
        pairs = itertools.combinations(range(len(facts.channels)), 2)
        return list(pairs) if "correlation" in self.properties else []

    def columns(self, facts: Facts, /) -> Mapping[str, Column]:
        """The chosen properties of each channel, then the correlations of each two."""
        columns = {}
        for channel in facts.channels:
            for name, each in self._of_channel(facts):
                columns[of_channel(name, channel, facts)] = each
        for a, b in self._pairs(facts):
            columns[f"correlation-{facts.channels[a]}-{facts.channels[b]}"] = Column()
        return columns

    def _of_channel(self, facts: Facts) -> Iterator[tuple[str, Column]]:
        exact = facts.dtype is None or (facts.dtype.kind in "biu" and facts.dtype.itemsize < 8)
        for name in BASIC:
            if name in self.properties:
                yield name, Column(dtype="int64" if name == "intensity_sum" and exact else "float64")
        for name in self._ranked:
            yield name, Column()
        for name, each in self._weighted(facts).items():
            for column in names_of(name, each.shape(len(facts.axes))):
                yield column, Column(unit=unit_of(facts, int(each.length)))

    def quantities(self, facts: Facts, /) -> Mapping[str, Quantity]:
        """Of each channel the extremes and the sums; the rest if it is needed."""
        dtype = np.dtype(facts.dtype)
        pixels = "uint8" if dtype.kind == "b" else dtype.name
        word = "int64" if dtype.kind in "biu" and dtype.itemsize <= 2 else "float64"
        quantities: dict[str, Quantity] = {}
        for c in range(len(facts.channels)):
            quantities[f"min-{c}"] = Quantity(merge="min", dtype=pixels)
            if "intensity_max" in self.properties:
                quantities[f"max-{c}"] = Quantity(merge="max", dtype=pixels)
            quantities[f"sum-{c}"] = Quantity(dtype=np.dtype(_sum_dtype(dtype)).name)
            quantities[f"powers-{c}"] = Quantity(merge="powers", dtype=word, exponents=SUMS)
            if self._weighted(facts):
                quantities[f"weighted-{c}"] = Quantity(merge="powers", exponents=self._exponents(facts))
        for a, b in self._pairs(facts):
            quantities[f"products-{a}-{b}"] = Quantity(merge="powers", exponents=PRODUCTS)
        return {**quantities, **(self._last.quantities(facts) if self._ranked else {})}

    def partial(self, block: Block, /) -> Mapping[str, Any]:
        """The same of the part of each object in a block's core."""
        assert block.pixels is not None  # a run without an image does not call it
        runs, facts = Runs.of_block(block), block.facts
        values = [Values(runs, pixels[block.core]) for pixels in block.pixels]
        corner = runs.corner() if self._weighted(facts) else None
        result: dict[str, Any] = {}
        bases = []
        for c, each in enumerate(values):
            low = each.smallest()
            bases.append(low)
            result |= {f"min-{c}": low, f"sum-{c}": each.sums}
            if "intensity_max" in self.properties:
                result[f"max-{c}"] = each.largest()
            result[f"powers-{c}"] = _finite(each.powers(low), 1)
            if corner is not None:
                sums = moments.weighted_sums(runs, corner, self._exponents(facts), each.flat.astype(np.float64))
                result[f"weighted-{c}"] = np.concatenate([corner, sums], axis=1)
        for a, b in self._pairs(facts):
            result[f"products-{a}-{b}"] = _products(values[a], values[b], bases[a], bases[b])
        return {**result, **(self._last.partial(block) if self._ranked else {})}

    def finish(self, merged: Mapping[str, Any], facts: Facts, /) -> Columns:
        """The columns, each derived from the quantities."""
        columns: dict[str, Any] = {}
        for channel, found in zip(facts.channels, self._found(merged, facts), strict=True):
            for name, values in found.items():
                for column, numbers in split(name, values).items():
                    columns[of_channel(column, channel, facts)] = numbers
        for a, b in self._pairs(facts):
            columns[f"correlation-{facts.channels[a]}-{facts.channels[b]}"] = _correlation(merged, a, b)
        return columns

    def _found(self, merged: Mapping[str, Any], facts: Facts) -> Iterator[dict[str, NDArray[Any]]]:
        """The properties of each channel, in the order of the columns."""
        ranked = np.zeros((0, len(facts.channels), 0))
        fractions, n = tuple(self._ranked.values()), len(merged["sum-0"])
        if fractions:
            ranked = quantiles(self._last.ranks(merged, facts, n), fractions, facts)
        for c in range(len(facts.channels)):
            basic = _basic(merged, c)
            found = {name: basic[name] for name in BASIC if name in self.properties}
            found |= dict(zip(self._ranked, ranked[:, c].T, strict=True))
            if wanted := self._weighted(facts):
                weighted = _weighted(merged[f"weighted-{c}"], self._exponents(facts), facts, set(wanted))
                found |= {name: weighted[name] for name in wanted}
            yield found

    __call__ = unsplit


def _sum_dtype(dtype: np.dtype[Any]) -> Any:
    return np.int64 if dtype.kind in "biu" and dtype.itemsize < 8 else np.float64


def _finite(powers: NDArray[Any], d: int) -> NDArray[Any]:
    """Powers about a point of which all is finite, or all but the number of pixels NaN, about 0.

    A minimum that is NaN or infinite is no point from which anything can be moved.
    """
    bad = ~np.isfinite(powers).all(axis=1)
    if bad.any():
        powers[bad, :d] = 0
        powers[bad, d + 1 :] = np.nan
    return powers


def _products(one: Values, other: Values, base: NDArray[Any], base_of_other: NDArray[Any]) -> Floats:
    """(n, 2 + 4) the powers of the distances of two channels from their minima."""
    runs = one.runs
    with np.errstate(invalid="ignore"):  # infinities; they are NaN in the end
        a, b = one.above(base), other.above(base_of_other)
        sums = [np.bincount(runs.of, runs.folded(np.add, each), runs.n) for each in (b, a, a * b)]
    count = np.bincount(runs.of, runs.length, runs.n)
    return _finite(np.stack([base.astype(float), base_of_other.astype(float), count, *sums], axis=1), 2)


def _basic(merged: Mapping[str, Any], c: int) -> dict[str, NDArray[Any]]:
    mean, variance = _moments(merged, c)
    result = {"intensity_mean": mean, "intensity_std": np.sqrt(variance), "intensity_sum": merged[f"sum-{c}"]}
    for name in ("min", "max"):
        if f"{name}-{c}" in merged:
            result[f"intensity_{name}"] = merged[f"{name}-{c}"].astype(np.float64)
    return result


def _moments(merged: Mapping[str, Any], c: int) -> tuple[Floats, Floats]:
    """Mean and variance of a channel."""
    low, count, first, second = merged[f"powers-{c}"].T.astype(np.longdouble)
    variance = np.maximum(second / count - (first / count) ** 2, 0)
    mean = (low + first / count).astype(np.float64)
    whole = merged[f"sum-{c}"] / count.astype(np.float64)
    return np.where(np.isfinite(mean), mean, whole), variance.astype(np.float64)


def _correlation(merged: Mapping[str, Any], a: int, b: int) -> Floats:
    """Pearson's coefficient; NaN where a channel is constant."""
    _, _, count, of_b, of_a, both = merged[f"products-{a}-{b}"].T.astype(np.longdouble)
    covariance = both / count - of_a / count * of_b / count
    spread = np.sqrt(_moments(merged, a)[1] * _moments(merged, b)[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(spread > 0, covariance.astype(np.float64) / spread, np.nan)
    return np.clip(ratio, -1, 1)


def _weighted(powers: Floats, exponents: moments.Exponents, facts: Facts, wanted: set[str]) -> dict[str, Floats]:
    """What is derived of weighted sums; NaN or infinite for an object whose weights add up to 0, as in scikit-image."""
    d, spacing = len(facts.axes), np.array(facts.spacing)
    start, sums = powers[:, :d], moments.grid(powers[:, d:], exponents)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = moments.centre(sums)
        result = {"centroid_weighted": (start + centre) * spacing, "centroid_weighted_local": centre * spacing}
        if wanted <= result.keys():
            return result
        about = moments.scaled(moments.central(sums, centre), spacing)
        nu = moments.normalized(about, facts.spacing)
        result |= {"moments_weighted": moments.scaled(sums, spacing), "moments_weighted_central": about}
        return result | {
            "moments_weighted_normalized": nu,
            **({"moments_weighted_hu": moments.hu(nu)} if d == 2 else {}),
        }
