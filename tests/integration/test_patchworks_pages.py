"""The code in the pages about patchworks runs, and prints what the page shows."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from functions.nuclei import NUCLEI, write_ome_zarr

import tilewright

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


# name: (arguments by position, arguments by name only); none for the names of its Cellpose plugin
PUBLIC: dict[str, tuple[str, str] | None] = {
    "tile_process": (
        "image fn",
        "tile_shape overlap channel level use_gpu progress write_to output_component sequential_labels skip_empty "
        "empty_threshold stage_dir keep_stage verbose merger connectivity compute resume overwrite channels",
    ),
    "merge_tile_labels": (
        "labeled write_to",
        "input_component output_component overlap sequential_labels n_workers stage_dir keep_stage progress "
        "merger connectivity unique",
    ),
    "auto_overlap": ("diameter safety", ""),
    "auto_tile_shape": (
        "shape dtype target_bytes use_gpu gpu_memory available_memory n_workers verbose",
        "",
    ),
    "auto_tile_shape_cellpose": (
        "shape dtype diameter do_3D use_gpu gpu_memory available_memory n_workers model_memory_bytes "
        "cellpose_memory_factor verbose",
        "",
    ),
    "load_ome_zarr": ("store_path channel level chunks", ""),
    "estimate_empty_tiles": ("image tile_shape threshold channel level sample_window", ""),
    "make_local_cluster": ("use_gpu n_workers threads_per_worker memory_limit cluster_kwargs", ""),
    "relabel_sequential_array": ("labels", ""),
    "relabel_sequential_zarr": ("store_path component", ""),
    "plugins.cellpose.cellpose_fn": None,
    "plugins.cellpose.make_cellpose_config": None,
    "get_cellpose_model": None,
    "run_cellpose": None,
}
DEFAULTS: dict[str, tuple[object, ...]] = {
    "overlap": (0,),
    "channel": (0,),
    "level": (0,),
    "connectivity": (1,),
    "merger": ("touch",),
    "resume": (True,),
    "output_component": ("labels",),
    "input_component": ("labels",),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["moving-from-patchworks.md", "pitfalls.md"])
def test_the_code_of_a_page_runs_and_prints_what_it_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ome_zarr(tmp_path / "image.zarr", np.stack([NUCLEI, NUCLEI.T]), "zyx", (1, 256, 256))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page}
    shown = ""
    for language, text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text, page, "exec"), names)
        else:
            shown += text
    assert capsys.readouterr().out == shown


def test_every_public_name_of_patchworks_is_in_the_table() -> None:
    table = (DOCS / "moving-from-patchworks.md").read_text(encoding="utf-8")
    for name in PUBLIC:
        assert f"`{name}`" in table, name


@pytest.mark.parametrize("name", [name for name, arguments in PUBLIC.items() if arguments])
def test_a_function_of_patchworks_is_here_with_its_arguments_and_their_order(name: str) -> None:
    positional, by_name = PUBLIC[name] or ("", "")
    assert name in tilewright.__all__
    parameters = inspect.signature(getattr(tilewright, name)).parameters
    assert list(parameters)[: len(positional.split())] == positional.split()
    assert set(by_name.split()) <= set(parameters)
    assert all(parameters[each].default in DEFAULTS.get(each, (None, False)) for each in by_name.split())
