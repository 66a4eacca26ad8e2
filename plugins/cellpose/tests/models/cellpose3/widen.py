"""Write the small model of Cellpose 3 with layers of the usual width: 26 MB that any Cellpose 3 loads.

PYTHONPATH=plugins/cellpose/tests/models/cellpose3 python plugins/cellpose/tests/models/cellpose3/widen.py SMALL WIDE
"""

from __future__ import annotations

import sys

import torch
from smallcp3 import widened

torch.save(widened(torch.load(sys.argv[1], weights_only=True)), sys.argv[2])
