"""The tests that every component should pass: inherit a class, give it one fixture.

| class | fixture | what the fixture returns |
|---|---|---|
| `PluginTests` | `plugin` | the import name of a plugin package |
| `ReaderTests` | `sample` | a `Sample`: a small file and what is in it |
| `SegmenterTests` | `segmenter` | a segmenter |
| `NetworkTests` | `segmenter` | a segmenter that is a network |
| `TransformTests` | `transform` | a transform |
| `TilerTests` | `tiler` | a tiler |
| `MergerTests` | `merger` | a merger |
| `OwnerTests` | `merger` | a merger that has `decide` |
| `WriterTests` | `writer` | a writer |
| `MeasurerTests` | `measurer` | a measurer |
| `TableTests` | `table` | a table's format |

Where a fixture returns a component it may be an instance, a function, or the name of an installed one.

A test that does not apply is left out by name, with the reason, in the class attribute `leave_out`. Nothing here needs
pytest but `tilewright.testing.fixtures`, so that `tilewright check` runs the same tests.
"""

from __future__ import annotations

from .measurers import MeasurerTests, Objects
from .mergers import MergerTests
from .networks import NetworkTests
from .owners import OwnerTests
from .plugins import PluginTests
from .readers import ReaderTests, Sample
from .segmenters import SegmenterTests
from .tables import TableTests
from .tilers import TilerTests
from .transforms import TransformTests
from .writers import WriterTests

__all__ = [
    "MeasurerTests",
    "MergerTests",
    "NetworkTests",
    "Objects",
    "OwnerTests",
    "PluginTests",
    "ReaderTests",
    "Sample",
    "SegmenterTests",
    "TableTests",
    "TilerTests",
    "TransformTests",
    "WriterTests",
]
