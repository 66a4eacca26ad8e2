"""The choices of a run: each with its type, default and help, checked before any work."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .components.options import converted, types_of
from .components.quantities import is_name, real_number, whole_number
from .errors import InvalidOption

__all__ = [
    "HOW",
    "MEASURED",
    "PLANNED",
    "PREVIEWED",
    "RENAMED",
    "SHARED",
    "STORAGE",
    "Progress",
    "RunOptions",
    "checked_storage",
]

Progress = Callable[[str, int, int], None]
"""Called with the step's name, how much of it is done, and how much there is."""

RENAMED = {"stage_dir": "checkpoint_dir", "keep_stage": "keep_checkpoint"}
"""Old names of options that `Pipeline.run` and the command line still take."""

PLANNED = (
    *("channel", "channels", "level", "spacing", "axes", "workers", "empty", "same_ids", "join_z", "given"),
    *("within", "within_rule", "storage"),
)
"""The options that `Pipeline.plan` takes too: they decide what a run takes."""

PREVIEWED = tuple(name for name in PLANNED if not name.startswith("within"))
"""The options that `Pipeline.preview` takes too."""

ANY = ("overwrite", "make_parents", "resume", "workers", "processes", "checkpoint_dir", "keep_checkpoint")
"""The options of whatever is run."""

MEASURED = ("given", "table_format", "measure_memory", "measure_pixels", *ANY, "storage")
"""The options that `measure` takes too, and the command of that name."""

SHARED = ("axes", *ANY, "on_error", "retries", "storage", "keep_old", "progress")
"""The options that a run of a workflow has for all of its steps; each step has the others for itself."""

HOW = {*SHARED, "name", "table", "keep_predictions", "measure_pixels"} - {"axes"}
"""The options that decide nothing about the labels or the table, but how and where they are made."""

SECRET = re.compile(r"secret|token|passw|key|credential|signature|sas|pwd", re.IGNORECASE)
STORAGE: Mapping[str, str] = {
    "endpoint": "the URL of the service",
    "anonymous": "true for public data, for which requests are not signed",
    "region": "the bucket's region",
    "profile": "a profile of ~/.aws",
    "account": "the storage account of az://",
    "retries": "how often a request is tried again, 8 by default",
    "timeout": "seconds that a request may take, 30 by default",
}

LEAST = {"level": 0, "workers": 1, "retries": 0, "measure_memory": 1, "measure_pixels": 1}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The choices of one run, as `Pipeline.run` takes them and `tilewright run` does as `--options`.

    InvalidOption for a value of another type or out of its range. Numpy's scalars are taken as Python's own.
    """

    channel: int | str | None = field(
        default=None,
        metadata={"help": "The channel to segment, by index or name."},
    )
    channels: Sequence[int | str] | None = field(
        default=None,
        metadata={"help": "The channels for a segmenter that takes several, in this order."},
    )
    level: int | None = field(
        default=None,
        metadata={"help": "The resolution to segment; 0 is the finest."},
    )
    spacing: float | None = field(
        default=None,
        metadata={
            "help": "The resolution to segment, as micrometres per pixel: the level whose y and x are nearest to it. A "
            "warning says which."
        },
    )
    axes: str | None = field(
        default=None,
        metadata={"help": "The image's axes, where it does not name them. An array's are x, yx or zyx by default."},
    )
    name: str = field(
        default="labels",
        metadata={
            "help": "The name of the labels within the image's store, where no output is given. A segmenter that "
            "returns several label images names them itself."
        },
    )
    overwrite: bool = field(
        default=False,
        metadata={"help": "Replace labels and tables that exist already; they stay until the new ones are whole."},
    )
    make_parents: bool = field(
        default=False,
        metadata={
            "help": "Make folders above the output and the checkpoint that do not exist. Otherwise they are refused: a "
            "path may be mistyped, or a disk not be there."
        },
    )
    resume: bool = field(
        default=True,
        metadata={
            "help": "Whether to resume an earlier, unfinished run of the same source and pipeline. If not, what it has "
            "done is discarded."
        },
    )
    workers: int | None = field(
        default=None,
        metadata={
            "help": "Threads on this machine; by default one for each CPU. A cluster's own workers are used instead."
        },
    )
    processes: bool = field(
        default=False,
        metadata={
            "help": "Make the workers processes, which take some seconds to start: for a segmenter that holds Python's "
            "lock, as loops in Python do, and for a network on several GPUs, each of which then has a process more."
        },
    )
    checkpoint_dir: str | Path | None = field(
        default=None,
        metadata={"help": "A folder for the run's checkpoint, which otherwise lies beside the output."},
    )
    keep_checkpoint: bool = field(
        default=False,
        metadata={"help": "Keep the checkpoint after the run; the same run then starts from its end."},
    )
    keep_predictions: bool | str = field(
        default=False,
        metadata={
            "help": "Keep all that a network says of the image beside the output, up to a size such as 50GB if one is "
            "given. A later run with other options of decoding, such as a threshold, then calls no network."
        },
    )
    empty: float | None = field(
        default=None,
        metadata={"help": "Do not segment tiles in which no pixel is above this value. NaN is not above anything."},
    )
    same_ids: bool = field(
        default=False,
        metadata={"help": "Objects with equal ids in different tiles are one object, wherever they lie."},
    )
    join_z: bool | float = field(
        default=False,
        metadata={
            "help": "Link objects of consecutive slices that were segmented one by one, as Cellpose's stitch_threshold "
            "does: those that overlap best, from this IoU on, or from 0.25 without a number."
        },
    )
    on_error: Literal["raise", "skip"] = field(
        default="raise",
        metadata={
            "help": "What to do about a tile that cannot be read or segmented: end the run and keep what is done, or "
            "leave the tile as background and list it in the result. A tile that kills its worker processes ends the "
            "run in either case."
        },
    )
    retries: int = field(
        default=0,
        metadata={"help": "How often such a tile is tried again first, after pauses that double from half a second."},
    )
    table: str | Path | None = field(
        default=None,
        metadata={"help": "Where the table of what is measured goes; its suffix says the format."},
    )
    table_format: str | Mapping[str, Any] | Callable[..., Any] | None = field(
        default=None,
        metadata={"help": "What writes the table; else the format that fits its suffix."},
    )
    measure_channels: Sequence[int | str] | None = field(
        default=None,
        metadata={
            "help": "The channels to measure, by index or name; otherwise those that each measurer asks for, or all."
        },
    )
    given: Mapping[str, Any] | None = field(
        default=None,
        metadata={"help": "Label images that the segmenter or measurers need, by name."},
    )
    within: str | Path | Any = field(
        default=None,
        metadata={
            "help": "The region to segment: a mask or label image of the image or of a coarser level, or polygons "
            "(.geojson). Tiles outside of it are not read."
        },
    )
    within_rule: Literal["clip", "inside", "touching", "centroid"] = field(
        default="clip",
        metadata={
            "help": "What is kept: of each object the part in the region (clip), or whole objects that lie in it "
            "(inside), have a pixel in it (touching), or also have their centre in it (centroid)."
        },
    )
    measure_memory: int = field(
        default=2**28,
        metadata={
            "help": "Bytes of labels and pixels that a measurer of whole objects is called with at most. A larger "
            "object gets empty columns, and is listed in the result."
        },
    )
    measure_pixels: int = field(
        default=2**22,
        metadata={"help": "Pixels of a block that is measured at a time, about. The table does not depend on it."},
    )
    storage: Mapping[str, Any] | None = field(
        default=None,
        metadata={
            "help": "How buckets are opened: endpoint, anonymous, region, profile, account, retries, timeout. Never "
            "secrets, which the environment gives."
        },
    )
    keep_old: str | float = field(
        default="1h",
        metadata={
            "help": "How long labels in a bucket stay after they were replaced, for whoever still reads them: seconds, "
            "or a time such as 30m, 1h or 2d. The next run that writes these labels then removes them."
        },
    )
    progress: Progress | None = field(
        default=None,
        metadata={"help": "Called with (step, done, total) as the run proceeds; it ends the run if it raises."},
    )

    @classmethod
    def among(cls, values: Mapping[str, Any]) -> RunOptions:
        """The options that these values hold, by name; the others have their defaults."""
        return cls(**{each.name: values[each.name] for each in dataclasses.fields(cls) if each.name in values})

    def __post_init__(self) -> None:
        for name, value in converted(types_of(RunOptions), vars(self)).items():
            object.__setattr__(self, name, value)
        for name, least in LEAST.items():
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name), least=least)
        if self.empty is not None:
            real_number("empty", self.empty)
        if self.spacing is not None and not (math.isfinite(self.spacing) and self.spacing > 0):
            raise InvalidOption(f"spacing must be a number of micrometres above 0, not {self.spacing!r}")
        if self.level is not None and self.spacing is not None:
            raise InvalidOption(f"give level or spacing, not both ({self.level} and {self.spacing})")
        if not isinstance(self.join_z, bool) and not 0 < self.join_z <= 1:
            raise InvalidOption(f"join_z must be True, False or an IoU above 0 and up to 1, not {self.join_z!r}")
        if isinstance(self.keep_predictions, str) and self.most_kept is None:
            raise InvalidOption(
                f"keep_predictions must be True, False or a size such as '50GB', not {self.keep_predictions!r}"
            )
        if self.storage is not None:
            object.__setattr__(self, "storage", checked_storage(self.storage))
        if self.old_seconds is None:
            raise InvalidOption(f"keep_old must be a time such as '1h', or seconds, not {self.keep_old!r}")
        if self.channel is not None and self.channels is not None:
            raise InvalidOption(f"give channel or channels, not both ({self.channel!r} and {list(self.channels)})")
        if not _may_be_region(self.within):
            raise InvalidOption(f"within must be a mask, a label image, polygons or a path, not {self.within!r}")
        if self.within is None and self.within_rule != "clip":
            raise InvalidOption(
                f"within_rule is {self.within_rule!r}, but no region is given; give one (within, --within)"
            )
        if not is_name(self.name):
            raise InvalidOption(f"name {self.name!r} is not a name for labels; use letters, digits, '-', '_' and '.'")

    @property
    def old_seconds(self) -> float | None:
        """How long replaced labels stay, in seconds; None for what is not a time."""
        time = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(self.keep_old).strip())
        return float(time[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[time[2]] if time else None

    @property
    def most_kept(self) -> int | None:
        """The bytes of predictions that are kept at most; None without a limit."""
        if isinstance(self.keep_predictions, bool):
            return None
        size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", self.keep_predictions.strip())
        return round(float(size[1]) * 1000 ** " kMGT".index(size[2] or " ")) if size else None


def _may_be_region(value: Any) -> bool:
    """Whether a value is None, a path, or polygons, or has what an array, a result or a geometry has."""
    known = isinstance(value, str | os.PathLike | Mapping | list | tuple | None)
    return known or any(hasattr(value, name) for name in ("shape", "provenance", "__geo_interface__"))


def checked_storage(storage: Mapping[str, Any]) -> dict[str, str]:
    """The storage options as text. InvalidOption for one that is not known, and for a secret."""
    for name in storage:
        if name in STORAGE:
            continue
        if SECRET.search(name):
            raise InvalidOption(
                f"the storage option {name!r} looks like a secret, which would be recorded with the labels; leave it "
                "out, and give credentials by the environment: AWS_PROFILE, AWS_ACCESS_KEY_ID or ~/.aws for s3, "
                "GOOGLE_APPLICATION_CREDENTIALS or gcloud for gs, AZURE_STORAGE_ACCOUNT_KEY or az login for az"
            )
        raise InvalidOption(f"there is no storage option {name!r}; there are {', '.join(STORAGE)}")
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in storage.items()}
    for name in ("retries", "timeout"):
        if not texts.get(name, "0").isdecimal():
            raise InvalidOption(f"the storage option {name} must be a whole number, not {texts[name]!r}")
    if texts.get("anonymous", "true") not in ("true", "false"):
        raise InvalidOption(f"the storage option anonymous must be true or false, not {texts['anonymous']!r}")
    return texts
