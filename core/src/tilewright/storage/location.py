"""A path or URL together with how it is opened: a folder, an archive, an object store, or a store handed over."""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import InvalidOption, NotReadable
from .arrays import local_folder
from .remote_errors import explained, is_bucket_missing, missing_package

if TYPE_CHECKING:
    from zarr.abc.store import Store

__all__ = ["ARCHIVES", "ZIP", "Location"]

URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)  # a drive has one letter
ZIP, ARCHIVES = "zip::", (".zip", ".ozx")
RETRIES, TIMEOUT = 8, 30
ACCOUNT = "AZURE_STORAGE_ACCOUNT_NAME"  # in the environment
# How obstore names what the options say, by the service.
SERVICES = {"s3": "S3Store", "s3a": "S3Store", "gs": "GCSStore", "gcs": "GCSStore", "az": "AzureStore"}
SERVICES |= {"abfs": "AzureStore", "abfss": "AzureStore", "http": "HTTPStore", "https": "HTTPStore"}
EXTRAS = {"S3Store": "s3", "GCSStore": "gs", "AzureStore": "az", "HTTPStore": "http"}


class Location(str):
    """A path, a URL, or an image in a `.zip`, as text that also knows how it is opened.

    Readers and writers are handed one in place of a path; whoever wants text only has text. Secrets are never part of
    it, because it is recorded with the labels.

    storage: the options of `run_options.STORAGE`.
    store: a zarr store that a user handed over, of which the text is a name.
    scheme: `s3`, `https`, … of a URL, `zip` for what lies in an archive, `store` for a store, else `file`.
    archive: the file of an archive and the place inside it; None for what lies in none.
    local: the path, if it is that of a folder or file of this machine.
    named: a text that tells the location from others of the same URL: with its endpoint, if it has one.
    """

    storage: Mapping[str, str]
    store: Any
    scheme: str
    archive: tuple[str, str] | None
    local: Path | None
    named: str

    def __new__(cls, text: str, storage: Mapping[str, str] | None = None, store: Any = None) -> Location:
        made = super().__new__(cls, text)
        made.storage, made.store = dict(storage or {}), store
        made.archive = _archive_in(text) if store is None else None
        found = URL.match(text)
        if store is not None:
            made.scheme = "store"
        elif found:
            made.scheme = found[1].lower()
        else:
            made.scheme = "file" if made.archive is None else "zip"
        made.named = f"{text} at {made.storage['endpoint']}" if "endpoint" in made.storage else str(text)
        made.local = Path(text) if made.scheme == "file" else None
        return made

    @classmethod
    def meant(cls, thing: object, storage: Mapping[str, str] | None = None) -> Location | None:
        """The location that a user means by a path, a URL or a store; None for anything else, such as an array.

        A store is one of zarr's, fsspec's or obstore's, and its location is its top; one in folders is its folder.
        """
        if isinstance(thing, str | os.PathLike):
            return cls.of(thing, storage)
        if (store := _as_store(thing)) is None:
            return None
        folder = local_folder(store)
        return cls(f"{type(store).__name__}:", store=store) if folder is None else cls(str(folder))

    @classmethod
    def of(cls, path: str | os.PathLike[str], storage: Mapping[str, str] | None = None) -> Location:
        """The location at a path or URL; `file:` URLs become paths. InvalidOption for a URL that holds a secret."""
        if isinstance(path, Location):
            return path if path.storage or path.store is not None or not storage else cls(str(path), storage)
        text = re.sub("^(file|local)://(localhost(?=/))?", "", os.fspath(path), flags=re.IGNORECASE)
        found = URL.match(text)
        scheme, host = (found[1].lower(), text[found.end() :].split("/")[0]) if found else ("", "")
        if ("@" in host and not scheme.startswith("abfs")) or (scheme.startswith("http") and "?" in text):
            public = re.sub("(?<=://)[^/@]*@|[?].*", "…", text)
            raise InvalidOption(
                f"the URL {public!r} holds credentials or a signature, which would be recorded with the labels; leave "
                "them out, and give credentials by the environment (docs: Buckets and archives)"
            )
        return cls(text, storage)

    @property
    def absolute(self) -> Location:
        """The same location, whatever the working folder becomes."""
        if self.local is not None:
            return self if self.local.is_absolute() else self.at(str(self.local.absolute()))
        if self.scheme == "zip" and self.startswith(ZIP):
            return self.at(ZIP + str(Path(self.removeprefix(ZIP)).absolute()))
        return self.at(str(Path(self).absolute())) if self.scheme == "zip" else self

    def at(self, text: str) -> Location:
        """Another path, opened in the same way."""
        return Location(text, self.storage, self.store)

    def joined(self, relative: str) -> Location:
        """What lies below, by a path with `/`."""
        return self.at(f"{self.rstrip('/')}/{relative.strip('/')}")

    @property
    def parent(self) -> Location | None:
        """The folder above; None for the top of a bucket or store."""
        top, _, _ = self._parts()
        above = self.rstrip("/").rpartition("/")[0]
        return self.at(above) if len(above) >= len(top) and above != self else None

    def opened(self, *, read_only: bool = True) -> tuple[Store, str]:
        """The zarr store, and the place of the location in it. Clients are shared by the locations of one bucket.

        NotReadable if a package is missing, or for an archive that cannot be read.
        """
        _, root, place = self._parts()
        if self.store is not None:
            return self.store, place
        if self.scheme == "zip":
            return _archived(*_state(root)), "/".join(filter(None, (_top(*_state(root)), place)))
        if self.scheme == "file":
            from zarr.storage import LocalStore

            return LocalStore(root, read_only=read_only), place
        return _client(root, tuple(sorted(self.storage.items())), read_only), place

    def rooted(self) -> Store:
        """A store for writing with the location at its top: what zarr makes in it makes no groups above."""
        _, root, place = self._parts()
        return _client(root, tuple(sorted(self.storage.items())), read_only=False, prefix=place)

    def check(self) -> None:
        """NotReadable if the bucket is not there: an object in it then looks like one that is missing."""
        store, place = self.opened()
        if type(store).__name__ == "ObjectStore" and self.scheme not in ("http", "https"):
            import obstore

            try:
                obstore.list_with_delimiter(cast("Any", store).store, f"{place}/nothing")
            except Exception as error:  # few services list for everybody
                if is_bucket_missing(error):
                    raise NotReadable(explained(error, self)) from error

    def _parts(self) -> tuple[str, str, str]:
        """The text of the top, what is opened for it, and the place below it."""
        if self.store is not None:
            top, _, place = self.partition(":")
            return f"{top}:", top, place.strip("/")
        if self.archive is not None:
            file, place = self.archive
            return self.removesuffix(place), file, place.strip("/")
        if found := URL.match(self):
            host, _, place = self[found.end() :].partition("/")
            return found[0] + host, found[0] + host, place.strip("/")
        return "", str(self), ""

    def __reduce__(self) -> tuple[Any, ...]:
        return Location, (str(self), self.storage, self.store)


def _archive_in(text: str) -> tuple[str, str] | None:
    if not text.startswith(ZIP) and not any(suffix in text.lower() for suffix in ARCHIVES):
        return None
    path = text.removeprefix(ZIP)
    for file in (Path(path), *Path(path).parents):
        if (text.startswith(ZIP) or file.suffix.lower() in ARCHIVES) and file.is_file():
            return str(file), Path(path).relative_to(file).as_posix().removeprefix(".")
    return (path, "") if text.startswith(ZIP) else None


def _as_store(thing: object) -> Store | None:
    """The zarr store that a user handed over as one of zarr's, fsspec's or obstore's; None for anything else.

    None of these libraries is imported: whoever hands over a store of theirs has imported it.
    """
    kind = type(thing)
    if kind.__module__.startswith("obstore.") and kind.__name__.endswith("Store"):
        from zarr.storage import ObjectStore

        return ObjectStore(thing, read_only=True)  # type: ignore[type-var]  # it is one of obstore's
    if kind.__module__ == "fsspec.mapping":
        from zarr.storage import FsspecStore

        return FsspecStore.from_mapper(thing, read_only=True)
    stores = sys.modules.get("zarr.abc.store")
    return thing if stores is not None and isinstance(thing, stores.Store) else None


def _state(file: str) -> tuple[str, int, int]:
    """An archive as it is now: one that was replaced is opened anew."""
    try:
        found = Path(file).stat()
    except OSError as error:
        raise NotReadable(f"there is no archive at {file!r}; check the path") from error
    return file, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=16)
def _archived(file: str, size: int, time: int) -> Store:  # noqa: ARG001 - the state is a part of the cache's key
    from zarr.storage import ZipStore

    return ZipStore(file, mode="r", read_only=True)


@lru_cache(maxsize=16)
def _top(file: str, size: int, time: int) -> str:  # noqa: ARG001 - as above
    """The folder of an archive that holds all of it: of a zipped folder, beside one zipped from within (RFC-9)."""
    try:
        with zipfile.ZipFile(file) as opened:
            names = opened.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise NotReadable(f"{file!r} cannot be read as a zip archive: {error}; copy or export it again") from error
    tops = {name.partition("/")[0] for name in names if not name.startswith("__MACOSX")}
    bare = {"zarr.json", ".zgroup", ".zarray", ".zattrs"} & tops
    return tops.pop() if len(tops) == 1 and not bare else ""


@lru_cache(maxsize=64)
def _client(root: str, storage: tuple[tuple[str, str], ...], read_only: bool, prefix: str = "") -> Store:
    """The store at the top of a URL: obstore's where it serves the scheme and is installed, else fsspec's."""
    scheme, options = root.partition("://")[0].lower(), dict(storage)
    if kind := SERVICES.get(scheme):
        try:
            import obstore.store
        except ImportError:
            pass
        else:
            from zarr.storage import ObjectStore

            return ObjectStore(_obstore(getattr(obstore.store, kind), root, options, prefix), read_only=read_only)
    from zarr.storage import FsspecStore

    try:
        url = f"{root}/{prefix}" if prefix else root
        store = FsspecStore.from_url(url, storage_options=_of_fsspec(scheme, options), read_only=read_only)
    except (ImportError, ValueError) as error:
        raise missing_package(root, EXTRAS.get(kind or ""), error) from error
    return store


def _obstore(kind: Any, root: str, options: Mapping[str, str], prefix: str) -> Any:
    import datetime

    service, seconds = kind.__name__, int(options.get("timeout", TIMEOUT))
    given: dict[str, Any] = {
        "retry_config": {
            "max_retries": int(options.get("retries", RETRIES)),
            "retry_timeout": datetime.timedelta(minutes=3),
            # obstore draws each pause from the shortest to `base` times the one before: with these, 8 take some 20 s
            "backoff": {
                "init_backoff": datetime.timedelta(seconds=0.2),
                "max_backoff": datetime.timedelta(seconds=15),
                "base": 3,
            },
        },
        "client_options": {"timeout": f"{seconds} seconds", "connect_timeout": "5 seconds", "allow_http": True},
    }
    if service == "HTTPStore":
        return kind.from_url(root, **given)
    if options.get("anonymous") == "true":
        given["skip_signature"] = True
    names = {"endpoint": "endpoint", "region": "region", "account": "account_name"}
    taken = {"S3Store": ("endpoint", "region"), "AzureStore": ("endpoint", "account"), "GCSStore": ()}[service]
    given |= {names[name]: options[name] for name in taken if name in options}
    if service == "AzureStore" and "account" not in options and (account := os.environ.get(ACCOUNT)):
        given["account_name"] = account  # obstore looks for it there too, but panics when it is asked for its account
    if "profile" in options:
        given["credential_provider"] = _profile(options["profile"], root)
    # a URL is percent-decoded by some libraries and not by others, and a prefix by none
    return kind(root.partition("://")[2], prefix=prefix, **given) if prefix else kind.from_url(root, **given)


def _profile(name: str, root: str) -> Any:
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError as error:
        raise missing_package(f"the profile {name!r} of {root}", "profiles", error) from error
    try:
        return Boto3CredentialProvider(boto3.Session(profile_name=name))
    except Exception as error:
        raise InvalidOption(f"the profile {name!r} for {root} cannot be used: {error}; see `aws configure`") from error


def _of_fsspec(scheme: str, options: Mapping[str, str]) -> dict[str, Any]:
    """The options as fsspec's file systems name them."""
    given: dict[str, Any] = {}
    if options.get("anonymous") == "true":
        given |= {"token": "anon"} if scheme in ("gs", "gcs") else {"anon": True}
    if "endpoint" in options:
        given["endpoint_url"] = options["endpoint"]
    if "region" in options:
        given["client_kwargs"] = {"region_name": options["region"]}
    if "account" in options:
        given["account_name"] = options["account"]
    return given | ({"profile": options["profile"]} if "profile" in options else {})
