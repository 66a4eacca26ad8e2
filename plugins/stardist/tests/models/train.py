"""Train the small networks beside this file, from scratch: `python train.py 2 OUT` and `python train.py 3 OUT`.

In 2-D on made-up nuclei (tests/support/synth.py) and the left three quarters of StarDist's own test image, which its
distribution brings; in 3-D on made-up nuclei alone. Prints how well each finds nuclei that it has not seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4] / "tests" / "support"))

import numpy as np
import tensorflow as tf
from csbdeep.utils import normalize
from numpy.typing import NDArray
from stardist import Rays_GoldenSpiral
from stardist.data import test_image_nuclei_2d
from stardist.matching import matching
from stardist.models import Config2D, Config3D, StarDist2D, StarDist3D
from synth import make

SEED = 42
REDUCE = {"factor": 0.5, "patience": 4, "min_delta": 0}
Pairs = list[tuple[NDArray[Any], NDArray[Any]]]


def pairs_2d() -> tuple[Pairs, Pairs]:
    """Images and their labels, to train on and to validate with; the right quarter of the real image is held out."""
    made = [
        make((256, 256), preset, seed=100 + k, radius=9 + 4 * k / count)
        for preset, count in (("sparse", 3), ("medium", 12), ("dense", 14), ("tissue", 16))
        for k in range(count)
    ]
    seen = [make((256, 256), p, seed=900 + k) for k, p in enumerate(("medium", "dense", "tissue", "tissue"))]
    image, labels = test_image_nuclei_2d(return_mask=True)
    real = normalize(image, 1, 99.8)
    halves = [(real[half, :384], labels[half, :384]) for half in (slice(0, 256), slice(256, None))]
    return stretched(made) + halves * 4, [*stretched(seen), (real[:, 384:], labels[:, 384:])]


def pairs_3d() -> tuple[Pairs, Pairs]:
    made = [
        make((48, 72, 72), preset, seed=100 + k, radius=6.0)
        for preset, count in (("medium", 6), ("dense", 8), ("tissue", 8))
        for k in range(count)
    ]
    seen = [make((48, 72, 72), p, seed=900 + k, radius=6.0) for k, p in enumerate(("medium", "dense", "tissue"))]
    return stretched(made), stretched(seen)


def stretched(pairs: Pairs) -> Pairs:
    return [(normalize(image, 1, 99.8), labels) for image, labels in pairs]


def model_2d(out: str, epochs: int) -> Any:
    config = Config2D(
        n_rays=32, grid=(2, 2), n_channel_in=1, unet_n_filter_base=16, unet_n_depth=2, net_conv_after_unet=64,
        train_patch_size=(128, 128), train_batch_size=4, train_epochs=epochs, train_steps_per_epoch=80,
        train_learning_rate=1e-3, train_tensorboard=False, train_n_val_patches=24, train_reduce_lr=REDUCE,
    )  # fmt: skip
    return StarDist2D(config, name="nuclei_small", basedir=out)


def model_3d(out: str, epochs: int) -> Any:
    config = Config3D(
        rays=Rays_GoldenSpiral(32, anisotropy=None), grid=(2, 2, 2), n_channel_in=1, backbone="unet",
        unet_n_filter_base=8, unet_n_depth=1, net_conv_after_unet=24, train_patch_size=(32, 48, 48),
        train_batch_size=2, train_epochs=epochs, train_steps_per_epoch=40, train_learning_rate=1.5e-3,
        train_tensorboard=False, train_reduce_lr=REDUCE,
    )  # fmt: skip
    return StarDist3D(config, name="nuclei3d_small", basedir=out)


def augmenter(random: np.random.Generator, offset: float) -> Any:
    """Turned, mirrored, brighter or dimmer, noisier."""

    def changed(image: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        turns = random.integers(4)
        image, labels = (np.rot90(each, turns, (-2, -1)) for each in (image, labels))
        if random.random() < 0.5:
            image, labels = image[::-1], labels[::-1]
        image = image * random.uniform(0.7, 1.3) + random.uniform(-offset, offset)
        return image + random.normal(0, 0.02, image.shape), labels

    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dimensions", type=int, choices=(2, 3))
    parser.add_argument("out")
    parser.add_argument("--epochs", type=int, help="28 in 2-D, 20 in 3-D")
    said = parser.parse_args()
    tf.keras.utils.set_random_seed(SEED)
    flat = said.dimensions == 2
    training, validation = pairs_2d() if flat else pairs_3d()
    model = (model_2d if flat else model_3d)(said.out, said.epochs or (28 if flat else 20))
    images, labels = zip(*training, strict=True)
    checks = tuple(list(each) for each in zip(*validation, strict=True))
    changed = augmenter(np.random.default_rng(SEED), offset=0.05 if flat else 0.0)
    model.train(list(images), list(labels), validation_data=checks, augmenter=changed, seed=SEED)
    model.optimize_thresholds(*checks, nms_threshs=[0.3, 0.4], iou_threshs=[0.5, 0.7] if flat else [0.5])
    for last in model.logdir.glob("weights_last*"):
        last.unlink()
    shape, options = ((512, 512), {}) if flat else ((64, 128, 128), {"radius": 6.0})
    for preset in ("sparse", "medium", "dense", "tissue"):
        image, truth = make(shape, preset, seed=5000, **options)
        found = model.predict_instances(normalize(image, 1, 99.8))[0]
        print(preset, f"AP@0.5 {matching(truth, found, thresh=0.5).accuracy:.3f}")


if __name__ == "__main__":
    main()
