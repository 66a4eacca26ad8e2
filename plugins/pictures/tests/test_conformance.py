"""What tilewright asks of every plugin and reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tilewright.testing import PluginTests, ReaderTests, Sample
from tilewright_pictures.picture import PictureReader
from tilewright_pictures.stack import StackReader

COLOURS = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype="u1")


class TestPlugin(PluginTests):
    @pytest.fixture
    def plugin(self) -> str:
        return "tilewright_pictures"


OTHERS = {"test_it_leaves_other_files_alone": "the other files of the kit are pictures, which this reader reads too"}


class TestPng(ReaderTests):
    leave_out = OTHERS

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        path = tmp_path / "cells.png"
        Image.fromarray(COLOURS).save(path)
        channels = ("red", "green", "blue")
        return Sample(reader="picture", path=path, axes="cyx", pixels=np.moveaxis(COLOURS, -1, 0), channels=channels)


class TestArray(ReaderTests):
    leave_out = OTHERS

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        path = tmp_path / "cells.npy"
        np.save(path, COLOURS)
        return Sample(reader=PictureReader(axes="yxc"), path=path, axes="yxc", pixels=COLOURS)


class TestFolder(ReaderTests):
    leave_out = {  # noqa: RUF012 - the kit reads it as it is
        "test_what_is_not_there_or_empty_is_refused": "the empty folder of the kit has a file's name",
    }

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        folder = tmp_path / "scan"
        folder.mkdir()
        for number in range(12):
            Image.fromarray(COLOURS[..., 0] + number).save(folder / f"s{number}.png")
        pixels = np.stack([COLOURS[..., 0] + number for number in range(12)])
        return Sample(reader=StackReader(axes="zyx"), path=folder, axes="zyx", pixels=pixels)


class TestFolderOfImages(ReaderTests):
    leave_out = TestFolder.leave_out

    @pytest.fixture
    def sample(self, tmp_path: Path) -> Sample:
        folder, collection = tmp_path / "scan", tmp_path / "pictures"
        folder.mkdir()
        collection.mkdir()
        for plane in range(2):
            Image.fromarray(COLOURS[..., plane]).save(folder / f"c{plane}.png")
            Image.fromarray(COLOURS[..., plane]).save(collection / f"{'ab'[plane]}.png")
        pixels = np.moveaxis(COLOURS[..., :2], -1, 0)
        return Sample(reader="stack", path=folder, axes="cyx", pixels=pixels, collection=collection)
