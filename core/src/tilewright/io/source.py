"""The image to segment, which a user gives as a path, an image, or an array."""

from __future__ import annotations

import dataclasses
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..abc.traits import ReaderTraits, TransformTraits
from ..components.resolve import component
from ..errors import InvalidOption, NotReadable
from ..image import Image
from ..image.arrays import as_image
from ..storage.identity import Identity
from ..storage.location import Location
from .formats import choose_reader, image_in, read
from .resolution import nearest_level

if TYPE_CHECKING:
    from ..image.lattice import Lattice

__all__ = ["Source", "identity_of", "open_source"]

NOWHERE = Location("")
SILENCING = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the pixels come from: a path with the reader that opens it again in each worker, or an image as it is.

    channels: None to leave the image as it is; a number picks one channel and drops `c`; a tuple keeps `c`.
    lattice: of labels of another resolution, where the pixels lie that are taken of them.
    transforms: what is done to these channels, in this order.
    elsewhere: it was opened by another process, which has passed on what the reader warns of.
    """

    path: Location = NOWHERE
    reader: Callable[[str], Image] | None = None
    image: Image | None = None
    channels: int | tuple[int, ...] | None = None
    lattice: Lattice | None = None
    transforms: tuple[TransformTraits, ...] = ()
    elsewhere: bool = False

    @cached_property
    def whole(self) -> Image:
        """The image with all of its channels, opened once in each process."""
        if self.reader is None:
            assert self.image is not None
            return self.image
        with _silenced() if self.elsewhere else nullcontext():
            return read(self.reader, self.path)

    @cached_property
    def opened(self) -> Image:
        """The image that is segmented: its channels chosen, and transformed."""
        image = self.whole
        if self.channels is not None:
            image = image.select(self.channels) if isinstance(self.channels, int) else image.take(self.channels)
        if self.lattice is not None:
            image = self.lattice.of(image)
        for transform in self.transforms:
            image = transform.map(image)
        return image

    def choosing(self, channels: int | tuple[int, ...] | None) -> Source:
        """The source with its channels chosen; an image that is open stays open."""
        if channels == self.channels:
            return self
        chosen = dataclasses.replace(self, channels=channels)
        vars(chosen).update(whole=self.whole)
        return chosen

    def laid_on(self, image: Image) -> Source:
        """The source with its nearest pixels on those of an image, if it is another resolution of the same field."""
        from ..image.lattice import lattice_of  # most runs have no labels to lay on their image

        lattice = lattice_of(image, self.opened)
        if lattice is None:
            return self
        laid = dataclasses.replace(self, lattice=lattice)
        vars(laid).update(whole=self.whole)
        return laid

    def transformed(self, transform: TransformTraits) -> Source:
        """The source with one more transform."""
        image = transform.map(self.opened)
        known = dataclasses.replace(transform, dtype=image.dtype)  # so that no worker has to find out
        source = dataclasses.replace(self, transforms=(*self.transforms, known))
        vars(source).update(whole=self.whole, opened=image)
        return source

    def check(self) -> None:
        """NotReadable if the image has been removed: its missing chunks would be read as background."""
        chunks = self.whole.identity.chunks
        if chunks is not None and chunks.gone():
            raise NotReadable(
                f"{self.whole.source or self.whole.name} has been removed; put it back, and re-run the same command "
                "to resume"
            )

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name not in ("opened", "whole")}
        return kept | {"elsewhere": True}


@contextmanager
def _silenced() -> Iterator[None]:
    """Without warnings of users' concern. Threads take turns, because what is silenced is the whole process."""
    with SILENCING, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def open_source(
    source: Any,
    *,
    reader: Any = None,
    level: int | None = None,
    spacing: float | None = None,
    axes: str | None = None,
    storage: Mapping[str, Any] | None = None,
) -> Source:
    """The source of a run: a path, a store, an image or an array.

    storage: how a bucket is opened. InvalidOption for anything else, or an array whose axes are not known.
    """
    location = Location.meant(source, storage)
    if location is not None:
        place, image = image_in(location)
        path = place.absolute
        chosen = component("reader", reader) if reader is not None else choose_reader(path)
        opener = ReaderTraits.with_options(chosen, level=level, axes=axes, image=image)
        if spacing is not None:
            with _silenced():  # what the reader warns of is said when the chosen level is opened
                finest = read(opener, path)
            opener = ReaderTraits.with_options(opener, level=nearest_level(finest, spacing) or None)
        return Source(path=path, reader=opener)
    for name, value in (("level", level), ("spacing", spacing)):
        if value:
            raise InvalidOption(
                f"{name} {value} was asked for, but {type(source).__name__} in memory has one level; leave {name} out"
            )
    if isinstance(source, Image):
        return Source(image=source if axes is None else dataclasses.replace(source, axes=axes))
    return Source(image=as_image(source, axes))


def identity_of(source: Any) -> Identity:
    """The identity of a path, an image or an array; a path is not opened."""
    if isinstance(source, str | os.PathLike):
        return Identity(None, os.fspath(source))
    return source.identity if isinstance(source, Image) else Identity(source)
