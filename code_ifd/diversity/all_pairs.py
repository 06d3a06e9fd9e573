"""Gains from the distances to all points, computed when they are asked for: facility location's first picks.

A gain that is known from some picks ago changes only by the points that have come nearer to a chosen one since then,
and only their distances are computed.
"""

from collections.abc import Callable

import torch
from tqdm import tqdm

from diversity.distances import BLOCK, Distances

# A gain that has fallen below this share of what was last summed over all points is summed again: it keeps its digits.
FALLEN = 1e-3
# How many picks back a gain may be brought up to date: each takes 8 bytes a point.
MAX_PICKS_BACK = 64

Value = Callable[[torch.Tensor, slice], torch.Tensor]


def over_all_pairs(distances: Distances, weights: torch.Tensor, value: Value) -> torch.Tensor:
    """Return, for each candidate, the weighted sum over all points of a value of its loss, (points,).

    `value` gets a block of losses, (points, candidates), and which points they are.
    """
    total = torch.zeros_like(weights)
    num_blocks = len(distances.blocks())
    for left, right in tqdm(
        distances.pairs_of_blocks(), total=num_blocks * (num_blocks + 1) // 2, unit=" blocks", disable=None, leave=False
    ):
        losses = distances.losses(left, right)
        total[right] += weights[left] @ value(losses, left)
        if left != right:
            total[left] += weights[right] @ value(losses.T, right)
    return total


class AllPairs:
    """What candidates are worth, given one that is chosen and those that will be."""

    max_batch = 1024

    def __init__(self, distances: Distances, weights: torch.Tensor, first: int) -> None:
        self._distances, self._weights = distances, weights
        self.nearest = self._losses(first)
        self._history = [self.nearest]  # after each pick
        self._seen = torch.zeros(len(weights), dtype=torch.int64)  # of which entry the gains are
        self._gains = over_all_pairs(
            distances, weights, lambda losses, part: (self.nearest[part, None] - losses).clamp_(min=0)
        )
        self._summed = self._gains.clone()

    def known_gains(self) -> list[float]:
        """Return each candidate's gain as it was last computed: a bound."""
        return self._gains.tolist()

    def gains(self, candidates: list[int]) -> list[float]:
        """Return by how much the sum of losses would fall with each candidate."""
        columns = torch.tensor(candidates)
        latest = len(self._history) - 1
        for seen in self._seen[columns].unique().tolist():
            if seen == latest:
                continue
            part = columns[self._seen[columns] == seen]
            if latest - seen > MAX_PICKS_BACK:
                self._sum(part)
                continue
            self._gains[part] -= self._lost(part, self._history[seen])
            fallen = part[self._gains[part] < FALLEN * self._summed[part]]
            if len(fallen):
                self._sum(fallen)
        self._seen[columns] = latest
        return self._gains[columns].tolist()

    def choose(self, candidate: int) -> None:
        """Add a candidate to the chosen ones."""
        self.nearest = torch.minimum(self.nearest, self._losses(candidate))
        self._history.append(self.nearest)
        if len(self._history) > MAX_PICKS_BACK + 1:
            self._history[-MAX_PICKS_BACK - 2] = torch.empty(0)

    def _lost(self, columns: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Return by how much gains have fallen, (candidates,), since the nearest chosen ones were those of `before`."""
        lost = torch.zeros(len(columns), dtype=torch.float64)
        for rows in (self.nearest < before).nonzero()[:, 0].split(BLOCK):
            losses = self._distances.losses(rows, columns)  # (rows, candidates)
            change = (before[rows, None] - losses).clamp_(min=0) - (self.nearest[rows, None] - losses).clamp_(min=0)
            lost += self._weights[rows] @ change
        return lost

    def _sum(self, columns: torch.Tensor) -> None:
        total = torch.zeros(len(columns), dtype=torch.float64)
        for part in self._distances.blocks():
            losses = self._distances.losses(part, columns)
            total += self._weights[part] @ (self.nearest[part, None] - losses).clamp_(min=0)
        self._gains[columns] = self._summed[columns] = total

    def _losses(self, candidate: int) -> torch.Tensor:
        column = torch.tensor([candidate])
        return torch.cat([self._distances.losses(part, column)[:, 0] for part in self._distances.blocks()])
