"""Instruction-Following Difficulty: the ratio, the filter and the ranking. Pure arithmetic, no files, no torch.

Source: Superfiltering, arXiv 2402.00530, section 2: IFD = ppl(response | prompt) / ppl(response). Below 1 the prompt
helps the response, and the higher the score, the more the model has to learn from it. At 1 or above the prompt does not
help at all: the response most likely answers something else.
"""

import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Selection:
    """Which records to keep, and where the others went. The four counts add up to the number of records."""

    indices: list[int]  # highest score first, ties by record order
    num_skipped: int  # no score
    num_at_or_over: int  # score >= threshold
    num_below_cut: int  # score < threshold, but not among the best


def ratio(conditioned: float, direct: float) -> float | None:
    """Return conditioned / direct, or None where that is not a positive finite number."""
    value = conditioned / direct if direct else math.nan
    return value if is_score(value) else None


def is_score(value: Any) -> bool:
    """Tell whether a value can be a score.

    A ratio of two perplexities is finite and above 0. The original tool wrote 0 and NaN for records that failed.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def select(scores: list[float | None], threshold: float, num_wanted: int) -> Selection:
    """Return the `num_wanted` highest scores strictly below the threshold; None stands for a record without a score."""
    scored = [(score, index) for index, score in enumerate(scores) if score is not None]
    qualified = [(score, index) for score, index in scored if score < threshold]
    qualified.sort(key=lambda pair: (-pair[0], pair[1]))
    kept = qualified[:num_wanted]
    return Selection(
        indices=[index for _, index in kept],
        num_skipped=len(scores) - len(scored),
        num_at_or_over=len(scored) - len(qualified),
        num_below_cut=len(qualified) - len(kept),
    )


def num_selected(sample_rate: Decimal, num_records: int) -> int:
    """Return floor(sample_rate * num_records), exactly: 0.29 of 100 is 29, where floats say 28.999999999999996."""
    return math.floor(Fraction(sample_rate) * num_records)
