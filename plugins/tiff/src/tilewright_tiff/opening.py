"""Opening TIFF files: whatever is wrong with one is said in one line, and no handle stays open."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from tilewright.errors import NotReadable, TilewrightError

from .omexml import files_of, metadata_file, parse, seen_from, without_files

__all__ = ["check_codec", "one_line", "open_tiff", "readable"]

# tifffile logs what it thinks of a file. Nobody who has not set up logging is to read that beside our one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

COMPANION = ".companion.ome"
STANDARD = (8, 32946, 32773, 34925)  # deflate (both numbers), PackBits, LZMA: what tifffile undoes by itself


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


def open_tiff(path: str) -> tuple[tifffile.TiffFile, ElementTree.Element | None]:
    """Open a TIFF file, or one of an OME-TIFF series together with the XML that lies beside it, which is returned too.

    The path may be any file of the series or its `.companion.ome`. A renamed OME-TIFF that only ever named itself is
    read as if it kept its name. NotReadable if it is no TIFF or a file of the series is missing, in whose place there
    would be zeros; InvalidImage for XML that is not trusted (see `omexml.parse`).
    """
    if "://" in path:
        raise NotReadable(f"{path!r} is a URL, but TIFF files are read from this machine only; copy it here first")
    with readable(f"{path!r} cannot be opened as TIFF"):
        if path.lower().endswith(COMPANION):
            return _series_of(path)
        tif = tifffile.TiffFile(path)
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
    bare = importlib.util.find_spec("imagecodecs") is None
    known = page.compression in (tifffile.TIFF.DECOMPRESSORS if not bare else STANDARD) or page.compression == 1
    if known and (page.predictor == 1 or page.predictor in tifffile.TIFF.UNPREDICTORS):
        return
    name = getattr(page.compression, "name", str(page.compression))
    hint = 'pip install "tilewright-tiff[codecs]"' if bare else "export it with another compression"
    raise NotReadable(f"{path!r} is compressed as {name}, which nothing installed can undo; {hint}")


def one_line(said: object) -> str:
    """An error's message, or another text, without its line breaks, at most 200 characters of it."""
    text = " ".join(str(said).split())
    return text if len(text) <= 200 else text[:199] + "…"


def _with_metadata(tif: tifffile.TiffFile, path: str) -> tuple[tifffile.TiffFile, ElementTree.Element | None]:
    """The file as it is, or opened again with the XML that makes its series whole."""
    root = parse(tif.ome_metadata, path) if tif.is_ome and tif.ome_metadata else None
    if root is None:
        return tif, None
    text = ""
    if master := metadata_file(root):
        text = _metadata_of(Path(path).parent / master)
        root = _understood(text, master)
        _check_files(root, path)
    elif _renamed(root, path):
        text = without_files(root)
    else:
        _check_files(root, path)
    if not text:
        return tif, root
    tif.close()
    return tifffile.TiffFile(path, omexml=text), root


def _series_of(companion: str) -> tuple[tifffile.TiffFile, ElementTree.Element]:
    text = _metadata_of(Path(companion))
    root = _understood(text, companion)
    names = list(files_of(root).values())
    if not names:
        raise NotReadable(f"{companion!r} names no TIFF files; open one of the TIFF files instead")
    _check_files(root, companion)
    first = Path(companion).parent / names[0]
    text = text if first.name == names[0] else seen_from(root, Path(names[0]).parent)
    return tifffile.TiffFile(first, omexml=text), root


def _understood(text: str, where: str) -> ElementTree.Element:
    root = parse(text, where)
    if root is None:
        raise NotReadable(f"{where!r} holds no OME-XML that can be parsed; export the series again")
    return root


def _renamed(root: ElementTree.Element, path: str) -> bool:
    """Whether the XML names one file only, by a name that nothing beside this file has."""
    files = files_of(root)
    names = set(files.values())
    return len(names) == 1 and root.attrib.get("UUID") not in files and not (Path(path).parent / names.pop()).exists()


def _check_files(root: ElementTree.Element, path: str) -> None:
    for uuid, name in files_of(root).items():
        if uuid != root.attrib.get("UUID") and not (Path(path).parent / name).is_file():
            raise NotReadable(f"{path!r} is part of a series whose file {name!r} is missing; put it beside the others")


def _metadata_of(path: Path) -> str:
    """The XML of a companion file, or of the TIFF file that has it for all of a series."""
    with path.open("rb") as file:
        if file.read(1) == b"<" or path.name.lower().endswith(COMPANION):
            file.seek(0)
            return file.read().decode("utf-8-sig")
    with tifffile.TiffFile(path) as tif:
        return tif.ome_metadata or ""
