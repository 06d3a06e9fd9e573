"""How near the chosen points of a selection for diversity are to all points, beside others."""

from dataclasses import dataclass

import numpy as np
import torch

from diversity.distances import Distances


@dataclass(frozen=True)
class Coverage:
    """How well a subset stands for n points."""

    share: float  # the sum of similarities to the nearest chosen point, as a share of the sum when all are chosen, n
    mean_distance: float  # to the nearest chosen point


def coverage(vectors: np.ndarray, chosen: np.ndarray) -> Coverage:
    """Return how well the points at `chosen` stand for all `vectors`, (points, dimension)."""
    distances = Distances(torch.from_numpy(vectors.astype(np.float64)))
    nearest = distances.nearest(torch.from_numpy(chosen))
    return Coverage(float((-nearest / distances.dimension).exp().mean()), float(nearest.mean()))


def random_subset(num_points: int, num: int, seed: int) -> np.ndarray:
    """Return `num` of the points, drawn without replacement."""
    return np.random.default_rng(seed).permutation(num_points)[:num]


def coverage_lines(vectors: np.ndarray, chosen: np.ndarray, seed: int) -> list[str]:
    """Return the part of the report that compares the chosen points with others; `vectors` come highest IFD first."""
    num_points, num = vectors.shape[0], len(chosen)
    subsets = {
        "chosen": chosen,
        f"the {num} highest by IFD": np.arange(num),
        f"{num} at random (seed {seed})": random_subset(num_points, num, seed),
    }
    lines = [f"{'':<34}{'coverage':>9}  mean distance to the nearest"]
    for name, indices in subsets.items():
        found = coverage(vectors, indices)
        lines.append(f"{name:<34}{found.share:>9.6f}  {found.mean_distance:.4f}")
    return lines
