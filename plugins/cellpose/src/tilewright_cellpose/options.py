"""The options of the segmenter, checked, and the sizes that follow from them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tilewright.errors import InvalidOption

__all__ = ["KNOWN", "Options"]

KNOWN = 30.0  # pixels; the diameter to which images are scaled for Cellpose 4 and cyto3


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user chooses, and what `Cellpose.prepare` fixes for an image. InvalidOption for a value out of range."""

    model: str = field(
        default="cpsam", metadata={"help": "a file of weights, or the name of a model of Cellpose's own"}
    )
    diameter: float | Literal["auto"] | None = field(
        default=None,
        metadata={"help": "of objects, in pixels; None: those of the training; auto: estimated once (Cellpose 3)"},
    )
    channels: tuple[int | str, ...] | None = field(
        default=None,
        metadata={"help": "indices or names, the one to be segmented first; None: the run's"},
    )
    do_3D: bool = field(  # noqa: N815 - Cellpose's own spelling
        default=False, metadata={"help": "segment volumes instead of planes"}
    )
    anisotropy: float | None = field(
        default=None,
        metadata={"help": "3-D: distance of planes over that of pixels; None: by the image's spacing"},
    )
    flow_threshold: float = field(default=0.4, metadata={"help": "planes: objects of a larger flow error are dropped"})
    cellprob_threshold: float = field(default=0.0, metadata={"help": "pixels above it belong to objects"})
    min_size: int = field(
        default=15,
        metadata={"help": "objects of fewer pixels are dropped; tilewright does it, once the tiles are joined"},
    )
    niter: int | None = field(default=None, metadata={"help": "steps along the flows; None: by the diameter"})
    flow3D_smooth: float = field(  # noqa: N815 - likewise
        default=0.0, metadata={"help": "3-D: Gaussian smoothing of the flows, in pixels"}
    )
    percentiles: tuple[float, float] = field(
        default=(1.0, 99.0), metadata={"help": "of the whole image's pixels, that become 0 and 1"}
    )
    ranges: tuple[tuple[float, float], ...] | None = field(
        default=None,
        metadata={"help": "pixel values that become 0 and 1, for each channel; None: the percentiles"},
    )
    rescale: float | None = field(
        default=None, metadata={"help": "enlargement before the network; None: by the diameter"}
    )
    batch_size: int | Literal["auto"] = field(
        default="auto",
        metadata={"help": "patches that go through the network at a time; auto: 8, or what a GPU has memory for"},
    )
    gpu: bool | Literal["auto"] = field(
        default="auto", metadata={"help": "use a GPU; auto: if PyTorch has one. In each process one batch at a time"}
    )
    digest: str = field(default="", metadata={"help": "of the weights; the run notes it, and works with no others"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", os.fspath(self.model))
        if isinstance(self.diameter, str) and self.diameter != "auto":
            raise InvalidOption(f"diameter must be a number of pixels, 'auto' or None, not {self.diameter!r}")
        for name in ("diameter", "anisotropy", "niter", "rescale", "batch_size"):
            value = getattr(self, name)
            if value not in (None, "auto") and not 0 < value < math.inf:
                raise InvalidOption(f"{name} must be positive, not {value}")
        if not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise InvalidOption(f"percentiles must be two rising numbers from 0 to 100, not {self.percentiles}")
        if self.channels is not None and not self.channels:
            raise InvalidOption("channels must name at least one; leave it out for the run's")

    @property
    def space(self) -> str:
        """The spatial axes of what is segmented."""
        return "zyx" if self.do_3D else "yx"

    @property
    def planes(self) -> tuple[str, ...]:
        """The axes along which the network's patches lie: in a volume, planes of three directions."""
        return ("yx", "zx", "zy") if self.do_3D else ("yx",)

    def resized(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The lengths of an image along these axes as the network sees it, rounded as Cellpose does."""
        stretch = (self.anisotropy or 1,) * (len(shape) - 2) + (1, 1)
        return tuple(max(1, int(n * each * self.scale)) for n, each in zip(shape, stretch, strict=True))

    @property
    def scale(self) -> float:
        """The enlargement that brings objects to the size that the network knows."""
        return self.rescale or KNOWN / self.typical

    @property
    def typical(self) -> float:
        """The diameter of a typical object, in pixels of the image."""
        return KNOWN if self.diameter in (None, "auto") else float(self.diameter)
