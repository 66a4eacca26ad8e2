"""The parts of a pipeline as the command line says them: a name, options as text, and a file that they override."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..components.specs import Kind
from ..errors import InvalidOption

if TYPE_CHECKING:
    from ..pipeline import Pipeline

__all__ = ["Texts", "measurers_of", "part_of", "pipeline_of", "reader_for", "setting"]

Texts = Mapping[str, str]

Record = dict[str, Any]


def setting(kind: Kind) -> str:
    """The command-line option that sets the options of a part."""
    return "--set" if kind == "segmenter" else f"--{kind}-set"


def pipeline_of(said: Mapping[str, Any], image: str) -> Pipeline:
    """The pipeline of what the command `run` was told, for an image.

    Parts and options said one by one override those of the pipeline file. Options of a file's part are kept as long
    as the part is of the same name.
    """
    from ..pipeline import PARTS, Pipeline

    base = Pipeline.load(said["pipeline"]).to_dict() if said["pipeline"] else {}
    if not said["segmenter"] and not base:
        raise click.UsageError(f"Missing option '--segmenter' (or '--pipeline'). {_installed_segmenters()}")
    others = [kind for kind in PARTS if kind not in ("reader", "tiler")]
    parts: Record = {kind: part_of(kind, said[kind], said[f"{kind}_set"], base.get(kind)) for kind in others}
    parts["reader"] = reader_for(image, said["reader"], said["reader_set"], base.get("reader"))
    parts["tiler"] = _tiler(said, base.get("tiler"))
    transforms = [part_of("transform", name, texts) for name, texts in said["transforms"]]
    parts["transforms"] = transforms or base.get("transforms")
    parts["measure"] = measurers_of(said["measure"], said["measure_set"], base.get("measure", ())) or None
    return Pipeline.from_dict({kind: part for kind, part in parts.items() if part is not None})


def measurers_of(names: Sequence[str], texts: Texts, base: Sequence[Record] = ()) -> list[Record]:
    """The records of measurers, from their names (those of a file if there are none) and texts as `size.digits=2`.

    InvalidOption for an option of a measurer that nobody names.
    """
    before = {each["name"]: each for each in base}
    chosen = list(names or before)
    own: dict[str, dict[str, str]] = {name: {} for name in chosen}
    for key, value in texts.items():
        name, _, option = key.partition(".")
        if name not in own or not option:
            raise InvalidOption(
                f"--measure-set {key}={value} sets no option of a measurer that is named; write NAME.OPTION=VALUE with "
                f"a name of --measure ({', '.join(chosen) or 'none is named'})"
            )
        own[name][option] = value
    return [part for name in own if (part := part_of("measurer", name, own[name], before.get(name))) is not None]


def part_of(kind: Kind, name: str | None, texts: Texts, base: Record | None = None) -> Record | None:
    """The record of one part, or None if nothing is said of it.

    InvalidOption for options of a part that nobody names, because which component has them is then not known.
    """
    from ..components.blame import blamed
    from ..components.options import parse
    from ..components.registry import registry

    chosen = name or (base["name"] if base else None)
    if chosen is None:
        if texts:
            raise InvalidOption(f"{setting(kind)} sets options of a {kind}, but none is named; name it with --{kind}")
        return None
    kept = base.get("configuration", {}) if base and base["name"] == chosen else {}
    target = registry().load(kind, chosen)
    with blamed(kind, target, "reading the types of its options"):
        return {"name": chosen, "configuration": {**kept, **parse(target, texts)}}


def reader_for(image: str, name: str | None, texts: Texts, base: Record | None = None) -> Record | None:
    """The record of the reader; options without a name are of the one that fits the image."""
    from ..components.blame import name_of
    from ..io.formats import choose_reader, image_in
    from ..storage.location import Location

    if texts and not (name or base):
        name = name_of("reader", choose_reader(image_in(Location.of(image))[0]))
    return part_of("reader", name, texts, base)


def _tiler(said: Mapping[str, Any], base: Record | None) -> Record | None:
    """The tiler: `--tile` alone means `grid`, `--halo` alone `auto`; a file's halo stays if only the tile changes."""
    texts = {**said["tiler_set"], **{key: said[key] for key in ("tile", "halo") if said[key] is not None}}
    if said["tiler"] is not None:
        return part_of("tiler", said["tiler"], texts, base)
    if said["tile"] is not None:
        halo = base["configuration"].get("halo") if base and base["name"] in ("auto", "grid") else None
        return part_of("tiler", "grid", texts, {"name": "grid", "configuration": {"halo": halo}})
    return part_of("tiler", None if base or not texts else "auto", texts, base)


def _installed_segmenters() -> str:
    from ..components.registry import registry

    names = ", ".join(sorted(each.spec.name for each in registry().components("segmenter")))
    return f"Installed are: {names or 'none'}."
