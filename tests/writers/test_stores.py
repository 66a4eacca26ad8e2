"""What independent libraries write is read as it was meant: in folders, in an archive, and in a bucket."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buckets import service
from independent import WRITERS, Store

from tilewright import open_image
from tilewright.abc import Location, location_objects
from tilewright_ome_zarr.reader import OmeZarrReader

pytestmark = pytest.mark.slow

NAMELESS = ("dask", "tensorstore zarr")  # arrays that name no dimensions


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, str]]:
    pytest.importorskip("moto")
    with service() as (host, port):
        yield {"endpoint": f"http://{host}:{port}"}


def written(package: str, folder: Path) -> list[Store]:
    """All stores of a writer. What its libraries say of each other is none of our concern."""
    folder.mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(package)
        return list(WRITERS[package](folder))


def faults(store: Store, place: str, **options: Any) -> list[str]:
    """What is read there otherwise than it was written."""
    if store.name in NAMELESS:
        options["reader"] = OmeZarrReader(axes=store.axes)
    image = open_image(f"{place}#{store.element}" if store.element else place, **options)
    wanted = {"axes": store.axes, "levels": store.levels, "channels": store.channels, "shape": store.pixels.shape}
    given: dict[str, Any] = {name: getattr(image, name) for name in wanted} | {"levels": len(image.levels)}
    if store.spacing is not None:
        wanted["spacing"], given["spacing"] = store.spacing, dict(image.spacing)
    wrong = [f"{store.name}: {what} {given[what]} for {wanted[what]}" for what in wanted if given[what] != wanted[what]]
    return wrong if wrong or np.array_equal(image[...], store.pixels) else [f"{store.name}: pixels"]


@pytest.mark.parametrize("package", WRITERS)
def test_what_it_writes_is_read(tmp_path: Path, package: str) -> None:
    stores = written(package, tmp_path)
    assert [fault for store in stores for fault in faults(store, str(store.path))] == []


@pytest.mark.parametrize("package", WRITERS)
def test_what_it_writes_is_read_from_an_archive_and_a_bucket(
    tmp_path: Path, storage: dict[str, str], package: str
) -> None:
    stores = written(package, tmp_path / "made")
    wrong = []
    for store in {each.name: each for each in stores if each.path.is_dir()}.values():  # one of each kind
        archive = shutil.make_archive(str(tmp_path / store.path.stem), "zip", store.path)
        wrong += faults(store, archive)
        url = f"s3://bucket/{package}/{store.path.name}"
        objects, place = location_objects(Location(url, storage))
        for file in filter(Path.is_file, store.path.rglob("*")):
            objects.write(f"{place}/{file.relative_to(store.path).as_posix()}", file.read_bytes())
        wrong += faults(store, url, storage=storage)
    assert wrong == []
