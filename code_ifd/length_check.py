"""Does the score favour long responses? How IFD goes with the length of the response, for one scored dataset.

In a long response most tokens follow so much of the response itself that the prompt tells little more: its IFD tends to
be near 1, and it is picked more often. That need not be wrong, but who wants long responses has cheaper ways to find them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from agreement import Correlation, correlate


@dataclass(frozen=True)
class LengthCheck:
    """How scores go with response lengths, which are in characters."""

    correlation: Correlation  # of score (first) and length (second)
    mean_all: float  # over all records, skipped ones included
    mean_selected: list[float | None]  # of each selection; None for an empty one


def check_length(scores: np.ndarray, lengths: np.ndarray, selections: Sequence[np.ndarray]) -> LengthCheck:
    """Return how one scorer's scores and selections go with length.

    `scores` (NaN where there is none) and `lengths` have one entry a record, at least one; a selection holds record numbers.
    """
    lengths = np.asarray(lengths, dtype=np.float64)
    means = [float(lengths[selected].mean()) if len(selected) else None for selected in selections]
    return LengthCheck(correlate(np.asarray(scores, dtype=np.float64), lengths), float(lengths.mean()), means)
