"""Facility location: choose the points that stand best for all of them. Pure selection over embeddings, no files.

It maximises the sum, over all points, of the similarity exp(-d / dimension) to the nearest chosen point, where d is the
euclidean distance: the euclidean metric of submodlib, which the published code of Superfiltering.D calls.

Greedily: each time the candidate with the highest gain; gains that agree to nine digits are equal, and the first of the
candidates is taken. Lazily: a gain never rises (the function is submodular), so an old gain is a bound, and only the
candidates whose bounds are highest are looked at again. The picks are those of a greedy choice that looks at all.
"""

import heapq
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from tqdm import tqdm

from diversity.all_pairs import AllPairs, over_all_pairs
from diversity.distances import Distances
from diversity.near_pairs import BYTES_PER_PAIR, NearPairs, estimate_pairs

# Gains that differ by less than this share are equal: sums of floats in another order differ too.
TIE = 1e-9
FIRST_BATCH = 32
PICKS_PER_LOOK = 4


@dataclass(frozen=True)
class Chosen:
    """What was chosen of n points, in order. The gains fall, and their sum is the objective."""

    indices: np.ndarray  # int64
    gains: np.ndarray  # float64
    objective: float  # the sum of similarities to the nearest chosen point, at most n


class Gains(Protocol):
    """Tells what candidates are worth, given those that are chosen already."""

    nearest: torch.Tensor  # each point's loss to the nearest chosen candidate, (points,) of float64
    max_batch: int  # candidates that are best looked at together

    def gains(self, candidates: list[int]) -> list[float]:
        """Return by how much the sum of losses would fall with each candidate."""

    def choose(self, candidate: int) -> None:
        """Add a candidate to the chosen ones."""


def choose_points(embeddings: np.ndarray, num: int, memory_bytes: float = 1e9) -> Chosen:
    """Choose `num` of the points `embeddings`, (points, dimension), at most all of them.

    `memory_bytes` bounds the lists of near pairs; without room for them the picks are the same, and slow.
    """
    # Points that are the same to the last bit are one point that counts several times.
    # The first of them stands for all.
    _, first, copies = np.unique(embeddings, axis=0, return_index=True, return_counts=True)
    order = first.argsort()
    first, copies = first[order], copies[order]
    distances = Distances(torch.from_numpy(embeddings[first].astype(np.float64)))
    picks, gains, nearest = _choose_distinct(
        distances, torch.from_numpy(copies.astype(np.float64)), min(num, len(first)), memory_bytes
    )
    # When every distinct point is chosen, no gain is left: the first of the rest follow.
    rest = np.setdiff1d(np.arange(len(embeddings)), first)[: num - len(picks)]
    return Chosen(
        indices=np.concatenate([first[picks], rest]),
        gains=np.concatenate([gains, np.zeros(len(rest))]),
        objective=float(len(embeddings) - nearest @ copies),
    )


def _choose_distinct(
    distances: Distances, weights: torch.Tensor, num: int, memory_bytes: float
) -> tuple[list[int], list[float], np.ndarray]:
    """Return the picks, their gains, and each point's loss to the nearest of them."""
    totals = over_all_pairs(distances, weights, lambda losses, part: losses)
    picks = [int((totals <= totals.min() * (1 + TIE)).nonzero()[0])]
    gains = [float(weights.sum() - totals[picks[0]])]
    # The first choice takes nearly all: after it, gains are a few hundred times smaller, and no old bound helps.
    all_pairs = AllPairs(distances, weights, picks[0])
    heap = [(-bound, candidate) for candidate, bound in enumerate(all_pairs.known_gains()) if candidate != picks[0]]
    heapq.heapify(heap)
    pairs: Gains = all_pairs
    for number in tqdm(range(1, num), initial=1, total=num, unit=" picks", disable=None, leave=False):
        # To look whether they fit costs as much as a few hundred gains, and each of the first picks asks for thousands.
        is_look = isinstance(pairs, AllPairs) and number % PICKS_PER_LOOK == 0
        if is_look and estimate_pairs(distances, pairs.nearest) * BYTES_PER_PAIR <= memory_bytes:
            pairs = NearPairs(distances, weights, pairs.nearest)
        gain, candidate = _best(heap, pairs)
        pairs.choose(candidate)
        picks.append(candidate)
        gains.append(gain)
    return picks, gains, pairs.nearest.numpy()


def _best(heap: list[tuple[float, int]], pairs: Gains) -> tuple[float, int]:
    """Take the candidate with the highest gain out of the heap of bounds; return its gain and itself."""
    fresh: list[tuple[float, int]] = []
    highest, size = 0.0, min(FIRST_BATCH, pairs.max_batch)
    while heap and -heap[0][0] >= highest * (1 - TIE):
        candidates = [heapq.heappop(heap)[1] for _ in range(min(size, len(heap)))]
        gains = pairs.gains(candidates)
        fresh += zip(gains, candidates, strict=True)
        highest = max(highest, *gains)
        size = min(2 * size, pairs.max_batch)
    gain, chosen = min((entry for entry in fresh if entry[0] >= highest * (1 - TIE)), key=lambda entry: entry[1])
    for bound, candidate in fresh:
        if candidate != chosen:
            heapq.heappush(heap, (-bound, candidate))
    return gain, chosen
