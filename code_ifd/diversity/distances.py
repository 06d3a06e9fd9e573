"""Euclidean distances between points, block by block, in float64: never all of them at once.

A distance d becomes a loss, 1 - exp(-d / dimension). Similarities themselves lie within half a percent of 1, where a
float has few digits left for what tells them apart; losses keep them all.
"""

from collections.abc import Iterator

import torch

# Points on each side of a block: 8 MB of float64. Larger blocks take twice the time: their memory is new each time.
BLOCK = 1024
# Below this share of the largest squared norm, x^2 + y^2 - 2xy has lost half of its digits, and (x - y)^2 is taken.
CANCELLATION = 1e-6
PAIRS_PER_DIFFERENCE = 16384


class Distances:
    """Points, (points, dimension) of float64, and the distances between them."""

    def __init__(self, points: torch.Tensor) -> None:
        self.points = points
        self.dimension = points.shape[1]
        self._norms = points.square().sum(dim=1)  # (points,)
        self._close = CANCELLATION * 2 * float(self._norms.max())

    def __len__(self) -> int:
        return len(self.points)

    def squared(self, rows: torch.Tensor | slice, columns: torch.Tensor | slice) -> torch.Tensor:
        """Return the squared distances, (rows, columns)."""
        left, right = self.points[rows], self.points[columns]
        found = (self._norms[rows][:, None] + self._norms[columns]).addmm_(left, right.T, alpha=-2)
        if found.numel() and found.amin() < self._close:  # seldom, and the minimum is found faster than pairs
            for pairs in (found < self._close).nonzero().split(PAIRS_PER_DIFFERENCE):
                row, column = pairs.unbind(dim=1)
                found[row, column] = (left[row] - right[column]).square_().sum(dim=1)
        return found

    def losses(self, rows: torch.Tensor | slice, columns: torch.Tensor | slice) -> torch.Tensor:
        """Return 1 - exp(-distance / dimension), (rows, columns)."""
        return to_loss_(self.squared(rows, columns), self.dimension)

    def nearest(self, chosen: torch.Tensor) -> torch.Tensor:
        """Return each point's distance to the nearest of the chosen ones, (points,)."""
        rows = [[self.squared(part, some).amin(dim=1) for some in chosen.split(BLOCK)] for part in self.blocks()]
        return torch.cat([torch.stack(row).amin(dim=0) for row in rows]).sqrt()

    def blocks(self) -> list[slice]:
        """Return the points, cut into blocks."""
        return [slice(start, min(start + BLOCK, len(self))) for start in range(0, len(self), BLOCK)]

    def pairs_of_blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield every two blocks once, and each with itself: distances are the same both ways."""
        blocks = self.blocks()
        for number, left in enumerate(blocks):
            for right in blocks[number:]:
                yield left, right


def to_loss_(squared: torch.Tensor, dimension: int) -> torch.Tensor:
    """Turn squared distances into losses, in place."""
    return squared.sqrt_().div_(-dimension).expm1_().neg_()


def to_distance(losses: torch.Tensor, dimension: int) -> torch.Tensor:
    """Return the distances of losses."""
    return losses.neg().log1p_().mul_(-dimension)
