"""Which copy is drawn: what nobody contests is decided without being weighed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.ownership import Copies, Evidence, Rule, _weighed, decide


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 20), st.integers(0, 2**32))
def test_what_shares_no_pixels_is_decided_as_if_it_were_weighed(count: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    area = random.integers(1, 40, count)
    margin = random.choice([0, 0, 3, 15, np.iinfo(np.int64).max], count)
    copies = Copies(area=area, core_area=random.integers(0, area + 1), margin=margin)
    pairs = np.unique(np.sort(random.integers(0, max(1, count), (rows if count else 0, 2)), axis=1), axis=0)
    lower, upper = pairs[pairs[:, 0] < pairs[:, 1]].T
    shared = random.integers(1, np.minimum(area[lower], area[upper]) + 1)
    evidence = Evidence(lower=lower, upper=upper, shared=shared, seen_lower=area[lower], seen_upper=area[upper])
    found, expected = decide(copies, evidence, Rule()), _weighed(copies, evidence, Rule())
    np.testing.assert_array_equal(found.rank >= 0, expected.rank >= 0)
    np.testing.assert_array_equal(found.group, expected.group)
    for each in (found, expected):  # who wins the pixels that two share
        np.testing.assert_array_equal(each.rank[lower] < each.rank[upper], expected.rank[lower] < expected.rank[upper])
