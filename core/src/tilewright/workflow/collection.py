"""Several images at one path, such as those of a plate, and one run over all of them."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..components.quantities import whole_number
from ..errors import AlreadyExists, InvalidOption, TilewrightError
from ..io.formats import image_in
from ..pipeline import Pipeline
from ..run_options import SHARED, RunOptions
from ..storage.location import Location
from ..storage.machine import cpus
from . import OWN, Step, Workflow
from .done import ImageDone

if TYPE_CHECKING:
    from ..engine.forecast import Forecast
    from ..engine.shared import Shared
    from .totals import Totals

__all__ = ["Collection"]

NAMED = 10  # images in a message


@dataclass(frozen=True, kw_only=True)
class Prepared(Pipeline):
    """A pipeline of which some parts are prepared on several images."""

    shared: Shared | None = None


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Images by name, in their order: the fields of a plate, scenes of a file, files of a folder or a pattern.

    >>> plate = Collection(images={"A/1/0": "plate.zarr/A/1/0", "B/1/0": "plate.zarr/B/1/0"})
    >>> list(plate.only("A/*"))
    ['A/1/0']
    """

    images: Mapping[str, str]

    @classmethod
    def open(cls, path: str | Path, *, reader: Any = None) -> Self:
        """The images at a path: those that its reader lists, or every file of a folder or a pattern.

        A path that is one image is a collection of one. NotReadable if there is none.
        """
        from ..io.collection import all_images

        return cls(images=all_images(path, reader=reader))

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def __getitem__(self, name: str) -> str:
        return self.images[name]

    @property
    def names(self) -> str:
        """Some of the names, for a message."""
        return ", ".join(list(self.images)[:NAMED]) + (", …" if len(self.images) > NAMED else "")

    def only(self, pattern: str) -> Collection:
        """The images whose names match a pattern of `fnmatch`, such as `A/*`. InvalidOption if none does."""
        chosen = {name: path for name, path in self.images.items() if fnmatchcase(name, pattern)}
        if not chosen:
            raise InvalidOption(f"no image has a name like {pattern!r}; there are: {self.names}")
        return Collection(images=chosen)

    def run(
        self, work: Pipeline | Workflow, destination: str | Path | None = None, *, jobs: int = 1, **options: Any
    ) -> list[ImageDone]:
        """Run a pipeline or workflow on every image, and return what became of each; see `running`."""
        return list(self.running(work, destination, jobs=jobs, **options))

    def running(
        self,
        work: Pipeline | Workflow,
        destination: str | Path | None = None,
        *,
        jobs: int = 1,
        shared_prepare: bool = False,
        table: str | Path | None = None,
        table_format: Any = None,
        **options: Any,
    ) -> Iterator[ImageDone]:
        """Run a pipeline or workflow on every image, and return each image when it is done, in their order.

        Each has a run and a checkpoint of its own. An image whose labels are there and made from the same is done, as
        in a workflow. One that fails does not end the others: its error is kept, and the same call does it again.

        work: a pipeline is a workflow of one step, which has the option `name`.
        destination: a folder, in which each image has a folder of its name; None for labels in the images' own stores.
        shared_prepare: what components prepare on an image (`prepare`), such as a threshold, they prepare once on all
            of these images together. The labels hold on which: with one image more, or without this option, they are
            others, and the run is refused before it begins.
        jobs: images at once, each with its share of this machine's CPUs unless `workers` says how many threads.
        table: where the table of all images goes, whose first column says the image; of work that measures one label
            image. Its suffix says the format, else `table_format`. It is written as images are done, and put into its
            place after the last one. Each image has a table of its own too, beside its labels.
        options: those of `Workflow.run`, and for a pipeline its own too.
        """
        from .table import check_table, tabled

        jobs = whole_number("jobs", jobs, least=1)
        workflow, shared = _work_of(work, options)
        if jobs > 1 and shared.get("workers") is None:
            shared["workers"] = max(1, cpus() // jobs)
        _check_tables(self, workflow, destination)
        if destination is None:
            _check_own_places(self.images)
        check_table(table, workflow, table_format)
        if shared_prepare:
            workflow = self._prepared(workflow, shared)
        homes = _homes(self.images, destination, make_parents=bool(shared.get("make_parents")))
        if shared_prepare and not shared.get("overwrite"):
            self._check_prepared(workflow, homes, shared)
        tasks: list[Callable[[], ImageDone]] = [
            partial(_done, workflow, name, path, homes[name], shared | ({"make_parents": True} if destination else {}))
            for name, path in self.images.items()
        ]
        images = _one_by_one(tasks) if jobs == 1 else _at_once(tasks, jobs)
        return images if table is None else tabled(images, table, table_format)

    def plan(
        self, work: Pipeline | Workflow, destination: str | Path | None = None, *, sample: int = 8, **options: Any
    ) -> Totals:
        """What a run on all images would take, summed for each step.

        One image is planned of all that have the same axes, shape, dtype, chunks, channels and resolutions. Options are
        those of `Workflow.plan`, and for a pipeline those of `Pipeline.plan`. An image that cannot be opened is listed.
        """
        from ..engine.execution import Execution
        from .totals import totals

        homes = _homes(self.images, destination, make_parents=True)
        first = work if isinstance(work, Pipeline) else next(iter(work.steps.values())).pipeline
        own = RunOptions() if isinstance(work, Pipeline) else next(iter(work.steps.values())).options
        execution = Execution(parts=first, options=replace(own, **options))

        def planned(name: str, tiles: int) -> Mapping[str, Forecast]:
            if isinstance(work, Workflow):
                return work.plan(self.images[name], homes[name], sample=tiles, **options)
            return {RunOptions.name: work.plan(self.images[name], sample=tiles, **options)}

        return totals(self.images, lambda path: execution.open(path).whole, planned, sample)

    def _prepared(self, workflow: Workflow, shared: Mapping[str, Any]) -> Workflow:
        """The workflow with its steps prepared on all images. InvalidOption if nothing in it is."""
        steps = {name: self._prepared_step(step, shared) for name, step in workflow.steps.items()}
        if all(step.pipeline.shared is None for step in steps.values()):
            raise InvalidOption(
                "shared_prepare is given, but no segmenter or transform prepares anything on pixels alone; leave it out"
            )
        return Workflow(steps=steps)

    def _prepared_step(self, step: Step, shared: Mapping[str, Any]) -> Step:
        from ..engine.execution import Execution
        from ..engine.planning import prepared_together

        options = replace(step.options, **{name: shared[name] for name in ("axes", "storage") if name in shared})
        execution = Execution(parts=step.pipeline, options=options)
        sources = {name: execution.open(path) for name, path in self.images.items()}
        return replace(
            step, pipeline=Prepared(**vars(step.pipeline) | prepared_together(step.pipeline, sources, options))
        )

    def _check_prepared(self, workflow: Workflow, homes: Mapping[str, Path | None], shared: Mapping[str, Any]) -> None:
        """AlreadyExists if the first labels that are there were prepared otherwise: then all are."""
        for name, path in self.images.items():
            stages = list(workflow.stages(path, homes[name], RunOptions(**shared), {}))
            if text := "; ".join(filter(None, (stage.prepared_otherwise for stage in stages))):
                raise AlreadyExists(
                    f"the labels of image {name} are there, and are not what this run makes: {text}. Pass "
                    "overwrite=True (--overwrite) to repeat all images, or choose the images of before (--only)"
                )
            if any(stage.prepared_otherwise is not None for stage in stages):
                return


def _work_of(work: Pipeline | Workflow, options: Mapping[str, Any]) -> tuple[Workflow, dict[str, Any]]:
    """The workflow of a run on one image, and the options of all its steps."""
    shared = {name: value for name, value in options.items() if name in SHARED}
    rest = {name: value for name, value in options.items() if name not in SHARED}
    if isinstance(work, Workflow):
        if rest:
            raise InvalidOption(f"{next(iter(rest))} is an option of a step; say it in the workflow")
        return work, shared
    name = rest.pop("name", RunOptions().name)
    if strange := [each for each in rest if each not in OWN]:
        raise InvalidOption(f"a run has no option {strange[0]!r}; its options are {', '.join((*OWN, *SHARED, 'name'))}")
    return Workflow(steps={name: Step(pipeline=work, options=RunOptions(**rest))}), shared


def _check_tables(images: Collection, workflow: Workflow, destination: str | Path | None) -> None:
    """InvalidOption for the table of a step that would be at one path for all images."""
    for name, step in workflow.steps.items():
        table = step.options.table
        if len(images) > 1 and table is not None and (destination is None or Path(table).is_absolute()):
            raise InvalidOption(
                f"the table {table} of step {name!r} would be one path for {len(images)} images; give a relative path "
                "and an output folder, in which each image has a folder of its own, or leave table out: it then lies "
                "beside the labels"
            )


def _homes(images: Mapping[str, str], destination: str | Path | None, *, make_parents: bool) -> dict[str, Path | None]:
    """By image the folder of its labels. InvalidOption for a destination in a folder that is not there."""
    if destination is None:
        return dict.fromkeys(images)
    home = Path(destination).absolute()
    if home.exists() and not home.is_dir():
        raise InvalidOption(f"{home} is not a folder, and each image has a folder in it; give another path")
    if not home.parent.is_dir() and not make_parents:
        raise InvalidOption(
            f"there is no folder {home.parent} for the labels; correct the path, or pass make_parents=True "
            "(--make-parents) to have it made"
        )
    return {name: home / name for name in images}


def _check_own_places(images: Mapping[str, str]) -> None:
    """InvalidOption if several images lie in one file: beside it there is one place for labels."""
    chosen = (image_in(Location.of(path)) for path in images.values())
    files = Counter(place for place, image in chosen if image and place.local is not None and place.local.is_file())
    for file, count in files.items():
        if count > 1:
            raise InvalidOption(
                f"the labels of the {count} images in {file} would be at one path beside it; give an output folder, in "
                "which each image has a folder of its own, or choose one image (--only)"
            )


def _done(workflow: Workflow, name: str, path: str, home: Path | None, options: Mapping[str, Any]) -> ImageDone:
    try:
        return ImageDone(name=name, path=path, results=workflow.run(path, home, **options))
    except TilewrightError as error:
        return ImageDone(name=name, path=path, error=error)


def _one_by_one(tasks: list[Callable[[], ImageDone]]) -> Iterator[ImageDone]:
    return (task() for task in tasks)


def _at_once(tasks: list[Callable[[], ImageDone]], jobs: int) -> Iterator[ImageDone]:
    """The images in their order, so many at once; those that wait are given up when the caller stops."""
    with ThreadPoolExecutor(jobs) as pool:
        futures = deque(pool.submit(task) for task in tasks)
        try:
            while futures:
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()
