"""The small models as the installed Cellpose loads them: its network's class narrowed, all the rest as shipped."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

from tilewright_cellpose.weights import newer

__all__ = ["SMALL", "narrow", "shim"]

HERE = Path(__file__).parent
SMALL = HERE / ("cellpose4/nuclei_small_cp4.pt" if newer() else "cellpose3/nuclei_small_cp3.pt")


def shim() -> None:
    """Let torchvision be imported beside PyTorch's build for CPUs, which lacks operators that Cellpose never calls."""
    sys.modules.setdefault("torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))


def narrow() -> None:
    """Let this process make networks of the small models' widths."""
    shim()
    if newer():
        from segment_anything import sam_model_registry

        sam_model_registry["vit_l"] = importlib.import_module("cellpose4.smallcp4").small_encoder
        return
    from cellpose import models

    models.CPnet = importlib.import_module("cellpose3.smallcp3").SmallCPnet
