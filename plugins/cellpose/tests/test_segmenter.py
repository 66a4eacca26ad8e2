"""The segmenter on a real network: what it finds, what it leaves alone, and what it refuses."""

from __future__ import annotations

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synth
from numpy.typing import NDArray

from tilewright import Image, Pipeline, compare
from tilewright.errors import InvalidImage, InvalidOption, NotReadable
from tilewright_cellpose import weights
from tilewright_cellpose.segmenter import Cellpose

pytestmark = pytest.mark.slow

Pair = tuple[NDArray[Any], NDArray[Any]]

GREY: dict[str, Any] = {} if weights.newer() else {"channels": [0, 0]}


def ap(one: NDArray[Any], other: NDArray[Any], iou: float = 0.5) -> float:
    return compare(one.astype(np.int64), other.astype(np.int64), thresholds=(iou,)).scores[0].ap


def test_it_finds_the_nuclei(found: NDArray[Any], nuclei: Pair) -> None:
    assert ap(nuclei[1], found) >= 0.95


def test_it_finds_what_cellposes_own_evaluation_finds(found: NDArray[Any], nuclei: Pair, segmenter: Cellpose) -> None:
    own = weights.loaded(segmenter.model, False).eval(nuclei[0].copy(), **GREY)[0]
    assert ap(own, found) >= 0.97


def test_what_is_handed_over_is_not_written_to(segmenter: Cellpose, nuclei: Pair, found: NDArray[Any]) -> None:
    pixels = nuclei[0].astype(np.float32)
    pixels.flags.writeable = False
    np.testing.assert_array_equal(segmenter(pixels), found)


def test_an_object_that_fills_its_tile_is_kept(segmenter: Cellpose, found: NDArray[Any], nuclei: Pair) -> None:
    rows, columns = (np.flatnonzero((found == 20).any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    labels = segmenter(nuclei[0][box])
    assert np.bincount(labels.ravel())[1:].max(initial=0) > 0.4 * labels.size  # more than Cellpose itself leaves


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 290), (257, 2)])
def test_labels_have_the_shape_of_a_tile_however_thin_it_is(segmenter: Cellpose, nuclei: Pair, shape: Any) -> None:
    assert segmenter(nuclei[0][: shape[0], : shape[1]]).shape == shape
    assert segmenter(nuclei[0][None, : shape[0], : shape[1]]).shape == shape


def test_a_tile_without_signal_has_no_objects(segmenter: Cellpose) -> None:
    for value in (0, np.nan, 20):
        assert not segmenter(np.full((50, 60), value)).any()


def test_a_volume_is_segmented_in_3d_and_nothing_of_it_stays_in_cellpose(model: str) -> None:
    from cellpose import models

    pixels, _ = synth.make((6, 16, 16), "dense", 3, radius=8.0)
    before = dict(models.normalize_default)
    segmenter = Cellpose(model=model, do_3D=True).prepare(Image(data=pixels, axes="zyx"))
    labels = segmenter(pixels)
    assert labels.shape == pixels.shape
    kept: dict[str, Any] = {"min_size": 0, "max_size_fraction": 1.0}  # what fills this volume is not much of an image
    own = weights.loaded(model, False).eval(pixels.copy(), z_axis=0, do_3D=True, **kept, **GREY)[0]
    assert ((labels > 0) == (own > 0)).mean() > 0.98
    assert Cellpose(model=model, do_3D=True, anisotropy=2.0)(pixels[:1, :4, :4]).shape == (1, 4, 4)
    assert models.normalize_default == before


def test_the_anisotropy_of_a_volume_is_that_of_the_image(model: str) -> None:
    image = Image(data=np.zeros((4, 9, 9)), axes="zyx", spacing={"z": 2.0, "y": 0.5, "x": 0.5})
    prepared = Cellpose(model=model, do_3D=True, diameter=20).prepare(image)
    assert prepared.anisotropy == 4
    assert prepared.halo == {"z": 10, "y": 40, "x": 40}
    assert Cellpose(model=model, do_3D=True, anisotropy=3).prepare(image).anisotropy == 3
    mixed = Image(data=image.data, axes="zyx", spacing=image.spacing, units={"z": "micrometer", "y": "nanometer"})
    with pytest.raises(InvalidOption, match="micrometer along z and nanometer along y"):
        Cellpose(model=model, do_3D=True).prepare(mixed)


def test_a_diameter_rescales_the_image(model: str, segmenter: Cellpose, found: NDArray[Any], nuclei: Pair) -> None:
    twice = nuclei[0].repeat(2, axis=0).repeat(2, axis=1)
    known = weights.loaded(segmenter.model, False)
    diameter = 30.0 if weights.newer() else float(known.diam_labels)
    labels = Cellpose(model=model, diameter=2 * diameter)(twice)
    assert ap(found.repeat(2, axis=0).repeat(2, axis=1), labels) > 0.9


def test_the_diameter_is_estimated_once_for_the_image(tmp_path: Path, model: str, nuclei: Pair) -> None:
    image = Image(data=nuclei[0], axes="yx")
    if weights.newer():
        with pytest.raises(InvalidOption, match=r"Cellpose 4.* has none"):
            Cellpose(model=model, diameter="auto").prepare(image)
        return
    copy = str(shutil.copy(model, tmp_path / "weights.pt"))
    with pytest.raises(NotReadable, match=r"no size model for .*weights\.pt"):
        Cellpose(model=copy, diameter="auto").prepare(image)
    # The first guess of a size model is a line through the styles; this one's is level. The second measures objects.
    level = {"A": np.zeros(256), "smean": np.zeros(256), "ymean": 0.0, "diam_mean": 22.0}
    np.save(f"{copy}_size.npy", level)  # type: ignore[arg-type]  # as Cellpose keeps it
    prepared = Cellpose(model=copy, diameter="auto").prepare(image)
    area = np.bincount(nuclei[1].ravel())[1:]
    assert isinstance(prepared.diameter, float)
    assert abs(prepared.diameter / (2 * np.sqrt(np.median(area) / np.pi)) - 1) < 0.1
    assert prepared.rescale == pytest.approx(22 / prepared.diameter)


def test_a_stack_is_segmented_plane_by_plane(segmenter: Cellpose, model: str, nuclei: Pair) -> None:
    planes = np.stack([nuclei[0][:120, :100], nuclei[0][120:240, :100]])
    result = Pipeline(segmenter=Cellpose(model=model, ranges=segmenter.ranges)).run(planes)
    for plane, labels in zip(planes, result.labels.compute(), strict=True):
        assert ap(segmenter(plane), labels, 0.99) > 0.9  # but for what is smaller than `min_size`


def test_channels_are_chosen_by_name_or_index_and_no_more_than_the_network_takes(
    model: str, segmenter: Cellpose, nuclei: Pair
) -> None:
    crop = nuclei[0][:120, :100]
    image = Image(data=np.stack([crop * 0, crop, crop * 0, crop * 0]), axes="cyx", channels=("a", "DNA", "b", "d"))
    alone = segmenter(crop).astype(np.int64)
    for channel in ("DNA", 1):
        chosen = Cellpose(model=model, channels=(channel,), ranges=segmenter.ranges)
        assert ap(alone, Pipeline(segmenter=chosen).run(image).labels.compute(), 0.99) > 0.9
    with pytest.raises(InvalidImage, match=f"4 channels.*at most {weights.most_channels()}"):
        Pipeline(segmenter=Cellpose(model=model)).run(image)
    with pytest.raises(InvalidOption, match="RNA"):
        Pipeline(segmenter=Cellpose(model=model, channels=("RNA",))).run(image)


def test_two_channels_are_handed_over_together(model: str, segmenter: Cellpose, nuclei: Pair) -> None:
    crop = nuclei[0][:120, :100]
    both = Cellpose(model=model)(np.stack([crop, np.zeros_like(crop)]))
    assert ap(segmenter(crop), both) > 0.9


def test_weights_are_loaded_once_for_all_threads_and_are_not_pickled(
    tmp_path: Path, model: str, segmenter: Cellpose
) -> None:
    copy = str(shutil.copy(model, tmp_path / "weights.pt"))
    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(lambda _: weights.loaded(copy, False), range(8))))) == 1
    assert len(pickle.dumps(segmenter)) < 2000


def test_a_gpu_is_used_if_there_is_one_and_the_log_says_what_is_used(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    weights.device.cache_clear()
    there = torch.cuda.is_available() or torch.backends.mps.is_available()
    with caplog.at_level("INFO", "tilewright"):
        found = weights.device(Cellpose().gpu)
    assert (found.type != "cpu") == there
    assert caplog.messages == [f"Cellpose runs on {found}{'' if there else ': PyTorch finds no GPU'}"]
    assert weights.device(False).type == "cpu"
    if not there:
        with pytest.warns(RuntimeWarning, match="gpu=True, but PyTorch finds no GPU"):
            weights.device(True)
    with pytest.raises(InvalidOption, match="gpu"):
        Pipeline(segmenter={"name": "cellpose", "configuration": {"gpu": "maybe"}})


def test_a_model_of_cellposes_own_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, segmenter: Cellpose, found: NDArray[Any], nuclei: Pair
) -> None:
    from cellpose import models

    name = "cpsam" if weights.newer() else "cyto3"
    monkeypatch.setattr(models, "MODEL_DIR", tmp_path)
    shutil.copy(model, tmp_path / name)
    named = Cellpose(model=name, ranges=segmenter.ranges).prepare(Image(data=nuclei[0], axes="yx"))
    assert named.model == name
    assert ap(found, named(nuclei[0])) > 0.9  # as cyto3 it is taken to know another diameter


def test_weights_that_are_not_there_are_said_to_be_missing_and_not_fetched(tmp_path: Path) -> None:
    image = Image(data=np.zeros((9, 9)), axes="yx")
    with pytest.raises(NotReadable, match=r"no file '/nowhere/mine\.pt', and Cellpose .* has no model of that name.*c"):
        Cellpose(model="/nowhere/mine.pt").prepare(image)
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(NotReadable, match=r"text\.pt holds no weights"):
        Cellpose(model=str(tmp_path / "text.pt")).prepare(image)


def test_weights_of_the_other_generation_are_refused(model: str) -> None:
    folder = Path(model).parents[1]
    other = folder / ("cellpose3/nuclei_small_cp3.pt" if weights.newer() else "cellpose4/nuclei_small_cp4.pt")
    with pytest.raises(InvalidOption, match=f"holds weights of Cellpose .*but {weights.version()} is installed"):
        Cellpose(model=str(other)).prepare(Image(data=np.zeros((9, 9)), axes="yx"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"diameter": 0}, "diameter must be positive, not 0"),
        ({"diameter": "large"}, "'auto' or None, not 'large'"),
        ({"batch_size": 0}, "batch_size must be positive"),
        ({"percentiles": (99, 1)}, "two rising numbers"),
        ({"channels": ()}, "at least one"),
        ({"rescale": -1.0}, "rescale must be positive"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidOption, match=said):
        Cellpose(**options)


def test_an_array_of_other_axes_is_refused(segmenter: Cellpose) -> None:
    with pytest.raises(InvalidImage, match=r"\(2, 3, 4, 5\) do not have the axes cyx"):
        segmenter(np.zeros((2, 3, 4, 5)))


def test_a_volume_is_not_made_of_an_image_without_z(model: str) -> None:
    with pytest.raises(InvalidOption, match="do_3D segments volumes, but the image has the axes 'yx'; leave do_3D out"):
        Pipeline(segmenter=Cellpose(model=model, do_3D=True)).run(np.zeros((60, 60)))
