"""Instruction-Following Difficulty: the ratio, the filter and the ranking. Pure arithmetic, no files, no torch.

Source: Superfiltering, arXiv 2402.00530, section 2: IFD = ppl(response | prompt) / ppl(response). Below 1 the prompt
helps the response, and the higher the score, the more the model has to learn from it. At 1 or above the prompt does not
help at all: the response most likely answers something else.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Selection:
    """Which records to keep, and where the others went. The four counts add up to the number of records."""

    indices: "np.ndarray"  # int64, highest score first, ties by record order
    num_skipped: int  # no score
    num_at_or_over: int  # score >= threshold
    num_below_cut: int  # score < threshold, but not among the best


def ratio(conditioned: float, direct: float) -> float | None:
    """Return conditioned / direct, or None where that is not a positive finite number."""
    value = conditioned / direct if direct else math.nan
    return value if is_score(value) else None


def standard_error(nll_direct: "np.ndarray", nll_conditioned: "np.ndarray") -> float | None:
    """Return the standard error of the mean gain of a response's tokens, in nats; None for fewer than two tokens.

    Both arrays, (tokens,), hold the negative log-likelihood of the same tokens: of the response alone, and after its
    prompt. The gain of a token is what the prompt takes from it.
    """
    import numpy as np

    if len(nll_direct) < 2:
        return None
    gains = nll_direct.astype(np.float64) - nll_conditioned.astype(np.float64)
    return float(gains.std(ddof=1)) / math.sqrt(len(gains))


def upper_end(ifd: float | None, se: float | None) -> float | None:
    """Return the upper end of a 95 percent interval of IFD: IFD times e to two standard errors. None without either.

    The logarithm of IFD is the negative mean gain. Its tokens are taken as independent.
    """
    if ifd is None or se is None:
        return None
    value = ifd * math.exp(min(2 * se, 700))  # e to 710 is no number any more
    return value if is_score(value) else None


def is_unsure(ifd: Any, upper: Any) -> bool:
    """Tell whether IFD is below 1, but not surely: the upper end of its interval is not, or is not known (None)."""
    return is_score(ifd) and ifd < 1 and not (is_score(upper) and upper < 1)


def score_name(key_name: str) -> str:
    """Return what people call the score under a key: IFD, or the key where it is another measure than the paper's."""
    return "IFD" if key_name == "ifd_ppl" else key_name


def is_score(value: Any) -> bool:
    """Tell whether a value can be a score.

    A ratio of two perplexities is finite and above 0. The original tool wrote 0 and NaN for records that failed.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


def select(scores: "Sequence[float] | np.ndarray", threshold: float, num_wanted: int) -> Selection:
    """Return the `num_wanted` highest scores strictly below the threshold; NaN stands for a record without a score."""
    import numpy as np  # here, since it takes longer to import than all else

    values = np.asarray(scores, dtype=np.float64)
    qualified = np.flatnonzero(values < threshold)
    # A stable sort keeps ties in record order.
    kept = qualified[np.argsort(-values[qualified], kind="stable")[:num_wanted]]
    num_skipped = int(np.isnan(values).sum())
    return Selection(
        indices=kept,
        num_skipped=num_skipped,
        num_at_or_over=len(values) - num_skipped - len(qualified),
        num_below_cut=len(qualified) - len(kept),
    )


def num_selected(sample_rate: Decimal, num_records: int) -> int:
    """Return floor(sample_rate * num_records), exactly: 0.29 of 100 is 29, where floats say 28.999999999999996."""
    return math.floor(Fraction(sample_rate) * num_records)
