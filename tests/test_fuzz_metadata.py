"""OME-Zarr metadata with anything in it, on the command line: the right labels or one line, never an internal error."""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from harmless import bounded_memory, invoke
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from runs import components
from stores import multiscales

# zarr warns of some of what is made here; a warning is a line on the terminal and does not end a run.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

EXAMPLES = int(os.environ.get("TILEWRIGHT_EXAMPLES", "50"))  # `make faults` asks for more
SHAPE = (12, 20)
ARRAYS = {
    "0": np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8),
    "1": np.random.default_rng(1).integers(0, 200, SHAPE[::-1]).astype(np.uint8),
    "deep/er": np.random.default_rng(2).integers(0, 200, SHAPE).astype(np.uint8),
    "unicode µ": np.random.default_rng(3).integers(0, 200, SHAPE).astype(np.uint8),
}

STEERING = ["\x1b]0;owned\x07", "\x1b[31mred", "abc\u202egpj.exe", "\u2066x", "a\u2028b", "\x9b2J"]
MEMORY = 200_000_000  # bytes that all examples of a test may need beside what the process has

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**30, 1e-300, 1e308, 0.5, -0.0])
    | st.sampled_from(
        ["", "y", "x", "yx", "0", "1", "deep/er", "unicode µ", "..", "../..", "/etc", "a\x00b", "\ud7ff\n", *STEERING]
    )
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module", params=["0.4", "0.5"])
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A valid image of each version, and arrays that its metadata does not name."""
    path = tmp_path_factory.mktemp("fuzz") / "image.ome.zarr"
    version = request.param
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    for name, pixels in ARRAYS.items():
        options = {} if version == "0.4" else {"dimension_names": ["y", "x"]}
        group.create_array(name, data=pixels, chunks=(8, 8), **options)
    return version, path


def valid(version: str) -> dict[str, Any]:
    said = multiscales("yx", version)
    said["multiscales"][0]["axes"] = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    said["omero"] = {"channels": [{"label": "DAPI", "color": "FF0000", "window": {"start": 0, "end": 9}}]}
    said["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [2.0, 2.0]}]
    if version == "0.4":
        said["multiscales"][0]["version"] = said.pop("version")
        return said
    return {"ome": said}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something can be changed."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(draw: Any, version: str) -> dict[str, Any]:
    """Valid metadata of which up to three parts are deleted, replaced, doubled, or given another key."""
    said = valid(version)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(said))[1:] or list(places(said))  # the whole is seldom the one to go
        if not found:
            break
        *above, key = draw(st.sampled_from(found))
        holder = said
        for step in above:
            holder = holder[step]
        how = draw(st.sampled_from(["delete", "replace", "double", "rename"]))
        if how == "delete":
            del holder[key]
        elif how == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=5))] = holder.pop(key)
        else:
            holder[key] = draw(JSON)
    return said


def put(path: Path, version: str, said: dict[str, Any]) -> None:
    if version == "0.4":
        (path / ".zattrs").write_text(json.dumps(said))
        return
    file = path / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attributes": said}))


def array_named(version: str, said: dict[str, Any]) -> NDArray[Any]:
    """The array that the metadata names, along y and x, as plainly as it can be looked up."""
    scale = (said if version == "0.4" else said["ome"])["multiscales"][0]
    axes = [axis if isinstance(axis, str) else axis["name"] for axis in scale.get("axes") or "yx"]  # 0.1 has none
    pixels = ARRAYS[str(scale["datasets"][0]["path"]).strip("/")]
    assert len(axes) == 2
    return pixels


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_metadata_gives_the_labels_of_the_array_it_names_or_one_line(
    template: tuple[str, Path], data: st.DataObject
) -> None:
    version, path = template
    said = mutated(data.draw, version)
    put(path, version, said)
    with tempfile.TemporaryDirectory() as folder, bounded_memory(MEMORY):
        invoke("info", path)
        told = invoke("info", path, "--json")
        out = Path(folder) / "labels.zarr"
        done = invoke(
            "run", path, out, "--segmenter", "threshold", "--set", "threshold=100", "--tile", 7, "--writer",
            "zarr-array", "--quiet",
        )  # fmt: skip
        if done.exit_code == 0:
            assert told.exit_code == 0
            labels = zarr.open_array(out, mode="r")[...]
            np.testing.assert_array_equal(labels, components(array_named(version, said)))
        else:
            assert not out.exists()


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(said=JSON, data=st.data())
def test_any_json_as_an_arrays_metadata_is_one_line_or_read(
    template: tuple[str, Path], said: Any, data: st.DataObject
) -> None:
    version, path = template
    put(path, version, valid(version))
    file = path / "0" / (".zarray" if version == "0.4" else "zarr.json")
    whole = file.read_text()
    record = json.loads(whole)
    key = data.draw(st.sampled_from(sorted(record)))
    record[key] = said
    file.write_text(json.dumps(record))
    try:
        with bounded_memory(MEMORY):
            invoke("info", path)
            invoke("run", path, path.with_name("out.zarr"), "--segmenter", "threshold", "--tile", 7, "--quiet",
                   "--overwrite", "--no-resume")  # fmt: skip
    finally:
        file.write_text(whole)
        shutil.rmtree(path.with_name("out.zarr"), ignore_errors=True)
