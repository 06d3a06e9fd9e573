"""Which rounded scores could change the selection, and so deserve float32? Pure arithmetic, no files, no torch.

A score is log IFD = conditioned loss - direct loss, or log ifd_upper, which is two standard errors more. Rounding
errors of single tokens are nearly independent, so the error of a score falls with the square root of its response's
length: error = spread * t / sqrt(tokens). The spread comes from records that have both scores; t follows Student's
distribution with 4 degrees of freedom, whose tails are at least as heavy as those observed.
"""

import math
from dataclasses import dataclass

# Chance that float32 throughout would select other records.
RISK = 0.05
# As many differences must be known before their spread means anything.
MIN_SAMPLE = 40


@dataclass(frozen=True)
class RoughScore:
    """A record's log IFD (or log ifd_upper) as far as it is known. `num_tokens` are those of the response alone."""

    value: float
    num_tokens: int
    is_exact: bool = False
    error: float | None = None  # rounded minus exact, where both are known


def next_to_rescore(scores: dict[int, RoughScore], threshold: float, num_wanted: int) -> list[int]:
    """Return the records to score in float32 next, in record order; none when the selection holds with chance 1 - RISK.

    `threshold` is the filter's, for IFD, not for its logarithm. The chance that any record is on the wrong side of the
    threshold or of the cut is at most the sum of their single chances (Boole's inequality).
    """
    limits = boundaries(scores, threshold, num_wanted)
    rough = {record: score for record, score in scores.items() if not score.is_exact}
    known = [score.error * math.sqrt(score.num_tokens) for score in scores.values() if score.error is not None]
    if len(known) < MIN_SAMPLE:
        # Begin with those that will be needed in any case.
        nearest = sorted(
            rough, key=lambda record: (_distance(rough[record], limits) * math.sqrt(rough[record].num_tokens), record)
        )
        return sorted(nearest[: MIN_SAMPLE - len(known)])
    spread = upper_spread(known)
    chances = {record: flip_chance(score, limits, spread) for record, score in rough.items()}
    by_chance = sorted(rough, key=lambda record: (chances[record], -record))
    remaining = 0.0
    for num_safe, record in enumerate(by_chance):
        remaining += chances[record]
        if remaining > RISK:
            return sorted(by_chance[num_safe:])
    return []


def boundaries(scores: dict[int, RoughScore], threshold: float, num_wanted: int) -> list[float]:
    """Return the values of log IFD where selection changes: the threshold, and the middle of the gap at the cut."""
    if threshold <= 0:
        return []
    limit = math.log(threshold)
    qualified = sorted((score.value for score in scores.values() if score.value < limit), reverse=True)
    if num_wanted < 1 or num_wanted >= len(qualified):
        return [limit]
    return [limit, (qualified[num_wanted - 1] + qualified[num_wanted]) / 2]


def flip_chance(score: RoughScore, limits: list[float], spread: float) -> float:
    """Return the chance that the exact score lies beyond the nearest limit."""
    if not limits:
        return 0.0
    return student_tail(_distance(score, limits) * math.sqrt(score.num_tokens) / spread)


def upper_spread(errors: list[float]) -> float:
    """Return the scale of Student's distribution with 4 degrees of freedom from errors times sqrt(tokens).

    It errs on the large side: the upper end of the 95 percent confidence interval of the root mean square, by the
    approximation of Wilson and Hilferty (1931) to the chi-squared quantile. That distribution's variance is twice the
    square of its scale.
    """
    count = len(errors)
    root_mean_square = math.sqrt(sum(error * error for error in errors) / count)
    lower_quantile = count * (1 - 2 / (9 * count) - 1.645 * math.sqrt(2 / (9 * count))) ** 3
    # All errors zero: the rounded scores are exact. The smallest number keeps the division.
    return max(root_mean_square * math.sqrt(count / lower_quantile / 2), 1e-300)


def student_tail(t: float) -> float:
    """Return P(T > t) for t >= 0, T of Student's distribution with 4 degrees of freedom."""
    from scipy.special import stdtr  # here: only --dtype mixed needs it, and it is slow to import

    return float(stdtr(4, -t))


def _distance(score: RoughScore, limits: list[float]) -> float:
    return min((abs(score.value - limit) for limit in limits), default=math.inf)
