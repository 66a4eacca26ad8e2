"""The page about a label image: what is in it, how it was made, and what to look at before one believes it."""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..abc.measurer import Column
from ..abc.traits import WriterTraits
from ..components.printable import printable, printable_values
from ..engine.recipe import provenance_at
from ..engine.table import Table, check_same_labels
from ..errors import InvalidImage, InvalidOption, NotReadable, TilewrightError
from ..functions.measure import measure
from ..functions.seams import check_seams
from ..image import Image
from ..image.drawing import colored, data_url, enlarged
from ..io.formats import choose_table, open_levels
from ..metrics.seams import SeamCheck
from ..storage.disk import write_whole
from .charts import histogram, number
from .objects import SHOWN, Objects
from .planes import Planes

__all__ = ["Report", "report"]

SIZE = {"name": "size", "configuration": {"properties": ("basic", "ellipse")}}
INTENSITY = {"name": "intensity", "configuration": {"properties": ("intensity_mean",)}}
AROUND = 24  # pixels to either side of an object that differs
TITLES = {"area": "size", "eccentricity": "eccentricity", "extent": "extent", "solidity": "solidity"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """A page in one file, which needs no network and no file beside it.

    html: the page. facts: its figures, as JSON's values; the page holds them too, as `application/json`.
    """

    html: str
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Report({self.facts['labels']!r}, {self.facts['n_objects']:,} objects, {len(self.html):,} characters)"

    def save(self, path: str | Path) -> Path:
        """Write the page, whole or not at all."""
        target = Path(path).absolute()
        write_whole(target, self.html)
        return target


def report(
    labels: str | Path,
    image: str | Path | None = None,
    *,
    table: str | Path | None = None,
    storage: Mapping[str, Any] | None = None,
    seams: bool = True,
) -> Report:
    """The page about a label image of any size, in bounded time and memory.

    image: what was segmented; by default what the provenance of the labels names. Without it pictures are outlines.
    table: of these labels, with what `size` measures; by default the one that their run wrote, else the objects are
        measured, for which `tilewright-measure` has to be installed. storage: how buckets are opened.
    seams: whether what tiling did is checked (`check_seams`), which segments crops again.

    InvalidImage for labels without y and x; InvalidOption for a table that lacks columns, and if what the report needs
    is not installed; InvalidLabels for a table of other labels.
    """
    sources = _Sources.of(os.fspath(labels), None if image is None else os.fspath(image), storage)
    measured = sources.table(table)
    objects = Objects.of(measured, sources.labels[0].spatial_axes)
    checked, note = sources.checked() if seams else (None, "")
    facts = printable_values({**sources.facts(), **_figures(objects), "seams": checked and checked.plain()})
    page = {
        "facts": facts,
        "seams": (checked, note),
        "planes": Planes(labels=sources.labels, image=sources.image),
        "objects": objects,
        "sources": sources,
    }
    return Report(html=_page(**page), facts=facts)


@dataclass(frozen=True, kw_only=True)
class _Sources:
    """What a report is made of. image: one channel of it, at its levels; empty if it cannot be opened."""

    path: str
    labels: tuple[Image, ...]
    image: tuple[Image, ...]
    provenance: Mapping[str, Any]
    note: str = ""
    named: str = ""
    storage: Mapping[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, path: str, image: str | None, storage: Mapping[str, Any] | None) -> _Sources:
        opened = open_levels(path, storage=storage)
        if not {"y", "x"} <= set(opened[0].axes):
            raise InvalidImage(f"{path!r} has axes {opened[0].axes!r}, but a report shows planes of y and x")
        provenance = provenance_at(path)
        made: tuple[Image, ...] = ()
        note, named = "", image or str(provenance.get("source") or "")
        if named:
            reader = None if image else provenance.get("pipeline", {}).get("reader")
            try:
                made = tuple(
                    _channel(each, provenance.get("channels"))
                    for each in open_levels(named, reader=reader, storage=storage)
                )
            except TilewrightError as error:
                if image:
                    raise
                note = f"The image is not shown: {error}"
        return cls(path=path, labels=opened, image=made, provenance=provenance, note=note, named=named, storage=storage)

    @property
    def tile(self) -> dict[str, int]:
        tiles = self.provenance.get("tiles", {})
        return dict(zip(tiles.get("axes", ""), tiles.get("largest", ()), strict=False))

    def table(self, path: str | Path | None) -> Table:
        """The table that is given, or that the run wrote, or one that is measured now."""
        record = self.provenance.get("table", {})
        chosen = os.fspath(path) if path is not None else str(record.get("path") or "")
        if chosen and (path is not None or Path(chosen).exists()):
            found = _opened(chosen)
            if found is not None:
                if found.provenance:
                    check_same_labels(found.provenance, self.provenance)
                return found
            if path is not None:
                raise InvalidOption(f"the format of {chosen!r} cannot be read back; leave the table out")
        measurers = [SIZE, INTENSITY] if self._fits else [SIZE]
        return measure(self.labels[0], self.image[0] if self._fits else None, measure=measurers)

    def checked(self) -> tuple[SeamCheck | None, str]:
        """What tiling did to the labels; None, and why, if it cannot be checked."""
        try:
            return check_seams(self.path, self.named or None), ""
        except TilewrightError as error:
            return None, str(error)

    @property
    def _fits(self) -> bool:
        """Whether intensities can be measured: the image has the shape of the labels."""
        return bool(self.image) and self.image[0].shape == self.labels[0].shape

    def facts(self) -> dict[str, Any]:
        labels, provenance = self.labels[0], self.provenance
        return {
            "tilewright": __version__,
            "labels": self.path,
            "image": self.named,
            "axes": labels.axes,
            "shape": list(labels.shape),
            "spacing": dict(labels.spacing),
            "units": dict(labels.units),
            "tiles": provenance.get("tiles", {}),
            "n_skipped": provenance.get("n_skipped", 0),
            "n_undrawn": provenance.get("n_undrawn", 0),
            "failed": list(provenance.get("failed", ())),
            "started": provenance.get("started", ""),
            "seconds": dict(provenance.get("seconds", {})),
            "pipeline": provenance.get("pipeline", {}),
        }


def _channel(image: Image, chosen: Any) -> Image:
    """The first of the channels that were segmented."""
    first = chosen[0] if isinstance(chosen, Sequence) and chosen else chosen
    return image.select(first if isinstance(first, int) else 0) if "c" in image.axes else image


def _opened(path: str) -> Table | None:
    """A table at a path; None if its format cannot be read back."""
    if not Path(path).exists():
        raise NotReadable(f"there is no table at {path!r}; check the path")
    traits = WriterTraits.of(choose_table(path), "table")
    data = None if traits.opened is None else traits.opened(path)
    if data is None:
        return None
    columns = {name: Column(dtype=str(np.asarray(data[name][:1]).dtype)) for name in data}
    provenance = traits.provenance(path) or {}
    rows = len(data["label"]) if "label" in data else 0
    return Table(path=Path(path), columns=columns, n_rows=rows, too_large=(), provenance=provenance, data=data)


def _figures(objects: Objects) -> dict[str, Any]:
    """The figures of the objects, by column: the least, the median and the greatest."""
    columns = {"num_pixels": objects.pixels, **objects.columns}
    ends = {
        name: [float(f(values)) for f in (np.nanmin, np.nanmedian, np.nanmax)]
        for name, values in columns.items()
        if len(values) and np.isfinite(values).any()
    }
    return {"n_objects": len(objects), "figures": ends}


def _page(
    facts: Mapping[str, Any],
    seams: tuple[SeamCheck | None, str],
    planes: Planes,
    objects: Objects,
    sources: _Sources,
) -> str:
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise InvalidOption(
            f"a report cannot be made: {error}; install what it needs: pip install 'tilewright[report]'"
        ) from error

    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["number"] = number
    overview = planes.overview()
    shape = dict(zip(sources.labels[0].axes, sources.labels[0].shape, strict=True))
    return page.from_string(Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")).render(
        facts=facts,
        note=printable(sources.note),
        overview=None if overview is None else data_url(overview),
        seams=seams[0],
        no_seams=printable(seams[1]),
        differences=[] if seams[0] is None else _differences(planes, seams[0]),
        galleries=_galleries(planes, objects, sources.tile),
        charts=_charts(objects),
        density=_density(objects, shape) if len(objects) else None,
        repeat=_repeat(facts),
    )


def _galleries(planes: Planes, objects: Objects, tile: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
    def shown(row: int) -> dict[str, Any]:
        label, pixels = int(objects.label[row]), int(objects.pixels[row])
        picture = data_url(planes.crop(objects.box(row), int(objects.time[row]), label))
        return {"picture": picture, "label": label, "pixels": pixels}

    return {name: [shown(row) for row in rows] for name, rows in objects.groups(tile).items()}


def _differences(planes: Planes, checked: SeamCheck) -> list[dict[str, Any]]:
    """Objects at seams that are others in one piece, the worst first."""
    shown = []
    for each in checked.differences[:SHOWN]:
        place = dict(zip(checked.axes, each.place, strict=True))
        box = {axis: slice(max(0, at - AROUND), at + AROUND) for axis, at in place.items() if axis != "t"}
        picture = data_url(planes.crop(box, place.get("t", 0), each.label))
        shown.append({"picture": picture, "label": each.label, "how": each.how, "iou": each.iou})
    return shown


def _charts(objects: Objects) -> list[dict[str, str]]:
    sizes = {"area": objects.columns.get("area", objects.pixels)}
    charts = []
    for name, values in {**sizes, **objects.columns}.items():
        finite = values[np.isfinite(values)].astype(np.float64)
        logarithmic = name == "area" and bool((finite > 0).all())
        unit = objects.units.get(name, "") if name in objects.columns else "pixels"
        title = TITLES.get(name, name.replace("_", " "))
        charts.append({"title": title, "unit": unit, "svg": histogram(finite, logarithmic=logarithmic)})
    return [chart for chart in charts if chart["svg"]]


def _density(objects: Objects, shape: Mapping[str, int]) -> dict[str, Any]:
    counts = objects.density(shape, cells=int(np.clip(math.sqrt(len(objects) / 4), 6, 60)))
    times = max(1, 480 // max(counts.shape))
    side = -(-max(shape["y"], shape["x"]) // max(counts.shape))
    return {"picture": data_url(enlarged(colored(counts), times)), "most": int(counts.max()), "side": side}


def _repeat(facts: Mapping[str, Any]) -> dict[str, str] | None:
    """The pipeline as a file, and the command that runs it; None for labels of another tool."""
    if not facts["pipeline"]:
        return None
    places = f"{shlex.quote(facts['image'])} {shlex.quote(facts['labels'])}"
    command = f"tilewright run {places} --pipeline pipeline.json --overwrite"
    return {"pipeline": json.dumps(facts["pipeline"], indent=2), "command": command}
