"""What tiles cost a network: runs beside the library's own call of the whole image.

    python tests/benchmarks/networks.py cost LIBRARY [--shape 2048 2048] [--dear] [--tiles 512 1024 auto] [--rounds 3]
    python tests/benchmarks/networks.py again LIBRARY [--shape 1024 1024]
    python tests/benchmarks/networks.py slide [--lengths 2048 8192]

LIBRARY is `cellpose` or `stardist`, with the small models of their tests, on made-up tissue; a shape of three numbers
is a volume. Two threads; each way to segment has a process of its own, and they take turns. What counts is the wall
time of the call, once a small image has been segmented.

cost: the run / the library's own call. With `--dear` the network is evaluated so often that it takes nine tenths of the
own call, as the networks that are shipped do on a CPU.
again: with kept predictions and another threshold / the first run less its network, in one thread, and whether the
labels are those of a fresh run.
slide: the network of the tutorial in tiles of 256: how full its batches are, the disk that what it says takes at most
/ what the windows of three rows of tiles take, and the peak of the process's memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, ClassVar

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("tests/support", "plugins/cellpose/tests/models")]

import numpy as np
import synth
from numpy.typing import NDArray

from tilewright import Auto, Grid, Image, Pipeline, open_image

THREADS, SHARE, FEW = 2, 0.9, 5
WARM = {2: (256, 256), 3: (32, 64, 64)}
Call = Callable[..., Any]


class Repeated:
    """A network's forward pass, evaluated several times, and the seconds that it took."""

    def __init__(self, forward: Call) -> None:
        self.forward, self.times, self.seconds = forward, 1, 0.0

    def __call__(self, *given: Any, **options: Any) -> Any:
        began = time.perf_counter()
        for _ in range(self.times):
            said = self.forward(*given, **options)
        self.seconds += time.perf_counter() - began
        return said


class CellposeLibrary:
    """Cellpose's own evaluation, and the plugin's segmenter, of one network."""

    other: ClassVar = {"cellprob_threshold": -0.1}

    def __init__(self, dimensions: int) -> None:
        import small_cellpose
        import torch

        from tilewright_cellpose.segmenter import Cellpose
        from tilewright_cellpose.weights import loaded, newer

        small_cellpose.narrow()
        torch.set_num_threads(THREADS)
        self.segmenter = Cellpose(model=str(small_cellpose.SMALL), gpu=False, do_3D=dimensions == 3)
        self._model = loaded(str(small_cellpose.SMALL), False)
        self._options = {"do_3D": True, "z_axis": 0} if dimensions == 3 else {}
        self._options |= {} if newer() else {"channels": [0, 0]}
        self.network = self._model.net.forward = Repeated(self._model.net.forward)

    def whole(self, pixels: NDArray[Any]) -> Any:
        return self._model.eval(pixels.copy(), **self._options)[0]


class StarDistLibrary:
    """StarDist's own prediction, and the plugin's segmenter, of one network."""

    other: ClassVar = {"prob_threshold": 0.6}

    def __init__(self, dimensions: int) -> None:
        from tilewright_stardist.network import network
        from tilewright_stardist.segmenter import StarDist

        name = "nuclei_small" if dimensions == 2 else "nuclei3d_small"
        self.segmenter = StarDist(model=str(ROOT / "plugins/stardist/tests/models" / name))
        digest = self.segmenter.prepare(Image(synth.make(WARM[dimensions], "tissue", 1)[0], "zyx"[-dimensions:])).digest
        self._model = network(self.segmenter.model, digest).model
        self.network = self._model.keras_model.predict = Repeated(self._model.keras_model.predict)

    def whole(self, pixels: NDArray[Any]) -> Any:
        from tilewright_stardist.normalization import normalized

        limits = self.segmenter.prepare(Image(pixels, "zyx"[-pixels.ndim :])).limits
        return self._model.predict_instances(normalized(pixels, limits or ()))[0]


LIBRARIES = {"cellpose": CellposeLibrary, "stardist": StarDistLibrary}


def one(library: str, way: str, times: int, file: Path) -> dict[str, Any]:
    """Segment an image once, in this process: seconds of the call and of the network in it, windows, objects."""
    pixels = np.load(file)
    made = LIBRARIES[library](pixels.ndim)
    segment = made.whole if way == "untiled" else lambda given: run(made.segmenter, given, way)
    segment(synth.make(WARM[pixels.ndim], "tissue", 1)[0])
    made.network.times, made.network.seconds = times, 0.0
    began = time.perf_counter()
    result = segment(pixels)
    seconds = time.perf_counter() - began
    windows = 0 if way == "untiled" else result.provenance["n_predicted"]
    objects = int(result.max()) if way == "untiled" else result.n_objects
    return {"seconds": seconds, "network": made.network.seconds, "windows": windows, "objects": objects}


def run(segmenter: Any, pixels: NDArray[Any], tile: str) -> Any:
    tiler = Auto() if tile == "auto" else Grid(tile=int(tile))
    return Pipeline(segmenter=segmenter, tiler=tiler).run(Image(pixels, "zyx"[-pixels.ndim :]), workers=THREADS)


def cost(library: str, shape: Sequence[int], tiles: Sequence[str], rounds: int, *, dear: bool) -> None:
    """Print a row for the library's own call and for each tile."""
    with tempfile.TemporaryDirectory() as folder:
        file = made_up(shape, Path(folder))

        def measured(way: str, times: int = 1) -> dict[str, Any]:
            return child("one", library, way, str(times), str(file))

        times = 1
        if dear:
            first = measured("untiled", FEW)  # the very first one takes longer
            rest = first["seconds"] - first["network"]
            times = max(1, math.ceil(SHARE / (1 - SHARE) * rest / (first["network"] / FEW)))
        found = [{way: measured(way, times) for way in ("untiled", *tiles)} for _ in range(rounds)]
    size = " × ".join(map(str, shape))
    print(f"{library}, {size} of tissue, the network evaluated {times} times for each batch, {rounds} rounds\n")
    print("| tile | objects | windows | s, least and median | of it the network | / the own call, likewise |")
    print("|---|---|---|---|---|---|")
    own = [each["untiled"]["seconds"] for each in found]
    for way in found[0]:
        every = [each[way] for each in found]
        seconds = [each["seconds"] for each in every]
        quick = min(every, key=lambda each: each["seconds"])
        print(
            f"| {way} | {quick['objects']} | {quick['windows']} | {min(seconds):.1f}, {median(seconds):.1f} | "
            f"{quick['network']:.1f} | {min(seconds) / min(own):.2f}, {median(seconds) / median(own):.2f} |"
        )


def again(library: str, file: Path) -> None:
    """Print the row of a run with another threshold."""
    pixels = np.load(file)
    made, axes = LIBRARIES[library](pixels.ndim), "zyx"[-pixels.ndim :]
    run(made.segmenter, synth.make(WARM[pixels.ndim], "tissue", 1)[0], "auto")

    def segmented(options: dict[str, Any], to: Path, **more: Any) -> tuple[Any, float]:
        pipeline = Pipeline(segmenter=dataclasses.replace(made.segmenter, **options), tiler=Grid(tile=512))
        made.network.seconds, began = 0.0, time.perf_counter()
        result = pipeline.run(Image(pixels, axes), to, workers=1, **more)
        return result, time.perf_counter() - began

    with tempfile.TemporaryDirectory() as folder:
        kept, fresh = Path(folder) / "kept.zarr", Path(folder) / "fresh.zarr"
        _, first = segmented({}, kept, keep_predictions=True)
        rest = first - made.network.seconds
        result, second = segmented(made.other, kept, keep_predictions=True, overwrite=True)
        equal = np.array_equal(result.labels.compute(), segmented(made.other, fresh)[0].labels.compute())
    windows = result.provenance["n_predicted"]
    print(
        "| network | first run, s | less its network | another threshold, s | / that | windows | equals a fresh run |"
    )
    print(f"|---|---|---|---|---|---|---|\n| {library} | {first:.2f} | {rest:.2f} | {second:.2f} | ", end="")
    print(f"{second / rest:.2f} | {windows} | {equal} |")


def slide(length: int, weights: str, file: str) -> dict[str, Any]:
    """Run the tutorial's network over an image: fill, disk and memory."""
    from tilewright_blobs.segmenter import Blobs

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "labels.zarr"
        predictions = Path(f"{output}.tilewright") / "predictions"
        most = 0

        def progress(step: str, done: int, _total: int) -> None:
            nonlocal most
            if step == "segment" and predictions.exists():
                most = max(most, sum(each.stat().st_size for each in predictions.iterdir()))

        network = Blobs(weights=weights)
        pipeline, image = Pipeline(segmenter=network, tiler=Grid(tile=256, halo=8)), open_image(file)
        began = time.perf_counter()
        result = pipeline.run(image, output, workers=THREADS, progress=progress)
        seconds = time.perf_counter() - began
    (windows,) = network.windows(image, 0)
    across, count = len(windows.starts[1]), len(windows.starts[0]) * len(windows.starts[1])
    rows = 3 * 256 / (256 - 2 * windows.margin[0]) + 1  # of windows, that three rows of tiles meet
    return {
        "seconds": seconds,
        "objects": result.n_objects,
        "fill": count / (-(-count // network.batch) * network.batch),
        "once": result.provenance["n_predicted"] / count,
        "disk": most / (rows * across * 256 * 256 * 2),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }


def slides(lengths: Sequence[int]) -> None:
    """Print a row for each length of a square image."""
    example = ROOT / "docs/examples/tilewright-blobs"
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "blobs.pt"
        make = "torch.save(train.train(numpy.random.default_rng(0)).state_dict(), sys.argv[1])"
        paths = {"PYTHONPATH": f"{example}:{example / 'src'}"}
        child("-c", f"import sys, numpy, torch, train; {make}", str(weights), environment=paths)
        print("| image | objects | s | windows / all | fill of batches | disk / three rows | peak, MiB |")
        print("|---|---|---|---|---|---|---|")
        for length in lengths:
            file = drawn(length, Path(folder))
            found = child("slide", str(length), str(weights), str(file), environment=paths)
            print(
                f"| {length}² | {found['objects']:,} | {found['seconds']:.0f} | {found['once']:.3f} | "
                f"{found['fill']:.3f} | {found['disk']:.2f} | {found['peak']:.0f} |",
                flush=True,
            )


def made_up(shape: Sequence[int], folder: Path) -> Path:
    """A file with an image of tissue."""
    file = folder / "pixels.npy"
    np.save(file, synth.make(tuple(shape), "tissue", 11, **({"radius": 6.0} if len(shape) == 3 else {}))[0])
    return file


def drawn(length: int, folder: Path) -> Path:
    """A zarr array of blobs: one part of 1024² beside itself."""
    import zarr

    part, path = synth.make((1024, 1024), "medium", 11)[0], folder / f"{length}.zarr"
    array = zarr.create_array(path, shape=(length, length), chunks=(512, 512), dtype=part.dtype, dimension_names="yx")
    for y, x in np.ndindex(length // 1024, length // 1024):
        array[y * 1024 : (y + 1) * 1024, x * 1024 : (x + 1) * 1024] = part
    return path


def child(*words: str, environment: Mapping[str, str] = MappingProxyType({})) -> Any:
    """What a process of its own prints as JSON; nothing if it prints nothing."""
    start = [] if words[0] == "-c" else [__file__]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *start, *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(THREADS)) | dict(environment),
    )
    return json.loads(done.stdout.splitlines()[-1]) if start else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("cost", "again"):
        command = commands.add_parser(name)
        command.add_argument("library", choices=LIBRARIES)
        command.add_argument("--shape", nargs="+", type=int, default=[2048, 2048])
        if name == "cost":
            command.add_argument("--tiles", nargs="+", default=["512", "1024", "auto"])
            command.add_argument("--rounds", type=int, default=3)
            command.add_argument("--dear", action="store_true")
    commands.add_parser("slide").add_argument("--lengths", nargs="+", type=int, default=[2048, 8192])
    chosen = parser.parse_args()
    if chosen.command == "cost":
        cost(chosen.library, chosen.shape, chosen.tiles, chosen.rounds, dear=chosen.dear)
    elif chosen.command == "again":
        with tempfile.TemporaryDirectory() as folder:
            again(chosen.library, made_up(chosen.shape, Path(folder)))
    else:
        slides(chosen.lengths)


if __name__ == "__main__":
    match sys.argv[1:]:  # what this program starts itself
        case ["one", library, way, times, file]:
            print(json.dumps(one(library, way, int(times), Path(file))))
        case ["slide", length, weights, file] if length.isdigit():
            print(json.dumps(slide(int(length), weights, file)))
        case _:
            main()
