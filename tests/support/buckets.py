"""A real S3 service on this machine, a proxy before it that fails as services and networks do, and images in it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from tilewright.abc import Location

BUCKET = "bucket"
WRITES = (b"PUT ", b"POST ", b"DELETE ")
ANSWER = b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def service() -> Iterator[tuple[str, int]]:
    """Moto's server with one bucket; its host and port. The environment has credentials meanwhile."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    names = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        make_bucket(f"http://{host}:{port}")
        yield host, port
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({name: value} if value is not None else {})


def make_bucket(endpoint: str) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")).close()


class Proxy:
    """Passes connections on to a service, and fails them as it is told.

    answer: the status that each request gets at once. cut: after how many bytes an answer is cut off. slow: seconds
    that each piece of an answer takes. times: how often it fails; then all is well again.
    writes: how many requests there were that change something. before_write: is called with that number before each.
    """

    def __init__(self, host: str, port: int) -> None:
        self.answer, self.cut, self.slow, self.times, self.failed = 0, 0, 0.0, 0, 0
        self.writes = 0
        self.before_write: Callable[[int], object] = lambda _: None
        self._target, self._lock = (host, port), threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, times: int, *, answer: int = 0, cut: int = 0, slow: float = 0.0) -> None:
        self.answer, self.cut, self.slow, self.times, self.failed = answer, cut, slow, times, 0

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection(self._target)
                for source, sink, requests in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(source, sink, requests), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, requests: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if requests and data.startswith(WRITES):
                    with self._lock:
                        self.writes += 1
                    self.before_write(self.writes)
                if requests and self.answer and self._fails():
                    source.sendall(ANSWER % self.answer)
                    break
                if not requests and self.cut and len(data) > self.cut and self._fails():
                    sink.sendall(data[: self.cut])
                    break
                if not requests and self.slow and self._fails():
                    time.sleep(self.slow)
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _fails(self) -> bool:
        with self._lock:
            if self.failed >= self.times:
                return False
            self.failed += 1
            return True


def pixels(seed: int = 1, size: int = 96) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 200, (size, size)).astype("uint16")


def put_image(
    url: str,
    endpoint: str,
    values: NDArray[Any],
    *,
    version: str = "0.5",
    consolidated: bool = False,
    chunk: int = 32,
    shard: int | None = None,
    chunks_only: bool = False,
) -> None:
    """An OME-Zarr image of one level in square chunks, and shards. chunks_only: other pixels of one that is there."""
    store = Location(url, {"endpoint": endpoint}).rooted()
    if chunks_only:
        zarr.open_array(store, path="0", mode="r+")[:] = values
        return
    group = zarr.open_group(store, mode="w", zarr_format=2 if version == "0.4" else 3)
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    multiscale: dict[str, Any] = {
        "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
        "datasets": [{"path": "0", "coordinateTransformations": scale}],
    }
    if version == "0.4":
        group.attrs["multiscales"] = [multiscale | {"version": version}]
        group.create_array("0", data=values, chunks=(chunk, chunk), chunk_key_encoding={"name": "v2", "separator": "/"})
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
        group.create_array(
            "0", data=values, chunks=(chunk, chunk), shards=shard and (shard, shard), dimension_names=["y", "x"]
        )
    if consolidated:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr says that others may not understand it
            zarr.consolidate_metadata(store)


def keys(url: str, endpoint: str) -> list[str]:
    """The keys of all objects below a URL, from there."""
    from tilewright.abc import location_objects

    objects, place = location_objects(Location(url, {"endpoint": endpoint}))
    return sorted(key.removeprefix(f"{place}/") for key in objects.below(place))
