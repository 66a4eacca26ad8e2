"""The small networks, and TensorFlow as it is to behave beside other tests."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from tilewright_stardist.library import kinds

# Before TensorFlow and StarDist are imported: processes of pytest-xdist share the cores, and OpenMP's threads, which
# wait for each other without sleeping, take twice the time then.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

MODELS = Path(__file__).parent / "models"


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """TensorFlow as the plugin imports it, before a test does so by itself: Cellpose's may follow in this process."""
    kinds()


@pytest.fixture(autouse=True)
def _tensorflow_if_slow(request: pytest.FixtureRequest) -> None:
    """Slow tests alone run networks, and TensorFlow takes seconds to import."""
    if request.node.get_closest_marker("slow"):
        request.getfixturevalue("tensorflow")


@pytest.fixture(scope="session")
def small2d() -> str:
    """A 2-D network: receptive field 46, stride 8, nuclei 18 to 26 pixels across."""
    return str(MODELS / "nuclei_small")


@pytest.fixture(scope="session")
def small3d() -> str:
    """A 3-D network: receptive field 22, stride 4, nuclei of radius 6."""
    return str(MODELS / "nuclei3d_small")


@pytest.fixture(scope="session")
def small_rgb(small2d: str, tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The 2-D network for three channels, whose mean it sees as the other sees its one: its first weights, spread."""
    from stardist.models import Config2D, StarDist2D

    one = StarDist2D(None, name="nuclei_small", basedir=str(MODELS))
    same = {name: getattr(one.config, name) for name in ("n_rays", "grid", "net_conv_after_unet")}
    same |= {name: value for name, value in vars(one.config).items() if name.startswith("unet_")}
    folder = tmp_path_factory.mktemp("rgb")
    three = StarDist2D(Config2D(n_channel_in=3, **same), name="nuclei_rgb", basedir=str(folder))
    with warnings.catch_warnings():  # Keras 3 converts its variables as NumPy 2 wants it no more
        warnings.simplefilter("ignore", DeprecationWarning)
        weights = one.keras_model.get_weights()
        weights[0] = weights[0].repeat(3, axis=2) / 3
        three.keras_model.set_weights(weights)
        three.keras_model.save_weights(str(folder / "nuclei_rgb" / "weights_best.h5"))
    (folder / "nuclei_rgb" / "thresholds.json").write_text((MODELS / "nuclei_small" / "thresholds.json").read_text())
    return str(folder / "nuclei_rgb")
