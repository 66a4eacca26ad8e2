"""Reading 4096² pixels from a bucket, beside obstore fetching the same chunks with the same concurrency.

Tiles are read by two threads, as a run reads them.

`python tests/benchmarks/buckets.py --runs 5` prints the seconds of both, and what part of obstore's speed is reached.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import MemoryStore

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from buckets import BUCKET, keys, put_image, service

from tilewright import open_image

SIDE, TILE, WORKERS = 4096, 1024, 2
IMAGE = f"s3://{BUCKET}/image.ome.zarr"
SERVE = "import buckets, sys\nwith buckets.service() as address:\n    print(*address, flush=True)\n    sys.stdin.read()"


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measured(endpoint: str, runs: int) -> None:
    import obstore
    import obstore.store

    put_image(IMAGE, endpoint, np.random.default_rng(0).integers(0, 4096, (SIDE, SIDE), dtype="uint16"), chunk=512)
    image = open_image(IMAGE, storage={"endpoint": endpoint})
    names = [f"image.ome.zarr/{key}" for key in keys(IMAGE, endpoint) if key.startswith("0/c/")]
    store = obstore.store.S3Store(BUCKET, endpoint=endpoint, client_options={"allow_http": True})

    async def fetched() -> None:
        turns = asyncio.Semaphore(WORKERS * zarr.config.get("async.concurrency"))

        async def one(name: str) -> None:
            async with turns:
                await (await obstore.get_async(store, name)).bytes_async()

        await asyncio.gather(*map(one, names))

    spans = [slice(start, start + TILE) for start in range(0, SIDE, TILE)]

    def read() -> None:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(image.read, itertools.product(spans, spans)))

    memory = MemoryStore()
    held = zarr.create_array(memory, data=image.data[:], chunks=image.chunks)
    works = (read, lambda: asyncio.run(fetched()), lambda: held[:])
    rounds = [[timed(work) for work in works] for _ in range(runs + 1)][1:]
    ours, theirs, decoding = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(
        f"{len(names)} chunks: tilewright {ours:.3f} s, of which decoding takes {decoding:.3f} s alone; obstore "
        f"{theirs:.3f} s without decoding: {theirs / ours:.2f} of its speed, {theirs / (ours - decoding):.2f} of it "
        "without decoding"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with service() as first:  # the environment's credentials; another process serves, as elsewhere
        command = [sys.executable, "-c", SERVE]
        folder = Path(__file__).parents[1] / "support"
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            host, port = other.stdout.readline().split()
            measured(f"http://{host}:{port}", chosen.runs)
            other.kill()
