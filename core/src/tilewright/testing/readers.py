"""The tests of a reader."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..abc.traits import ReaderTraits
from ..components.resolve import component
from ..errors import TilewrightError
from ..image import Image, Region
from ..io.collection import images_at
from ..io.formats import open_image
from .foreign import first_bytes, others
from .kit import Kit
from .offers import format_of

__all__ = ["ReaderTests", "Sample"]

FRESH = """
import pickle, sys
with open(sys.argv[1], "rb") as file:
    reader, path, region = pickle.load(file)
with open(sys.argv[2], "wb") as file:
    pickle.dump(reader(path).read(region), file)
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """A file of the reader's format, and what is in it.

    reader: an instance, a function, or an installed one's name.
    path: the file or folder.
    pixels: all of them, as the reader's image has them along `axes`; None if you do not know them otherwise.
    axes, spacing, units, channels: what the image must say of itself.
    collection: a file or folder with several images, for a reader that lists them (`images`); None if you have none.
    """

    reader: Any
    path: Path
    axes: str
    pixels: NDArray[Any] | None = None
    spacing: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    collection: Path | None = None

    def images(self, place: Path | None = None) -> dict[str, str]:
        """The images that the reader lists at a place, else at the path and in the collection; or empty."""
        places = [place] if place else [self.path, *([self.collection] if self.collection else [])]
        traits = ReaderTraits.of(component("reader", self.reader))
        return {name: path for each in places for name, path in traits.images(str(each)).items()}

    def open(self) -> Image:
        """The image that the reader makes of it."""
        image: object = component("reader", self.reader)(str(self.path))
        assert isinstance(image, Image), f"the reader returned {type(image).__name__}; return a tilewright.Image"
        return image

    def whole(self) -> NDArray[Any]:
        """All pixels."""
        return np.asarray(self.open().read((slice(None),) * len(self.axes)))


class ReaderTests(Kit):
    """Tests of a reader. The fixture `sample` writes a small file and says what is in it.

        class TestLab(ReaderTests):
            @pytest.fixture
            def sample(self, tmp_path):
                pixels = np.arange(60, dtype="u2").reshape(3, 4, 5)
                path = write(tmp_path / "cells.lab", pixels, spacing=(2.0, 0.5, 0.5))
                return Sample(reader="lab", path=path, pixels=pixels, axes="zyx", spacing={"z": 2, "y": 0.5, "x": 0.5})

    The reader has to be on offer (`pip install -e .`), because `sniff` and the suffixes are in its hook.
    """

    def test_the_axes_are_the_files(self, sample: Sample) -> None:
        image = sample.open()
        assert image.axes == sample.axes, f"the image has axes {image.axes!r}, the file {sample.axes!r}"

    def test_the_pixels_are_the_files(self, sample: Sample) -> None:
        whole = sample.whole()
        assert whole.shape == sample.open().shape, "the image's shape is not that of its pixels"
        if sample.pixels is not None:
            assert whole.shape == sample.pixels.shape, f"shape {whole.shape}, the file has {sample.pixels.shape}"
            assert np.array_equal(whole, sample.pixels), "the pixels are not those of the file"
            assert whole.dtype == sample.pixels.dtype, f"dtype {whole.dtype}, the file has {sample.pixels.dtype}"

    def test_spacing_units_and_channels_are_the_files(self, sample: Sample) -> None:
        image = sample.open()
        for axis in sample.axes:
            said, true = image.spacing.get(axis, 1.0), sample.spacing.get(axis, 1.0)
            assert abs(said - true) <= 1e-6 * true, f"spacing {said} along {axis}, the file says {true}"
        for axis, unit in sample.units.items():
            assert image.units.get(axis) == unit, f"unit {image.units.get(axis)!r} along {axis}, the file says {unit!r}"
        assert image.channels == sample.channels, f"channels {image.channels}, the file names {sample.channels}"

    def test_random_regions_equal_slices_of_the_whole(self, sample: Sample) -> None:
        image, whole = sample.open(), sample.whole()
        for region in _regions(whole.shape):
            block = image.read(region)
            assert block.dtype == image.dtype, f"{_said(region)} has dtype {block.dtype}, the image {image.dtype}"
            assert np.array_equal(block, whole[region]), f"{_said(region)} is not what the whole has there"

    def test_a_region_past_the_end_is_clipped_or_refused(self, sample: Sample) -> None:
        image, whole = sample.open(), sample.whole()
        for axis in range(whole.ndim):
            for span in (slice(whole.shape[axis] - 1, whole.shape[axis] + 5), slice(whole.shape[axis] + 2, None)):
                region = tuple(span if i == axis else slice(None) for i in range(whole.ndim))
                try:
                    block = image.read(region)
                except (IndexError, ValueError):
                    continue
                assert np.array_equal(block, whole[region]), (
                    f"{_said(region)} gave shape {block.shape}; clip it at the image's end as numpy does, or raise "
                    "IndexError: pixels that the file does not have must not be made up"
                )

    def test_threads_may_read_at_the_same_time(self, sample: Sample) -> None:
        image, whole = sample.open(), sample.whole()
        regions = list(_regions(whole.shape))
        with ThreadPoolExecutor(8) as threads:
            blocks = list(threads.map(image.read, regions))
        wrong = [_said(r) for r, block in zip(regions, blocks, strict=True) if not np.array_equal(block, whole[r])]
        assert not wrong, f"read from several threads, {wrong[0]} was wrong; open the file anew or take a lock"

    def test_a_fresh_process_reads_the_same(self, sample: Sample, tmp_path: Path) -> None:
        whole = sample.whole()
        region = tuple(slice(n // 3, n) for n in whole.shape)
        asked, answered = tmp_path / "asked.pickle", tmp_path / "answered.pickle"
        asked.write_bytes(pickle.dumps((component("reader", sample.reader), str(sample.path), region)))
        done = subprocess.run(
            [sys.executable, "-c", FRESH, str(asked), str(answered)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, f"a worker process cannot use the reader: {done.stderr.strip()[-500:]}"
        assert np.array_equal(pickle.loads(answered.read_bytes()), whole[region]), (
            "a worker process reads other pixels; what the reader needs must be in its options or in the file"
        )

    def test_the_image_says_where_it_is_from(self, sample: Sample) -> None:
        image = sample.open()
        assert image.source == str(sample.path), f"source is {image.source!r}; give the Image source=path"
        assert image.format, "format is empty; give the Image format=..., such as 'lab 1.0', for the record of a run"

    def test_the_images_that_it_lists_have_names_and_paths_of_their_own(self, sample: Sample) -> None:
        images = sample.images(sample.collection)
        assert sample.collection is None or len(images) > 1, (
            f"images({str(sample.collection)!r}) lists {len(images)} images, and it has several; list them by name"
        )
        for what, texts in (("names", [name.casefold() for name in images]), ("paths", list(images.values()))):
            twice = [text for text in texts if texts.count(text) > 1]
            assert not twice, (
                f"two of the {what} that images() returns are {twice[0]!r}; names become folders, some file systems "
                "take 'A' for 'a', and each image has a path of its own"
            )

    def test_an_image_of_several_says_so(self, sample: Sample) -> None:
        for path in filter(None, (sample.path, sample.collection)):
            if len(sample.images(path)) < 2:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    image = open_image(path, reader=sample.reader)
            except TilewrightError:  # it opens none of them
                continue
            assert image.images, (
                f"images({str(path)!r}) lists several images, and the one that the reader opens there has none in "
                "Image.images; give it a line for each"
            )

    def test_each_image_that_it_lists_is_opened_by_it(self, sample: Sample) -> None:
        for name, path in sample.images().items():
            try:
                open_image(path, reader=sample.reader)
            except (TilewrightError, OSError, ValueError) as error:
                raise AssertionError(
                    f"images() lists {name!r} at {path!r}, which the reader cannot open ({error}); give a path that it "
                    "opens, or PATH#IMAGE for a reader with an option image"
                ) from error

    def test_one_image_lists_no_others(self, sample: Sample) -> None:
        for path in sample.images().values():
            listed = images_at(path, reader=sample.reader)
            assert set(listed.values()) <= {path}, (
                f"images({path!r}) lists {', '.join(listed)}, but is the path of one; return an empty mapping"
            )

    def test_it_claims_its_own_file(self, sample: Sample) -> None:
        spec = format_of("reader", sample.reader)
        named = any(sample.path.name.lower().endswith(suffix) for suffix in spec.suffixes)
        assert named or spec.sniff, f"{sample.path.name} has none of its suffixes {spec.suffixes}, and it has no sniff"
        if spec.sniff:
            assert spec.sniff(str(sample.path), first_bytes(sample.path)), f"its sniff says no to {sample.path.name}"

    def test_it_leaves_other_files_alone(self, sample: Sample, tmp_path: Path) -> None:
        sniff = format_of("reader", sample.reader).sniff
        folder = tmp_path / "others"
        folder.mkdir()
        taken = [path.name for path in others(folder, sample.path) if sniff and sniff(str(path), first_bytes(path))]
        assert not taken, f"its sniff says yes to {', '.join(taken)}; look for what only your own format has"

    def test_an_empty_file_is_none_of_its_own(self, sample: Sample, tmp_path: Path) -> None:
        sniff, empty = format_of("reader", sample.reader).sniff, _empty(sample.path, tmp_path)
        assert not (sniff and sniff(str(empty), b"")), f"its sniff says yes to the empty {empty.name}"

    def test_what_is_not_there_or_empty_is_refused(self, sample: Sample, tmp_path: Path) -> None:
        reader: Callable[[str], Image] = component("reader", sample.reader)
        empty = _empty(sample.path, tmp_path)
        for path in (empty, empty.with_name(f"absent-{empty.name}")):
            try:
                image = reader(str(path))
            except (OSError, ValueError):  # all errors of tilewright for a bad file are one of these
                continue
            except Exception as error:
                raise AssertionError(
                    f"{path.name} raised {type(error).__name__}: {error}; raise NotReadable and say what is wrong"
                ) from error
            raise AssertionError(f"{path.name} was read as an image of shape {image.shape}; raise NotReadable")


def _regions(shape: tuple[int, ...]) -> Iterator[Region]:
    """The whole, its last pixel, an empty region, and thirty at random."""
    random = np.random.default_rng(0)
    yield tuple(slice(0, n) for n in shape)
    yield tuple(slice(n - 1, n) for n in shape)
    yield tuple(slice(0, 0) for _ in shape)
    for _ in range(30):
        ends = [sorted(random.integers(0, n + 1, 2).tolist()) for n in shape]
        yield tuple(slice(start, stop) for start, stop in ends)


def _said(region: Region) -> str:
    return f"[{', '.join(f'{part.start}:{part.stop}' for part in region)}]"


def _empty(own: Path, folder: Path) -> Path:
    """An empty file, or folder, with a name that ends as the reader's own does."""
    path = folder / f"empty{''.join(own.suffixes)}"
    if own.is_dir():
        path.mkdir()
    else:
        path.touch()
    return path
