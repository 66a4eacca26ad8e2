"""Which reader opens a path: named, by the longest suffix, by a look at the bytes, by priority."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright import (
    FormatSpec,
    Image,
    InvalidOption,
    NotReadable,
    Pipeline,
    UnknownComponent,
    hookimpl,
    open_image,
    register,
)
from tilewright.abc import Location
from tilewright.components.registry import unregister
from tilewright.io.formats import SNIFFED, choose_reader, choose_table, choose_writer

seen: list[tuple[str, bytes]] = []


def _reader(name: str) -> Callable[[str], Image]:
    def read(path: str) -> Image:
        return Image(data=np.zeros((2, 3)), axes="yx", name=name, source=path)

    return read


first, second, third = (_reader(name) for name in ("first", "second", "third"))


def magic(path: str, start: bytes) -> bool:
    seen.append((path, start))
    return start.startswith(b"LAB!")


def anything(path: str, start: bytes) -> bool:
    return True


def nothing(path: str, start: bytes) -> bool:
    return False


def breaks(path: str, start: bytes) -> bool:
    raise struct_error


def exits(path: str, start: bytes) -> bool:
    sys.exit("no licence")


struct_error = ValueError("unpack requires 8 bytes")

Offer = Callable[..., None]


@pytest.fixture
def offer() -> Iterator[Offer]:
    """Offer readers `first`, `second`, `third` with these suffixes, sniffers and priorities, each by a plugin."""
    given: list[str] = []

    def add(*formats: dict[str, Any], kind: str = "reader") -> None:
        for name, options in zip(("first", "second", "third"), formats, strict=False):
            spec = FormatSpec(name=name, target=f"{__name__}:{name}", **options)

            class Hooks:
                spec_ = spec

                @hookimpl
                def tilewright_readers(self) -> list[FormatSpec]:
                    return [self.spec_] if kind == "reader" else []

                @hookimpl
                def tilewright_writers(self) -> list[FormatSpec]:
                    return [self.spec_] if kind == "writer" else []

                @hookimpl
                def tilewright_tables(self) -> list[FormatSpec]:
                    return [self.spec_] if kind == "table" else []

            register(Hooks(), name)
            given.append(name)

    yield add
    for name in given:
        unregister(name)


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def make(name: str, content: bytes = b"LAB!....") -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return make


LAB = {"suffixes": (".scan",), "sniff": magic, "priority": 1}
GENERAL = {"suffixes": (".scan",), "sniff": anything}


@pytest.mark.parametrize(
    ("formats", "name", "content", "chosen"),
    [
        ([{"suffixes": (".scan",)}], "a.scan", b"", "first"),
        ([{"suffixes": (".scan",)}], "A.SCAN", b"", "first"),
        ([{"suffixes": (".scan",)}, {"suffixes": (".lab.scan",)}], "a.lab.scan", b"", "second"),
        ([{"suffixes": (".scan",)}, {"suffixes": (".lab.scan",)}], "a.scan", b"", "first"),
        ([{"suffixes": (".scan", ".b.lab.scan")}, {"suffixes": (".lab.scan",)}], "a.b.lab.scan", b"", "first"),
        ([{"suffixes": (".other",)}, {"sniff": magic}], "a.scan", b"LAB!", "second"),
        ([{"sniff": magic}, {"sniff": nothing}], "a", b"LAB!", "first"),
        ([LAB, GENERAL], "own.scan", b"LAB!", "first"),
        ([LAB, GENERAL], "foreign.scan", b"II*.", "second"),
        ([{"suffixes": (".lab.scan",), "sniff": magic}, {"suffixes": (".scan",)}], "a.lab.scan", b"II*.", "second"),
        ([{"suffixes": (".lab.scan",), "sniff": magic}, GENERAL], "a.lab.scan", b"II*.", "second"),
        ([{"suffixes": (".scan",), "sniff": nothing}, {"sniff": magic}], "a.scan", b"LAB!", "second"),
        ([{"suffixes": (".scan",)}, {"suffixes": (".scan",), "priority": 1}], "a.scan", b"", "second"),
        ([{"suffixes": (".lab.scan",)}, {"suffixes": (".scan",), "priority": 9}], "a.lab.scan", b"", "first"),
        ([{"suffixes": (".scan",), "priority": -1}, {"suffixes": (".scan",)}], "a.scan", b"", "second"),
        ([{"suffixes": (".scan",), "sniff": nothing}, {"suffixes": (".scan",)}], "a.scan", b"", "second"),
    ],
)
def test_the_reader_that_fits_best_is_chosen(
    offer: Offer, file: Callable[..., str], formats: list[Any], name: str, content: bytes, chosen: str
) -> None:
    offer(*formats)
    assert open_image(file(name, content)).name == chosen


def test_a_tie_is_an_error_that_names_the_candidates(offer: Offer, file: Callable[..., str]) -> None:
    offer({"suffixes": (".scan",)}, {"suffixes": (".scan",)}, {"suffixes": (".scan",), "priority": -1})
    with pytest.raises(UnknownComponent, match="name the one to use") as raised:
        open_image(file("a.scan"))
    assert "readers 'first' (register(first) 0) and 'second' (register(second) 0) both claim" in str(raised.value)
    assert "third" not in str(raised.value)


def test_a_reader_that_is_named_wins_over_everything(offer: Offer, file: Callable[..., str]) -> None:
    offer({"suffixes": (".scan",), "sniff": anything, "priority": 9}, {"suffixes": (".other",), "sniff": nothing})
    path = file("a.scan")
    assert open_image(path, reader="second").name == "second"
    assert open_image(path, reader={"name": "second"}).name == "second"
    assert open_image(path, reader=third).name == "third"


@pytest.mark.parametrize(("sniff", "said"), [(breaks, "8 bytes"), (exits, "SystemExit"), (len, "TypeError")])
def test_a_sniffer_that_raises_is_warned_of_and_the_others_go_on(
    offer: Offer, file: Callable[..., str], sniff: Callable[..., bool], said: str
) -> None:
    offer({"suffixes": (".scan",), "sniff": sniff, "priority": 5}, {"suffixes": (".scan",)})
    with pytest.warns(RuntimeWarning, match=rf"reader 'first' of register\(first\) failed to look at .*{said}"):
        assert open_image(file("a.scan")).name == "second"


def test_a_sniffer_gets_the_path_and_the_first_bytes_only(offer: Offer, file: Callable[..., str]) -> None:
    offer({"sniff": magic})
    seen.clear()
    path = file("big", b"LAB!" + bytes(3 * SNIFFED))
    open_image(path)
    assert [(name, len(start)) for name, start in seen] == [(path, SNIFFED)]


def test_a_sniffer_gets_no_bytes_of_a_folder(offer: Offer, tmp_path: Path) -> None:
    offer({"suffixes": (".store",), "sniff": lambda path, start: start == b"" and Path(path).is_dir()})
    folder = tmp_path / "a.store"
    folder.mkdir()
    assert open_image(folder).name == "first"
    assert open_image(f"{folder}/").name == "first"


def test_a_path_that_does_not_exist_is_said_before_any_reader_is_asked(offer: Offer, tmp_path: Path) -> None:
    offer({"suffixes": (".scan",), "sniff": breaks})
    with pytest.raises(NotReadable, match=r"missing\.scan' does not exist; check the path$"):
        open_image(tmp_path / "missing.scan")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(("make", "said"), [(os.mkfifo, "a pipe"), (_device, "a device")])
def test_nobody_waits_for_what_is_neither_a_file_nor_a_folder(
    offer: Offer, tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    offer({"suffixes": (".scan",), "sniff": anything})
    make(tmp_path / "a.scan")
    for reader in (None, "first", third):
        with pytest.raises(NotReadable, match=f"is {said}, not a file; give a file or a folder"):
            open_image(tmp_path / "a.scan", reader=reader)


def test_a_format_that_nobody_reads_is_refused_with_the_readers_there_are(
    offer: Offer, file: Callable[..., str]
) -> None:
    offer({"suffixes": (".scan", ".sca")}, {"sniff": nothing})
    with pytest.raises(NotReadable) as raised:
        open_image(file("a.xyz"))
    message = str(raised.value)
    assert "no installed reader reads" in message
    assert "a.xyz" in message
    assert "first (.scan .sca)" in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["https://host/a/b.scan", "s3://bucket/b.scan/", "memory://b.SCAN"])
def test_a_url_is_chosen_by_its_suffix_without_being_looked_for(offer: Offer, url: str) -> None:
    offer({"suffixes": (".scan",)}, {"suffixes": (".other",)})
    image = open_image(url)
    assert (image.name, image.source) == ("first", url)


def test_a_url_may_be_sniffed_by_its_name_and_without_bytes(offer: Offer) -> None:
    offer({"sniff": magic}, {"sniff": lambda path, start: "b.special/" in path and not start})
    assert open_image("https://host/b.special/0").name == "second"


def test_a_url_that_nobody_claims_is_refused(offer: Offer) -> None:
    offer({"suffixes": (".scan",)})
    with pytest.raises(NotReadable, match=r"no installed reader reads 'https://host/a\.unknown'"):
        choose_reader(Location.of("https://host/a.unknown"))


def test_an_empty_file_is_no_reason_to_fail(offer: Offer, file: Callable[..., str]) -> None:
    offer({"suffixes": (".scan",), "sniff": anything})
    assert open_image(file("a.scan", b"")).name == "first"


def test_a_writer_is_chosen_by_the_longest_suffix_whether_or_not_the_path_exists(offer: Offer) -> None:
    offer({"suffixes": (".scan",)}, {"suffixes": (".lab.scan",)}, kind="writer")
    assert choose_writer("out.lab.scan") is second
    assert choose_writer("out.scan") is first


def test_a_suffix_that_no_writer_claims_is_refused_with_the_writers_there_are(offer: Offer) -> None:
    offer({"suffixes": (".scan",)}, kind="writer")
    with pytest.raises(
        UnknownComponent, match=r"no installed writer claims the suffix of 'out\.xyz'.*first \(\.scan\)"
    ):
        choose_writer("out.xyz")


def test_a_table_has_the_format_that_claims_the_longest_suffix_of_it_or_of_the_folder_above(offer: Offer) -> None:
    offer({"suffixes": (".cells",)}, {"suffixes": (".lab.cells",)}, kind="table")
    assert choose_table("out.lab.cells") is second
    assert choose_table("out.cells/tables/nuclei") is first
    with pytest.raises(
        UnknownComponent, match=r"no installed format for tables claims the suffix of 'out\.xyz'.*first"
    ):
        choose_table("out.xyz")


def test_what_a_reader_gives_back_has_to_be_an_image(file: Callable[..., str]) -> None:
    with pytest.raises(InvalidOption, match=r"reader .*must return an Image, not ndarray"):
        open_image(file("a.scan"), reader=lambda path: np.zeros((2, 2)))


def test_a_run_without_an_output_says_so_where_no_writer_fits_the_image(tmp_path: Path) -> None:
    def reader(path: str) -> Image:
        return Image(data=np.zeros((4, 4), np.uint8), axes="yx", source=path)

    (tmp_path / "v.mrc").touch()
    with pytest.raises(UnknownComponent) as raised:
        Pipeline(segmenter=len, reader=reader).run(tmp_path / "v.mrc")
    message = str(raised.value)
    assert message.startswith(f"no output was given, and no installed writer puts labels into '{tmp_path / 'v.mrc'}'; ")
    with pytest.raises(InvalidOption, match="no output was given, and writer 'zarr-array' has no place for labels"):
        Pipeline(segmenter=len, reader=reader, writer="zarr-array").run(tmp_path / "v.mrc")
    with pytest.raises(UnknownComponent, match=r"no installed writer claims the suffix of .*out\.mrc'"):
        Pipeline(segmenter=len, reader=reader).run(tmp_path / "v.mrc", tmp_path / "out.mrc")
