"""How far two scorers agree on the same records. Pure statistics, no files.

And does the score favour long responses? In a long response most tokens follow so much of the response itself that the
prompt tells little more: its IFD tends to be near 1, and it is picked more often.

Source: Superfiltering, arXiv 2402.00530, section 3, table 1: rank correlations of perplexities and IFD, and the
overlap of what is selected, for a small model and a large one. Scores are arrays of one entry a record, NaN where
there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# With two records any ranking agrees fully or not at all.
MIN_COMMON = 3


@dataclass(frozen=True)
class Correlation:
    """Rank correlations over the records that have a number in both, and how many have not.

    The four counts add up to all records.
    """

    num_common: int
    num_only_a: int
    num_only_b: int
    num_neither: int
    spearman: float | None  # None where it is undefined
    kendall: float | None
    undefined: str | None  # why it is, else None


@dataclass(frozen=True)
class Overlap:
    """What two selections of the same dataset have in common, in records."""

    num_a: int
    num_b: int
    num_both: int
    share: float | None  # num_both of the larger selection; None when both are empty
    jaccard: float | None  # num_both of those in either selection; None when both are empty


@dataclass(frozen=True)
class Flips:
    """Records, among those with a score in both, on the same side and on different sides of the threshold."""

    num_below_both: int
    num_below_only_a: int
    num_below_only_b: int
    num_below_neither: int


@dataclass(frozen=True)
class Disagreement:
    """A record with its scores and ranks; rank 1 is the highest score, and equal scores share their mean rank."""

    record: int
    score_a: float
    score_b: float
    rank_a: float
    rank_b: float


def correlate(a: np.ndarray, b: np.ndarray) -> Correlation:
    """Return Spearman's rho and Kendall's tau-b, both of which know ties."""
    has_a, has_b = ~np.isnan(a), ~np.isnan(b)
    common = has_a & has_b
    reason = _why_undefined(a[common], b[common])
    spearman, kendall = (None, None) if reason else _rank_correlations(a[common], b[common])
    return Correlation(
        num_common=int(common.sum()),
        num_only_a=int((has_a & ~has_b).sum()),
        num_only_b=int((has_b & ~has_a).sum()),
        num_neither=int((~has_a & ~has_b).sum()),
        spearman=spearman,
        kendall=kendall,
        undefined=reason,
    )


def _why_undefined(a: np.ndarray, b: np.ndarray) -> str | None:
    if len(a) < MIN_COMMON:
        return f"fewer than {MIN_COMMON} records have both numbers"
    for name, values in (("first", a), ("second", b)):
        if values.min() == values.max():
            return f"the {name} numbers are all equal, so they have no ranking"
    return None


def _rank_correlations(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    from scipy.stats import kendalltau, spearmanr  # here, since it takes longer to import than all else

    # Rounding can carry them past 1 by a few last digits.
    spearman, kendall = (float(np.clip(measure(a, b).statistic, -1, 1)) for measure in (spearmanr, kendalltau))
    return spearman, kendall


def overlap(selected_a: np.ndarray, selected_b: np.ndarray) -> Overlap:
    """Return how many records two selections have in common; each holds record numbers, each number once."""
    num_a, num_b = len(selected_a), len(selected_b)
    num_both = len(np.intersect1d(selected_a, selected_b, assume_unique=True))
    if not (num_a or num_b):
        return Overlap(0, 0, 0, None, None)
    return Overlap(num_a, num_b, num_both, num_both / max(num_a, num_b), num_both / (num_a + num_b - num_both))


def flips(a: np.ndarray, b: np.ndarray, threshold: float) -> Flips:
    """Return how many records with a score in both each scorer puts strictly below the threshold."""
    common = ~np.isnan(a) & ~np.isnan(b)
    below_a, below_b = a[common] < threshold, b[common] < threshold
    return Flips(
        num_below_both=int((below_a & below_b).sum()),
        num_below_only_a=int((below_a & ~below_b).sum()),
        num_below_only_b=int((below_b & ~below_a).sum()),
        num_below_neither=int((~below_a & ~below_b).sum()),
    )


def common_ranks(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the records with a score in both, and their ranks by a and by b among them.

    Records are int64 and rising; ranks are float64, and 1 is the highest.
    """
    from scipy.stats import rankdata

    common = np.flatnonzero(~np.isnan(a) & ~np.isnan(b))
    return common, rankdata(-a[common]), rankdata(-b[common])


def disagreements(a: np.ndarray, b: np.ndarray, num_wanted: int) -> list[Disagreement]:
    """Return the records with the largest difference in rank, largest first, ties by record order.

    Records with equal ranks are left out.
    """
    common, ranks_a, ranks_b = common_ranks(a, b)
    gaps = np.abs(ranks_a - ranks_b)
    # A stable sort keeps ties in record order.
    order = np.argsort(-gaps, kind="stable")[:num_wanted]
    return [
        Disagreement(
            int(common[index]),
            float(a[common[index]]),
            float(b[common[index]]),
            float(ranks_a[index]),
            float(ranks_b[index]),
        )
        for index in order[gaps[order] > 0]
    ]


@dataclass(frozen=True)
class LengthCheck:
    """How scores go with response lengths, which are in characters."""

    correlation: Correlation  # of score (first) and length (second)
    mean_all: float  # over all records, skipped ones included
    mean_selected: list[float | None]  # of each selection; None for an empty one


def check_length(
    scores: np.ndarray, lengths: Sequence[int] | np.ndarray, selections: Sequence[np.ndarray]
) -> LengthCheck:
    """Return how one scorer's scores and selections go with length.

    `scores` (NaN where there is none) and `lengths` have one entry a record, at least one; a selection holds record
    numbers.
    """
    values = np.asarray(lengths, dtype=np.float64)
    means = [float(values[selected].mean()) if len(selected) else None for selected in selections]
    return LengthCheck(correlate(np.asarray(scores, dtype=np.float64), values), float(values.mean()), means)
