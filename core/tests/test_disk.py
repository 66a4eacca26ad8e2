"""Errors of the system are told as what they are, and names fit whatever is put beside them."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright import InvalidOption, NotWritable, Pipeline
from tilewright.storage.disk import LONGEST_NAME, fitting, writing_to

FULL = {errno.ENOSPC: "free some room", errno.EDQUOT: "your own quota", errno.EFBIG: "ulimit -f"}
OTHERS = {
    errno.EROFS: "mounted read-only",
    errno.EACCES: "make it writable",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "all programs of this machine",
    errno.ENOLCK: "grants no locks",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EIO: "the disk, or the network to it, fails",
    errno.ESTALE: "the network file system",
    errno.EAGAIN: "ulimit -u",
    errno.EXDEV: "choose another place",
}


@pytest.mark.parametrize("number", [*FULL, *OTHERS], ids=errno.errorcode.get)
def test_an_error_of_the_system_is_told_as_what_it_is(number: int, tmp_path: Path) -> None:
    with (
        pytest.raises(NotWritable, match="re-run the same command to resume") as raised,
        writing_to(tmp_path, tmp_path),
    ):
        raise OSError(number, os.strerror(number))
    said = str(raised.value)
    assert raised.value.errno == number
    assert said.startswith(os.strerror(number))
    assert (FULL | OTHERS)[number] in said
    assert ("GB free in" in said) == (number in FULL)
    assert (str(tmp_path) + "' cannot be written" in said) == (number not in {errno.EMFILE, errno.ENFILE, errno.EAGAIN})


@given(st.text(min_size=1, max_size=300), st.sampled_from(["", ".tilewright", ".12ab.tilewright"]))
def test_a_name_fits_and_tells_from_others(stem: str, suffix: str) -> None:
    stem = stem.encode(errors="ignore").decode() or "x"
    name = fitting(stem, suffix, ".")
    assert len(os.fsencode(name)) <= LONGEST_NAME
    assert name.startswith(".")
    assert name.endswith(suffix)
    assert (name == f".{stem}{suffix}") == (len(os.fsencode(f".{stem}{suffix}")) <= LONGEST_NAME)
    assert fitting(stem + "x", suffix, ".") != name


def test_names_up_to_the_longest_are_written_and_leave_nothing_beside(tmp_path: Path) -> None:
    image, pipeline = np.array([[0, 1, 1]]), Pipeline(segmenter=np.sign, writer="zarr-array")
    for length in (243, 244, 245, 250, 255):
        out = tmp_path / ("x" * length)
        assert pipeline.run(image, out).n_objects == 1
        assert [path.name for path in tmp_path.iterdir()] == [out.name]
        shutil.rmtree(out)


@pytest.mark.parametrize(
    ("out", "words"), [("x" * 256, "256 bytes, and a name may have 255"), ("a/" * 2000, "4,0.. bytes")]
)
def test_longer_names_are_refused_before_any_work(out: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=words):
        Pipeline(segmenter=lambda tile: tile).run(np.array([[0, 1]]), tmp_path / out / "out.zarr")
