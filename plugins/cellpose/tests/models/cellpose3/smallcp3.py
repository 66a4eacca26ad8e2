"""Cellpose 3's network with narrow layers, and the same function in a network of the usual width."""

from __future__ import annotations

from typing import Any

import torch
from cellpose.resnet_torch import CPnet

__all__ = ["SmallCPnet", "widened"]

WIDTHS = [8, 16, 32, 64]
USUAL = [32, 64, 128, 256]


class SmallCPnet(CPnet):  # type: ignore[misc]  # Cellpose has no types
    """In the place of `CPnet`, whose widths `CellposeModel` writes down and whose style it takes to be 256 long."""

    def __init__(self, nbase: list[int], *args: Any, **options: Any) -> None:
        super().__init__([nbase[0], *WIDTHS], *args, **options)

    def forward(self, data: torch.Tensor) -> tuple[Any, ...]:
        flows, style, first = super().forward(data)
        return flows, torch.nn.functional.pad(style, (0, USUAL[-1] - style.shape[1])), first


def widened(small: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights of the usual widths that compute the same function: the channels that are new are 0 everywhere."""
    usual = CPnet([2, *USUAL], 3, sz=3).state_dict()
    return {name: _embedded(name, small[name], like) for name, like in usual.items()}


def _embedded(name: str, weights: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if not like.ndim:
        return weights.clone()
    grown = torch.ones_like(like) if name.endswith("running_var") else torch.zeros_like(like)
    grown[tuple(slice(n) for n in weights.shape)] = weights.float()
    return grown
