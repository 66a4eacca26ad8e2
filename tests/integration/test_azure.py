"""Images and labels in Azure's object store, as Azurite emulates it: `make test-azure`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure
import bucket_workflow
import numpy as np
import pytest
from bucket_workflow import NAMES, workflow
from buckets import Proxy, keys, pixels, put_image
from scipy import ndimage

from tilewright import Grid, Pipeline, open_image
from tilewright.errors import NotReadable, OutputBusy

IMAGE = "az://bucket/image.ome.zarr"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the checkpoint of az:UserWarning"),
    pytest.mark.skipif(shutil.which(azure.COMMAND) is None, reason="Azurite is not installed: make test-azure"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    with azure.azurite() as address:
        yield address


@pytest.fixture
def proxy(server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.chdir(tmp_path)  # where the checkpoint lies
    made = Proxy(*server)
    made.endpoint += f"/{azure.ACCOUNT}"
    yield made
    made.close()


def run(proxy: Proxy, threshold: float, **options: Any) -> Any:
    segmenter = {"name": "threshold", "configuration": {"threshold": threshold}}
    by = Pipeline(segmenter=segmenter, tiler=Grid(tile=32))
    return by.run(IMAGE, name="cells", storage={"endpoint": proxy.endpoint}, workers=2, **options)


@pytest.mark.parametrize("layout", [{"version": "0.4"}, {}, {"chunk": 16, "shard": 32}], ids=str)
def test_labels_are_written_and_replaced_whole(proxy: Proxy, layout: dict[str, Any]) -> None:
    put_image(IMAGE, proxy.endpoint, pixels(), consolidated=True, **layout)
    assert open_image(IMAGE, storage={"endpoint": proxy.endpoint}).identity.known
    busy = []

    def again(step: str, done: int, _: int) -> None:
        if step == "segment" and done == 3:
            with pytest.raises(OutputBusy, match="another run writes az://bucket/image"):
                run(proxy, 100, checkpoint_dir="elsewhere", overwrite=True)
            busy.append(done)

    for threshold in (150, 100):
        result = run(proxy, threshold, overwrite=True, keep_old=0, progress=again)
        assert np.array_equal(result.labels.compute(), ndimage.label(pixels() > threshold)[0])
    assert busy == [3, 3]
    assert [key for key in keys("az://bucket", proxy.endpoint) if key.endswith(".tilewright")] == []


def test_a_run_that_is_killed_resumes(server: tuple[str, int], proxy: Proxy, tmp_path: Path) -> None:
    def started(kill_before: int = 0) -> subprocess.Popen[bytes]:
        proxy.writes, proxy.before_write = 0, lambda number: running.kill() if number == kill_before else None
        command = [sys.executable, bucket_workflow.__file__, IMAGE, "az://bucket/made", proxy.endpoint]
        running = subprocess.Popen(command, cwd=tmp_path)
        return running

    put_image(IMAGE, proxy.endpoint, pixels())
    assert started().wait() == 0
    writes = proxy.writes
    for number in (writes // 3, writes - 2):
        proxy.before_write = lambda _: None
        put_image(IMAGE, proxy.endpoint, pixels(number), chunks_only=True)
        assert started(kill_before=number).wait() != 0
        assert started().wait() == 0
        expected = workflow().run(pixels(number))
        for name in NAMES:
            labels = open_image(f"az://bucket/made/{name}.ome.zarr", storage={"endpoint": proxy.endpoint})
            assert np.array_equal(labels.data[:], expected[name].labels.compute())


def test_a_container_that_is_not_there_is_named(proxy: Proxy) -> None:
    with pytest.raises(NotReadable, match="there is no such bucket; check its name"):
        open_image("az://nobody/image.ome.zarr", storage={"endpoint": proxy.endpoint})
