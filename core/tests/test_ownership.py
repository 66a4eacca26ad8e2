"""What copies are worth and which are linked: that nobody contests most of them, and that a part says what all say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tilewright.builtin.ownership import Copies, Evidence, Rule, _weighed, decide
from tilewright.labels.objects import united
from tilewright.testing.owners import part, scene


@given(st.integers(1, 40), st.integers(0, 80), st.floats(0, 1), st.integers(0, 2**32))
def test_what_a_part_decides_is_what_the_whole_decides(count: int, rows: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    copies, evidence = scene(random, count, rows)
    whole = decide(copies, evidence, Rule())
    known = random.random(count) < share
    shown = decide(*part(copies, evidence, known), Rule())
    assert not whole.open.any()
    said = ~shown.open
    np.testing.assert_array_equal(shown.worth[said], whole.worth[said])
    links = {tuple(link) for link in whole.links.tolist()}
    found = {tuple(link) for link in shown.links.tolist()}
    assert {link for link in links if said[list(link)].any()} <= found <= links


@given(st.integers(0, 12), st.integers(0, 20), st.integers(0, 2**32))
def test_what_shares_no_pixels_is_decided_as_if_it_were_weighed(count: int, rows: int, seed: int) -> None:
    copies, evidence = scene(np.random.default_rng(seed), count, rows)
    found, expected = decide(copies, evidence, Rule()), _weighed(copies, evidence, Rule())
    np.testing.assert_array_equal(found.worth >= 0, expected.worth >= 0)
    np.testing.assert_array_equal(found.links, expected.links)
    rivals = np.concatenate([evidence.lower, evidence.upper])
    np.testing.assert_array_equal(found.worth[rivals], expected.worth[rivals])


@settings(max_examples=300)
@given(st.integers(1, 60), st.integers(0, 90), st.sampled_from(["any", "chain", "star"]), st.integers(0, 2**32))
def test_united_are_the_connected_components(count: int, rows: int, shape: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    ends = random.integers(0, count, (2, rows))
    if shape == "chain":
        order = random.permutation(count)
        ends = np.stack([order[:-1], order[1:]])
    if shape == "star":
        ends = np.stack([np.full(count, ends[0, 0] if rows else 0), np.arange(count)])
    _, part = connected_components(coo_array((np.ones(ends.shape[1]), tuple(ends)), (count,) * 2), directed=False)
    smallest = np.full(count, count)
    np.minimum.at(smallest, part, np.arange(count))
    np.testing.assert_array_equal(united(count, *ends), smallest[part])


@pytest.mark.parametrize("taken", [9, 11, 29, 31])
@pytest.mark.parametrize(("in_core", "agreeing", "most"), [(49, 1, 10), (50, 1, 30), (0, 50, 30), (0, 49, 10)])
def test_a_copy_of_100_pixels_may_lose_30_or_10_if_neither_its_core_nor_another_tile_holds_half_of_it(
    in_core: int, agreeing: int, most: int, taken: int
) -> None:
    copies = Copies(  # a better one that takes pixels, the one that is asked for, and what another tile saw of it
        area=np.array([1000, 100, agreeing]),
        core_area=np.array([1000, in_core, 0]),
        margin=np.array([20, 10, 1]),
        known=np.ones(3, bool),
    )
    pairs = np.array([[0, 1, taken, 1000, 100], [1, 2, agreeing, 100, agreeing]]).T
    evidence = Evidence(**dict(zip(("lower", "upper", "shared", "seen_lower", "seen_upper"), pairs, strict=True)))
    assert (decide(copies, evidence, Rule()).worth[1] >= 0) == (taken <= most)
