"""Facility location as it is defined: a greedy choice that looks at every candidate each time."""

import numpy as np


def all_similarities(points: np.ndarray) -> np.ndarray:
    """The whole matrix, by the definition: exp(-distance / dimension) in float64."""
    points = points.astype(np.float64)
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    return np.exp(-distances / points.shape[1])


def plain_greedy(points: np.ndarray, num: int) -> tuple[list[int], float]:
    """Look at every candidate every time. Returns the picks and the sum of similarities."""
    similarities = all_similarities(points)
    best, picks = np.zeros(len(points)), []
    for _ in range(num):
        gains = np.maximum(similarities - best[:, None], 0).sum(axis=0)
        gains[picks] = -1
        picks.append(int(np.flatnonzero(gains >= gains.max() * (1 - 1e-9))[0]))
        best = np.maximum(best, similarities[:, picks[-1]])
    return picks, best.sum()
