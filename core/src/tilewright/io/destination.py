"""Where the labels go: the path, its writer, and the checkpoint beside it, and checks that protect what is there."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..abc.traits import WriterTraits
from ..components.blame import whose
from ..components.resolve import component
from ..components.specs import Kind
from ..errors import AlreadyExists, InvalidOption
from ..storage.disk import LONGEST_NAME, LONGEST_PATH, fitting
from ..storage.hierarchy import is_node
from ..storage.identity import Identity
from ..storage.location import ARCHIVES, ZIP, Location
from .formats import choose_table, choose_writer

__all__ = ["OUTPUT", "Destination", "check_local", "for_output", "place_for"]

OUTPUT = "{output}"  # in a path: the name of one of several outputs

URL = re.compile(r"[a-z][a-z0-9+.-]+:[/:]|file:", re.IGNORECASE)  # as fsspec has them; a drive has one letter
FILE = re.compile("file:", re.IGNORECASE)
ROOM = 512  # bytes of a path that an output and the files that it is built from take at most


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A path for labels or a table, the writer that makes it, and the folder of the run's checkpoint.

    checkpoint: where the run keeps what it has done: `beside`, or in the folder that the user chose.
    beside: the folder beside the output that a run locks, wherever its checkpoint lies. So an output has one run at a
        time, and what is built there is found after a kill.
    temporary: if the user gave no destination, the folder to remove when the labels are not needed any more.
    """

    path: str
    writer: Callable[..., Any]
    checkpoint: Path
    beside: Path
    temporary: Path | None = None
    kind: Kind = "writer"

    @property
    def place(self) -> Path | Location:
        """The path as a `Path`, or the URL."""
        location = Location.of(self.path)
        return location if location.local is None else location.local

    @property
    def workdir(self) -> Path:
        """Where the writer builds its output before it is moved to the path, on the same file system."""
        return self.beside / "output"

    @property
    def predictions(self) -> Path:
        """Where a run keeps what a network says, for runs after it, beside its checkpoint."""
        return self.checkpoint.with_name(f"{self.checkpoint.stem}.predictions.tilewright")

    @classmethod
    def find(
        cls,
        said: str | Path | None,
        *,
        source: str,
        name: str,
        writer: Any = None,
        checkpoint_dir: str | Path | None = None,
        kind: Kind = "writer",
        storage: Mapping[str, Any] | None = None,
    ) -> Destination:
        """The destination that a user gives, or the one that belongs to the source if that is None.

        writer: a name, an instance, a function or a mapping; the one that fits the path if None.
        kind: of the writer, which may be a table's format. storage: how a bucket is opened.

        None puts labels where the writer puts labels of the source image (an OME-Zarr's own `labels` group), or, for an
        image in memory, into a temporary folder. InvalidOption if the writer has no such place.
        """
        if said is None and not source:
            default = "zarr-array" if kind == "writer" else "zarr-table"
            return cls._temporary(name, component(kind, writer or default), checkpoint_dir, kind)
        if said is not None:
            said = place_for(said, storage)
        chosen = writer
        if chosen is None and kind == "table":
            chosen = choose_table(str(said))
        elif chosen is None:
            chosen = choose_writer(str(said or source), of_source=said is None)
        chosen = component(kind, chosen)
        if said is None:
            place = WriterTraits.of(chosen, kind).destination
            if place is None:
                raise InvalidOption(
                    f"no output was given, and {whose(kind, chosen)} has no place for labels beside an image; give "
                    "an output path"
                )
            said = Location.of(place(source, name), storage)
        path = Location.of(said).absolute
        _check_writable(path, chosen, kind)
        checkpoint, beside = _folders(path, chosen, checkpoint_dir, kind)
        return cls(path=path, writer=chosen, checkpoint=checkpoint, beside=beside, kind=kind)

    @classmethod
    def _temporary(
        cls, name: str, writer: Callable[..., Any], checkpoint_dir: str | Path | None, kind: Kind
    ) -> Destination:
        folder = Path(tempfile.mkdtemp(prefix="tilewright-"))
        path = str(folder / name)
        checkpoint, beside = _folders(path, writer, checkpoint_dir, kind)
        return cls(path=path, writer=writer, checkpoint=checkpoint, beside=beside, temporary=folder, kind=kind)

    def check(self, source: Identity, *, make_parents: bool) -> None:
        """Refuse, before any work, a destination that would destroy the source or cannot be moved to.

        make_parents: whether the run makes folders above the output and the checkpoint that do not exist.
        """
        remote = not Location.of(self.path).local
        if not remote:
            _check_parents(self.beside, f"the output {self.path}", made=make_parents)
        if remote or self.checkpoint != self.beside:  # it is in a folder that the user named, which is made
            named = self.checkpoint if self.checkpoint.parent.exists() else self.checkpoint.parent
            _check_parents(named, f"the checkpoint {named}", made=make_parents)
        destroyed = source.destroyed_at(Location.of(self.path)) if remote else source.destroyed_by(Path(self.path))
        if destroyed is not None:
            raise InvalidOption(
                f"the destination {self.path} would overwrite the image {destroyed}; choose another one"
            )
        if not remote and _device(self.beside) != _device(Path(self.path).resolve().parent):
            raise InvalidOption(
                f"{self.path} leads to another file system than {self.beside.parent}, where its labels would be built; "
                "give the path that it leads to"
            )

    def check_free(self) -> None:
        """AlreadyExists if something is at the path."""
        if WriterTraits.of(self.writer, self.kind).exists(self.path):
            raise AlreadyExists(
                f"{self.path} exists; choose another destination, or pass overwrite=True (--overwrite) to replace it"
            )


def _folders(path: str, writer: Callable[..., Any], checkpoint_dir: str | Path | None, kind: Kind) -> tuple[Path, Path]:
    """The checkpoint, and the folder beside the output, or beside the whole store for an output within one.

    In a folder that the user chose, a digest of the path keeps apart outputs of one name from several folders.
    """
    location = Location.of(path)
    if location.local is None:
        return _far_folders(location, checkpoint_dir)
    home = Path(WriterTraits.of(writer, kind).beside(path))
    # a link may lead to another file system, and nothing can be moved there from here
    real, whole = home.resolve(), Path(path).resolve()
    inner = whole.relative_to(real) if whole.is_relative_to(real) else Path(path).relative_to(home)
    name = ".".join((real.name, *inner.parts))
    beside = real.parent / fitting(name, ".tilewright")
    if checkpoint_dir is None:
        return beside, beside
    check_local(checkpoint_dir)
    folder, digest = Path(checkpoint_dir).absolute(), hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()
    return folder / fitting(name, f".{digest}.tilewright"), beside


def for_output(path: str | Path | None, output: str, outputs: Sequence[str], what: str) -> str | Path | None:
    """The path of one of a segmenter's outputs, from one in which `{output}` stands for its name.

    what: it is called. InvalidOption for a path without `{output}` if there are several outputs, and with it if the
    segmenter names none.
    """
    if not isinstance(path, str | os.PathLike):
        return path  # None; what is wrong is refused by `check_local`
    text = os.fspath(path)
    if OUTPUT not in text and len(outputs) > 1:
        raise InvalidOption(
            f"the segmenter returns {' and '.join(outputs)}, but the {what} {text} is one path; put {OUTPUT} into it, "
            f"which stands for their names: {Path(text).with_name(f'{OUTPUT}-{Path(text).name}')}"
        )
    if OUTPUT in text and not outputs:
        raise InvalidOption(
            f"the {what} {text} has {OUTPUT} in it, but the segmenter does not name any outputs; give a path without it"
        )
    return text.replace(OUTPUT, output)


def _far_folders(where: Location, checkpoint_dir: str | Path | None) -> tuple[Path, Path]:
    """The checkpoint of labels in a bucket: in the folder that the user names, else in the working folder."""
    if checkpoint_dir is not None:
        check_local(checkpoint_dir)
    digest = hashlib.blake2b(where.named.encode(), digest_size=6).hexdigest()
    name = ".".join(where.partition("://")[2].strip("/").split("/")[-3:])
    folder = Path(checkpoint_dir or ".").absolute() / fitting(name, f".{digest}.tilewright")
    if checkpoint_dir is None:
        warnings.warn(
            f"the checkpoint of {where} is {folder} until the run has ended; choose its place with checkpoint_dir "
            "(--checkpoint-dir)",
            UserWarning,
            stacklevel=2,
        )
    return folder, folder


def place_for(path: Any, storage: Mapping[str, Any] | None) -> Location:
    """The place that a user gives for an output: a path, a URL, or a zarr store in a folder, which is its path.

    InvalidOption for anything else, for the URL of a local file, and for an archive.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
    if not text and (meant := Location.meant(path)) is not None:
        if meant.local is None:
            raise InvalidOption(
                f"{path!r} is a store, which is only read; give its URL (s3://bucket/labels.ome.zarr) and the options "
                "with which it is opened (storage), or a path"
            )
        return meant
    if text.startswith(ZIP) or text.lower().endswith(ARCHIVES):
        raise InvalidOption(
            f"{text} is an archive, which is only read; write to a folder, labels.ome.zarr, and zip it after without "
            "compression (cd labels.ome.zarr && zip -0 -r ../labels.ozx .)"
        )
    if Location(text).scheme == "file" or FILE.match(text):
        check_local(path)
    return Location.of(path, storage)


def _check_writable(where: Location, writer: Callable[..., Any], kind: Kind) -> None:
    """InvalidOption for a URL, and for an archive, to which a writer cannot write."""
    if where.scheme == "zip":
        raise InvalidOption(f"{where} lies in an archive, which is only read; write to a folder, and zip it after")
    if where.scheme == "store":
        raise InvalidOption(f"{where} lies in a store that was handed over, which is only read; give an output path")
    if where.local is None and not WriterTraits.of(writer, kind).remote:
        raise InvalidOption(
            f"{where} is a URL, but {whose(kind, writer)} writes to local folders only; copy the output there after"
        )
    if where.scheme in ("http", "https"):
        raise InvalidOption(f"{where} is on a web server, which is only read; write to a bucket or a folder")
    if where.local is not None:
        _check_length(where.local.absolute())


def check_local(path: str | Path) -> None:
    """InvalidOption for anything but a path, and for a URL, which would become a local folder of that name."""
    if not isinstance(path, str | os.PathLike):
        raise InvalidOption(f"{path!r} is {type(path).__name__}, not a path to write labels to; give a path, or None")
    text = os.fspath(path)
    if plain := re.match(r"file:/*(?=/)", text, re.IGNORECASE):
        raise InvalidOption(f"{text} is a URL; give the path alone, {text[plain.end() :]}")
    if "://" in text or URL.match(text):
        raise InvalidOption(f"{text} is a URL, but labels are written to local folders only; copy them there after")
    _check_length(Path(text).absolute())


def _check_length(path: Path) -> None:
    """InvalidOption for a path that no file system takes, or with no room for what is built beside it."""
    longest = max(path.parts, key=lambda part: len(os.fsencode(part)))
    if len(os.fsencode(longest)) > LONGEST_NAME:
        raise InvalidOption(
            f"the name {longest[:20]!r}… in the path has {len(os.fsencode(longest)):,} bytes, and a name may have "
            f"{LONGEST_NAME}; give a shorter one"
        )
    length = len(os.fsencode(path))
    if length > LONGEST_PATH - ROOM:
        raise InvalidOption(
            f"the path {str(path)[:20]!r}… has {length:,} bytes, and may have {LONGEST_PATH - ROOM:,}, so that the "
            "files in it have room; choose a folder that is less deep"
        )


def _check_parents(path: Path, what: str, *, made: bool) -> None:
    """InvalidOption for a path below a file, and below a folder that does not exist, unless such folders are made.

    It may be mistyped, or a disk that is not there. A folder in a zarr store, such as an image's `labels`, is made.
    """
    missing = next((folder for folder in reversed(path.parents) if not folder.is_dir()), None)
    if missing is None or (missing == path.parent and is_node(missing.parent)):
        return
    if missing.exists():
        raise InvalidOption(f"{missing} is not a folder, so {what} cannot be in it; give another path")
    if not made:
        raise InvalidOption(
            f"there is no folder {missing} for {what}; correct the path, or pass make_parents=True (--make-parents) to "
            "have it made"
        )


def _device(path: Path) -> int:
    """The file system of a path, also of one that does not exist yet."""
    return next(each for each in (path, *path.parents) if each.exists()).stat().st_dev
