"""The pairs of points that can still gain from each other, as lists: all that facility location looks at once they are few.

A point gains from a candidate that is nearer to it than its nearest chosen one. With every choice such pairs become
fewer, and none comes back. Once their lists fit into memory, no other distance is ever needed again.
"""

import numpy as np
import torch
from distances import BLOCK, Distances, to_distance, to_loss_
from tqdm import tqdm

# A pair in its list is a point's number and a loss; while lists are put in order, a little more.
BYTES_PER_PAIR = 16
NUM_SAMPLED = 256
# A list is cut down to the points that can still gain when they are less than this share of it.
LIVE_SHARE = 0.5


def estimate_pairs(distances: Distances, nearest: torch.Tensor) -> float:
    """Return about how many pairs can still gain, from some points at equal steps; `nearest` are losses, (points,)."""
    rows = torch.arange(0, len(distances), max(len(distances) // NUM_SAMPLED, 1))
    share = [(distances.losses(rows, part) < nearest[rows, None]).double().mean(dim=1).mul_(part.stop - part.start) for part in distances.blocks()]
    return float(torch.stack(share).sum(dim=0).mean()) * len(distances)


class NearPairs:
    """For each candidate, the points that may gain from it and their losses to it."""

    max_batch = 1

    def __init__(self, distances: Distances, weights: torch.Tensor, nearest: torch.Tensor) -> None:
        """Find the pairs: `nearest` are the losses to the nearest chosen candidate, (points,)."""
        self.nearest = nearest
        self._best, self._weights = nearest.numpy(), weights.numpy()
        self._rows: list[np.ndarray] = []  # a candidate each, int32
        self._losses: list[np.ndarray] = []  # a candidate each, float64
        for rows, losses, counts in _find_lists(distances, nearest):
            self._rows += [part.numpy() for part in rows.split(counts)]
            self._losses += [part.numpy() for part in losses.split(counts)]

    def gains(self, candidates: list[int]) -> list[float]:
        """Return by how much the sum of losses would fall with each candidate."""
        return [self._gain(candidate) for candidate in candidates]

    def choose(self, candidate: int) -> None:
        """Add a candidate to the chosen ones."""
        rows = self._rows[candidate]
        self._best[rows] = self._best[rows].clip(max=self._losses[candidate])

    def _gain(self, candidate: int) -> float:
        rows, losses = self._rows[candidate], self._losses[candidate]
        gains = self._best[rows]
        gains -= losses
        live = gains > 0
        if live.sum() < LIVE_SHARE * len(live):
            rows, gains = rows[live], gains[live]
            self._rows[candidate], self._losses[candidate] = rows, losses[live]
        else:
            gains.clip(min=0, out=gains)
        return float(gains @ self._weights[rows])


def _find_lists(distances: Distances, nearest: torch.Tensor) -> "list[tuple[torch.Tensor, torch.Tensor, list[int]]]":
    """Return for each block of candidates their lists end to end: points, losses, and the length of each list."""
    # A hair more than the distance itself, so that rounding loses no pair.
    radius = to_distance(nearest, distances.dimension).square_().mul_(1 + 1e-12)  # squared, (points,)
    found: list[list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]] = [[] for _ in distances.blocks()]
    num_blocks = len(found)
    bar = tqdm(distances.pairs_of_blocks(), total=num_blocks * (num_blocks + 1) // 2, unit=" blocks", desc="near pairs", disable=None, leave=False)
    for left, right in bar:
        squared = distances.squared(left, right)
        sides = [(squared, left, right)] + ([(squared.T, right, left)] if left != right else [])
        for block, points, candidates in sides:
            row, column = (block < radius[points, None]).nonzero(as_tuple=True)
            losses = to_loss_(block[row, column], distances.dimension)
            found[candidates.start // BLOCK].append((column.to(torch.int16), (row + points.start).to(torch.int32), losses))
    return [_in_order(found, number, part.stop - part.start) for number, part in enumerate(distances.blocks())]


def _in_order(found: "list[list[tuple[torch.Tensor, ...]]]", number: int, num_candidates: int) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    columns, rows, losses = (torch.cat(parts) for parts in zip(*found[number], strict=True))
    found[number] = []  # let go of what is copied
    order = columns.argsort(stable=True)
    return rows[order], losses[order], columns.bincount(minlength=num_candidates).tolist()
