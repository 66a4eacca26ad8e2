"""Opening TIFF files: whatever is wrong with one is said in one line, and no handle stays open."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from xml.etree import ElementTree

import tifffile

from tilewright.abc import check_metadata
from tilewright.errors import InvalidImage, NotReadable, TilewrightError

from .bounds import STANDARD, has_codecs
from .directories import check_directories
from .neighbours import check_neighbours
from .omexml import as_seen_from, files_of, metadata_file, parse, text_of, without_files, without_planes

__all__ = ["Opened", "check_codec", "one_line", "open_tiff", "readable"]

# tifffile logs what it thinks of a file. Nobody who has not set up logging is to read that beside our one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

COMPANION = ".companion.ome"
IMAGES, TEXTS = 1000, 5000  # images that tifffile finds by comparing each with each, in about a second


@contextlib.contextmanager
def readable(what: str, hint: str = "repair or export it again") -> Iterator[None]:
    """NotReadable, in one line, for whatever tifffile raises on a malformed file."""
    try:
        yield
    except TilewrightError:
        raise
    except FileNotFoundError as error:
        raise NotReadable(f"{what}: there is no file {error.filename!r}; check the path") from error
    except Exception as error:
        raise NotReadable(f"{what} ({type(error).__name__}: {one_line(error)}); {hint}") from error


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A TIFF file that is open, and the OME-XML of it or of its set; `missing` are the files of the set that lack."""

    tif: tifffile.TiffFile
    xml: ElementTree.Element | None = None
    missing: tuple[str, ...] = ()


def open_tiff(path: str) -> Opened:
    """Open a TIFF file, or one of an OME-TIFF set together with the XML that lies beside it.

    The path may be any file of the set or its `.companion.ome`. A renamed OME-TIFF that only ever named itself is read
    as if it kept its name. NotReadable if it is no TIFF or all files that hold its planes are missing; InvalidImage for
    XML that is not trusted (see `omexml.parse`).
    """
    if "://" in path:
        raise NotReadable(f"{path!r} is a URL, but TIFF files are read from this machine only; copy it here first")
    with readable(f"{path!r} cannot be opened as TIFF"):
        if path.lower().endswith(COMPANION):
            return _set_of(path)
        tif = _file_of(Path(path))
        try:
            return _with_metadata(tif, path)
        except BaseException:
            tif.close()
            raise


def check_codec(page: tifffile.TiffPage, path: str) -> None:
    """NotReadable if a page's compression or predictor cannot be undone with what is installed, or its type is none."""
    if page.dtype is None:
        raise NotReadable(
            f"{path!r} has pixels of {page.bitspersample} bits, which numpy has no type for; export it with 8 or 16"
        )
    bare = not has_codecs()
    known = page.compression in (tifffile.TIFF.DECOMPRESSORS if not bare else STANDARD) or page.compression == 1
    if known and (page.predictor == 1 or page.predictor in tifffile.TIFF.UNPREDICTORS):
        return
    name = getattr(page.compression, "name", str(page.compression))
    hint = 'pip install "tilewright-tiff[codecs]"' if bare else "export it with another compression"
    raise NotReadable(f"{path!r} is compressed as {name}, which nothing installed can undo; {hint}")


def one_line(said: object) -> str:
    """At most 200 characters of an error's message or another text, with escapes for what would steer a terminal."""
    text = " ".join(str(said).split())
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= 200 else text[:199] + "…"


def _with_metadata(tif: tifffile.TiffFile, path: str) -> Opened:
    """The file as it is, or opened again with the XML that makes its set whole, or that leaves out what is missing."""
    root = own = parse(tif.ome_metadata, path) if tif.is_ome and tif.ome_metadata else None
    if root is None:
        return Opened(tif=tif)
    if master := metadata_file(root):
        root = _understood(_metadata_of(_beside(path, master)), master)
    missing: tuple[str, ...] = ()
    if root is own and _renamed(root, path):
        without_files(root)
    else:
        missing = _missing(root, path)
        without_planes(root, missing)
        if root is own and not missing:
            _check_set(root, path)
            return Opened(tif=tif, xml=root)
    tif.close()
    _check_set(root, path)
    return Opened(tif=_file_of(Path(path), text_of(root)), xml=root, missing=missing)


def _set_of(companion: str) -> Opened:
    root = _understood(_metadata_of(Path(companion)), companion)
    if not files_of(root):
        raise NotReadable(f"{companion!r} names no TIFF files; open one of the TIFF files instead")
    missing = _missing(root, companion)
    without_planes(root, missing)
    first = files_of(root)[0][1]
    _check_set(root, companion)
    as_seen_from(root, PurePath(first).parent)
    tif = _file_of(_beside(companion, first), text_of(root))
    return Opened(tif=tif, xml=root, missing=missing)


def _understood(text: str, where: str) -> ElementTree.Element:
    root = parse(text, where)
    if root is None:
        raise NotReadable(f"{where!r} holds no OME-XML that can be parsed; export the series again")
    return root


def _renamed(root: ElementTree.Element, path: str) -> bool:
    """Whether the XML names one file only, by a name that nothing beside this file has."""
    files = files_of(root)
    names, own = {name for _, name in files}, any(uuid == root.attrib.get("UUID") for uuid, _ in files)
    return len(names) == 1 and not own and not os.path.lexists(_beside(path, names.pop()))


def _missing(root: ElementTree.Element, path: str) -> tuple[str, ...]:
    """The files of a set that are not beside this one. NotReadable if these are all that hold planes."""
    others = dict.fromkeys(name for uuid, name in files_of(root) if uuid != root.attrib.get("UUID"))
    missing = tuple(name for name in others if not _beside(path, name).is_file())
    if missing and len(missing) == len({name for _, name in files_of(root)}):
        raise NotReadable(f"{path!r} is part of a set whose file {missing[0]!r} is missing; put it beside the others")
    return missing


def _beside(path: str, name: str) -> Path:
    return Path(path).parent / name


def _check_set(root: ElementTree.Element, path: str) -> None:
    """Look at the other files of a set before tifffile opens them."""
    for _, name in files_of(root):
        if (file := _beside(path, name)).is_file():
            check_directories(file)


def _metadata_of(path: Path) -> str:
    """The XML of a companion file, or of the TIFF file that has it for all of a set."""
    _check_file(path)
    with path.open("rb") as file:
        is_text = file.read(1) == b"<" or path.name.lower().endswith(COMPANION)
    if is_text:
        check_metadata(path)
        return path.read_text("utf-8-sig")
    with _file_of(path) as tif:
        return tif.ome_metadata or ""


def _file_of(path: Path, xml: str | None = None) -> tifffile.TiffFile:
    """A file as tifffile opens it, once its directories and the files that it would look for beside it are checked."""
    _check_file(path)
    check_directories(path, first=True)
    tif = tifffile.TiffFile(path, omexml=xml)
    try:
        check_neighbours(tif)
        if tif.is_ome or not (tif.is_mmstack or tif.is_ndtiff):
            _check_count(tif, path)
    except BaseException:
        tif.close()
        raise
    return tif


def _check_count(tif: tifffile.TiffFile, path: Path) -> None:
    """InvalidImage for more images than are told apart in bearable time.

    Where nothing but their size says which pages belong together, or a text of tifffile's own in each of them, every
    pair is compared.
    """
    directories = check_directories(path)
    count, most = (directories.texts, TEXTS) if tif.is_shaped else (len(directories.sizes), IMAGES)
    if not tif.is_ome and count > most:
        raise InvalidImage(f"{str(path)!r} holds {count:,} images of unlike pages, which is more than are listed")


def _check_file(path: Path) -> None:
    """NotReadable for a folder, and for a pipe or a device, which may be read for ever."""
    if path.exists() and not path.is_file():
        raise NotReadable(f"{str(path)!r} is not a regular file; give the path of one")
