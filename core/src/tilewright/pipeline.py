"""The pipeline: which components make an image's labels, and its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .components.files import read_record, record_of, text_of, write_text
from .components.quantities import whole_number
from .components.resolve import component, components, configuration
from .components.specs import Kind
from .deprecation import renamed_arguments
from .errors import InvalidOption, TilewrightError
from .run_options import RENAMED, Progress, RunOptions

if TYPE_CHECKING:
    from .engine.execution import Execution
    from .engine.forecast import Forecast
    from .engine.preview import Preview, Sweep
    from .engine.result import Result
    from .engine.shared import Shared
    from .image import Image

__all__ = ["PARTS", "Pipeline"]

PARTS: tuple[Kind, ...] = ("reader", "tiler", "segmenter", "merger", "writer")
SEVERAL: Mapping[str, Kind] = {"transforms": "transform", "measure": "measurer"}
"""The parts of which there may be several."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What makes labels and a table of an image: a value that can be compared, pickled, saved and run.

    Each part is a name, an instance, a function, or `{"name": ..., "configuration": {...}}`. Left out are: the reader
    and the writer (chosen by the paths of a run), and the merger (the one that the segmenter declares, else `touch`).
    `transforms` is a transform or several, applied in their order before the segmenter; `measure` is a measurer or
    several, whose columns are the table of a run.

    >>> from scipy import ndimage
    >>> import numpy as np
    >>> pipeline = Pipeline(segmenter=lambda pixels: ndimage.label(pixels)[0], tiler={"name": "grid",
    ...                     "configuration": {"tile": 2}})
    >>> result = pipeline.run(np.array([[1, 1, 1, 0], [0, 0, 1, 0], [1, 0, 0, 1]]))
    >>> result.n_tiles, result.n_objects
    (4, 3)
    >>> result.labels.compute()
    array([[1, 1, 1, 0],
           [0, 0, 1, 0],
           [2, 0, 0, 3]], dtype=uint32)
    """

    segmenter: Any
    reader: Any = None
    tiler: Any = "auto"
    merger: Any = None
    writer: Any = None
    transforms: Any = ()
    measure: Any = ()

    def __post_init__(self) -> None:
        for part in PARTS:
            said = getattr(self, part)
            if said is not None or part == "segmenter":
                object.__setattr__(self, part, component(part, said))
        for name, kind in SEVERAL.items():
            object.__setattr__(self, name, components(kind, getattr(self, name)))

    @property
    def shared(self) -> Shared | None:
        """Parts that are prepared already, on several images: none, but for `Prepared`."""
        return None

    @renamed_arguments(**RENAMED)
    def run(
        self,
        source: Any,
        destination: str | Path | None = None,
        *,
        channel: int | str | None = None,
        channels: Sequence[int | str] | None = None,
        level: int | None = None,
        spacing: float | None = None,
        axes: str | None = None,
        name: str = "labels",
        overwrite: bool = False,
        make_parents: bool = False,
        resume: bool = True,
        workers: int | None = None,
        processes: bool = False,
        checkpoint_dir: str | Path | None = None,
        keep_checkpoint: bool = False,
        keep_predictions: bool | str = False,
        empty: float | None = None,
        same_ids: bool = False,
        join_z: bool | float = False,
        on_error: Literal["raise", "skip"] = "raise",
        retries: int = 0,
        table: str | Path | None = None,
        table_format: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        measure_channels: Sequence[int | str] | None = None,
        given: Mapping[str, Any] | None = None,
        within: str | Path | Any = None,
        within_rule: Literal["clip", "inside", "touching", "centroid"] = "clip",
        measure_memory: int = 2**28,
        measure_pixels: int = 2**22,
        storage: Mapping[str, Any] | None = None,
        keep_old: str | float = "1h",
        progress: Progress | None = None,
    ) -> Result:
        """Segment an image, write its labels, and the table of what the pipeline measures of them.

        source: a path or URL that a reader reads, a zarr, fsspec or obstore store, an `Image`, or any array (numpy,
            dask, zarr).
        destination: a path in a folder that exists, or is made with `make_parents`, or the URL of a bucket; None puts
            the labels where the writer puts labels called `name` of that image (an OME-Zarr's own `labels/NAME`), or,
            for an array, into a temporary folder. The table is put beside the labels if `table` names no other place.
            For a segmenter that declares several `outputs`, `{output}` in the path, and in `table`, stands for the
            name of each, which is also the name of its labels: leave `name` out.

        `RunOptions` documents all other arguments. Any `TilewrightError`; nothing is written to the destination before
        everything has succeeded.
        """
        return self._execution(RunOptions.among(locals())).run(source, destination)

    def plan(
        self,
        source: Any,
        *,
        channel: int | str | None = None,
        channels: Sequence[int | str] | None = None,
        level: int | None = None,
        spacing: float | None = None,
        axes: str | None = None,
        workers: int | None = None,
        empty: float | None = None,
        same_ids: bool = False,
        join_z: bool | float = False,
        given: Mapping[str, Any] | None = None,
        within: str | Path | Any = None,
        within_rule: Literal["clip", "inside", "touching", "centroid"] = "clip",
        storage: Mapping[str, Any] | None = None,
        sample: int = 8,
    ) -> Forecast:
        """What a run would take, from its tiles and from segmenting `sample` of them; the rest as for `run`.

        Nothing is written except to a temporary folder.
        """
        options = RunOptions.among(locals())
        return self._execution(options).forecast(source, whole_number("sample", sample, least=0))

    def preview(
        self,
        source: Any,
        *,
        at: Sequence[int] | None = None,
        size: int = 1024,
        channel: int | str | None = None,
        channels: Sequence[int | str] | None = None,
        level: int | None = None,
        spacing: float | None = None,
        axes: str | None = None,
        workers: int | None = None,
        empty: float | None = None,
        same_ids: bool = False,
        join_z: bool | float = False,
        given: Mapping[str, Any] | None = None,
        storage: Mapping[str, Any] | None = None,
    ) -> Preview:
        """A crop of the image with the labels that a run gives there, as a picture; the rest as for `run`.

        at: the pixel in the middle, one number for each of the labels' last axes: y, x or z, y, x. Left out, it is
            where the pixels vary most. size: pixels of the crop along y and x, at most 4096.

        The segmenter sees the tiles of a run, and prepares itself on the whole image. Nothing is written except to a
        temporary folder.
        """
        return self._previews(source, [{}], at, size, RunOptions.among(locals()))[0]

    def sweep(
        self,
        source: Any,
        options: Mapping[str, Sequence[Any]],
        *,
        at: Sequence[int] | None = None,
        size: int = 1024,
        channel: int | str | None = None,
        channels: Sequence[int | str] | None = None,
        level: int | None = None,
        spacing: float | None = None,
        axes: str | None = None,
        workers: int | None = None,
        empty: float | None = None,
        same_ids: bool = False,
        join_z: bool | float = False,
        given: Mapping[str, Any] | None = None,
        storage: Mapping[str, Any] | None = None,
    ) -> Sweep:
        """Previews of one place with each combination of values of the segmenter's options; the rest as for `preview`.

        options: by name the values to try; all values of the first stand in one row. At most 64 combinations. Where
        the options only decode what a network says, the network is called once.
        """
        from .engine.preview import Sweep, combinations

        shown = self._previews(source, combinations(options), at, size, RunOptions.among(locals()))
        return Sweep(previews=shown, columns=len(next(iter(options.values()))))

    def _previews(
        self,
        source: Any,
        options: Sequence[Mapping[str, Any]],
        at: Sequence[int] | None,
        size: int,
        run_options: RunOptions,
    ) -> tuple[Preview, ...]:
        from .engine.preview import previews, with_options

        pipelines = [replace(self, segmenter=with_options(self.segmenter, each)) if each else self for each in options]
        executions = [each._execution(run_options) for each in pipelines]
        return tuple(previews(list(zip(executions, options, strict=True)), source, at, size))

    def _execution(self, options: RunOptions) -> Execution:
        from .engine.execution import Execution

        return Execution(parts=self, options=options)

    def open(
        self, source: Any, *, level: int | None = None, spacing: float | None = None, axes: str | None = None
    ) -> Image:
        """The image that a run on this source would segment, opened lazily, with all its channels."""
        from .io.source import open_source

        return open_source(source, reader=self.reader, level=level, spacing=spacing, axes=axes).opened

    def effective_merger(self) -> Callable[..., Any]:
        """The merger of a run: the pipeline's own, else the one that the segmenter declares, else `touch`."""
        from .engine.planning import merger_of

        return merger_of(self)

    def to_dict(self) -> dict[str, Any]:
        """The pipeline as plain values, as `save` writes them and provenance records them."""
        parts = {part: configuration(part, said) for part in PARTS if (said := getattr(self, part)) is not None}
        several = {part: [configuration(kind, each) for each in getattr(self, part)] for part, kind in SEVERAL.items()}
        return parts | {part: records for part, records in several.items() if records}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Pipeline:
        """The pipeline of such a record. InvalidOption if it has other keys or lacks the segmenter."""
        extra = sorted(map(str, set(record) - {*PARTS, *SEVERAL}))
        if extra or "segmenter" not in record:
            wrong = f"has the unknown part {extra[0]!r}" if extra else "has no segmenter"
            raise InvalidOption(
                f"the pipeline {wrong}; its parts are {', '.join((*PARTS, *SEVERAL))}, of which segmenter is needed"
            )
        return cls(**dict(record))

    def save(self, path: str | Path) -> None:
        """Write the pipeline to a `.json` or `.toml` file. InvalidOption if a part comes from no plugin."""
        text = text_of(path, self.to_dict())
        self.check_saved(path, record_of(path, text))
        write_text(path, text, "pipeline")

    @classmethod
    def load(cls, path: str | Path) -> Pipeline:
        """Read a pipeline from a `.json` or `.toml` file, which is data: nothing in it is run."""
        return cls.from_dict(read_record(path, "pipeline"))

    def check_saved(self, path: str | Path, record: Mapping[str, Any]) -> None:
        """InvalidOption if the record that a file is to hold does not bring the pipeline back."""
        for part, said in _listed(record):
            if "distribution" not in said:
                raise InvalidOption(
                    f"{part} {said['name']!r} does not come from a plugin, so a file cannot name it; register it"
                )
        if lost := self._lost(record):
            raise InvalidOption(
                f"{path} cannot hold the options of {', '.join(lost)} as they are; "
                + ("use .json" if Path(path).suffix == ".toml" else "only plain values can be written")
            )

    def _lost(self, record: Mapping[str, Any]) -> list[str]:
        """The parts that would not come back from that record as they are."""
        pairs = zip(_listed(vars(self)), _listed(record), strict=True)
        return [part for (part, meant), (_, said) in pairs if not _comes_back(part, said, meant)]


def _listed(parts: Mapping[str, Any]) -> list[tuple[Kind, Any]]:
    """The parts that are there with their kinds, those of which there may be several one by one."""
    single: list[tuple[Kind, Any]] = [(part, said) for part in PARTS if (said := parts.get(part)) is not None]
    return single + [(kind, each) for part, kind in SEVERAL.items() for each in parts.get(part, ())]


def _comes_back(part: Kind, said: Any, meant: object) -> bool:
    try:
        return bool(component(part, said) == meant)
    except (TilewrightError, ValueError):  # an option that is refused, or arrays, which have no one answer
        return False
