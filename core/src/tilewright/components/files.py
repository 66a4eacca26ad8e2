"""Records in `.json` and `.toml` files, which are data: nothing in them is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InvalidOption, NotWritable

__all__ = ["read_record", "record_of", "text_of", "write_text"]


def read_record(path: str | Path, what: str) -> dict[str, Any]:
    """The record in a file. InvalidOption, which says `what` it should be, for a file that has none."""
    path = Path(path)
    try:
        record = record_of(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidOption(f"the {what} file {path} cannot be read: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InvalidOption(f"{path} is not a {what} file: {error}; correct it") from error
    if not isinstance(record, dict):
        raise InvalidOption(f"{path} is not a {what} file: it holds {type(record).__name__}, not a table of parts")
    return record


def write_text(path: str | Path, text: str, what: str) -> None:
    """Write the text of a record. NotWritable if the file cannot be written."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotWritable(f"the {what} cannot be saved to {path}: {error.strerror}; choose another path") from error


def text_of(path: str | Path, record: dict[str, Any]) -> str:
    """The text of a record as the suffix of a path says. InvalidOption for another suffix."""
    suffix = Path(path).suffix
    if suffix == ".toml":
        import tomli_w

        return tomli_w.dumps(_without_none(record))
    if suffix == ".json":
        return json.dumps(record, indent=2) + "\n"
    raise InvalidOption(f"{path} must end in .json or .toml, which says how it is written")


def record_of(path: str | Path, text: str) -> Any:
    """What a text holds. ValueError for a text that is not of the format that the suffix of the path says."""
    if Path(path).suffix == ".toml":
        import tomllib  # a tenth of what importing a pipeline takes, and of use to few runs

        return tomllib.loads(text)
    return json.loads(text)


def _without_none(record: Any) -> Any:
    """TOML has no null; an option that is None is left out, which is the default of most that can be."""
    if isinstance(record, dict):
        return {key: _without_none(value) for key, value in record.items() if value is not None}
    return [_without_none(each) for each in record] if isinstance(record, list) else record
