"""A network in memory: loaded once, never sent, shared by threads, patient where memory runs out."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synth import make

from tilewright import Image
from tilewright.errors import NotReadable
from tilewright_stardist import exhaustion
from tilewright_stardist.network import network
from tilewright_stardist.segmenter import StarDist

pytestmark = pytest.mark.slow

IMAGE = Path(__file__).parents[3] / "docs" / "demo" / "data" / "img2d.tif"


@pytest.fixture(scope="module")
def pixels() -> NDArray[Any]:
    return make((160, 200), "dense", seed=5)[0]


@pytest.fixture(scope="module")
def prepared(small2d: str, pixels: NDArray[Any]) -> StarDist:
    return StarDist(model=small2d).prepare(Image(data=pixels, axes="yx"))


def test_it_is_loaded_once_however_many_threads_ask_first(
    small2d: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stardist.models import StarDist2D

    loads, load = [], StarDist2D._find_and_load_weights

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        loads.append(self)
        return load(self, *args, **kwargs)

    monkeypatch.setattr(StarDist2D, "_find_and_load_weights", counted)
    folder = str(shutil.copytree(small2d, tmp_path / "copy"))
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(network, [folder] * 8))
    assert len(found) == len(loads) == 1


def test_weights_that_changed_are_loaded_anew_and_refused_where_a_run_had_others(
    small2d: str, tmp_path: Path, pixels: NDArray[Any]
) -> None:
    folder = Path(shutil.copytree(small2d, tmp_path / "copy", copy_function=shutil.copyfile))
    segmenter = StarDist(model=str(folder))
    prepared = segmenter.prepare(Image(data=pixels, axes="yx"))
    assert prepared(pixels).any()
    (folder / "thresholds.json").write_text('{"prob": 0.999, "nms": 0.4}')
    assert prepared(pixels).any(), "the network in memory is the run's"
    assert not segmenter(pixels).any(), "a new threshold counts"
    with pytest.raises(NotReadable, match=r"is not the one that the run began with .*--no-resume"):
        network(str(folder), prepared.digest.replace(prepared.digest[0], "x"))


def test_a_prepared_segmenter_is_small_and_the_same_elsewhere(
    prepared: StarDist, pixels: NDArray[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = prepared(pixels)
    sent = pickle.dumps(prepared)
    assert len(sent) < 2000
    monkeypatch.chdir(tmp_path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        np.testing.assert_array_equal(workers.submit(pickle.loads(sent), pixels).result(), labels)


def test_a_relative_folder_is_found_by_workers_elsewhere(
    small2d: str, pixels: NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(small2d).parent)
    assert StarDist(model="nuclei_small").prepare(Image(data=pixels, axes="yx")).model == small2d


def test_nothing_is_imported_before_it_is_used(small2d: str) -> None:
    code = f"""
import sys
from tilewright import Pipeline
pipeline = Pipeline(segmenter={{"name": "stardist", "configuration": {{"model": {small2d!r}}}}})
assert pipeline.effective_merger() and pipeline.segmenter.axes == "yx"
print(*({{"tensorflow", "stardist", "csbdeep", "keras"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_is_printed(small2d: str) -> None:
    code = f"""
import numpy as np
from tilewright_stardist.segmenter import StarDist
StarDist(model={small2d!r})(np.random.default_rng(0).random((64, 64)))
"""
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept)
    assert done.stdout == ""
    # What TensorFlow says of some processors before it reads any setting. Closing the descriptor to it would hide, too,
    # why it aborts on others.
    unavoidable = ("absl::InitializeLog", "oneDNN custom operations are on")
    assert [line for line in done.stderr.splitlines() if not any(each in line for each in unavoidable)] == []


@pytest.mark.parametrize("missing", ["tensorflow", "stardist"])
def test_where_a_library_is_missing_the_plugin_is_listed_and_says_what_to_install(missing: str, small2d: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None  # as if it were not installed
from tilewright.cli import main
main(sys.argv[1:])
"""
    listed = subprocess.run([sys.executable, "-c", code, "plugins"], capture_output=True, text=True, check=True)
    assert "stardist" in listed.stdout
    command = [sys.executable, "-c", code, "run", str(IMAGE), "out.zarr", "--segmenter", "stardist"]
    ran = subprocess.run([*command, "--set", f"model={small2d}"], capture_output=True, text=True, check=False)
    (line,) = ran.stderr.splitlines()
    assert ran.returncode == 2
    assert "it needs TensorFlow" in line
    assert 'pip install "tilewright-stardist[tensorflow]"' in line


def test_without_the_plugin_its_name_is_unknown_and_others_run(small2d: str, tmp_path: Path) -> None:
    run = [
        sys.executable,
        "-m",
        "tilewright.cli",
        "run",
        str(IMAGE),
        str(tmp_path / "out.zarr"),
        "--quiet",
        "--segmenter",
    ]
    without = os.environ | {"TILEWRIGHT_DISABLE_PLUGINS": "stardist"}
    refused = subprocess.run([*run, "stardist"], capture_output=True, text=True, check=False, env=without)
    assert refused.returncode == 2
    assert "'stardist'" in refused.stderr
    subprocess.run([*run, "threshold"], check=True, env=without)
    alone = os.environ | {"TILEWRIGHT_DISABLE_PLUGINS": "cellpose,threshold"}
    subprocess.run([*run, "stardist", "--set", f"model={small2d}", "--overwrite"], check=True, env=alone)


class Full:
    """A network before which so many bytes' worth of pixels are refused, as TensorFlow refuses them."""

    def __init__(self, keras_model: Any, most: int, times: int) -> None:
        self.keras_model, self.most, self.times, self.sizes = keras_model, most, times, []

    def predict(self, x: NDArray[Any], **options: Any) -> Any:
        from tensorflow.errors import ResourceExhaustedError

        self.sizes.append(x.size)
        if x.size > self.most and self.times > 0:
            self.times -= 1
            raise ResourceExhaustedError(None, None, f"OOM when allocating tensor with shape{x.shape}")
        return self.keras_model.predict(x, **options)


@pytest.mark.parametrize(
    ("most", "times", "said"),
    [
        (0, 2, ["trying again in 0.01 s", "trying again in 0.02 s"]),
        (20_000, 99, ["trying again in 0.01 s", "trying again in 0.02 s", "going on in 2 parts along each axis"]),
    ],
    ids=["for a moment", "for good"],
)
def test_where_memory_runs_out_it_waits_and_then_works_in_parts(
    most: int, times: int, said: list[str], prepared: StarDist, pixels: NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = prepared(pixels)
    model = prepared._network.model
    full = Full(model.keras_model, most, times)
    monkeypatch.setattr(model, "keras_model", full)
    monkeypatch.setattr(exhaustion, "PAUSES", (0.01, 0.02))
    with pytest.warns(RuntimeWarning, match="memory ran out") as caught:
        found = prepared(pixels)
    np.testing.assert_array_equal(found > 0, labels > 0)
    assert len(np.unique(found)) == len(np.unique(labels))
    assert len(caught) == len(said)
    for warning, part in zip(caught, said, strict=True):
        assert part in str(warning.message)


def test_where_not_even_parts_fit_it_is_an_error(
    prepared: StarDist, pixels: NDArray[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorflow.errors import ResourceExhaustedError

    model = prepared._network.model
    monkeypatch.setattr(model, "keras_model", Full(model.keras_model, 0, 99))
    monkeypatch.setattr(exhaustion, "PAUSES", ())
    with pytest.warns(RuntimeWarning, match="memory ran out again"), pytest.raises(ResourceExhaustedError):
        prepared(pixels)


def test_other_errors_are_not_waited_for(prepared: StarDist) -> None:
    with pytest.raises(ValueError, match="axes"):
        prepared._network.instances(np.zeros((3, 3, 3, 3), np.float32), None, None)
