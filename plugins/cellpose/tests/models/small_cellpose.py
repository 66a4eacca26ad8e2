"""The small models as the installed Cellpose loads them: its network's class narrowed, all the rest as shipped."""

from __future__ import annotations

import importlib
from pathlib import Path

from tilewright_cellpose.weights import newer

__all__ = ["HERE", "SMALL", "narrow"]

HERE = Path(__file__).parent
SMALL = HERE / ("cellpose4/nuclei_small_cp4.pt" if newer() else "cellpose3/nuclei_small_cp3.pt")


def narrow() -> None:
    """Let this process make networks of the small models' widths."""
    if newer():
        from segment_anything import sam_model_registry

        sam_model_registry["vit_l"] = importlib.import_module("cellpose4.smallcp4").small_encoder
        return
    from cellpose import models

    models.CPnet = importlib.import_module("cellpose3.smallcp3").SmallCPnet
