"""The pairs of points that can still gain from each other, as lists.

They are all that facility location looks at once they are few.

A point gains from a candidate that is nearer to it than its nearest chosen one. With every choice such pairs become
fewer, and none comes back. Once their lists fit into memory, no other distance is ever needed again.
"""

from collections.abc import Iterator

import numpy as np
import torch
from tqdm import tqdm

from diversity.distances import Distances, to_distance, to_loss_

# A pair in its list is a point's number and a loss; while lists are put in order, a little more.
BYTES_PER_PAIR = 16
NUM_SAMPLED = 256
# A list is cut down to the points that can still gain when they are less than this share of it.
LIVE_SHARE = 0.5


def estimate_pairs(distances: Distances, nearest: torch.Tensor) -> float:
    """Return about how many pairs can still gain, from some points at equal steps; `nearest` are losses, (points,)."""
    rows = torch.arange(0, len(distances), max(len(distances) // NUM_SAMPLED, 1))
    share = [
        (distances.losses(rows, part) < nearest[rows, None]).double().mean(dim=1).mul_(part.stop - part.start)
        for part in distances.blocks()
    ]
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


def _find_lists(distances: Distances, nearest: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor, list[int]]]:
    """Yield for each block of candidates their lists end to end: points, losses, and the length of each list.

    Distances are computed both ways. To use each for both sides would take half the time, but lists of all blocks would
    grow between blocks that come and go, and leave holes in memory many times their size.
    """
    # A hair more than the distance itself, so that rounding loses no pair.
    radius = to_distance(nearest, distances.dimension).square_().mul_(1 + 1e-12)  # squared, (points,)
    for part in tqdm(distances.blocks(), unit=" blocks", desc="near pairs", disable=None, leave=False):
        found = []
        for points in distances.blocks():
            squared = distances.squared(part, points)  # (candidates, points)
            row, column = (squared < radius[points]).nonzero(as_tuple=True)
            losses = to_loss_(squared[row, column], distances.dimension)
            found.append((row.to(torch.int16), (column + points.start).to(torch.int32), losses))
        candidates, near, losses = (torch.cat(pieces) for pieces in zip(*found, strict=True))
        order = candidates.argsort(stable=True)
        yield near[order], losses[order], candidates.bincount(minlength=part.stop - part.start).tolist()
