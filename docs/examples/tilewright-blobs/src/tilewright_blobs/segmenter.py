from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from tilewright.abc import Prediction, Windows, untiled
from tilewright_blobs.model import DEVICE, REACH, loaded


@dataclass(frozen=True, kw_only=True)
class Blobs:
    weights: str = field(default=str(Path(__file__).with_name("blobs.pt")), metadata={"help": "what train.py wrote"})
    threshold: float = field(default=0.5, metadata={"help": "of the probability that a pixel lies inside an object"})
    batch: int = field(default=8, metadata={"help": "windows that go through the network at once"})
    limits: tuple[float, float] | None = field(default=None, metadata={"help": "grey values; none: percentiles"})
    axes, merger, gpu, decode_options = "yx", "touch", "auto", ("threshold",)
    predictions = property(lambda self: {"inside": Prediction(dtype="float16")})

    def prepare(self, image):
        return self if self.limits else replace(self, limits=image.percentiles(1, 99.5))

    def windows(self, image, budget):
        shape, size, margin = (image.size("y"), image.size("x")), (256, 256), (REACH, REACH)
        starts = tuple(tuple(range(0, max(1, n - 2 * REACH), 256 - 2 * REACH)) for n in shape)
        return [Windows(axes="yx", shape=shape, starts=starts, size=size, margin=margin)]

    @torch.inference_mode()
    def predict(self, windows, which):
        pixels = np.stack([np.interp(each.padded(each.pixels), self.limits, (0, 1)) for each in windows])
        inside = loaded(self.weights)(torch.tensor(pixels[:, None], dtype=torch.float32, device=DEVICE)).sigmoid()
        return [{"inside": each} for each in inside.cpu().numpy()]

    def decode(self, maps, place):
        return ndimage.label(maps[0]["inside"][0] > self.threshold)[0]

    def __call__(self, pixels, place=None):
        return untiled(self, pixels, self.axes)
