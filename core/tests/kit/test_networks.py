"""Every fault that a network can have is caught by the test that is there for it, and networks of each form pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import networks
import pytest

from tilewright import Image
from tilewright.testing import NetworkTests
from tilewright.testing.networks import _others
from tilewright.testing.pictures import crop

from .broken_networks import Good
from .conftest import Catching

pytestmark = pytest.mark.slow

WINDOWS = "test_windows_go_by_the_shape_of_the_image_and_not_by_its_pixels"
FITS = "test_what_it_predicts_fits_its_declaration"
OPTIONS = "test_options_of_decoding_change_nothing_that_is_predicted"
AGREE = "test_tiles_agree_with_the_whole"
CAUGHT_BY = {
    "Peeking": WINDOWS,
    "Fickle": WINDOWS,
    "Sparse": WINDOWS,
    "Thick": WINDOWS,
    "Growing": "test_every_window_is_predicted_once",
    "Flat": FITS,
    "Misnamed": FITS,
    "Nameless": FITS,
    "Short": FITS,
    "Overflowing": FITS,
    "Fractional": FITS,
    "Unpadded": FITS,
    "Normalising": "test_a_window_in_company_is_predicted_as_alone",
    "Counting": "test_the_order_of_windows_does_not_matter",
    "Training": "test_a_call_before_does_not_matter",
    "Deciding": OPTIONS,
    "Declaring": OPTIONS,
    "Misspelt": OPTIONS,
    "Relative": AGREE,
    "Smoothing": AGREE,
    "Twofold": AGREE,
    "Half": "test_what_it_declares_makes_sense",
    "Plain": WINDOWS,
}


@pytest.mark.slow
def test_what_breaks_the_contract_of_networks_is_caught(catching: Catching) -> None:
    catching("broken_networks", "NetworkTests", "segmenter", CAUGHT_BY)


class TestMaps(NetworkTests):
    @pytest.fixture
    def segmenter(self) -> Any:
        return networks.Local(level=70)


class TestThreeSetsOfPlanes(NetworkTests):
    @pytest.fixture
    def segmenter(self) -> Any:
        return networks.Planes(level=420)

    def image(self, axes: str) -> Image:
        """A part of the picture, which has as many windows as other networks' images."""
        whole = super().image(axes)
        return replace(whole, data=crop(whole, {"y": 30, "x": 40}))


class TestTables(NetworkTests):
    @pytest.fixture
    def segmenter(self) -> Any:
        return networks.Points(level=160)


@dataclass(frozen=True, kw_only=True)
class OfAName(Good):
    """A network with an option of decoding of which the kit knows no other value."""

    method: str = "mean"
    batch: int = 1
    decode_options = ("level", "method")


def test_what_cannot_be_tried_is_skipped_with_the_reason() -> None:
    with pytest.raises(BaseException, match="no other value is known of method; give one in values"):
        NetworkTests().test_options_of_decoding_change_nothing_that_is_predicted(OfAName())
    with_a_value = type("WithAValue", (NetworkTests,), {"values": {"method": "median"}})
    with_a_value().test_options_of_decoding_change_nothing_that_is_predicted(OfAName())
    with pytest.raises(BaseException, match="its batch is 1"):
        NetworkTests().test_a_window_in_company_is_predicted_as_alone(OfAName())


@pytest.mark.parametrize("value", [None, True, 0, 1, 7, 0.0, 0.5])
def test_another_value_of_an_option_is_another(value: Any) -> None:
    first = next(iter(_others(value)))
    assert first != value
