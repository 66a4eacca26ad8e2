"""The pages run as they are, with the small weights in the place of Cellpose's own."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

import pytest
import small_cellpose
import tifffile
from blocks import ROOT, follow
from environment import Environment
from pictures import write_image

from tilewright_cellpose.weights import newer

pytestmark = pytest.mark.slow

NARROW = "import sys; sys.path.append({folder!r}); import small_cellpose; small_cellpose.narrow()\n"


@pytest.mark.skipif(not newer(), reason="the pages show Cellpose 4, whose model `cpsam` is the default")
@pytest.mark.parametrize("page", ["docs/cellpose.md", "plugins/cellpose/README.md"])
def test_what_a_page_shows_of_cellpose_is_so(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, folder = Environment(tmp_path / "venv"), tmp_path / "elsewhere"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (site / "narrow.pth").write_text(NARROW.format(folder=str(small_cellpose.HERE)))
    shutil.copyfile(small_cellpose.SMALL, tmp_path / "cpsam")
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path))
    folder.mkdir()
    write_image(folder / "plate.ome.zarr", "cyx", ["DAPI"])
    tifffile.imwrite(folder / "cells.tif", tifffile.imread(ROOT / "docs" / "demo" / "data" / "img2d.tif")[:256, :256])
    follow(ROOT / page, environment, folder)
