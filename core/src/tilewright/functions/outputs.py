"""Where the functions put labels: an array in a zarr group, beside what the group holds already."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..abc.writer import LabelSpec
from ..builtin.zarr_array import ZarrArray, ZarrArraySink
from ..errors import AlreadyExists, InvalidOption
from ..io.destination import OUTPUT, check_local
from ..io.source import identity_of
from ..storage.disk import discard
from ..storage.hierarchy import changed_hierarchy, check_node, is_node
from ..storage.machine import cpus
from ..storage.replace import recover
from .temporary import TemporaryArray, TemporaryFolder

if TYPE_CHECKING:
    from dask.array import Array as DaskArray

    from ..engine.result import Result
    from ..engine.table import Table

__all__ = ["GroupArray", "Output"]


@dataclass(frozen=True, kw_only=True)
class GroupArray:
    """Write labels as one array of a zarr group, which is made if it is new and otherwise keeps what it holds."""

    component: str = field(default="labels", metadata={"help": "the array's name in the group, or a path in it"})

    def __call__(self, path: str, spec: LabelSpec) -> GroupArraySink:
        store = self.beside(path).resolve()
        zarr_format = _zarr_format(store)
        ZarrArray(zarr_format=zarr_format)(path, spec)
        component = Path(path).relative_to(self.beside(path))
        return GroupArraySink(spec.workdir / "labels.zarr", store / component, store, zarr_format)

    def beside(self, path: str) -> Path:
        """The group's folder."""
        return Path(path).parents[len(Path(self.component).parts) - 1]


class GroupArraySink(ZarrArraySink):
    """An array beside its group until it is finished."""

    def __init__(self, aside: Path, path: Path, store: Path, zarr_format: Literal[2, 3]) -> None:
        super().__init__(aside, path)
        self._store, self._zarr_format = store, zarr_format

    def finish(self, provenance: Mapping[str, Any]) -> None:
        import zarr

        inner = self._path.parent.relative_to(self._store)
        with changed_hierarchy(self._store, self._path):
            for folder in (self._store, *(self._store / part for part in reversed([inner, *inner.parents][:-1]))):
                if not is_node(folder):
                    zarr.create_group(folder, zarr_format=self._zarr_format)
            self._place(provenance)
        recover(self._aside, self._path)


@dataclass(frozen=True, kw_only=True)
class Output:
    """The store that a run writes to, and the array in it. `temporary`: nobody named the store.

    outputs: of a segmenter with several, their names, for which `{output}` stands in the component.
    """

    store: Path
    component: str
    temporary: bool = False
    outputs: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def of(
        cls, write_to: str | Path | None, component: str, *, spare: object = None, outputs: tuple[str, ...] = ()
    ) -> Iterator[Output]:
        """The output that a user asked for, checked before any work. A temporary one is removed if the run fails.

        spare: the image, which the output must not overwrite. outputs: the names of the segmenter's outputs, which are
        arrays in `component` then, unless that says where their names go.

        InvalidOption if it would; AlreadyExists, even with `overwrite`, for what is no earlier output: a file, a folder
        without zarr metadata, an array where the group should be, a group where the array should be.
        """
        if not _is_component(component):
            raise InvalidOption(
                f"output_component {component!r} is not a name in a zarr group; give one such as 'labels'"
            )
        if outputs and OUTPUT not in component:
            component = f"{component}/{OUTPUT}"
        if write_to is not None:
            check_local(write_to)
            output = cls(store=Path(write_to).absolute(), component=component, outputs=outputs)
            for name in outputs or ("",):
                each = replace(output, component=component.replace(OUTPUT, name)) if name else output
                each._check_spared(spare)
                each._check_room()
            yield output
            return
        folder = Path(tempfile.mkdtemp(prefix="tilewright-"))
        try:
            yield cls(store=folder / "labels.zarr", component=component, temporary=True, outputs=outputs)
        except BaseException:
            discard(folder)
            raise

    @property
    def path(self) -> Path:
        return self.store / self.component

    def labels(self, result: Result, *, compute: bool) -> tuple[Any, Any]:
        """The labels of a run, a lazy dask array of the output or a numpy array, and its table.

        Of a segmenter with several outputs both are mappings by their names.
        """
        folder = TemporaryFolder(self.store.parent) if self.temporary else None
        if not result.outputs:
            return self._labels(result, folder, compute=compute)
        made = {name: self._labels(each, folder, compute=compute) for name, each in result.outputs.items()}
        tables = {name: table for name, (_, table) in made.items() if table is not None}
        return {name: labels for name, (labels, _) in made.items()}, tables or None

    def _labels(self, result: Result, folder: TemporaryFolder | None, *, compute: bool) -> tuple[Any, Table | None]:
        import dask.array

        lazy: DaskArray = result.labels
        table = result.table
        if folder is not None and result.data is not None:
            held = TemporaryArray(result.data, folder)
            lazy = dask.array.from_array(held, chunks=lazy.chunks, asarray=False)  # type: ignore[no-untyped-call]
            table = None if table is None else replace(table, holds=held)
        if not compute:
            return lazy, table
        # Not with dask's own threads: a process that was forked from one that had used them would wait for them.
        with ThreadPoolExecutor(cpus()) as pool:
            return lazy.compute(scheduler="threads", pool=pool), table  # type: ignore[no-untyped-call]  # it is not typed

    def _check_spared(self, image: object) -> None:
        destroyed = identity_of(image).destroyed_by(self.path) if self.path.exists() else None
        if destroyed is not None:
            raise InvalidOption(f"{self.path} holds pixels of the image {destroyed}; choose another output_component")

    def _check_room(self) -> None:
        parents = [self.store, *(self.store / part for part in reversed(Path(self.component).parents[:-1]))]
        for folder in parents:
            if folder.exists() and not _is_group(folder) and not (folder.is_dir() and not any(folder.iterdir())):
                what = "a zarr array" if _is_array(folder) else "not a zarr group"
                raise AlreadyExists(
                    f"{folder} exists and is {what}, so {self.component!r} cannot be put into it; choose another "
                    "write_to"
                )
        if self.path.exists() and not _is_array(self.path):
            raise AlreadyExists(
                f"{self.path} exists and is not a zarr array; choose another output_component or write_to"
            )


def _is_component(name: object) -> bool:
    if not isinstance(name, str):
        return False
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and not any(part.startswith((".", "__")) for part in parts)


def _zarr_format(store: Path) -> Literal[2, 3]:
    """That of a group which is there, because one of the other format would not find the array; 3 for a new one."""
    return 2 if (store / ".zgroup").exists() and not (store / "zarr.json").exists() else 3


def _is_array(folder: Path) -> bool:
    import zarr

    check_node(folder)
    return is_node(folder) and isinstance(zarr.open(folder, mode="r"), zarr.Array)


def _is_group(folder: Path) -> bool:
    return is_node(folder) and not _is_array(folder)
