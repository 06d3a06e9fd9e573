"""Records that say the same as a better one: the same text, or an embedding in almost the same direction."""

from dataclasses import dataclass

import numpy as np
import torch

BLOCK = 1024
# Cosines of vectors that are equal come out a little below 1.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Distinct:
    """What is left when duplicates are removed, and how many were. The three counts add up to what there was."""

    indices: np.ndarray  # int64, rising
    num_same: int  # the same text as an earlier one
    num_near: int  # too near an earlier one that is kept


def remove_duplicates(texts: list[str], vectors: np.ndarray, cosine: float) -> Distinct:
    """Keep every text that is neither equal to an earlier one nor within `cosine` of an earlier one that is kept.

    `vectors` are (texts, dimension). The best text must come first: it is the one that stays.
    """
    first = dict(zip(reversed(texts), range(len(texts) - 1, -1, -1), strict=True))
    different = sorted(first.values())
    kept = _far_apart(
        torch.nn.functional.normalize(torch.from_numpy(vectors[different].astype(np.float64)), dim=1), cosine - ROUNDING
    )
    return Distinct(np.array(different)[kept], len(texts) - len(different), len(different) - len(kept))


def _far_apart(vectors: torch.Tensor, limit: float) -> list[int]:
    """Return the indices of vectors whose cosine with each earlier one that is kept is below the limit.

    The vectors are (n, dimension), each of length 1.
    """
    kept: list[int] = []
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        is_near = torch.zeros(len(block), dtype=torch.bool)
        for earlier in torch.tensor(kept, dtype=torch.int64).split(BLOCK):
            is_near |= (block @ vectors[earlier].T >= limit).any(dim=1)
        within = (block @ block.T >= limit).numpy()  # (block, block)
        near = is_near.numpy()
        for index in range(len(block)):
            if not near[index]:
                kept.append(start + index)
                near |= within[index]
    return kept
