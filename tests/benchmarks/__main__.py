"""Print the benchmark's tables: `python tests/benchmarks [--runs 5] [start floor …]`.

Ratios are of processes that ran in turn in the same minutes; single figures depend on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from measure import Figure, in_turn, ratios, spread

HERE = Path(__file__).parent
WORK, MASK, SMALL, LOOP, PIPELINES, WORKFLOW = (
    str(HERE / f"{name}.py") for name in ("work", "mask", "small", "loop", "pipelines", "workflow")
)

MANY = str(HERE.parent / "support" / "many.py")

LISTING = "import sys; sys.path.append({folder!r}); from tilewright.cli import main; main(['plugins'])"
LEAST = "import numpy, tilewright as t; t.Pipeline(segmenter=lambda pixels: pixels > 0).run(numpy.zeros((8, 8)))"


def start(runs: int, folder: str) -> None:
    """What it costs to begin: CPU seconds above an interpreter that does nothing."""
    _once([MANY, folder, "50"])
    commands = {
        "python -c pass": ["-c", "pass"],
        "import tilewright": ["-c", "import tilewright"],
        "tilewright plugins": ["-m", "tilewright.cli", "plugins"],
        "tilewright plugins, 50 more": ["-c", LISTING.format(folder=folder)],
        "smallest run": ["-c", LEAST],
    }
    figures = in_turn(commands, runs)
    bare = figures["python -c pass"]
    print("\n| start | CPU s (min / median / max) | above python -c pass |\n|---|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure.row('cpu')} | {median(figure.cpu) - median(bare.cpu):.2f} |")


def floor(runs: int, folder: str) -> None:
    """A run, without and with the pyramid, beside the plain loop that joins nothing."""
    print("\n| case | wall s (min / median / max) | wall / floor | CPU / floor | peak MiB |\n|---|---|---|---|---|")
    for case in ("2d", "3d"):
        _once([WORK, "make", case, folder])
        figures = in_turn({what: [WORK, what, case, folder] for what in ("floor", "run", "pyramid", "mode")}, runs)
        _compared(figures, "floor", case)


def overlap(runs: int, folder: str) -> None:
    """A run of the merger `overlap` beside the plain loop that reads and labels the halos too."""
    print("\n| case | wall s (min / median / max) | wall / halo | CPU / halo | peak MiB |\n|---|---|---|---|---|")
    for case in ("2d", "3d"):
        _once([WORK, "make", case, folder])
        _compared(in_turn({what: [WORK, what, case, folder] for what in ("halo", "overlap")}, runs), "halo", case)


def mask(runs: int, folder: str) -> None:
    """A mask of 512³, zarr to zarr, beside the whole of it in memory."""
    print("\n| 512³ | wall s (min / median / max) | wall / scipy | CPU / scipy | peak MiB |\n|---|---|---|---|---|")
    for tile in ("128", "64", "32"):
        _once([MASK, "make", tile, folder])
        commands = {what: [MASK, what, tile, folder] for what in ("scipy", "cc3d", "run", "run_cc3d")}
        figures = in_turn(commands, runs)
        _compared(figures, "scipy", tile)
        print(f"| {tile} run_cc3d / cc3d | | {ratios(figures['run_cc3d'], figures['cc3d'], 'wall')} | | |", flush=True)


def chunks(runs: int, folder: str) -> None:
    """The ways from a zarr array to its files and back."""
    print("\n| 512³ | wall s (min / median / max) | wall / zarr | CPU / zarr | peak MiB |\n|---|---|---|---|---|")
    for tile in ("128", "64"):
        _once([MASK, "make", tile, folder])
        commands = {way: [PIPELINES, way, tile, folder] for way in ("zarr", "zarrs", "direct")}
        _compared(in_turn(commands, runs), "zarr", tile)


def empty(runs: int, folder: str) -> None:
    """Tiles of 32×32 in which there is nothing: what the engine itself takes for each."""
    for tiles in ("16", "1024", "10000", "40000"):
        _once([SMALL, "make", tiles, folder])
    commands = {f"{source} {n}": [SMALL, source, n, folder] for source in ("memory", "zarr") for n in ("16", *COUNTS)}
    figures = in_turn(commands, runs)
    print("\n| empty tiles of 32×32 | wall ms a tile | CPU ms a tile | peak MiB |\n|---|---|---|---|")
    for source in ("memory", "zarr"):
        least = figures[f"{source} 16"]
        for tiles in COUNTS:
            each = figures[f"{source} {tiles}"]
            wall, cpu = (
                spread(1000 * (a - b) / int(tiles) for a, b in zip(each.values(what), least.values(what), strict=True))
                for what in ("wall", "cpu")
            )
            print(f"| {int(tiles):,} from {source} | {wall} | {cpu} | {max(each.peak):.0f} |")


COUNTS = ("1024", "10000", "40000")


def memory(runs: int, folder: str) -> None:
    """The same tile, and an image of sixteen times the pixels."""
    _once([WORK, "make", "2d", folder])
    figures = in_turn({what: [WORK, what, "2d", folder] for what in ("corner", "run", "pyramid")}, runs)
    print("\n| image, tile 1024² | peak MiB (min / median / max) | peak / 2048² |\n|---|---|---|")
    for name, what in (("2048²", "corner"), ("8192²", "run"), ("8192² with pyramid", "pyramid")):
        print(f"| {name} | {figures[what].row('peak')} | {ratios(figures[what], figures['corner'], 'peak')} |")


def processes(runs: int, folder: str) -> None:
    """A segmenter in pure Python, which holds the interpreter's lock."""
    figures = in_turn({f"{n} process{'es' * (n > 1)}": [LOOP, str(n), folder] for n in (1, 2)}, runs)
    print("\n| pure Python | wall s (min / median / max) | times as fast |\n|---|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure.row('wall')} | {ratios(figures['1 process'], figure, 'wall')} |")


def workflow(runs: int, folder: str) -> None:
    """Three steps as one workflow, beside their pipelines one after the other; and once they are done."""
    _once([WORKFLOW, "make", folder])
    figures = in_turn({what: [WORKFLOW, what, folder] for what in ("hand", "workflow", "done")}, runs)
    print("\n| 4096² | wall s (min / median / max) | wall / hand | CPU / hand | peak MiB |\n|---|---|---|---|---|")
    _compared(figures, "hand", "")


def _compared(figures: dict[str, Figure], below: str, case: str) -> None:
    for what, figure in figures.items():
        wall, cpu = (ratios(figure, figures[below], value) for value in ("wall", "cpu"))
        print(f"| {case} {what} | {figure.row('wall')} | {wall} | {cpu} | {max(figure.peak):.0f} |", flush=True)


def _once(arguments: list[str]) -> None:
    in_turn({"": arguments}, 0)


TABLES: dict[str, Callable[[int, str], None]] = {
    each.__name__: each for each in (start, floor, overlap, mask, chunks, empty, memory, processes, workflow)
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What a run costs, as ratios measured in one go.")
    parser.add_argument("--runs", type=int, default=5, help="repetitions after one that does not count; 1 is quick")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; all if none is named")
    arguments = parser.parse_args()
    for table in arguments.tables or TABLES:
        with tempfile.TemporaryDirectory() as scratch:
            TABLES[table](arguments.runs, scratch)
