"""How the verdict would stand between answers of equal length: a logistic regression of the verdict on length.

The model is that of AlpacaEval 2 (arXiv 2404.04475, equation 2) for one pair of models:

    P(Answer 1 wins) = sigmoid(intercept + slope * tanh(difference / scale))

`difference` is the length of Answer 1 less that of Answer 2 in characters, `scale` the standard deviation of the
differences. At a difference of 0 the intercept is left, and sigmoid(intercept) is the length-controlled win rate. That
paper's term for the difficulty of an instruction needs many models and is left out. A tie is half a win.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from records.record import Skipped
from verdict.review_file import Review
from verdict.verdict import is_parsed, outcome

if TYPE_CHECKING:
    import numpy as np

# Fewer pairs than this do not tell two coefficients apart.
MIN_PAIRS = 20
# Log odds of a verdict for certain, to all purposes: exp(-12) is six in a million.
MAX_LOG_ODDS = 12.0
MAX_STEPS = 50
Z_95 = 1.959964


@dataclass(frozen=True)
class LengthControl:
    """A win rate, and what is left of it between answers of equal length.

    Rates are shares from 0 to 1, a tie is half a win; `interval` holds the length-controlled rate with 95 percent.
    `mean_difference` and `scale` are in characters, `slope` in log odds for each unit of tanh(difference / scale).
    """

    pairs: int
    mean_difference: float
    scale: float
    win_rate: float
    controlled: float
    interval: tuple[float, float]
    slope: float

    @property
    def lead_by_length(self) -> float:
        """How many points of the win rate go with length, as a share from 0 to 1 of all pairs."""
        return self.win_rate - self.controlled


def length_control(reviews: list[Review], rule: str) -> LengthControl | Skipped:
    """Return what is left of a verdict by a rule at equal length, or the reason why nobody can say."""
    parsed = [review for review in reviews if is_parsed(review)]
    differences = [len(review.pair.answer1.strip()) - len(review.pair.answer2.strip()) for review in parsed]
    return fit_length(differences, [(outcome(review, rule) + 1) / 2 for review in parsed])


def fit_length(differences: Sequence[float], wins: Sequence[float]) -> LengthControl | Skipped:
    """Fit the regression to length differences in characters and wins (1, 1/2 for a tie, 0), one entry a pair."""
    import numpy as np  # here: reading reviews imports no heavy package

    difference, won = np.asarray(differences, dtype=float), np.asarray(wins, dtype=float)
    if reason := _why_not(difference, won):
        return Skipped(reason)
    scale = float(difference.std())
    features = np.column_stack([np.ones_like(difference), np.tanh(difference / scale)])
    found = _newton(features, won)
    if found is None:
        return Skipped("length tells wins from losses without fail, which leaves no number for equal length")
    coefficients, error = found
    low, high = (_sigmoid(coefficients[0] + sign * Z_95 * error) for sign in (-1, 1))
    return LengthControl(
        pairs=len(won),
        mean_difference=float(difference.mean()),
        scale=scale,
        win_rate=float(won.mean()),
        controlled=_sigmoid(coefficients[0]),
        interval=(low, high),
        slope=float(coefficients[1]),
    )


def _why_not(difference: "np.ndarray", won: "np.ndarray") -> str:
    if len(won) < MIN_PAIRS:
        return f"{len(won)} pairs are too few to tell length from the rest; it takes {MIN_PAIRS}"
    if not difference.any():
        return "both answers of every pair are equally long"
    if difference.min() > 0 or difference.max() < 0:
        longer = "first" if difference.min() > 0 else "second"
        return f"the {longer} model's answer is the longer one in every pair, so none shows the reverse"
    if difference.std() == 0 or len(set(won)) == 1:
        return "every pair has the same verdict" if len(set(won)) == 1 else "every pair differs by the same length"
    return ""


def _newton(features: "np.ndarray", won: "np.ndarray") -> tuple["np.ndarray", float] | None:
    """Return the coefficients of largest likelihood and the standard error of the first; None where there are none.

    The error is the robust one (HC1): half wins vary less than a coin does.
    """
    import numpy as np

    coefficients = np.zeros(2)
    for _ in range(MAX_STEPS):
        rates = 1 / (1 + np.exp(-features @ coefficients))
        information = features.T @ (features * (rates * (1 - rates))[:, None])
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, features.T @ (won - rates))
        coefficients = coefficients + step
        if np.abs(features @ coefficients).max() > MAX_LOG_ODDS:
            return None
        if np.abs(step).max() < 1e-9:
            break
    else:
        return None
    inverse = np.linalg.inv(information)
    scores = features * (won - rates)[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse * len(won) / (len(won) - 2)
    return coefficients, math.sqrt(covariance[0, 0])


def _sigmoid(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
