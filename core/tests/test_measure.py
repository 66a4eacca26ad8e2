"""The table of any label image is that of the whole image, whatever the blocks, the workers and the ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from fakes import Recording
from measurers import Above, Holes, Neighbours, Sums
from numpy.typing import NDArray
from scipy import ndimage

from tilewright import (
    AlreadyExists,
    CheckpointMismatch,
    ComponentFailed,
    Grid,
    Image,
    InvalidImage,
    InvalidLabels,
    InvalidMeasures,
    InvalidOption,
    Pipeline,
    Table,
    check_same_labels,
    measure,
    tile_process,
)
from tilewright.abc import Block, Column, Facts, Placement, Rows

EVERYTHING = (Sums(), Above(), Neighbours(), Holes())


def image_of(shape: tuple[int, ...], seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(np.uint16)


def labels_of(shape: tuple[int, ...], seed: int = 0, cut: float = 0.5) -> NDArray[np.uint32]:
    """Objects of all forms that touch each other, with holes, and some in several parts."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 1.5)
    parts = ndimage.label(noise > np.quantile(noise, cut))[0]
    halves = ndimage.label(noise > np.quantile(noise, 0.8))[0]
    return np.where(halves > 0, halves + parts.max(), parts).astype(np.uint32)


def whole(
    labels: NDArray[Any], pixels: NDArray[Any], nuclei: NDArray[Any], measurers: tuple[Any, ...] = EVERYTHING
) -> dict[str, NDArray[Any]]:
    """The table of labels of one time, measured in one block. pixels: (c, ...)."""
    table: dict[str, NDArray[Any]] = {"label": np.unique(labels[labels > 0]).astype(np.uint64)}
    names = tuple(map(str, range(len(pixels))))
    shape, axes = labels.shape, "zyx"[-labels.ndim :]
    facts = Facts(axes=axes, shape=shape, spacing=(1.0,) * labels.ndim, units=("",) * labels.ndim, channels=names)
    core = tuple(slice(0, n) for n in shape)
    for each in measurers:
        block = Block.of(labels, core=core, place=Placement.whole(axes, shape), facts=facts, pixels=pixels,
                         given={"nuclei": nuclei.astype(np.uint64)})  # fmt: skip
        after = getattr(each, "after", None)
        table |= each(block if after is None else _knowing(block, after))
    return table


def _knowing(block: Block, after: Any) -> Block:
    import dataclasses

    return dataclasses.replace(block, known=after(block))


def assert_same(table: Table, expected: Mapping[str, NDArray[Any]]) -> None:
    assert [name for name in table.names if name != "t"] == list(expected)
    for name, values in expected.items():
        assert table[name].dtype == np.dtype(table.columns[name].dtype)
        np.testing.assert_array_equal(table[name], values, err_msg=name)


# The table is that of the whole image


@pytest.mark.parametrize("shape", [(61,), (23, 47), (9, 14, 11)], ids=["1-D", "2-D", "3-D"])
@pytest.mark.parametrize("pixels", [1, 7, 60, 10**6])
def test_the_table_is_that_of_the_whole_image_for_blocks_of_any_size(shape: tuple[int, ...], pixels: int) -> None:
    labels, image, nuclei = labels_of(shape), image_of((2, *shape)), labels_of(shape, seed=9, cut=0.7)
    given = {"nuclei": nuclei}
    axes = "zyx"[-len(shape) :]
    table = measure(labels, Image(image, "c" + axes), measure=EVERYTHING, given=given, measure_pixels=pixels, workers=2)
    assert_same(table, whole(labels, image, nuclei))


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_who_works_on_it_changes_nothing(workers: int, processes: bool, tmp_path: Path) -> None:
    labels, image = labels_of((40, 50)), image_of((1, 40, 50))
    table = measure(labels, image[0], measure=(Sums(), Holes()), measure_pixels=200, workers=workers,
                    processes=processes, table=tmp_path / "cells.table.zarr")  # fmt: skip
    assert_same(table, whole(labels, image, labels, (Sums(), Holes())))
    assert [each.name for each in tmp_path.iterdir()] == ["cells.table.zarr"]


@pytest.mark.parametrize("axes", ["tyx", "ytx", "yxt"])
def test_every_time_has_rows_of_its_own_wherever_its_axis_is(axes: str) -> None:
    labels = np.stack([labels_of((20, 30)), np.zeros((20, 30), np.uint32), labels_of((20, 30), seed=1)])
    image = image_of((2, 3, 20, 30))
    place = [("tyx").index(axis) for axis in axes]
    table = measure(
        Image(labels.transpose(place), axes),
        Image(image.transpose(1, 0, *(1 + i for i in (1, 2))), "tcyx"),
        measure=(Sums(), Holes()),
        measure_pixels=50,
    )
    parts = [whole(labels[t], image[:, t], labels[t], (Sums(), Holes())) for t in (0, 2)]
    assert_same(table, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    assert table["t"].tolist() == [0] * len(parts[0]["label"]) + [2] * len(parts[1]["label"])


def test_ids_of_any_size_are_keys_and_their_order_is_that_of_the_rows() -> None:
    labels, image = labels_of((30, 40)), image_of((1, 30, 40))
    rng = np.random.default_rng(5)
    far = np.sort(rng.integers(1, 2**64, int(labels.max()), np.uint64))
    far[-1] = 2**64 - 1
    ids = np.concatenate([[np.uint64(0)], rng.permutation(far)])
    table = measure(ids[labels], image[0], measure=(Sums(), Holes()), measure_pixels=100)
    plain = whole(labels, image, labels, (Sums(), Holes()))
    order = np.argsort(ids[plain["label"]])
    assert_same(table, {name: values[order] for name, values in plain.items()} | {"label": np.sort(ids)[1:]})


def test_labels_without_objects_are_a_typed_table_without_rows() -> None:
    for shape in ((20, 30), (0, 30)):
        table = measure(np.zeros(shape, np.uint8), np.zeros(shape), measure=(Sums(), Above(), Holes()))
        assert len(table) == 0
        assert {name: table[name].dtype.name for name in table} == {
            **{"label": "uint64", "area": "int64", "sum-0": "int64", "above": "uint32"},
            **{"holes": "int32", "width": "float64"},
        }


def test_labels_may_be_booleans_signed_or_whole_floats_but_no_others() -> None:
    for dtype in (bool, np.int8, np.int64, np.float32):
        table = measure((labels_of((20, 30)) > 0).astype(dtype), measure=Holes(), measure_pixels=100)
        assert table["label"].tolist() == [1]
    with pytest.raises(InvalidLabels, match=r"image, y 0:20, x 0:30, returned 0.5; labels are whole numbers"):
        measure(np.full((20, 30), 0.5), measure=Holes())
    with pytest.raises(InvalidImage, match="the label image has 2 channels, and labels have none"):
        measure(Image(np.zeros((2, 4, 4), int), "cyx"), measure=Holes())


# What is read, and what is not


def test_pixels_are_read_once_for_all_measurers_and_not_where_there_is_no_object() -> None:
    labels, image = labels_of((32, 64)), Recording(image_of((32, 64)), (16, 16))
    labels[:, 32:] = 0
    measure(Recording(labels, (16, 16)), image, measure=(Sums(), Renamed()), measure_pixels=256)
    assert image.reads()[:, :32].max() == 1
    assert image.reads()[:, 32:].max() == 1  # only to know whether it has changed: nothing else tells


@dataclass(frozen=True, kw_only=True)
class Renamed(Sums):
    """Sums under other names."""

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {f"{name} again": column for name, column in super().columns(facts).items()}

    def finish(self, merged: Mapping[str, Any], facts: Facts) -> Any:
        return {f"{name} again": values for name, values in super().finish(merged, facts).items()}


def test_measurers_of_labels_alone_need_no_image_and_read_none() -> None:
    image = Recording(image_of((32, 64)))
    table = measure(labels_of((32, 64)), image, measure=Holes(), measure_pixels=200)
    assert image.regions == []
    assert_same(table, whole(labels_of((32, 64)), np.zeros((0, 32, 64)), labels_of((32, 64)), (Holes(),)))


@dataclass(frozen=True, kw_only=True)
class OfGreen(Sums):
    channels: tuple[str, ...] = ("green",)


def test_a_measurer_sees_the_channels_that_the_run_chooses_else_its_own_else_all() -> None:
    image, labels = Image(image_of((3, 20, 30)), "cyx", channels=("red", "green", "blue")), labels_of((20, 30))

    def names(measurer: Any, **options: Any) -> list[str]:
        return measure(labels, image, measure=measurer, **options).names

    assert names(Sums()) == ["label", "area", "sum-red", "sum-green", "sum-blue"]
    assert names(OfGreen()) == ["label", "area", "sum-green"]
    assert names(OfGreen(), channels=["blue", 0]) == ["label", "area", "sum-blue", "sum-red"]
    table = measure(labels, image, measure=(OfGreen(), Renamed()), channels=None)
    np.testing.assert_array_equal(table["sum-green"], table["sum-green again"])
    with pytest.raises(InvalidOption, match="channel 'grey' does not exist"):
        names(Sums(), channels=["grey"])


# Objects that are measured whole


def test_an_object_that_is_too_large_has_empty_columns_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    labels = np.zeros((40, 60), np.uint32)
    labels[2:38, 2:58] = 7
    labels[10:20, 10:20] = 9
    labels[30:34, 30:36] = 3
    table = measure(labels, measure=Holes(), measure_memory=16 * 200, measure_pixels=100)
    assert table.too_large == ((0, 7),)
    assert table["label"].tolist() == [3, 7, 9]
    assert table["holes"].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(table["width"], [6, np.nan, 10])
    assert "1 object is too large" in caplog.text


def test_every_object_is_in_one_call_however_small_these_are(tmp_path: Path) -> None:
    labels = labels_of((40, 50))
    for memory in (16 * 3000, 16 * 2000 * 2):
        calls = tmp_path / str(memory)
        table = measure(labels, measure=Holes(calls=str(calls)), measure_memory=memory, measure_pixels=150)
        assert calls.stat().st_size == len(table) - len(table.too_large)


# What is refused


def lacking(**methods: Any) -> Any:
    return type("Odd", (Sums,), methods)()


ODD: dict[str, tuple[Any, str]] = {
    "other quantities": (
        lacking(partial=lambda self, block: {"area": 1}),
        r"returned \['area'\] from partial, but q",
    ),
    "nothing": (lacking(partial=lambda self, block: None), r"returned NoneType from partial"),
    "too few": (
        lacking(partial=lambda self, block: {"area": np.zeros(2, int), "sum": np.zeros((block.n, 1), int)}),
        r"returned 'area' of shape \(2,\) from partial for \d+ objects; it must have the shape \(\d+, 1\)",
    ),
    "floats": (
        lacking(partial=lambda self, block: {"area": np.zeros(block.n), "sum": np.zeros((block.n, 1), int)}),
        r"returned 'area' as float64, but declares int64",
    ),
    "other columns": (lacking(finish=lambda self, merged, facts: {}), r"returned the columns \[\], but declares"),
    "short columns": (
        lacking(finish=lambda self, merged, facts: {"area": [1], "sum-0": merged["sum"]}),
        r"returned the column 'area' of shape \(1,\) for \d+ objects; it must have the shape \(\d+,\)",
    ),
    "text": (
        lacking(finish=lambda self, merged, facts: {"area": merged["area"].astype(str), "sum-0": merged["sum"]}),
        "returned 'area' as <U21, but declares int64",
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_a_measurer_returns_has_to_be_what_it_declares(odd: str) -> None:
    measurer, message = ODD[odd]
    with pytest.raises(InvalidMeasures, match=r"measurer '.*Odd' " + message):
        measure(labels_of((20, 30)), image_of((20, 30)), measure=measurer)


@pytest.mark.parametrize("method", ["partial", "finish", "columns", "quantities"])
def test_what_a_measurer_raises_is_blamed_on_it(method: str) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError("no luck")

    with pytest.raises(ComponentFailed, match=r"measurer '.*Odd' raised ZeroDivisionError: no luck, while "):
        measure(labels_of((20, 30)), image_of((20, 30)), measure=lacking(**{method: fails}))


def test_what_does_not_fit_is_refused_with_both_before_any_work(tmp_path: Path) -> None:
    labels, image = labels_of((20, 30)), image_of((20, 30))
    refused: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (InvalidOption, "no measurer is given", {"measure": []}),
        (InvalidOption, "'.*Sums' measures pixels, but no image is given", {"measure": Sums(), "image": None}),
        (InvalidOption, "the column 'area' is one of measurer '.*Sums' and one of", {"measure": [Sums(), Sums()]}),
        (InvalidOption, "'.*Neighbours' needs the label image 'nuclei', but none", {"measure": Neighbours()}),
        (InvalidOption, "'nuclei' is given, but no segmenter or measurer needs it", {"given": {"nuclei": labels}}),
        (InvalidImage, r"has the shape yx \(20, 30\), but the given labels 'nuclei' have yx \(3, 3\)",
         {"measure": Neighbours(), "given": {"nuclei": np.ones((3, 3), int)}}),
        (InvalidImage, r"the shape yx \(20, 30\), but the image image has yx \(20, 31\)",
         {"image": image_of((20, 31))}),
        (InvalidImage, "the labels have spacing 2  along x, but the image has 3",
         {"labels": Image(labels, "yx", spacing={"x": 2.0}), "image": Image(image, "yx", spacing={"x": 3.0})}),
    ]  # fmt: skip
    for kind, message, changed in refused:
        with pytest.raises(kind, match=message):
            measure(
                **{"labels": labels, "image": image, "table": tmp_path / "t.table.zarr", "measure": Sums()} | changed
            )
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_not_replaced_unasked_and_belongs_to_its_labels(tmp_path: Path) -> None:
    labels = labels_of((20, 30))
    table = measure(labels, measure=Holes(), table=tmp_path / "t.table.zarr")
    with pytest.raises(AlreadyExists, match=r"t\.table\.zarr exists"):
        measure(labels, measure=Holes(), table=tmp_path / "t.table.zarr")
    others = measure(labels[::-1].copy(), measure=Holes(), table=tmp_path / "t.table.zarr", overwrite=True)
    again = measure(labels.astype(np.uint64), measure=Sums(), image=labels, measure_pixels=30)
    check_same_labels(table.provenance, again.provenance["labels"])
    with pytest.raises(InvalidLabels, match="the table was made of labels with the fingerprint"):
        check_same_labels(table.provenance, others.provenance["labels"])
    kept = dict(zarr.open_group(tmp_path / "t.table.zarr", mode="r").attrs)["tilewright"]
    assert kept == others.provenance


# Resuming


@dataclass(frozen=True, kw_only=True)
class Breaking(Sums):
    """Fails while a file is not there, in the block after some."""

    mended: str = ""
    at: int = 5

    def partial(self, block: Block) -> dict[str, Any]:
        found = super().partial(block)
        if not Path(self.mended).exists() and Path(self.calls).stat().st_size > self.at:
            raise RuntimeError("not yet")
        return found


def test_a_measuring_that_failed_resumes_and_measures_again_what_changed_since(tmp_path: Path) -> None:
    labels, pixels = labels_of((32, 64)), image_of((32, 64))
    stored = zarr.create_array(tmp_path / "labels.zarr", data=labels, chunks=(16, 16))
    image = zarr.create_array(tmp_path / "image.zarr", data=pixels, chunks=(16, 16))
    breaking = Breaking(calls=str(tmp_path / "calls"), mended=str(tmp_path / "mended"))

    def run() -> Table:
        return measure(
            stored, image, tmp_path / "t.table.zarr", measure=(breaking, Holes()), measure_pixels=256, workers=1
        )

    with pytest.raises(ComponentFailed, match="not yet"):
        run()
    assert not (tmp_path / "t.table.zarr").exists()
    with pytest.raises(CheckpointMismatch, match="measured"):
        measure(stored, image, tmp_path / "t.table.zarr", measure=Holes(), measure_pixels=256)
    done = (tmp_path / "calls").stat().st_size
    (tmp_path / "mended").touch()
    image[:16, :16] = pixels[:16, :16] = 1
    table = run()
    assert (tmp_path / "calls").stat().st_size == done + 3 + 1  # those not done, and the changed one
    assert_same(table, whole(labels, pixels[None], labels, (Sums(), Holes())))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "calls",
        "image.zarr",
        "labels.zarr",
        "mended",
        "t.table.zarr",
    ]


# In a run


def bright(pixels: NDArray[Any]) -> NDArray[Any]:
    found: NDArray[Any] = ndimage.label(pixels > 500)[0]
    return found


def smooth(shape: tuple[int, ...]) -> NDArray[Any]:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random(shape), [0, 0, 1.5, 1.5][-len(shape) :])
    return ((noise - noise.min()) / (noise.max() - noise.min()) * 1000).astype(np.uint16)


@pytest.mark.parametrize("merger", ["touch", "overlap"])
def test_a_run_measures_its_own_labels_in_all_channels(merger: str, tmp_path: Path) -> None:
    image = Image(smooth((2, 3, 60, 70)), "tcyx", spacing={"y": 0.5, "x": 0.5}, units={"y": "um", "x": "um"})
    pipeline = Pipeline(segmenter=bright, tiler=Grid(tile=16, halo=8), merger=merger, measure=[Sums(), Holes()])
    result = pipeline.run(image, tmp_path / "cells.zarr", channel=1, measure_pixels=600)
    table, labels = result.table, np.asarray(result.labels)
    assert table is not None
    assert table.path == tmp_path / "cells.zarr.table.zarr"
    parts = [whole(labels[t], image[t], labels[t], (Sums(), Holes())) for t in range(2)]
    assert_same(table, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cells.zarr", "cells.zarr.table.zarr"]
    check_same_labels(table.provenance, result.provenance)
    again = measure(Image(labels, "tyx"), image, measure=Sums())
    check_same_labels(again.provenance, result.provenance)
    held = result.provenance["table"]
    assert (held["path"], held["fingerprint"]) == (str(table.path), table.provenance["fingerprint"])
    assert held["columns"] == {name: [column.dtype, column.unit] for name, column in table.columns.items()}


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A writer whose labels nobody can read back."""

    def __call__(self, path: str, spec: Any) -> Any:
        return BlindSink(Path(path))


@dataclass(frozen=True, kw_only=True)
class BlindSink:
    path: Path = field(kw_only=False)

    def write(self, region: Any, labels: Any) -> None:
        """Nobody sees them."""

    def finish(self, provenance: Any) -> None:
        self.path.write_text("labels")


def test_a_run_does_not_read_its_labels_back_from_the_output(tmp_path: Path) -> None:
    pixels = smooth((60, 70))
    result = Pipeline(segmenter=bright, tiler=Grid(tile=16), writer=Blind(), measure=Sums()).run(
        pixels, tmp_path / "out", table=tmp_path / "t.table.zarr"
    )
    assert result.table is not None
    assert_same(result.table, whole(ndimage.label(pixels > 500)[0], pixels[None], pixels, (Sums(),)))


def test_a_run_without_destination_keeps_its_table_as_long_as_somebody_holds_it() -> None:
    table = Pipeline(segmenter=bright, tiler=Grid(tile=16), measure=Sums()).run(smooth((60, 70))).table
    assert table is not None
    folder = table.path.parent
    assert table["area"].sum() > 0
    del table
    assert not folder.exists()


def test_options_of_the_table_are_refused_where_nothing_is_measured(tmp_path: Path) -> None:
    for name, value in {
        "table": tmp_path / "t.table.zarr",
        "measure_channels": [0],
    }.items():
        with pytest.raises(InvalidOption, match=f"{name} is given, but nothing is measured"):
            Pipeline(segmenter=bright).run(smooth((60, 70)), **{name: value})
    with pytest.raises(InvalidOption, match="the label image 'a' is given, but no segmenter or measurer needs it"):
        Pipeline(segmenter=bright).run(smooth((60, 70)), given={"a": bright(smooth((60, 70)))})
    with pytest.raises(InvalidOption, match="labels and table would both be at"):
        Pipeline(segmenter=bright, measure=Sums()).run(
            smooth((9, 9)), tmp_path / "a.table.zarr", table=tmp_path / "a.table.zarr"
        )


def test_a_failed_run_has_neither_labels_nor_table_and_resumes_to_both(tmp_path: Path) -> None:
    pixels = smooth((60, 70))
    breaking = Breaking(calls=str(tmp_path / "calls"), mended=str(tmp_path / "mended"), at=2)
    pipeline = Pipeline(segmenter=bright, tiler=Grid(tile=16), measure=breaking)

    def run() -> Any:
        return pipeline.run(pixels, tmp_path / "cells.zarr", table=tmp_path / "t.table.zarr", measure_pixels=256)

    with pytest.raises(ComponentFailed, match="not yet"):
        run()
    assert not (tmp_path / "cells.zarr").exists()
    assert not (tmp_path / "t.table.zarr").exists()
    (tmp_path / "mended").touch()
    assert_same(run().table, whole(ndimage.label(pixels > 500)[0], pixels[None], pixels, (Sums(),)))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["calls", "cells.zarr", "mended", "t.table.zarr"]


# What comes back


def test_a_table_gives_columns_and_a_data_frame(tmp_path: Path) -> None:
    table = measure(labels_of((20, 30)), measure=Holes())
    assert table.names == list(table) == ["label", "holes", "width"]
    assert repr(table) == f"Table({len(table)} rows of 3 columns, path={str(table.path)!r})"
    frame = table.to_pandas()
    assert [str(dtype) for dtype in frame.dtypes] == ["uint64", "int32", "float64"]
    np.testing.assert_array_equal(frame["holes"], table["holes"])
    with pytest.raises(KeyError, match="the table has no column 'area'; it has: label, holes, width"):
        _ = table["area"]


def test_a_table_is_an_arrow_table_with_its_dtypes() -> None:
    pytest.importorskip("pyarrow")
    table = measure(labels_of((20, 30)), measure=Holes())
    arrow = table.to_arrow()
    assert {field.name: str(field.type) for field in arrow.schema} == {
        "label": "uint64", "holes": "int32", "width": "double"
    }  # fmt: skip
    np.testing.assert_array_equal(arrow["width"].to_numpy(), table["width"])


def test_rows_of_a_block_belong_to_its_objects() -> None:
    class Odd(Neighbours):
        def partial(self, block: Block) -> Any:
            return super().partial(block) | {"others": Rows(np.array([block.n]), np.array([[1]]))}

    labels = labels_of((20, 30))
    with pytest.raises(InvalidMeasures, match=r"Rows as 'others' of objects \d+ to \d+, but the block has"):
        measure(labels, measure=Odd(), given={"nuclei": labels})


@dataclass(frozen=True, kw_only=True)
class Idle:
    """Has nothing to find out of any image, and may not be called."""

    pixels: bool = False

    def columns(self, facts: Facts) -> dict[str, Column]:
        return {}

    def __call__(self, block: Block) -> Any:
        raise AssertionError


def test_a_measurer_before_another_is_not_called_if_it_has_no_columns_of_the_image() -> None:
    class Second(Holes):
        after = Idle()

    labels = labels_of((20, 30))
    np.testing.assert_array_equal(measure(labels, measure=Second())["holes"], measure(labels, measure=Holes())["holes"])


@pytest.mark.parametrize("compute", [True, False])
def test_tile_process_returns_a_table_that_outlives_the_labels(compute: bool) -> None:
    pixels = smooth((60, 70))
    labels, table = tile_process(pixels, bright, tile_shape=(16, 16), measure=Sums(), compute=compute)
    found = np.asarray(labels)
    del labels
    assert_same(table, whole(found, pixels[None], found, (Sums(),)))
