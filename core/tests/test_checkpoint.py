"""The checkpoint's packs: what was appended is read back, what a kill cut short is gone, the user's files stay."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from tilewright import AlreadyExists, CheckpointMismatch
from tilewright.engine.checkpoint import log
from tilewright.engine.checkpoint.lock import claimed, remove_idle
from tilewright.engine.checkpoint.log import Checkpoint, Record, decode, encode

ARRAYS = hnp.arrays(
    st.sampled_from(["u1", "u2", "u4", "u8", "i8", "f4", "?", ">u2"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
)


def pack_of(checkpoint: Checkpoint) -> Path:
    (path,) = (checkpoint.path / "packs").iterdir()
    return path


def contents(path: Path) -> dict[tuple[str, int], dict[str, NDArray[Any]]]:
    """Everything that a later run finds."""
    checkpoint = Checkpoint(path)
    found = {(record.kind, record.number): checkpoint.read(record.place) for record in checkpoint.records()}
    checkpoint.close()
    return found


@settings(max_examples=50)
@given(
    records=st.lists(st.dictionaries(st.sampled_from(["labels", "first", "z+", "x-"]), ARRAYS, max_size=4), max_size=5)
)
def test_what_is_appended_is_read_back(records: list[dict[str, NDArray[Any]]], tmp_path_factory: Any) -> None:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoint"))
    places = [checkpoint.append("tile", number, arrays) for number, arrays in enumerate(records)]
    for place, arrays in zip(places, records, strict=True):
        found = checkpoint.read(place)
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
            assert checkpoint.read(place, name).keys() == {name}
    checkpoint.close()
    assert [record.number for record in Checkpoint(checkpoint.path).records()] == list(range(len(records)))


def test_large_arrays_are_compressed_and_read_alone(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    labels = np.repeat(np.arange(1000, dtype=np.uint32), 1000)
    noise = np.random.default_rng(0).integers(0, 2**63, 100_000)
    place = checkpoint.append("tile", 7, {"labels": labels, "noise": noise, "few": np.arange(3)})
    assert place.size < noise.nbytes + labels.nbytes / 20
    for name, array in (("few", np.arange(3)), ("noise", noise), ("labels", labels)):
        np.testing.assert_array_equal(checkpoint.read(place, name)[name], array)
    checkpoint.close()


@pytest.mark.parametrize("count", [1, 10_000])
def test_a_record_that_claims_to_hold_pointers_is_not_read(count: int) -> None:
    table, data = encode({"first": np.arange(1, count + 1)})
    with pytest.raises(ValueError, match="OBJECT array"):
        decode(table.replace(b"<i8", b"|O"), [], lambda at, size: data[at : at + size])


def test_a_record_with_a_long_table_is_read(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    arrays = {f"a rather long name {i}": np.array(i) for i in range(500)}
    place = checkpoint.append("tile", 0, arrays)
    assert {name: int(value) for name, value in checkpoint.read(place).items()} == {
        name: int(v) for name, v in arrays.items()
    }
    checkpoint.close()


def test_zeros_cost_nothing(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    small = checkpoint.append("tile", 0, {"labels": np.zeros((1, 1), np.uint64)})
    large = checkpoint.append("tile", 1, {"labels": np.zeros((4000, 4000), np.uint64)})
    assert large.size - small.size < 10
    assert checkpoint.read(large)["labels"].shape == (4000, 4000)
    checkpoint.close()


def written(path: Path, count: int = 4) -> list[Record]:
    checkpoint = Checkpoint(path)
    for number in range(count):
        checkpoint.append(
            "tile", number, {"labels": np.arange(number + 3, dtype=np.uint16), "objects": np.array([number, 0])}
        )
    checkpoint.close()
    return list(Checkpoint(path).records())


def test_a_record_cut_off_at_any_byte_is_gone_and_those_before_it_are_there(tmp_path: Path) -> None:
    records = written(tmp_path)
    pack, before = pack_of(Checkpoint(tmp_path)), contents(tmp_path)
    whole, last = pack.read_bytes(), records[-1].place
    for end in range(last.offset, last.offset + last.size):
        pack.write_bytes(whole[:end])
        found = contents(tmp_path)
        assert list(found) == [("tile", 0), ("tile", 1), ("tile", 2)]
        for key, arrays in found.items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, before[key][name])


@pytest.mark.parametrize("tail", [b"\0" * 500, b"\xff" * 500, b"TWr1", b"TWr1" + b"\0" * 40])
def test_what_a_power_cut_leaves_behind_the_last_record_is_passed_over(tail: bytes, tmp_path: Path) -> None:
    written(tmp_path)
    pack = pack_of(Checkpoint(tmp_path))
    pack.write_bytes(pack.read_bytes() + tail)
    found = [key for key in contents(tmp_path) if key[0] == "tile"]
    assert found == [("tile", n) for n in range(4)]


def test_a_flipped_byte_anywhere_never_gives_other_data(tmp_path: Path) -> None:
    records, before = written(tmp_path), contents(tmp_path)
    pack = pack_of(Checkpoint(tmp_path))
    whole, second = pack.read_bytes(), records[1].place
    for at in range(second.offset, second.offset + second.size):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        found = contents(tmp_path)
        assert ("tile", 0) in found
        assert ("tile", 1) not in found
        for key, arrays in found.items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(array, before[key][name])


def noise(size: int) -> dict[str, NDArray[Any]]:
    """A record that does not get smaller."""
    return {"labels": np.random.default_rng(0).integers(0, 256, size, np.uint8)}


@pytest.mark.parametrize("sizes", [[10] * 40, [400] * 9, [10] * 9 + [5000], [5000, 10, 10, 5000, 10], [700, 2, 1001]])
def test_a_record_is_checked_until_its_pack_is_synced(
    sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, ends = Checkpoint(tmp_path), [0]
    cuts: list[tuple[bytes, int]] = []  # the pack at every instant at which the power may go, and what was synced of it

    def synced(file: int) -> None:
        cuts.append((pack_of(checkpoint).read_bytes(), ends[-1]))
        ends.append(os.fstat(file).st_size)

    monkeypatch.setattr(log, "_SYNC_EVERY", 1000)
    monkeypatch.setattr(os, "fsync", synced)
    places = [checkpoint.append("tile", number, noise(size)) for number, size in enumerate(sizes)]
    checkpoint.close()
    pack = pack_of(checkpoint)
    for whole, end in [*cuts, (pack.read_bytes(), ends[-1])]:
        for number, place in enumerate(places):
            if end < (after := place.offset + place.size) <= len(whole):
                pack.write_bytes(whole[: after - 1] + bytes([whole[after - 1] ^ 1]) + whole[after:])
                assert [record.number for record in Checkpoint(tmp_path).records()] == list(range(number))


def test_a_power_cut_costs_64_mib_and_no_pack_is_synced_more_often_than_that_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = [0]
    monkeypatch.setattr(os, "fsync", lambda file: ends.append(os.fstat(file).st_size))
    checkpoint, record = Checkpoint(tmp_path), noise(2**22)
    for number in range(17):
        place = checkpoint.append("tile", number, record)
        assert place.offset + place.size - ends[-1] <= 2**26
    checkpoint.close()
    assert len(ends) == 1 + 1


def test_a_run_that_goes_on_appends_to_a_pack_of_its_own(tmp_path: Path) -> None:
    written(tmp_path, 2)
    torn = pack_of(Checkpoint(tmp_path))
    torn.write_bytes(torn.read_bytes()[:-5])
    checkpoint = Checkpoint(tmp_path)
    checkpoint.append("tile", 1, {"objects": np.array([5])})
    checkpoint.close()
    found = contents(tmp_path)
    assert sorted(found) == [("tile", 0), ("tile", 1)]
    assert found["tile", 1]["objects"] == 5


def append_many(path: str, start: int, barrier: Any) -> None:
    checkpoint = Checkpoint(Path(path))
    barrier.wait()
    for number in range(start, start + 200):
        checkpoint.append("tile", number, {"labels": np.full(50, number)})
    checkpoint.close()


def test_two_processes_append_at_the_same_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=append_many, args=(str(tmp_path), start, barrier)) for start in (0, 200)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list((tmp_path / "packs").iterdir())) == 2
    found = contents(tmp_path)
    assert sorted(number for _, number in found) == list(range(400))
    assert all((arrays["labels"] == number).all() for (_, number), arrays in found.items())


def test_threads_append_and_read_at_the_same_time(tmp_path: Path) -> None:
    checkpoint, wrong = Checkpoint(tmp_path), []

    def work(start: int) -> None:
        for number in range(start, start + 100):
            place = checkpoint.append("seams", number, {"pairs": np.full(2000, number)})
            if not (checkpoint.read(place)["pairs"] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checkpoint.close()
    assert wrong == []
    assert len(contents(tmp_path)) == 400


@pytest.mark.parametrize("length", [0, 1, 10_000])
def test_a_table_is_kept_whole_and_replaced_whole(length: int, tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save("numbers", np.arange(7))
    checkpoint.save("numbers", np.arange(length, dtype=np.uint32))
    np.testing.assert_array_equal(checkpoint.load("numbers"), np.arange(length, dtype=np.uint32))
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.npy"]


RECORD = {"tilewright": "0.1.0", "segmenter": {"name": "a", "configuration": {"size": 3}}, "grid": [1, 2]}


def claim(folder: Path, record: dict[str, Any], *, resume: bool = True) -> bool:
    """Claim a checkpoint and be killed: its record stays, its hold ends. Returns whether it was new."""
    with claimed([folder], record, resume=resume) as claim:
        return claim.new


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"lock"}


def test_a_new_stage_is_claimed_and_claimed_again_by_the_same_run(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out.tilewright"
    assert claim(folder, RECORD)
    (folder / "packs").mkdir()
    (folder / "packs" / "a.pack").write_bytes(b"work")
    assert not claim(folder, json.loads(json.dumps(RECORD)))
    assert (folder / "packs" / "a.pack").exists()


def test_a_stage_of_another_run_is_refused_and_what_differs_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "out.tilewright"
    claim(folder, RECORD)
    done = Checkpoint(folder)
    done.append("tile", 0, {"head": np.zeros(3)})
    done.close()
    other = {**RECORD, "segmenter": {"name": "a", "configuration": {"size": 4}}, "channels": 1}
    with pytest.raises(CheckpointMismatch) as raised:
        claim(folder, other)
    message = str(raised.value)
    assert str(folder) in message
    assert "is that of another run: size 3 there, 4 now (segmenter); channels None there, 1 now. Repeat" in message
    assert "resume=False (--no-resume on the command line)" in message
    assert not claim(folder, RECORD), "the checkpoint is as it was"


def test_without_resume_a_stage_is_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "out.tilewright"
    claim(folder, RECORD)
    (folder / "packs").mkdir()
    (folder / "packs" / "a.pack").write_bytes(b"work")
    (folder / "numbers.npy").write_bytes(b"work")
    assert claim(folder, {**RECORD, "grid": [3]}, resume=False)
    assert files(folder) == {"plan.json"}
    assert json.loads((folder / "plan.json").read_text())["grid"] == [3]


def test_what_is_not_ours_in_a_stage_stays_there(tmp_path: Path) -> None:
    folder = tmp_path / "out.tilewright"
    claim(folder, RECORD)
    (folder / "notes.txt").write_text("mine")
    assert claim(folder, {**RECORD, "grid": [3]}, resume=False)
    remove_idle(folder)
    assert files(folder) == {"notes.txt"}


FOREIGN = {
    "a folder of other files": {"notes.txt": "mine"},
    "a folder with a plan.json of its own": {"plan.json": '{"holiday": "Crete"}', "notes.txt": "mine"},
    "a plan.json that is no table": {"plan.json": "[1, 2]", "notes.txt": "mine"},
    "a plan.json that is no JSON": {"plan.json": "to do", "notes.txt": "mine"},
}


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_that_is_no_stage_is_refused_and_untouched(name: str, resume: bool, tmp_path: Path) -> None:
    folder = tmp_path / "out.tilewright"
    folder.mkdir()
    for file, text in FOREIGN[name].items():
        (folder / file).write_text(text)
    with pytest.raises(AlreadyExists, match="is not a checkpoint of tilewright; move it away"):
        claim(folder, RECORD, resume=resume)
    remove_idle(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == FOREIGN[name]


def test_a_file_where_the_stage_should_be_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "out.tilewright"
    file.write_text("mine")
    with pytest.raises(AlreadyExists, match="is a link or a file, and not a folder of tilewright"):
        claim(file, RECORD, resume=False)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("left", [[], ["plan.json.partial"], ["lock", "lock.1234", "plan.json.abcd.partial"]])
def test_a_stage_whose_making_was_killed_is_claimed(left: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "out.tilewright"
    folder.mkdir()
    for name in left:
        (folder / name).write_text('{"tile')
    assert claim(folder, RECORD)
    assert files(folder) - set(left) == {"plan.json"}


def test_removing_follows_no_link_out_of_the_stage(tmp_path: Path) -> None:
    folder, outside = tmp_path / "out.tilewright", tmp_path / "data"
    outside.mkdir()
    (outside / "image.zarr").write_text("mine")
    claim(folder, RECORD)
    (folder / "output").symlink_to(outside)
    remove_idle(folder)
    assert (outside / "image.zarr").read_text() == "mine"
