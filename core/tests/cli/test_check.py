"""`tilewright check`: what the kit finds, in words, without pytest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fakes import install, offers

from tilewright.cli import main
from tilewright.components.registry import registry
from tilewright.testing.runner import examine

pytestmark = pytest.mark.slow

FINE = """
    from dataclasses import dataclass, field

    import numpy as np
    from scipy import ndimage

    from tilewright import Image
    from tilewright.abc import Column


    @dataclass(frozen=True, kw_only=True)
    class Above:
        level: float = field(default=50.0, metadata={"help": "pixels above it are objects"})

        merger = "touch"

        def __call__(self, pixels):
            return ndimage.label(pixels > self.level)[0]


    @dataclass(frozen=True, kw_only=True)
    class Turned(Above):
        def __call__(self, pixels):
            return super().__call__(pixels).T


    def fussy(pixels):
        print("a tile")
        return squared(ndimage.label(pixels > 50)[0])


    def squared(labels):
        return labels.reshape(120, 150)


    def nothing(path, spec):
        return None


    @dataclass(frozen=True, kw_only=True)
    class Model:
        weights: str = field(metadata={"help": "a file"})

        def __call__(self, pixels):
            return pixels


    def longest(block):
        return {"longest": np.array([max(np.ptp(np.nonzero(block.labels == 1 + i), axis=1)) for i in range(block.n)])}


    longest.pixels = False
    longest.columns = lambda facts: {"longest": Column(dtype="int64")}


    def widest(block):
        return {"longest": np.full(block.n, max(block.labels.shape))}


    widest.columns = longest.columns


    def read(path):
        return Image(data=np.load(path, mmap_mode="r"), axes="yx", source=path, format="array")
"""


@pytest.fixture
def parts(site: Path) -> Iterator[Path]:
    """A module of components, which is not a plugin itself."""
    install(site, "check-parts", "")
    (site / "check_parts.py").write_text("\n".join(line[4:] for line in FINE.splitlines()))
    (site / "check_parts-1.0.dist-info" / "entry_points.txt").unlink()
    yield site
    sys.modules.pop("check_parts", None)


def checked(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["check", *map(str, words)])
    return done.exit_code, done.stdout + done.stderr


def summed(kind: str, name: str, target: str, extra: str = "") -> str:
    return offers(kind, name, target=target, extra=f", summary='One sentence.'{extra}")


def test_a_plugin_that_keeps_its_promises_passes(parts: Path, tmp_path: Path) -> None:
    install(parts, "lab-fine", summed("segmenter", "lab-above", "check_parts:Above"))
    code, said = checked("lab-fine")
    assert (code, said.splitlines()) == (
        0,
        [
            "lab-fine 1.0",
            "  package lab_fine: 8 of 8 checks passed",
            "  segmenter lab-above: 13 of 13 checks passed",
            "    agreement of tiles with the whole: 100.00%; asked for: 100.00%",
        ],
    )


def test_a_segmenter_that_is_a_network_is_tried_as_one(site: Path) -> None:
    install(site, "lab-net", summed("segmenter", "lab-net", "networks:Local"))
    lines = checked("lab-net", "--set", "level=70")[1].splitlines()
    at = lines.index("  segmenter lab-net: 20 of 20 checks passed")
    assert lines[at + 1].startswith(
        "    100.0000% of the objects' pixels are the same in tiles of (210, 150) as in a call"
    )


def test_what_is_wrong_is_said_with_what_to_mend(parts: Path) -> None:
    install(parts, "lab-turned", "import numpy\n" + offers("segmenter", "lab-turned", target="check_parts:Turned"))
    code, said = checked("lab-turned")
    assert code == 2
    assert "wrong: importing it imports no library" in said
    assert "importing lab_turned imports numpy" in said
    assert "wrong: every component has a summary" in said
    assert "it finds something; labels are whole numbers of the shape of the pixels" in " ".join(said.split())
    assert "it returned shape (150, 210) for pixels whose spatial shape is (210, 150)" in said


def test_a_plugin_that_cannot_be_used_is_told_of_with_its_error(site: Path) -> None:
    install(site, "lab-broken", "@hookimpl\ndef tilewright_segmentors():\n    return []\n")
    code, said = checked("lab-broken")
    assert code == 2
    assert "wrong: it can be used" in said
    assert "tilewright_segmentors" in said


def test_what_cannot_be_tried_is_left_out_with_the_reason(parts: Path) -> None:
    install(parts, "lab-model", summed("segmenter", "lab-model", "check_parts:Model"))
    code, said = checked("lab-model")
    assert code == 0
    assert "left out: it works\n        weights must be given, so there is no segmenter to try" in said
    assert "`tilewright check lab-model --set weights=VALUE`" in " ".join(said.split())


def test_a_component_is_tried_with_the_options_that_are_said(parts: Path) -> None:
    hook = "@hookimpl\ndef tilewright_segmenters():\n    return [Spec(name='lab-above', target='check_parts:Above', "
    install(
        parts, "lab-two", hook + "summary='A.'), Spec(name='lab-model', target='check_parts:Model', summary='B.')]\n"
    )
    code, said = checked("lab-above", "--set", "level=70")
    assert (code, said.splitlines()[2:3]) == (0, ["  segmenter lab-above: 13 of 13 checks passed"])
    assert "lab-model" not in said
    code, said = checked("lab-model", "--set", "weights=none.pt")
    assert code == 2
    assert "segmenter lab-model: " in said
    code, said = checked("lab-above", "--set", "levle=70")
    assert code == 2
    assert "InvalidOption: segmenter 'lab-above' of lab-two 1.0 has no option 'levle'; did you mean 'level'?" in said
    code, said = checked("lab-two", "--set", "level=70")
    assert code == 2
    assert "--set sets options of one component, but 'lab-two' is the name of none; there are: " in said
    assert "there are: segmenter 'lab-above', segmenter 'lab-model'" in said


def test_an_error_is_told_with_the_line_of_the_authors_code(parts: Path) -> None:
    install(parts, "lab-fussy", summed("segmenter", "lab-fussy", "check_parts:fussy"))
    done = CliRunner().invoke(main, ["check", "lab-fussy"])
    said, line = " ".join(done.stdout.split()), FINE.splitlines().index("        return labels.reshape(120, 150)") + 1
    assert "ValueError: cannot reshape array of size 1961 into shape (120,150); a run has tiles without objects" in said
    assert f"(in check_parts.py, line {line})" in said
    assert "a tile" not in done.stdout
    assert "a tile" in done.stderr


def test_a_writer_that_returns_no_sink_is_told_so(parts: Path) -> None:
    install(parts, "lab-void", summed("writer", "lab-void", "check_parts:nothing", ", suffixes=('.void',)"))
    assert "it returned NoneType without write and finish; return a sink" in checked("lab-void")[1]


def test_a_measurer_is_tried_on_objects_of_two_and_three_dimensions(parts: Path) -> None:
    hook = "@hookimpl\ndef tilewright_measurers():\n    return [Spec(name='lab-longest', target='check_parts:longest', "
    install(
        parts, "lab-m", hook + "summary='A.'), Spec(name='lab-widest', target='check_parts:widest', summary='B.')]\n"
    )
    code, said = checked("lab-m")
    assert code == 2
    assert "  measurer lab-longest: 12 of 12 checks passed" in said
    assert "wrong: blocks equal the whole" in said
    assert "declare as halo how far it looks beyond an object" in " ".join(said.split())


def test_a_format_of_tables_is_tried_where_it_takes_a_plain_path(site: Path) -> None:
    hook = "@hookimpl\ndef tilewright_tables():\n    return ["
    for name, target in (("csv", "CsvTable"), ("ngio", "NgioTable")):
        hook += f"FormatSpec(name='lab-{name}', target='tilewright_measure.tables.{name}:{target}', "
        hook += f"summary='A.', suffixes=('.lab{name}',)), "
    install(site, "lab-tables", hook + "]\n")
    code, said = checked("lab-tables")
    assert code == 0
    assert "  table lab-csv: 7 of 7 checks passed" in said
    assert "  table lab-ngio: 0 of 7 checks passed" in said
    assert "('cells.labngio' is not a table of an OME-Zarr image; " in " ".join(said.split())


def test_a_reader_is_tried_on_a_file(parts: Path, tmp_path: Path) -> None:
    image = tmp_path / "cells.array"
    with image.open("wb") as file:
        np.save(file, np.arange(35, dtype="u2").reshape(5, 7))
    install(parts, "lab-array", summed("reader", "lab-array", "check_parts:read", ", suffixes=('.array',)"))
    assert "left out: it works\n        a reader is tried on a file: name one with --image" in checked("lab-array")[1]
    code, said = checked("lab-array", "--image", image)
    assert "reader lab-array: 15 of 16 checks passed" in said
    assert "absent-empty.array" not in said
    assert code == 2
    assert "empty.array raised EOFError: No data left in file; raise NotReadable and say what is wrong" in said


def test_a_target_that_is_missing_is_wrong_and_the_next_component_is_still_tried(parts: Path) -> None:
    hook = "@hookimpl\ndef tilewright_segmenters():\n    return [Spec(name='a', target='check_parts:Absent'), "
    install(parts, "lab-two", hook + "Spec(name='b', target='check_parts:Above')]\n")
    code, said = checked("lab-two")
    assert code == 2
    assert "wrong: it can be made\n        AttributeError: module 'check_parts' has no attribute 'Absent'" in said
    assert "segmenter b: 13 of 13 checks passed" in said


def test_a_name_that_nobody_has_is_an_error(site: Path) -> None:
    code, said = checked("lab-nobody")
    assert code == 2
    assert "no plugin or component 'lab-nobody' is installed; installed are: " in said


KIT = """
import pytest
from check_parts import Above
from tilewright.testing import PluginTests, SegmenterTests

class TestAbove(SegmenterTests):
    @pytest.fixture
    def segmenter(self):
        return Above()

class TestPackage(PluginTests):
    @pytest.fixture
    def plugin(self):
        return "lab_fine"
"""


@pytest.mark.slow
def test_the_command_and_pytest_ask_the_same_and_show_the_same_agreement(parts: Path, tmp_path: Path) -> None:
    install(parts, "lab-fine", summed("segmenter", "lab-above", "check_parts:Above"))
    (tmp_path / "test_kit.py").write_text(KIT)
    command = [sys.executable, "-m", "pytest", "-v", "-rP", "-p", "no:cacheprovider", "test_kit.py"]
    settings = os.environ | {"PYTHONPATH": str(parts)}
    shown = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=True).stdout
    (plugin,) = (plugin for plugin in registry().plugins if plugin.name == "lab_fine")
    findings = list(examine(plugin))
    asked = re.findall(r"::test_(\w+) PASSED", shown)
    assert sorted(name.replace("_", " ") for name in asked) == sorted(finding.test for finding in findings)
    assert {finding.outcome for finding in findings} == {"passed"}
    (agreement,) = (finding.message for finding in findings if finding.message)
    assert agreement in shown.splitlines()


OWN = """
@dataclass(frozen=True, kw_only=True)
class Own:
    merger = "overlap"
    halo = 32

    def __call__(self, pixels):
        pixels = ndimage.gaussian_filter(pixels.astype(float), 2)
        return ndimage.label(pixels > (pixels.min() + pixels.max()) / 2)[0]
"""


def test_a_threshold_of_each_tiles_own_is_found_by_the_command_as_by_pytest(parts: Path) -> None:
    """The picture holds a tile of pure noise and an empty one, in which such a segmenter finds objects."""
    with (parts / "check_parts.py").open("a") as file:
        file.write(OWN)
    install(parts, "lab-own", summed("segmenter", "lab-own", "check_parts:Own"))
    code, said = checked("lab-own")
    assert code == 2
    assert "wrong: tiles agree with the whole" in said
    assert "of the objects' pixels are the same in tiles as in the whole, not 90.00%" in said
