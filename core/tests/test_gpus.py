"""Processes and GPUs: one process predicts on each GPU and sees no other; the others see none, and decode.

No GPU is needed: what a process would see is what its environment says.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Local
from numpy.typing import NDArray

from tilewright import Grid, Image, InvalidOption, Pipeline, Placement
from tilewright.abc import Maps, Traits, Window
from tilewright.storage.machine import gpus

AT_IMPORT = os.environ.get("CUDA_VISIBLE_DEVICES")  # a library that is imported with this module would see this
PIXELS = np.random.default_rng(0).integers(0, 1000, (150, 130))


@dataclass(frozen=True, kw_only=True)
class Noting(Local):
    """Notes of each process what it does and which GPUs it sees; with `deadly` the first one on that GPU dies."""

    folder: str
    gpu: Any = "auto"
    deadly: str = ""

    def predict(self, windows: Sequence[Window], which: int) -> list[dict[str, NDArray[Any]]]:
        self._note("predict")
        died = Path(self.folder) / "died"
        if self.deadly and os.environ["CUDA_VISIBLE_DEVICES"] == self.deadly and not died.exists():
            died.touch()
            os._exit(1)
        return super().predict(windows, which)

    def decode(self, maps: Sequence[Maps], place: Placement) -> NDArray[Any]:
        self._note("decode")
        return super().decode(maps, place)

    def _note(self, what: str) -> None:
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == AT_IMPORT
        (Path(self.folder) / f"{what} {os.getpid()} on {AT_IMPORT}").touch()


def run(folder: Path, **options: Any) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """The processes, with the GPUs that they saw, that predicted and that decoded; the labels are compared."""
    network = Noting(level=500, folder=str(folder), **options)
    result = Pipeline(segmenter=network, tiler=Grid(tile=30, halo=4)).run(
        PIXELS, folder / "labels.zarr", workers=2, processes=True
    )
    np.testing.assert_array_equal(result.labels.compute(), Local(level=500)(PIXELS))
    notes = [path.name.split(" ") for path in folder.glob("* on *")]
    predicting, decoding = (
        {(pid, gpu) for each, pid, _, gpu in notes if each == what} for what in ("predict", "decode")
    )
    return predicting, decoding


@pytest.mark.slow
def test_one_process_predicts_on_each_gpu_and_the_others_see_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5a")
    predicting, decoding = run(tmp_path)
    assert sorted(seen for _, seen in predicting) == ["3", "GPU-5a"]
    assert {seen for _, seen in decoding} == {""}
    assert not {pid for pid, _ in predicting} & {pid for pid, _ in decoding}
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,GPU-5a"


@pytest.mark.slow
@pytest.mark.parametrize(("gpu", "visible"), [(False, "0,1"), ("auto", "-1,0")])
def test_without_a_gpu_or_the_wish_for_one_all_processes_do_both(
    gpu: bool | str, visible: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    predicting, decoding = run(tmp_path, gpu=gpu)
    assert {seen for _, seen in predicting | decoding} == {visible}
    assert len(predicting | decoding) == 2


@pytest.mark.slow
def test_a_process_that_dies_on_a_gpu_is_followed_by_another_on_that_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    predicting, decoding = run(tmp_path, deadly="1")
    assert sorted(seen for _, seen in predicting) == ["0", "1", "1"]
    assert {seen for _, seen in decoding} == {""}


@pytest.mark.slow
def test_what_a_script_imports_sees_the_gpu_of_its_process(tmp_path: Path) -> None:
    """The script is read again in each process, before any task: a library that it imports looks for GPUs then."""
    (tmp_path / "library.py").write_text('import os\nSEEN = os.environ["CUDA_VISIBLE_DEVICES"]\n')
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import library
import numpy as np
from networks import Local
from tilewright import Grid, Pipeline

class Noting(Local):
    gpu = True

    def predict(self, windows, which):
        import library
        (Path({str(tmp_path)!r}) / f"saw {{library.SEEN}}").touch()
        return super().predict(windows, which)

if __name__ == "__main__":
    pixels = np.random.default_rng(0).integers(0, 1000, (150, 130))
    Pipeline(segmenter=Noting(level=500), tiler=Grid(tile=30)).run(pixels, processes=True, workers=1)
"""
    )
    subprocess.run([sys.executable, script], env=os.environ | {"CUDA_VISIBLE_DEVICES": "4,2"}, check=True)
    assert sorted(path.name for path in tmp_path.glob("saw *")) == ["saw 2", "saw 4"]


def test_gpus_are_those_that_the_environment_names_else_those_that_nvidia_smi_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus({}) == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$1" = --query-gpu=index ] && printf "0\\n1\\n"\n')
    tool.chmod(0o755)
    assert gpus({}) == ["0", "1"]
    assert gpus({"CUDA_VISIBLE_DEVICES": "1"}) == ["1"]
    tool.write_text("#!/bin/sh\necho no driver >&2\nexit 9\n")
    assert gpus({}) == []


def test_what_a_network_declares_of_gpus_is_checked_and_of_other_segmenters_ignored(tmp_path: Path) -> None:
    image = Image(PIXELS, axes="yx")
    with pytest.raises(InvalidOption, match="declares gpu = 'cuda:1'; it must be True, False or 'auto'"):
        Traits.of(Noting(folder="", gpu="cuda:1"), image)

    class Plain:
        gpu = "cuda:1"

        def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
            return pixels

    assert not Traits.of(Plain(), image).gpu
    assert not Traits.of(Local(), image).gpu
    assert Traits.of(Noting(folder=""), image).gpu
