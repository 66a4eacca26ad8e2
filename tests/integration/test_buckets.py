"""Images and labels in buckets, against a real service on this machine that also fails."""

from __future__ import annotations

import datetime
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bucket_workflow
import numpy as np
import pytest
import zarr
from bucket_workflow import NAMES, workflow
from buckets import Proxy, keys, pixels, put_image, service
from scipy import ndimage

from tilewright import Grid, Pipeline, measure, open_image
from tilewright.abc import Location
from tilewright.errors import (
    AlreadyExists,
    CheckpointMismatch,
    InvalidOption,
    NotReadable,
    NotWritable,
    OutputBusy,
    TilewrightError,
)
from tilewright.storage import remote_lock
from tilewright.storage.remote_lock import held_object
from tilewright_ome_zarr.reader import OmeZarrReader
from tilewright_ome_zarr.writer import OmeZarrLabels

IMAGE = "s3://bucket/image.ome.zarr"
LABELS = f"{IMAGE}/labels/cells"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the checkpoint of s3:UserWarning"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part:UserWarning"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with service() as address:
        yield address


@pytest.fixture
def proxy(server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.chdir(tmp_path)  # where the checkpoint lies
    made = Proxy(*server)
    for key in keys("s3://bucket", made.endpoint):
        _objects(made).delete([key])
    yield made
    made.close()


def _objects(proxy: Proxy) -> Any:
    from tilewright.abc import location_objects

    return location_objects(Location("s3://bucket", {"endpoint": proxy.endpoint}))[0]


def bright(tile: Any) -> Any:
    return ndimage.label(tile > 150)[0]


def pipeline(**options: Any) -> Pipeline:
    return Pipeline(segmenter=bright, tiler=Grid(tile=32), writer=OmeZarrLabels(**options))


def run(proxy: Proxy, *, by: Pipeline | None = None, source: Any = IMAGE, **options: Any) -> Any:
    storage = {"endpoint": proxy.endpoint, **options.pop("storage", {})}
    options = {"name": "cells", "workers": 2, **options} if isinstance(source, str) else options
    return (by or pipeline()).run(source, storage=storage, **options)


def labels_at(proxy: Proxy, url: str = LABELS) -> Any:
    return open_image(url, storage={"endpoint": proxy.endpoint}).data[:]


# Reading


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_in_a_bucket_is_read(proxy: Proxy, version: str) -> None:
    put_image(IMAGE, proxy.endpoint, pixels(), version=version)
    image = open_image(IMAGE, storage={"endpoint": proxy.endpoint})
    assert (image.axes, image.spacing, image.source) == ("yx", {"y": 0.5, "x": 0.5}, IMAGE)
    assert np.array_equal(image.data[:], pixels())
    assert image.identity.known


@pytest.mark.parametrize("images", [("slide",), ("overview", "slide")])
def test_a_spatialdata_store_in_a_bucket_is_read_and_labels_in_it_are_refused(
    proxy: Proxy, images: tuple[str, ...]
) -> None:
    url, storage = "s3://bucket/spatial.zarr", {"endpoint": proxy.endpoint}
    root = zarr.open_group(Location(url, storage).rooted(), mode="w")
    root.attrs["spatialdata_attrs"] = {"version": "0.2"}
    root.create_group("images")
    for name in images:
        put_image(f"{url}/images/{name}", proxy.endpoint, pixels())
    before = keys(url, proxy.endpoint)
    for path in (f"{url}/images/slide", f"{url}#slide", *([url] if len(images) == 1 else [])):
        assert np.array_equal(open_image(path, storage=storage).data[:], pixels())
        for destination in (None, f"{url}/labels/cells", f"{url}/images/slide/labels/cells"):
            with pytest.raises(InvalidOption, match=r"lies in the SpatialData store 's3://bucket/spatial.zarr'"):
                run(proxy, source=path, destination=destination)
    if len(images) > 1:
        with pytest.raises(InvalidOption, match=r"2 images and label images; .*images/overview, images/slide"):
            open_image(url, storage=storage)
    assert keys(url, proxy.endpoint) == before
    result = run(proxy, source=f"{url}#slide", destination="s3://bucket/cells.ome.zarr")
    assert np.array_equal(result.labels.compute(), bright(pixels()))


@pytest.mark.parametrize("listed", [True, False])
def test_series_of_bioformats2raw_in_a_bucket_are_listed(proxy: Proxy, listed: bool) -> None:
    url, storage = "s3://bucket/series.zarr", {"endpoint": proxy.endpoint}
    root = zarr.open_group(Location(url, storage).rooted(), mode="w")
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    if listed:
        root.create_group("OME").attrs["ome"] = {"version": "0.5", "series": ["0", "1"]}
    for number in range(2):
        put_image(f"{url}/{number}", proxy.endpoint, pixels(number))
    for place in (f"{url}#1", "s3://bucket#series.zarr/1"):
        assert np.array_equal(open_image(place, storage=storage, reader=OmeZarrReader()).data[:], pixels(1))
    with pytest.raises(InvalidOption, match="series of 2 images"):
        open_image(url, storage=storage)


class Stopped(Exception):
    pass


def stop_after(tiles: int) -> Any:
    def progress(step: str, done: int, _: int) -> None:
        if step == "segment" and done >= tiles:
            raise Stopped

    return progress


@pytest.mark.parametrize(
    "layout", [{"version": "0.4"}, {"version": "0.5"}, {"chunk": 16, "shard": 32}, {"chunk": 96}], ids=str
)
def test_a_tile_whose_chunk_changed_after_a_kill_is_done_again_and_no_other(
    proxy: Proxy, layout: dict[str, Any]
) -> None:
    put_image(IMAGE, proxy.endpoint, pixels(), **layout)
    with pytest.raises(Stopped):
        run(proxy, workers=1, progress=stop_after(6))
    store, place = Location(f"{IMAGE}/0", {"endpoint": proxy.endpoint}).opened(read_only=False)
    array, new = zarr.open_array(store, path=place, mode="r+"), pixels().copy()
    new[:32, 32:64] = array[:32, 32:64] = pixels(2, 32)
    done = []
    run(proxy, workers=1, progress=lambda step, n, _: done.append(n) if step == "segment" else None)
    assert min(done) >= 5 or layout.get("chunk") == 96  # one chunk holds all tiles
    assert np.array_equal(labels_at(proxy), bright(new))


def test_an_archive_in_a_bucket_is_refused_by_name(proxy: Proxy) -> None:
    for name in ("a.zip", "a.ome.zarr.zip", "a.OZX"):
        _objects(proxy).write(name, b"PK")
        for place in (name, f"{name}/labels/cells"):
            with pytest.raises(NotReadable, match="is an archive, or lies in one, and archives are read from local"):
                open_image(f"s3://bucket/{place}", storage={"endpoint": proxy.endpoint}, reader="ome-zarr")


def test_an_image_that_is_removed_during_a_run_is_no_background(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())

    def remove(step: str, done: int, _: int) -> None:
        if step == "segment" and done == 3:
            _objects(proxy).delete([f"image.ome.zarr/{key}" for key in keys(IMAGE, proxy.endpoint)])

    with pytest.raises(NotReadable, match="has been removed; put it back"):
        run(proxy, workers=1, progress=remove)


def test_a_web_server_without_etags_is_read_and_its_tiles_are_known_by_their_pixels(tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    array = zarr.create_array(tmp_path / "a.zarr", data=pixels(), chunks=(32, 32), dimension_names=["y", "x"])
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        image = open_image(f"http://127.0.0.1:{web.server_port}/a.zarr")
        assert np.array_equal(image.data[:], array[:])
        assert not image.identity.known
        with pytest.raises(NotReadable, match="no zarr group or array"):
            open_image(f"http://127.0.0.1:{web.server_port}/b.zarr")
        web.shutdown()


@pytest.mark.parametrize("name", ["a.zip", "a.ozx", "a.ome.zarr.zip"])
@pytest.mark.parametrize("within", [False, True], ids=["the folder", "from within"])
def test_an_archive_is_an_image(tmp_path: Path, name: str, within: bool) -> None:
    folder = tmp_path / "x" / "image.ome.zarr"
    zarr.create_array(folder, data=pixels(), chunks=(32, 32), dimension_names=["y", "x"])
    made = shutil.make_archive(str(tmp_path / "made"), "zip", folder if within else folder.parent)
    path = Path(made).rename(tmp_path / name)
    for text in (str(path), f"zip::{path}"):
        assert np.array_equal(open_image(text).data[:], pixels())
    result = pipeline().run(path, tmp_path / "labels.ome.zarr")
    assert np.array_equal(result.labels.compute(), bright(pixels()))
    with pytest.raises(InvalidOption, match="lies in an archive, which is only read"):
        pipeline().run(path, f"{path}/labels.ome.zarr")


def test_an_archive_that_was_replaced_after_a_kill_is_not_mixed_with_the_old_one(tmp_path: Path, proxy: Proxy) -> None:
    path, new = tmp_path / "image.ozx", pixels().copy()
    new[:32, 32:64] = pixels(2, 32)
    for number, values in enumerate((pixels(), new)):
        folder = tmp_path / f"{number}.ome.zarr"
        zarr.create_array(folder, data=values, chunks=(32, 32), dimension_names=["y", "x"])
        path.unlink(missing_ok=True)
        Path(shutil.make_archive(str(tmp_path / "made"), "zip", folder)).rename(path)
        if number == 0:
            with pytest.raises(Stopped):
                run(proxy, source=path, destination="s3://bucket/cells.ome.zarr", workers=1, progress=stop_after(6))
    with pytest.raises(CheckpointMismatch, match="the image's files have changed since"):
        run(proxy, source=path, destination="s3://bucket/cells.ome.zarr", workers=1)
    run(proxy, source=path, destination="s3://bucket/cells.ome.zarr", workers=1, resume=False)
    assert np.array_equal(labels_at(proxy, "s3://bucket/cells.ome.zarr"), bright(new))


def test_an_archive_of_something_else_is_not_an_image(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(NotReadable, match=r"no installed reader reads|has the suffix"):
        open_image(tmp_path / "a.zip")
    (tmp_path / "b.ozx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(NotReadable):
        open_image(tmp_path / "b.ozx")


def test_stores_are_images(proxy: Proxy, tmp_path: Path) -> None:
    import fsspec
    import obstore.store
    from zarr.storage import LocalStore, MemoryStore, ZipStore

    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, data=pixels(), chunks=(32, 32), dimension_names=["y", "x"])
    memory, archive = MemoryStore(), ZipStore(tmp_path / "made.zip", mode="w")
    for store in (memory, archive):
        zarr.create_array(store, data=pixels(), chunks=(32, 32), dimension_names=["y", "x"])
    archive.close()
    mapper = fsspec.filesystem("memory").get_mapper("mapped.zarr")
    zarr.create_array(
        zarr.storage.FsspecStore.from_mapper(mapper), data=pixels(), chunks=(32, 32), dimension_names=["y", "x"]
    )
    put_image(IMAGE, proxy.endpoint, pixels())
    bucket = obstore.store.S3Store(
        "bucket", prefix="image.ome.zarr", endpoint=proxy.endpoint, client_options={"allow_http": True}
    )
    zipped = ZipStore(tmp_path / "made.zip", mode="r")
    for number, store in enumerate((LocalStore(folder), memory, zipped, mapper, bucket)):
        result = pipeline().run(store, tmp_path / f"{number}.ome.zarr")
        assert np.array_equal(result.labels.compute(), bright(pixels())), store


# Writing


@pytest.mark.parametrize(
    ("version", "options"), [("0.4", {}), ("0.5", {}), ("0.5", {"chunks": 16, "shards": 32})], ids=str
)
def test_labels_go_into_their_image_and_are_listed(proxy: Proxy, version: str, options: dict[str, Any]) -> None:
    put_image(IMAGE, proxy.endpoint, pixels(), version=version, consolidated=True)
    result = run(proxy, by=pipeline(**options))
    assert str(result.path) == LABELS
    assert np.array_equal(result.labels.compute(), bright(pixels()))
    assert run(proxy, by=pipeline(**options), name="others").n_objects == result.n_objects
    where = Location(IMAGE, {"endpoint": proxy.endpoint})
    assert OmeZarrReader().labels(where) == ("cells", "others")
    consolidated = zarr.open_group(where.rooted(), mode="r")
    assert consolidated["labels/cells"].attrs == zarr.open_group(where.rooted(), path="labels/cells", mode="r").attrs
    ome = consolidated["labels"].attrs.asdict()
    assert ome.get("ome", ome)["labels"] == ["cells", "others"]
    assert [key for key in keys("s3://bucket", proxy.endpoint) if not key.startswith("image.ome.zarr/")] == []


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_other_libraries_find_the_labels_valid(proxy: Proxy, version: str, tmp_path: Path) -> None:
    import ome_zarr_models
    import yaozarrs

    put_image(IMAGE, proxy.endpoint, pixels(), version=version)
    run(proxy, overwrite=True)
    run(proxy, overwrite=True)  # with a version that was replaced
    for key in keys(IMAGE, proxy.endpoint):
        file = tmp_path / "image.ome.zarr" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_objects(proxy).read(f"image.ome.zarr/{key}")[0])
    for part in ("", "labels", "labels/cells"):
        ome_zarr_models.open_ome_zarr(str(tmp_path / "image.ome.zarr" / part))
    yaozarrs.validate_zarr_store(str(tmp_path / "image.ome.zarr"))
    image = open_image(tmp_path / "image.ome.zarr" / "labels" / "cells")
    assert np.array_equal(image.data[:], bright(pixels()))


@pytest.mark.parametrize("name", ["my image", "Zürich", "50%25", "a+b", "a=b", "k.zip.v2"])
def test_names_of_all_kinds_are_the_same_for_whoever_opens_them(proxy: Proxy, name: str) -> None:
    url = f"s3://bucket/{name}/{name}.ome.zarr"
    put_image(url, proxy.endpoint, pixels())
    result = run(proxy, source=url, name=f"cells-{name.encode().hex()}")
    assert np.array_equal(result.labels.compute(), bright(pixels()))
    assert {key.split("/")[0] for key in keys("s3://bucket", proxy.endpoint)} == {name}


def test_labels_go_into_a_store_of_their_own(proxy: Proxy) -> None:
    result = run(proxy, source=pixels(), destination="s3://bucket/deep/er/labels.ome.zarr")
    assert np.array_equal(result.labels.compute(), bright(pixels()))
    assert {key.split("/")[2] for key in keys("s3://bucket", proxy.endpoint)} == {"labels.ome.zarr"}


def test_replaced_labels_stay_for_their_readers_and_go_after_a_time(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    old = run(proxy)
    with pytest.raises(AlreadyExists, match="pass overwrite=True"):
        run(proxy)
    for _ in range(2):
        run(proxy, by=Pipeline(segmenter=dim, tiler=Grid(tile=32)), overwrite=True)
    assert np.array_equal(old.labels.compute(), bright(pixels()))  # opened before, read now
    assert np.array_equal(labels_at(proxy), dim(pixels()))
    assert len(versions(proxy)) == 3
    run(proxy, overwrite=True, keep_old=0)
    assert len(versions(proxy)) == 1
    assert np.array_equal(labels_at(proxy), bright(pixels()))


def dim(tile: Any) -> Any:
    return ndimage.label(tile < 20)[0]


def versions(proxy: Proxy) -> set[str]:
    return {key.split("/")[0] for key in keys(LABELS, proxy.endpoint) if "/" in key}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_readers_during_a_replacement_see_old_or_new_labels_whole(proxy: Proxy, version: str) -> None:
    put_image(IMAGE, proxy.endpoint, pixels(), version=version, consolidated=True)
    run(proxy)
    wrong, ended = [], threading.Event()

    def look() -> None:
        while not ended.is_set():
            group = zarr.open_group(Location(IMAGE, {"endpoint": proxy.endpoint}).rooted(), mode="r")["labels/cells"]
            attributes = group.attrs.asdict()
            path = attributes.get("ome", attributes)["multiscales"][0]["datasets"][0]["path"]
            seen = group[path][:]
            if not any(np.array_equal(seen, each(pixels())) for each in (bright, dim)):
                wrong.append(path)

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(4):
        run(proxy, by=Pipeline(segmenter=(dim, bright)[number % 2], tiler=Grid(tile=32)), overwrite=True)
    ended.set()
    reader.join()
    assert wrong == []


def test_two_runs_do_not_write_the_same_labels(proxy: Proxy, tmp_path: Path) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    refused = []

    def again(step: str, done: int, _: int) -> None:
        if step == "segment" and done == 3:
            with pytest.raises(OutputBusy, match="another run writes s3://bucket/image") as caught:
                run(proxy, checkpoint_dir=tmp_path / "elsewhere")
            refused.append(caught.value)

    run(proxy, workers=1, progress=again)
    assert len(refused) == 1
    assert np.array_equal(labels_at(proxy), bright(pixels()))


@pytest.mark.parametrize("ahead", [-7, 7], ids=["slow", "fast"])
@pytest.mark.filterwarnings("ignore:the store of memory:UserWarning")
@pytest.mark.parametrize("fsspec", [False, True], ids=["obstore", "fsspec"])
def test_a_run_of_another_machine_is_alive_by_the_stores_clock(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, ahead: int, fsspec: bool
) -> None:
    url = "memory://cells.ome.zarr" if fsspec else f"{IMAGE}/labels/cells"
    where = Location(url, {} if fsspec else {"endpoint": proxy.endpoint})
    seen = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=ahead)  # by a clock that is wrong
    with held_object(where) as hold:
        holder = {"host": "elsewhere", "boot": "", "process": 1, "started": 0.0, "token": "", "seen": seen.isoformat()}
        hold._objects.write(hold._key, json.dumps(holder).encode())
        with pytest.raises(OutputBusy, match="on elsewhere"), held_object(where):
            pass
        monkeypatch.setattr(remote_lock, "LEASE", 0.0)  # it was not renewed for that long
        with held_object(where) as later:
            later.check()


def test_what_is_not_a_label_image_is_not_replaced(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    with pytest.raises(AlreadyExists, match="is not a label image"):
        run(proxy, source=pixels(), destination=IMAGE, overwrite=True)
    with pytest.raises(InvalidOption, match="would overwrite the image"):
        run(proxy, destination=IMAGE, overwrite=True)
    with pytest.raises(InvalidOption, match="lies inside the zarr store"):
        run(proxy, source=pixels(), destination=f"{IMAGE}/other.zarr")
    assert np.array_equal(labels_at(proxy, IMAGE), pixels())


def test_a_run_that_is_killed_resumes(server: tuple[str, int], tmp_path: Path) -> None:
    from bucket_kill import killed_and_resumed

    killed_and_resumed(server, tmp_path, rounds=3)


def test_processes_write_to_a_bucket(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    by = Pipeline(segmenter="threshold", tiler=Grid(tile=32))
    assert run(proxy, by=by, processes=True).n_objects == by.run(pixels()).n_objects


@pytest.mark.filterwarnings("ignore:the checkpoint of memory:UserWarning")
def test_a_store_without_conditional_writes_is_written_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for each in (bright, dim):
        with pytest.warns(UserWarning, match="cannot make a write depend on what is there"):
            Pipeline(segmenter=each, tiler=Grid(tile=32)).run(
                pixels(), "memory://written.ome.zarr", overwrite=True, keep_old=0
            )
        image = open_image("memory://written.ome.zarr")
        assert np.array_equal(image.data[:], each(pixels()))
        assert image.identity.known
    import fsspec

    assert [name for name in fsspec.filesystem("memory").ls("/", detail=False) if name.endswith(".tilewright")] == []


def test_a_table_of_labels_in_a_bucket_needs_a_path(proxy: Proxy, tmp_path: Path) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    by = Pipeline(segmenter=bright, tiler=Grid(tile=32), measure=["size", "intensity"])
    with pytest.raises(InvalidOption, match=r"tables are written to local folders; give a path \(--table\)"):
        run(proxy, by=by)
    result = run(proxy, by=by, table=tmp_path / "cells.csv")
    assert result.table is not None
    table = measure(
        LABELS, table=tmp_path / "again.csv", measure=["size", "intensity"], storage={"endpoint": proxy.endpoint}
    )
    assert table.n_rows == result.n_objects
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "cells.csv").read_text()


def ran(results: Any) -> list[str]:
    """The steps that were run."""
    return [name for name, result in results.items() if result.seconds]


def places_of(destination: str) -> dict[str, str]:
    """Where the labels of the steps of `bucket_workflow` are; they are in the image without a destination."""
    return {name: f"{destination}/{name}.ome.zarr" if destination else f"{IMAGE}/labels/{name}" for name in NAMES}


@pytest.mark.parametrize("destination", ["", "s3://bucket/made"])
def test_a_workflow_writes_to_a_bucket_and_repeats_what_differs(proxy: Proxy, destination: str) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    where: Any = {"destination": destination or None, "storage": {"endpoint": proxy.endpoint}}
    assert ran(workflow().run(IMAGE, **where)) == [*NAMES]
    expected, places = workflow().run(pixels()), places_of(destination)
    for name in NAMES:
        assert np.array_equal(labels_at(proxy, places[name]), expected[name].labels.compute())
    again = workflow().run(IMAGE, **where)
    assert ran(again) == []
    assert str(again["grown"].path) == places["grown"]
    assert np.array_equal(again["grown"].labels.compute(), expected["grown"].labels.compute())
    with pytest.raises(AlreadyExists, match=r"is not what step 'grown' makes: .*distance"):
        workflow(2.0).run(IMAGE, **where)
    assert ran(workflow(2.0).run(IMAGE, **where, overwrite=True)) == ["grown", "brightest"]


def test_labels_of_a_step_in_a_bucket_that_were_changed_are_noticed(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    storage = {"endpoint": proxy.endpoint}
    workflow().run(IMAGE, storage=storage)
    level = open_image(f"{IMAGE}/labels/nuclei", storage=storage).levels[0].path
    store, place = Location(f"{IMAGE}/labels/nuclei/{level}", storage).opened(read_only=False)
    zarr.open_array(store, path=place, mode="r+")[:32, :32] = 0
    with pytest.raises(AlreadyExists, match="its labels were changed after they had been written"):
        workflow().run(IMAGE, storage=storage)


@pytest.mark.parametrize("destination", ["", "s3://bucket/made"])
def test_a_workflow_on_a_bucket_that_is_killed_resumes(
    server: tuple[str, int], proxy: Proxy, tmp_path: Path, destination: str
) -> None:
    def started(kill_before: int = 0) -> subprocess.Popen[bytes]:
        proxy.writes, proxy.before_write = 0, lambda number: running.kill() if number == kill_before else None
        command = [sys.executable, bucket_workflow.__file__, IMAGE, destination, proxy.endpoint]
        running = subprocess.Popen(command, cwd=tmp_path)
        return running

    direct = "http://{}:{}".format(*server)
    put_image(IMAGE, direct, pixels())
    assert started().wait() == 0
    writes = proxy.writes
    for number in (writes // 3, writes // 2, writes - 2):
        put_image(IMAGE, direct, pixels(number), chunks_only=True)
        assert started(kill_before=number).wait() != 0
        assert started().wait() == 0
        expected = workflow().run(pixels(number))
        for name, place in places_of(destination).items():
            assert np.array_equal(labels_at(proxy, place), expected[name].labels.compute())
        assert list(tmp_path.iterdir()) == []


def test_a_table_of_a_step_on_a_bucket_needs_an_absolute_path(proxy: Proxy, tmp_path: Path) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    storage = {"endpoint": proxy.endpoint}
    with pytest.raises(InvalidOption, match="tables are written to local folders, and s3://bucket/made is not one"):
        workflow(measure=["size"], table="grown.csv").run(IMAGE, "s3://bucket/made", storage=storage)
    with pytest.raises(InvalidOption, match=r"tables are written to local folders; give a path"):
        workflow(measure=["size"]).run(IMAGE, storage=storage)
    assert [key for key in keys("s3://bucket", proxy.endpoint) if not key.startswith("image.ome.zarr/")] == []
    table = tmp_path / "grown.csv"
    results = workflow(measure=["size"], table=table).run(IMAGE, "s3://bucket/made", storage=storage)
    assert results["brightest"].table is not None
    assert ran(workflow(measure=["size"], table=table).run(IMAGE, "s3://bucket/made", storage=storage)) == []
    table.unlink()
    with pytest.raises(AlreadyExists, match="there is no table"):
        workflow(measure=["size"], table=table).run(IMAGE, "s3://bucket/made", storage=storage)


def test_regions_and_given_labels_in_a_bucket_are_read(proxy: Proxy, tmp_path: Path) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    half = np.zeros((96, 96), np.uint8)
    half[:, :48] = 1
    put_image("s3://bucket/half.ome.zarr", proxy.endpoint, half)
    by = pipeline()
    run(proxy, by=by, within="s3://bucket/half.ome.zarr", destination=tmp_path / "cut.ome.zarr")
    cut = open_image(tmp_path / "cut.ome.zarr").data[:]
    assert np.array_equal(cut > 0, (pixels() > 150) & (half > 0))
    with pytest.raises(InvalidOption, match=r"area.geojson is a URL, but polygons are read from local files; copy"):
        run(proxy, by=by, within="s3://bucket/area.geojson", destination=tmp_path / "other.ome.zarr")


@pytest.mark.parametrize("table", ["cells.parquet", "cells.csv", "cells.zarr", "image.ome.zarr/tables/cells"])
def test_a_table_in_a_bucket_is_refused_before_any_work(proxy: Proxy, table: str) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    by = Pipeline(segmenter=bright, tiler=Grid(tile=32), measure=["size"])
    with pytest.raises(InvalidOption, match=f"{table} is a URL, but .* writes to local folders only; copy the output"):
        run(proxy, by=by, table=f"s3://bucket/{table}")
    assert not any("labels" in key for key in keys(IMAGE, proxy.endpoint))


def test_places_that_are_only_read_are_named(tmp_path: Path) -> None:
    store = zarr.storage.MemoryStore()
    zarr.create_array(store, data=pixels(), chunks=(32, 32), dimension_names=["y", "x"])
    with pytest.raises(InvalidOption, match="give an output path"):
        pipeline().run(store)
    with pytest.raises(InvalidOption, match="is on a web server, which is only read"):
        pipeline().run(pixels(), "https://host/labels.ome.zarr")


@pytest.mark.parametrize("name", ["new.ozx", "new.ome.zarr.zip", "NEW.ZIP", "zip::new.dat", "there.zip"])
@pytest.mark.parametrize("writer", [None, "ome-zarr"])
def test_an_archive_is_no_destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, writer: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.zip").write_bytes(b"PK")
    by = Pipeline(segmenter=bright, writer=writer, measure=["size"])
    with pytest.raises(InvalidOption, match="is an archive, which is only read; write to a folder"):
        by.run(pixels(), name, overwrite=True)
    with pytest.raises(InvalidOption, match="is an archive, which is only read; write to a folder"):
        by.run(pixels(), "labels.ome.zarr", table=name)
    with pytest.raises(InvalidOption, match="is an archive, which is only read; write to a folder"):
        workflow().run(pixels(), name)
    assert [path.name for path in tmp_path.iterdir()] == ["there.zip"]


@pytest.mark.skipif(shutil.which("zip") is None, reason="zip is not installed")
def test_labels_that_are_zipped_as_the_advice_says_are_read(tmp_path: Path) -> None:
    pipeline().run(pixels(), tmp_path / "labels.ome.zarr")
    subprocess.run(["zip", "-q", "-0", "-r", "../labels.ozx", "."], cwd=tmp_path / "labels.ome.zarr", check=True)
    assert np.array_equal(open_image(tmp_path / "labels.ozx").data[:], bright(pixels()))


def test_a_store_is_a_destination_if_it_is_in_a_folder(proxy: Proxy, tmp_path: Path) -> None:
    import fsspec
    import obstore.store
    from zarr.storage import LocalStore, MemoryStore

    mapper = fsspec.filesystem("memory").get_mapper("mapped.ome.zarr")
    for store in (MemoryStore(), mapper, obstore.store.MemoryStore(), Location(IMAGE).rooted()):
        with pytest.raises(InvalidOption, match="is a store, which is only read; give its URL"):
            pipeline().run(pixels(), store)
        with pytest.raises(InvalidOption, match="is a store, which is only read; give its URL"):
            workflow().run(pixels(), store)
    result = pipeline().run(pixels(), LocalStore(tmp_path / "labels.ome.zarr"))
    assert result.path == tmp_path / "labels.ome.zarr"
    assert np.array_equal(result.labels.compute(), bright(pixels()))


# What fails


@pytest.mark.parametrize(
    "failing",
    [{"answer": 503, "times": 5}, {"answer": 500, "times": 3}, {"cut": 100, "times": 5}, {"slow": 0.05, "times": 60}],
    ids=str,
)
@pytest.mark.parametrize("step", ["segment", "write", "finish"])
def test_failures_that_pass_are_outlasted(proxy: Proxy, failing: dict[str, Any], step: str) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())

    def fail(now: str, done: int, _: int) -> None:
        if now == step and not proxy.times:
            proxy.fail(**failing)

    run(proxy, progress=fail)
    assert np.array_equal(labels_at(proxy), bright(pixels()))
    assert proxy.failed > 0


@pytest.mark.parametrize(
    ("step", "status", "error", "message"),
    [
        ("segment", 403, NotReadable, "access is denied; give credentials by the environment"),
        ("write", 403, NotWritable, "access is denied; give credentials by the environment"),
        ("segment", 503, NotReadable, "the service does not answer requests at the moment; re-run the same command"),
        ("write", 503, NotWritable, "the service does not answer requests at the moment; re-run the same command"),
    ],
)
def test_failures_that_stay_end_the_run_in_one_line_and_it_resumes(
    proxy: Proxy, step: str, status: int, error: type[Exception], message: str
) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())

    def fail(now: str, done: int, _: int) -> None:
        if now == step and done == 1:
            proxy.fail(10_000, answer=status)

    storage = {"retries": 1}
    with pytest.raises(error, match=message) as caught:
        run(proxy, progress=fail, workers=1, storage=storage)
    assert "\n" not in str(caught.value)
    proxy.fail(0)
    done: list[int] = []
    run(proxy, progress=lambda now, n, _: done.append(n) if now == "segment" else None, storage=storage)
    assert min(done) > 0
    assert np.array_equal(labels_at(proxy), bright(pixels()))


def _expected(proxy: Proxy) -> list[tuple[str, dict[str, Any], str]]:
    return [
        ("s3://nobody/a.ome.zarr", {"endpoint": proxy.endpoint}, "there is no such bucket; check its name"),
        ("s3://bucket/none.ome.zarr", {"endpoint": proxy.endpoint}, "there is no zarr group or array at"),
        ("s3://bucket/a.ome.zarr", {"endpoint": "http://127.0.0.1:9", "retries": 1}, "the host cannot be reached"),
        ("foo://bucket/a.ome.zarr", {}, "check the part before ://"),
        ("az://bucket/a.ome.zarr", {}, "give the storage option account"),
        ("s3://bucket/b.ome.zarr", {"profile": "nobody"}, "the profile 'nobody' for s3://bucket cannot be used"),
        ("s3://me:secret@bucket/a.ome.zarr", {}, "holds credentials or a signature"),
        ("https://host/a.ome.zarr?sig=secret", {}, "holds credentials or a signature"),
    ]


@pytest.mark.parametrize("number", range(8))
def test_each_error_is_one_line_with_its_own_next_step(proxy: Proxy, number: int) -> None:
    url, storage, message = _expected(proxy)[number]
    with pytest.raises(TilewrightError, match=message) as caught:
        open_image(url, storage=storage)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_command_line_says_what_is_wrong_in_one_line(proxy: Proxy) -> None:
    command = [sys.executable, "-m", "tilewright.cli", "run", "s3://nobody/a.ome.zarr", "--segmenter", "threshold"]
    ended = subprocess.run(
        [*command, "--storage", f"endpoint={proxy.endpoint}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.strip().splitlines()
    assert "there is no such bucket" in line


def test_the_command_line_opens_buckets(proxy: Proxy) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    command = [
        sys.executable,
        "-m",
        "tilewright.cli",
        "info",
        IMAGE,
        "--json",
        "--storage",
        f"endpoint={proxy.endpoint}",
    ]
    facts = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (facts["path"], facts["shape"], facts["labels"]) == (IMAGE, [96, 96], [])


def test_a_package_that_is_missing_is_named() -> None:
    code = (
        "import sys; sys.modules.update({name: None for name in ('obstore', 'obstore.store', 's3fs', 'gcsfs')})\n"
        "from tilewright.cli import main; main(['info', sys.argv[1]])"
    )
    for scheme in ("s3", "gs"):
        command = [sys.executable, "-c", code, f"{scheme}://bucket/a.ome.zarr"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        (line,) = ended.stderr.strip().splitlines()
        assert ended.returncode == 2
        assert f"needs a package that is not installed; pip install 'tilewright[{scheme}]'" in line


@pytest.mark.parametrize("name", ["secret_access_key", "token", "password", "aws_access_key_id", "sas"])
def test_secrets_are_no_storage_options(name: str) -> None:
    with pytest.raises(InvalidOption, match=f"{name!r} looks like a secret.* give credentials by the environment"):
        pipeline().run(np.eye(9), storage={name: "x"})


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ({"endpont": "x"}, "there is no storage option 'endpont'; there are endpoint, anonymous"),
        ({"retries": "many"}, "retries must be a whole number, not 'many'"),
        ({"anonymous": "perhaps"}, "anonymous must be true or false, not 'perhaps'"),
    ],
)
def test_storage_options_are_checked(storage: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        pipeline().run(np.eye(9), storage=storage)


def test_the_place_of_the_checkpoint_is_named(proxy: Proxy, tmp_path: Path) -> None:
    put_image(IMAGE, proxy.endpoint, pixels())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(Stopped):
            run(proxy, progress=stop_after(3))
    (folder,) = tmp_path.glob("*.tilewright")
    assert any(str(folder) in str(each.message) for each in caught)
    run(proxy)
    assert list(tmp_path.glob("*.tilewright")) == []
