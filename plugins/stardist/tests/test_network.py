"""A network in memory: loaded once, never sent, shared by threads, patient where memory runs out."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from synth import make

from tilewright import Image
from tilewright.components import exhaustion
from tilewright.errors import NotReadable
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
    assert done.stderr == ""


@pytest.mark.slow
def test_a_quiet_run_writes_nothing_to_stderr_neither_here_nor_in_its_workers(small2d: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tilewright.cli", "run", str(IMAGE), str(tmp_path / "out.zarr"), "--quiet"]
    options = ["--segmenter", "stardist", "--set", f"model={small2d}", "--processes", "--workers", "1"]
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True, env=kept)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.skipif(find_spec("triton") is None, reason="only PyTorch's builds for GPUs bring Triton")
def test_pytorch_can_be_used_in_full_after_stardist() -> None:
    code = "from tilewright_stardist.library import kinds; kinds(); import torch._dynamo"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_why_a_library_aborts_is_shown(tmp_path: Path) -> None:
    (tmp_path / "stardist.py").write_text(
        "import os\nos.write(2, b'I0000 an instruction is missing\\nF0000 it was AVX\\n')\nos.abort()\n"
    )
    code = "from tilewright_stardist.library import kinds; kinds()"
    settings = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=settings)
    assert done.returncode < 0
    assert done.stderr == "F0000 it was AVX\n"


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
    """A network that asks TensorFlow for more memory than there is, so many times, where it gets so many pixels."""

    def __init__(self, keras_model: Any, most: int, times: int) -> None:
        self.keras_model, self.most, self.times = keras_model, most, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keras_model, name)

    def predict(self, x: NDArray[Any], **options: Any) -> Any:
        import tensorflow

        if x.size > self.most and self.times > 0:
            self.times -= 1
            tensorflow.zeros(2**50, tensorflow.uint8)
        return self.keras_model.predict(x, **options)


@pytest.mark.parametrize(
    ("most", "times", "next_steps"),
    [
        (0, 2, ["trying size 200 in 0.01 s", "trying size 200 in 0.02 s"]),
        (20_000, 99, ["trying size 200 in 0.01 s", "trying size 200 in 0.02 s", "trying size 100 in 0 s"]),
    ],
    ids=["for a moment", "for good"],
)
def test_where_memory_runs_out_it_waits_and_then_works_in_parts(
    most: int,
    times: int,
    next_steps: list[str],
    prepared: StarDist,
    pixels: NDArray[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = prepared(pixels)
    model = prepared._network.model
    monkeypatch.setattr(model, "keras_model", Full(model.keras_model, most, times))
    monkeypatch.setattr(exhaustion, "PAUSES", (0.01, 0.02))
    found = prepared(pixels)
    np.testing.assert_array_equal(found > 0, labels > 0)
    assert len(np.unique(found)) == len(np.unique(labels))
    assert [message.rpartition("; ")[2] for message in caplog.messages] == next_steps


def test_where_not_even_parts_fit_it_is_an_error(
    prepared: StarDist, pixels: NDArray[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tensorflow.errors import ResourceExhaustedError

    model = prepared._network.model
    monkeypatch.setattr(model, "keras_model", Full(model.keras_model, 0, 99))
    monkeypatch.setattr(exhaustion, "PAUSES", ())
    with pytest.raises(ResourceExhaustedError, match="OOM when allocating"):
        prepared(pixels)
    assert [message.rpartition("; ")[2] for message in caplog.messages] == [
        "trying size 100 in 0 s",
        "trying size 50 in 0 s",
    ]


def test_other_errors_are_not_waited_for(prepared: StarDist) -> None:
    with pytest.raises(ValueError, match="axes"):
        prepared._network.candidates(np.zeros((3, 3, 3, 3), np.float32), 0.5)
