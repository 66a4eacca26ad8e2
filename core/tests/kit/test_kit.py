"""What all classes of the kit share: tests left out for a reason; and the registry that sees nothing installed."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from tilewright import Grid, Pipeline, Seam, Spec, UnknownComponent, hookimpl
from tilewright.components.registry import registry as of_process
from tilewright.components.resolve import component
from tilewright.testing import MergerTests, TilerTests
from tilewright.testing.fixtures import Alone, registry

__all__ = ["registry"]


class Hooks:
    @hookimpl
    def tilewright_tilers(self) -> list[Spec]:
        return [Spec(name="kit-grid", target="tilewright.builtin.tilers:Grid")]


def test_a_test_that_is_left_out_is_skipped_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from tilewright.testing import MergerTests, TilerTests

        class TestGrid(TilerTests):
            leave_out = {"test_law_1_the_cores_partition_the_image": "because it is late"}

            @pytest.fixture
            def tiler(self):
                return "grid"
        """
    )
    done = pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=7, skipped=1)
    done.stdout.fnmatch_lines(["*because it is late*"])


def test_a_merger_may_return_an_empty_list_as_in_a_run() -> None:
    def never(seam: Seam) -> list[tuple[int, int]]:
        return []

    MergerTests().test_pairs_are_labels_of_the_seam(never)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (
            {"test_law_1_the_cores_partition_the_imag": "late"},
            "did you mean 'test_law_1_the_cores_partition_the_image'?",
        ),
        ({"law": "late"}, "its tests are: test_"),
        ({"test_the_same_image_is_cut_the_same": " "}, "gives no reason for 'test_the_same_image_is_cut_the_same'"),
    ],
)
def test_a_name_that_is_no_test_and_a_missing_reason_are_refused(reasons: dict[str, str], said: str) -> None:
    with pytest.raises(TypeError) as raised:
        type("TestGrid", (TilerTests,), {"leave_out": reasons})
    assert said in str(raised.value)


def test_what_a_class_leaves_out_the_ones_that_inherit_from_it_leave_out_too() -> None:
    class Late(TilerTests):
        leave_out: ClassVar = {"test_the_same_image_is_cut_the_same": "late"}

    class Later(Late):
        pass

    with pytest.raises(BaseException, match="late"):
        Later().test_the_same_image_is_cut_the_same()  # type: ignore[call-arg]  # a test that is left out takes nothing


def test_the_registry_sees_the_core_alone(registry: Alone) -> None:
    assert {plugin.distribution for plugin in registry.plugins} == {"tilewright"}
    with pytest.raises(UnknownComponent):
        component("segmenter", "threshold")


def test_what_is_registered_is_there_for_the_whole_process(registry: Alone) -> None:
    registry.register(Hooks(), "kit")
    assert registry.find("tiler", "kit-grid").distribution == "register(kit)"
    assert Pipeline(segmenter=lambda pixels: pixels, tiler="kit-grid").tiler == Grid()


def test_nothing_of_it_stays() -> None:
    assert "threshold" in {each.spec.name for each in of_process().components("segmenter")}
    assert "kit-grid" not in {each.spec.name for each in of_process().components("tiler")}


def test_the_kit_needs_no_pytest() -> None:
    code = "import sys, tilewright.testing.runner, tilewright.cli.check; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
