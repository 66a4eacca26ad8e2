"""What the errors of object stores mean, each with its own next step, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import NotReadable, NotWritable, TilewrightError

__all__ = ["explained", "is_bucket_missing", "missing_package", "remote"]

CREDENTIALS = (
    "give credentials by the environment (for s3 AWS_ACCESS_KEY_ID, AWS_PROFILE or ~/.aws with the option profile), or "
    "the storage option anonymous for public data (--storage anonymous=true)"
)
# By what an error says, in the order in which they are looked for: what is wrong, and the next step.
MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        r"NoSuchBucket|bucket does not exist|ContainerNotFound|container does not exist",
        "there is no such bucket",
        "check its name, and the storage option endpoint (--storage endpoint=…)",
    ),
    (r"Account must be", "the storage account is not known", "give the storage option account (--storage account=…)"),
    (
        r"without LOCATION|PermanentRedirect|AuthorizationHeaderMalformed|301 Moved",
        "the bucket lies in another region",
        "give the storage option region (--storage region=…)",
    ),
    (
        r"NoCredential|[Uu]nable to locate credentials|169\.254\.169\.254|metadata\.google|credentials? (not|could)",
        "there are no credentials",
        CREDENTIALS,
    ),
    (
        r"PermissionDenied|PermissionError|Unauthenticated|InvalidAccessKey|SignatureDoesNotMatch|\b40[13]\b|Forbidden"
        r"|[Aa]ccess ?[Dd]enied",
        "access is denied",
        CREDENTIALS,
    ),
    (
        r"50[0234]\b|SlowDown|\b429\b",
        "the service does not answer requests at the moment",
        "re-run the same command later to resume, with fewer workers or more retries (--storage retries=…)",
    ),
    (
        r"error sending request|Connect|dns error|[Tt]imed? ?out|Temporary failure|Name or service|error decoding",
        "the host cannot be reached, or the connection was cut",
        "check the network and the storage option endpoint (--storage endpoint=…), and re-run the same command",
    ),
)
PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


def explained(error: BaseException, where: str, verb: str = "read") -> str:
    """One line for an error of a store: what is wrong, and what to do."""
    said = f"{type(error).__name__}: {error}"
    for pattern, what, step in MEANINGS:
        if re.search(pattern, said):
            return f"{where!r} cannot be {verb} ({_short(error)}): {what}; {step}"
    return f"{where!r} cannot be {verb} ({_short(error)}); check it"


def is_bucket_missing(error: BaseException) -> bool:
    """Whether an error says that there is no such bucket."""
    return re.search(MEANINGS[0][0], str(error)) is not None


def missing_package(where: str, extra: str | None, error: Exception) -> NotReadable:
    """The error for a location whose library is not installed."""
    if extra is not None:
        return NotReadable(f"{where!r} needs a package that is not installed; pip install 'tilewright[{extra}]'")
    known = "Protocol not known" not in str(error)
    step = "install the package that it names" if known else "check the part before ://"
    return NotReadable(f"{where!r} cannot be opened ({_short(error)}); {step}")


@contextmanager
def remote(where: str, verb: str = "read") -> Iterator[None]:
    """Turn what a store's library raises into NotReadable, or NotWritable for the verb `written`."""
    try:
        yield
    except (TilewrightError, KeyboardInterrupt):
        raise
    except Exception as error:
        kind = NotWritable if verb == "written" else NotReadable
        raise kind(explained(error, where, verb)) from error


def _short(error: BaseException) -> str:
    """The name of an error and the status that it holds, without the document that some services send."""
    text = " ".join(re.split(r"\n|<\?xml|Debug source", str(error))[0].split()).rstrip(": ")
    if status := re.search(r"status code: (\d{3} [\w -]+)", text):
        text = status[1]
    elif "HTTP error" in text:
        text = text[text.rindex("HTTP error") + len("HTTP error: ") :]
    return f"{type(error).__name__}: {text[:160] if text.isprintable() else repr(text)[1:160]}".rstrip(": ")
