"""What is recorded of a run does not grow with the cluster that it ran on."""

from __future__ import annotations

from tilewright.engine.provenance import workers_record
from tilewright.engine.workers.environment import WorkerFacts

VERSIONS = (("tilewright", "0.1.0"), ("lab_spots", "1.0"))


def test_workers_of_equal_versions_are_counted_together_and_a_few_are_named() -> None:
    seen = [WorkerFacts(f"{number:04} on node", VERSIONS) for number in range(1000)]
    seen += [WorkerFacts(f"{number:04} on node", (("lab_writer", "2.0"),)) for number in range(1000)]
    seen.append(WorkerFacts("odd on node", (("tilewright", "0.1.0"), ("lab_spots", "1.1"))))
    alike, odd = workers_record(seen)
    assert alike["count"] == 1000
    assert alike["versions"] == {"tilewright": "0.1.0", "lab_spots": "1.0", "lab_writer": "2.0"}
    assert alike["names"] == [f"{number:04} on node" for number in range(16)]
    assert odd == {"versions": {"tilewright": "0.1.0", "lab_spots": "1.1"}, "count": 1, "names": ["odd on node"]}
    assert workers_record([]) == []
