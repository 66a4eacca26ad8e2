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


@pytest.mark.parametrize(
    ("margin", "agreeing", "seen", "beyond", "cut"),
    [
        (20, True, 300, 300, False),  # two tiles saw this cell alike; a third one fused it with something larger
        (20, False, 300, 300, True),
        (20, False, 400, 300, False),  # a cell beside a fibre, of which it would be a small part
        (11, True, 400, 300, True),  # so near its tile's edge its mask may end short
        (11, True, 300, 0, False),
        (20, False, 300, 0, False),
    ],
)
def test_a_part_of_what_goes_on_beyond_its_tile_is_cut_off_if_it_is_near_the_edge_or_like_no_other(
    margin: int, agreeing: bool, seen: int, beyond: int, cut: bool
) -> None:
    copies = Copies(
        area=np.array([100, 100, seen + beyond]),
        core_area=np.array([60, 0, 300]),
        margin=np.array([margin, margin, 0]),
        known=np.ones(3, bool),
    )
    pairs = np.array([[0, 1, 90 if agreeing else 1, 100, 100], [0, 2, 90, 100, seen], [1, 2, 90, 100, seen]]).T
    evidence = Evidence(**dict(zip(("lower", "upper", "shared", "seen_lower", "seen_upper"), pairs, strict=True)))
    assert decide(copies, evidence, Rule()).links.tolist() == [[0, 2]] * cut


def test_the_same_object_that_goes_on_beyond_a_tile_is_cut_off_whatever_its_margin() -> None:
    copies = Copies(
        area=np.array([100, 180]), core_area=np.array([60, 120]), margin=np.array([500, 0]), known=np.ones(2, bool)
    )
    one, other = np.array([0]), np.array([1])
    evidence = Evidence(lower=one, upper=other, shared=other * 90, seen_lower=other * 100, seen_upper=other * 100)
    assert decide(copies, evidence, Rule()).links.tolist() == [[0, 1]]
