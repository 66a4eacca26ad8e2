"""Networks: every window is predicted once, and labels are those of the whole image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Local, Planes, Points, starts
from scipy import ndimage

from tilewright import CheckpointMismatch, Grid, Image, InvalidOption, Pipeline, Placement
from tilewright.abc import Maps, Window, Windows, untiled
from tilewright.cli import main
from tilewright.tiling.windows import WindowGrid

pytestmark = pytest.mark.slow


def noise(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 1000, shape)


def whole(pixels: Any, level: float = 0) -> Any:
    closed = ndimage.minimum_filter(ndimage.maximum_filter(pixels, 3), 3)
    return ndimage.label(closed > level)[0]


@settings(max_examples=40)
@given(st.data())
def test_labels_are_those_of_the_whole_image(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 60), min_size=2, max_size=2)))
    pixels = noise(shape, data.draw(st.integers(0, 99)))
    level = data.draw(st.sampled_from([300, 500, 700]))
    network = Local(level=level, size=data.draw(st.integers(6, 30)), batch=data.draw(st.integers(1, 9)))
    tile, halo = data.draw(st.integers(5, 40)), data.draw(st.integers(0, 5))
    result = Pipeline(segmenter=network, tiler=Grid(tile=tile, halo=halo)).run(
        pixels, workers=data.draw(st.integers(1, 3))
    )
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, level))
    np.testing.assert_array_equal(network(pixels), whole(pixels, level))


@pytest.mark.parametrize("tile", [16, 40, 200])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_window_is_predicted_once(tile: int, workers: int, tmp_path: Path) -> None:
    log, pixels = tmp_path / "log", noise((150, 130))
    network = Local(log=log, level=500)
    Pipeline(segmenter=network, tiler=Grid(tile=tile, halo=4)).run(pixels, tmp_path / "labels.zarr", workers=workers)
    (windows,) = network.windows(Image(pixels, axes="yx"), 0)
    assert log.stat().st_size == len(windows.starts[0]) * len(windows.starts[1])


def evaluated(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def test_a_kept_prediction_serves_another_level_without_the_network(tmp_path: Path) -> None:
    pixels, log = noise((90, 70)), tmp_path / "log"

    def run(level: float, **options: Any) -> Any:
        pipeline = Pipeline(segmenter=Local(log=log, level=level), tiler=Grid(tile=options.pop("tile", 30), halo=4))
        return pipeline.run(pixels, tmp_path / "labels.zarr", overwrite=True, **options).labels.compute()

    np.testing.assert_array_equal(run(500, keep_predictions=True), whole(pixels, 500))
    count = evaluated(log)
    np.testing.assert_array_equal(run(600), whole(pixels, 600))
    np.testing.assert_array_equal(run(400, tile=17, workers=1), whole(pixels, 400))
    assert evaluated(log) == count
    with pytest.raises(ZeroDivisionError):  # stopped with tiles of one level, and gone on with another
        run(450, progress=lambda step, done, total: 1 // (step != "segment" or done < 2))
    np.testing.assert_array_equal(run(550), whole(pixels, 550))
    assert evaluated(log) == count
    pixels[0, 0] += 1  # another image
    np.testing.assert_array_equal(run(500), whole(pixels, 500))
    assert evaluated(log) == 2 * count


@dataclass(frozen=True, kw_only=True)
class Measuring(Local):
    """Lays windows by what a device has free at the time."""

    device: str

    def windows(self, image: Image, budget: int) -> list[Windows]:
        return Local(size=int(Path(self.device).read_text())).windows(image, budget)


def test_a_run_that_resumes_keeps_its_windows_whatever_the_device_has_free_by_then(tmp_path: Path) -> None:
    pixels, log, device = noise((90, 70)), tmp_path / "log", tmp_path / "device"

    def run(free: int, level: float, **options: Any) -> Any:
        device.write_text(str(free))
        pipeline = Pipeline(
            segmenter=Measuring(device=str(device), log=log, level=level, batch=1), tiler=Grid(tile=30, halo=4)
        )
        return pipeline.run(pixels, tmp_path / "labels.zarr", overwrite=True, keep_predictions=True, **options)

    with pytest.raises(ZeroDivisionError):
        run(16, 500, progress=lambda step, done, total: 1 // (step != "segment" or done < 5))
    result = run(30, 500)
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, 500))
    assert evaluated(log) == len(starts(90, 16, 12)) * len(starts(70, 16, 12))
    np.testing.assert_array_equal(run(25, 600).labels.compute(), whole(pixels, 600))
    assert evaluated(log) == len(starts(90, 16, 12)) * len(starts(70, 16, 12))


@dataclass(frozen=True, kw_only=True)
class Lean(Local):
    """Says no more than what is above its level, if that is enough."""

    enough: bool = False

    def lean(self) -> Local:
        return replace(self, enough=True)

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, Any]]:
        said = super().predict(windows, which)
        return [each | {"closed": each["closed"] * (each["closed"] > self.level * self.enough)} for each in said]


def test_what_no_label_is_made_of_is_left_out_unless_predictions_are_kept(tmp_path: Path) -> None:
    pixels, kept, log = noise((90, 70)), tmp_path / "kept.zarr", tmp_path / "log"

    def run(level: float, to: Path, **options: Any) -> Any:
        pipeline = Pipeline(segmenter=Lean(level=level, log=log), tiler=Grid(tile=30, halo=4))
        return pipeline.run(pixels, to, overwrite=True, workers=2, **options)

    np.testing.assert_array_equal(run(500, tmp_path / "lean.zarr").labels.compute(), whole(pixels, 500))
    np.testing.assert_array_equal(run(500, kept, keep_predictions=True).labels.compute(), whole(pixels, 500))
    before = evaluated(log)
    np.testing.assert_array_equal(run(300, kept).labels.compute(), whole(pixels, 300))
    assert evaluated(log) == before
    with pytest.raises(ZeroDivisionError):  # what is lean serves the run that it was made for alone
        run(500, kept.with_name("b.zarr"), progress=lambda step, done, total: 1 // (step != "segment" or done < 5))
    with pytest.raises(CheckpointMismatch, match=r"level 500 there, 300.0 now"):
        run(300.0, kept.with_name("b.zarr"))


def test_what_is_kept_stays_below_its_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline(segmenter=Local(level=500), tiler=Grid(tile=30, halo=4))
    with caplog.at_level("WARNING", "tilewright"):
        pipeline.run(noise((200, 200)), tmp_path / "labels.zarr", keep_predictions="60kB")
    files = list((tmp_path / "labels.zarr.predictions.tilewright" / "predictions").iterdir())
    assert 0 < sum(file.stat().st_size for file in files) <= 60_000
    (record,) = caplog.records
    assert "reach 60,000 bytes" in record.getMessage()


def test_predictions_are_kept_for_networks_alone(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="keep_predictions is for networks"):
        Pipeline(segmenter=whole).run(noise((9, 9)), tmp_path / "labels.zarr", keep_predictions=True)
    with pytest.raises(InvalidOption, match="or a size such as '50GB', not 'much'"):
        Pipeline(segmenter=Local()).run(noise((9, 9)), tmp_path / "labels.zarr", keep_predictions="much")


@pytest.mark.parametrize("options", [{}, {"processes": True}])
def test_a_run_that_is_stopped_repeats_no_batch_that_is_done(tmp_path: Path, options: dict[str, Any]) -> None:
    pixels, log = noise((120, 110)), tmp_path / "log"
    pipeline = Pipeline(segmenter=Local(log=log, level=500, batch=1), tiler=Grid(tile=30, halo=4))

    class Stopped(Exception):
        pass

    def stop(at: int) -> Any:
        def progress(step: str, done: int, total: int) -> None:
            if step == "predict" and done == at:
                raise Stopped

        return progress

    for at in (5, 11, 23):
        with pytest.raises(Stopped):
            pipeline.run(pixels, tmp_path / "labels.zarr", progress=stop(at), workers=2, **options)
    result = pipeline.run(pixels, tmp_path / "labels.zarr", workers=2, **options)
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, 500))
    (windows,) = Local().windows(Image(pixels, axes="yx"), 0)
    assert evaluated(log) == len(windows.starts[0]) * len(windows.starts[1])


class Unknown:
    """An array of which nothing tells whether its pixels have changed."""

    def __init__(self, data: Any) -> None:
        self.data, self.shape, self.dtype, self.read = data, data.shape, data.dtype, 0

    def __getitem__(self, region: tuple[slice, ...]) -> Any:
        block = self.data[region]
        self.read += block.size
        return block


class Counted(zarr.storage.WrapperStore[zarr.storage.MemoryStore]):
    """A store in memory that counts by key how often a chunk is read."""

    def __init__(self) -> None:
        super().__init__(zarr.storage.MemoryStore())
        self.chunks: Counter[str] = Counter()

    async def get(self, key: str, *more: Any, **options: Any) -> Any:
        if "zarr.json" not in key:
            self.chunks[key] += 1
        return await super().get(key, *more, **options)


def test_windows_of_one_plane_that_lie_in_one_chunk_are_read_together(tmp_path: Path) -> None:
    """Of a 3-D network that looks at planes in three directions, as Cellpose's does."""
    pixels, store, batch = noise((32, 64, 64)), Counted(), 8
    array = zarr.create_array(store, shape=pixels.shape, chunks=(16, 32, 32), dtype=pixels.dtype)
    array[:] = pixels
    store.chunks.clear()
    network = Planes(level=5500, batch=batch)
    result = Pipeline(segmenter=network, tiler=Grid(tile=32)).run(Image(array, axes="zyx"), workers=1)
    assert result.n_objects == network(pixels).max()
    one_by_one = 0
    for windows in network.windows(Image(pixels, axes="zyx"), 0):
        grid = WindowGrid(windows=windows, axes="zyx", shape=pixels.shape)
        for region in map(grid.region, range(len(grid))):
            met = [-(-p.stop // n) - p.start // n for p, n in zip(region, (16, 32, 32), strict=True)]
            one_by_one += int(np.prod(met))
    assert store.chunks.total() < one_by_one / 3


@pytest.mark.parametrize("changed", [False, True])
def test_pixels_that_must_be_read_to_be_known_are_read_by_window_and_not_by_tile(changed: bool, tmp_path: Path) -> None:
    pixels = noise((60, 60))
    pipeline = Pipeline(segmenter=Local(level=500, size=60, batch=1), tiler=Grid(tile=10, halo=4))
    first, second = Unknown(pixels), Unknown(pixels + changed)
    with pytest.raises(ZeroDivisionError):
        pipeline.run(
            Image(first, axes="yx"),
            tmp_path / "labels.zarr",
            progress=lambda step, done, total: 1 // (step != "segment" or done < 20),
            workers=1,
        )
    assert first.read == pixels.size
    result = pipeline.run(Image(second, axes="yx"), tmp_path / "labels.zarr", workers=1)
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels + changed, 500))
    assert second.read == 2 * pixels.size  # to see whether the tiles are done, and to predict the window again


class Overwriting(Local):
    """Writes into the pixels that it is handed."""

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, Any]]:
        said = []
        for window in windows:
            said += super().predict([window], which)
            window.pixels[:] = 0
        return said


def test_a_network_that_writes_into_its_windows_changes_no_other_window() -> None:
    pixels = noise((200, 16))  # whose windows are one below the other, and as wide as the image
    given = pixels.copy()
    result = Pipeline(segmenter=Overwriting(level=500), tiler=Grid(tile=20, halo=4)).run(given)
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, 500))
    np.testing.assert_array_equal(given, pixels)


@pytest.mark.parametrize("place", [(0, 0), (12, 100), (20, 199), (39, 3)])
def test_a_change_in_any_window_of_a_batch_is_seen(place: tuple[int, int], tmp_path: Path) -> None:
    """Windows of one row are read together, those of a batch that begins the next row one by one."""
    pixels = noise((40, 200))
    pipeline = Pipeline(segmenter=Local(level=500, batch=3), tiler=Grid(tile=20, halo=4))
    with pytest.raises(ZeroDivisionError):
        pipeline.run(
            Image(Unknown(pixels), axes="yx"),
            tmp_path / "labels.zarr",
            progress=lambda step, done, total: 1 // (step != "segment" or done < 19),
            workers=1,
        )
    pixels[place] = 5000
    result = pipeline.run(Image(Unknown(pixels), axes="yx"), tmp_path / "labels.zarr", workers=1)
    np.testing.assert_array_equal(result.labels.compute(), whole(pixels, 500))


def test_what_is_kept_of_windows_is_a_band_of_the_image(tmp_path: Path) -> None:
    most = 0
    folder = tmp_path / "labels.zarr.tilewright" / "predictions"

    def progress(step: str, done: int, total: int) -> None:
        nonlocal most
        if step in ("predict", "segment") and folder.exists():
            most = max(most, len(list(folder.iterdir())))

    pixels = noise((640, 64))
    pipeline = Pipeline(segmenter=Local(level=500, batch=1), tiler=Grid(tile=32, halo=4))
    result = pipeline.run(pixels, tmp_path / "labels.zarr", progress=progress, workers=2)
    across = len(starts(64, 16, 12))
    assert result.provenance["n_predicted"] == len(starts(640, 16, 12)) * across
    assert most <= (3 * 32 // 12 + 2 + 16 // 2 * 32 // 12) * across


@settings(max_examples=15)
@given(st.data())
def test_sets_of_planes_are_summed_and_windows_that_overlap_averaged_as_in_the_whole(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 20), min_size=3, max_size=3)))
    axes = data.draw(st.sampled_from(["zyx", "xzy", "yxz"]))
    pixels = noise(shape, data.draw(st.integers(0, 99)))
    network = Planes(level=5500, batch=data.draw(st.integers(1, 9)))
    expected = network(pixels.transpose([axes.index(axis) for axis in "zyx"]))
    tile = tuple(data.draw(st.integers(2, 12)) for _ in axes)
    result = Pipeline(segmenter=network, tiler=Grid(tile=tile)).run(Image(pixels, axes=axes), workers=2)
    found = result.labels.compute().transpose([axes.index(axis) for axis in "zyx"])
    np.testing.assert_array_equal(found > 0, expected > 0)
    assert result.n_objects == expected.max()


@settings(max_examples=15)
@given(st.data())
def test_a_table_of_candidates_is_cut_by_their_places(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(3, 50), st.integers(3, 50) | st.integers(250, 600)))
    pixels = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(shape[0] * shape[1]).reshape(shape)
    network = Points(level=pixels.size * 0.99, batch=data.draw(st.integers(1, 5)))
    result = Pipeline(segmenter=network, tiler=Grid(tile=data.draw(st.integers(5, 40)))).run(pixels)
    whole = network(pixels)
    np.testing.assert_array_equal(result.labels.compute() > 0, whole > 0)
    assert result.n_objects == len(np.unique(whole[whole > 0]))


def test_planes_of_a_stack_are_windows_of_their_own() -> None:
    pixels = noise((3, 2, 40, 30))
    result = Pipeline(segmenter=Local(level=500), tiler=Grid(tile=20, halo=4)).run(Image(pixels, axes="tzyx"))
    for at in np.ndindex(3, 2):
        np.testing.assert_array_equal(result.labels.compute()[at] > 0, whole(pixels[at], 500) > 0)
    assert result.n_objects == sum(whole(pixels[at], 500).max() for at in np.ndindex(3, 2))


def test_a_forecast_counts_windows_and_what_is_kept_of_them(tmp_path: Path) -> None:
    pixels, pipeline = noise((150, 130)), Pipeline(segmenter=Local(level=500), tiler=Grid(tile=30, halo=4))
    told = pipeline.plan(pixels)
    pipeline.run(pixels, tmp_path / "labels.zarr", keep_predictions=True)
    files = list((tmp_path / "labels.zarr.predictions.tilewright" / "predictions").iterdir())
    assert told.windows == len(starts(150, 16, 12)) * len(starts(130, 16, 12))
    assert told.batches == len(files)
    assert told.predictions == pytest.approx(sum(file.stat().st_size for file in files), rel=0.2)
    assert told.network > 0


def test_clean_lists_kept_predictions_and_removes_them(tmp_path: Path) -> None:
    Pipeline(segmenter=Local(level=500)).run(noise((50, 50)), tmp_path / "labels.zarr", keep_predictions=True)
    kept = tmp_path / "labels.zarr.predictions.tilewright"
    listed = CliRunner().invoke(main, ["clean", str(tmp_path)]).stdout
    assert listed.startswith(f"{kept}  ")
    assert f"MB, kept predictions, for {tmp_path / 'labels.zarr'}" in listed
    CliRunner().invoke(main, ["clean", str(tmp_path), "--delete"])
    assert not kept.exists()


# With given labels


@dataclass(frozen=True, kw_only=True)
class Cells(Local):
    """Given labels, grown by two pixels into what the network finds; ids stay."""

    context: int = 2
    given: tuple[str, ...] = ("nuclei",)

    keeps_ids: ClassVar[bool] = True

    def decode(self, maps: Sequence[Maps], place: Placement, *, given: Mapping[str, Any]) -> Any:
        (said,) = maps
        return np.where(said["closed"][0] > self.level, ndimage.maximum_filter(given["nuclei"], 5), given["nuclei"])

    def __call__(self, pixels: Any, place: Placement | None = None, *, given: Mapping[str, Any]) -> Any:
        return untiled(self, pixels, self.axes, given)


def nuclei(shape: tuple[int, ...], seed: int = 1) -> Any:
    random = np.random.default_rng(seed)
    return np.where(random.random(shape) < 0.03, random.integers(2**33, 2**33 + 9, shape, np.uint64), np.uint64(0))


@pytest.mark.parametrize("tile", [7, 16, 30, 200])
def test_a_network_decodes_with_given_labels(tile: int) -> None:
    pixels, labels = noise((90, 70)), nuclei((90, 70))
    network = Cells(level=700)
    result = Pipeline(segmenter=network, tiler=Grid(tile=tile)).run(pixels, given={"nuclei": labels})
    found = network(pixels, given={"nuclei": labels})
    assert (found != labels).any()
    np.testing.assert_array_equal(result.labels.compute(), found)


def test_other_given_labels_are_decoded_without_the_network(tmp_path: Path) -> None:
    pixels, log = noise((90, 70)), tmp_path / "log"
    pipeline, out = Pipeline(segmenter=Cells(level=700, log=log), tiler=Grid(tile=30)), tmp_path / "labels.zarr"
    pipeline.run(pixels, out, given={"nuclei": nuclei((90, 70))}, keep_predictions=True)
    count, others = evaluated(log), nuclei((90, 70), seed=2)
    result = pipeline.run(pixels, out, given={"nuclei": others}, overwrite=True)
    assert evaluated(log) == count
    np.testing.assert_array_equal(result.labels.compute(), Cells(level=700)(pixels, given={"nuclei": others}))


def test_a_change_in_given_labels_is_seen_when_a_network_resumes(tmp_path: Path) -> None:
    pixels, out = noise((90, 70)), tmp_path / "labels.zarr"
    stored = zarr.create_array(tmp_path / "nuclei.zarr", data=nuclei((90, 70)), chunks=(10, 10))
    pipeline = Pipeline(segmenter=Cells(level=700), tiler=Grid(tile=30))
    with pytest.raises(ZeroDivisionError):
        pipeline.run(pixels, out, given={"nuclei": stored}, progress=lambda step, *_: 1 // (step != "write"))
    stored[45:50, 45:50] = 77
    result = pipeline.run(pixels, out, given={"nuclei": stored})
    expected = Cells(level=700)(pixels, given={"nuclei": stored[...]})
    assert (expected == 77).sum() > 25
    np.testing.assert_array_equal(result.labels.compute(), expected)
