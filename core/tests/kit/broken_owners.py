"""A merger that decides which tile draws an object and keeps the contract, and one for each way of breaking it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tilewright import Copies, Decision, Evidence, Overlap, Seam


@dataclass(frozen=True, kw_only=True)
class Good:
    def __call__(self, seam: Seam) -> Any:
        return Overlap()(seam)

    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        return Overlap().decide(copies, evidence)


class Hasty(Good):
    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        return super().decide(replace(copies, known=np.ones(len(copies), bool)), evidence)


class Linking(Good):
    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        said, hasty = super().decide(copies, evidence), Hasty().decide(copies, evidence)
        return replace(said, links=hasty.links)


class Ranking(Good):
    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        said = super().decide(copies, evidence)
        return replace(said, worth=np.argsort(np.argsort(said.worth)))


class Silent(Good):
    def decide(self, copies: Copies, evidence: Evidence) -> Decision:
        return replace(super().decide(copies, evidence), open=np.ones(len(copies), bool))


class ThreeColumns(Good):
    def __call__(self, seam: Seam) -> Any:
        return super().__call__(seam)[:, :3]
