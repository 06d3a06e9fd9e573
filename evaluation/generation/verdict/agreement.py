"""Whether two judges of the same pairs agree, beyond what chance would give: Cohen's kappa. Pure arithmetic."""

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.cli import UserError
from shared.texts import shorten
from verdict.review_file import Review, ReviewFile
from verdict.verdict import NUM_RESAMPLES, SEED, is_parsed, outcome

if TYPE_CHECKING:
    import numpy as np

OUTCOMES = (1, 0, -1)  # Answer 1 wins, tie, Answer 2 wins


@dataclass(frozen=True)
class Agreement:
    """How two judges see the pairs for which both gave scores.

    `counts[i][j]` pairs have OUTCOMES[i] by `judge1` and OUTCOMES[j] by `judge2`. `kappa` is 1 for the same verdicts
    throughout and 0 for as many in common as chance would give; `interval` holds it with 95 percent. Both are None
    where either is not defined: without a pair, and where both judges always give one and the same verdict.
    """

    judge1: str
    judge2: str
    counts: tuple[tuple[int, ...], ...]
    kappa: float | None
    interval: tuple[float, float] | None

    @property
    def pairs(self) -> int:
        """Number of pairs for which both gave scores."""
        return sum(map(sum, self.counts))

    @property
    def same(self) -> int:
        """Number of pairs to which both give the same verdict."""
        return sum(self.counts[i][i] for i in range(len(OUTCOMES)))

    @property
    def opposed(self) -> int:
        """Number of pairs that one gives to the one model and the other to the other."""
        return self.counts[0][2] + self.counts[2][0]


def judge_agreements(files: dict[str, list[ReviewFile]], rule: str) -> list[Agreement]:
    """Return how each two of the judges agree by a rule. `files` are the review files of each, set by set.

    Raises UserError where two judges have not judged the same pairs.
    """
    for (judge1, files1), (judge2, files2) in itertools.combinations(files.items(), 2):
        for file1, file2 in zip(files1, files2, strict=True):
            _check_same_pairs(file1, file2, judge1, judge2)
    reviews = {judge: [review for file in of_judge for review in file.reviews] for judge, of_judge in files.items()}
    return [
        agreement(judge1, judge2, reviews[judge1], reviews[judge2], rule)
        for judge1, judge2 in itertools.combinations(files, 2)
    ]


def agreement(judge1: str, judge2: str, reviews1: list[Review], reviews2: list[Review], rule: str) -> Agreement:
    """Return how two judges agree on the same pairs, given in the same order."""
    both = [
        (outcome(one, rule), outcome(other, rule))
        for one, other in zip(reviews1, reviews2, strict=True)
        if is_parsed(one) and is_parsed(other)
    ]
    found = Counter(both)
    counts = tuple(tuple(found[one, other] for other in OUTCOMES) for one in OUTCOMES)
    kappa, interval = _kappa_with_interval(counts) if both else (None, None)
    return Agreement(judge1, judge2, counts, kappa, interval)


def _kappa_with_interval(
    counts: tuple[tuple[int, ...], ...],
) -> tuple[float | None, tuple[float, float] | None]:
    """Return kappa and the 95 percent percentile interval of it over resamples of the pairs."""
    import numpy as np  # here: reading reviews imports no heavy package

    table = np.array(counts)
    (kappa,) = _kappas(table[None])
    if np.isnan(kappa):
        return None, None
    shares = table.ravel() / table.sum()
    resampled = np.random.default_rng(SEED).multinomial(table.sum(), shares, size=NUM_RESAMPLES)
    kappas = _kappas(resampled.reshape(-1, *table.shape))
    low, high = np.nanpercentile(kappas, [2.5, 97.5])
    return float(kappa), (float(low), float(high))


def _kappas(tables: "np.ndarray") -> "np.ndarray":
    """Return Cohen's kappa of each table of counts: (tables, outcomes, outcomes) -> (tables,), NaN where undefined.

    Cohen, A coefficient of agreement for nominal scales (1960): (observed - expected) / (1 - expected).
    """
    import numpy as np

    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(shares, axis1=1, axis2=2)
    expected = (shares.sum(axis=2) * shares.sum(axis=1)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)


def _check_same_pairs(file1: ReviewFile, file2: ReviewFile, judge1: str, judge2: str) -> None:
    remedy = "judge the same wrap file with both, or give --api_model one of them"
    if len(file1.reviews) != len(file2.reviews):
        raise UserError(
            f"{file2.path}: {len(file2.reviews)} pairs by {shorten(judge2)}, {len(file1.reviews)} by "
            f"{shorten(judge1)} in {file1.path}; they must be the same; {remedy}"
        )
    for index, (one, other) in enumerate(zip(file1.reviews, file2.reviews, strict=True)):
        texts1, texts2 = (
            (review.pair.prompt, review.pair.input, review.pair.answer1, review.pair.answer2) for review in (one, other)
        )
        if texts1 != texts2:
            raise UserError(
                f"{file2.path}: pair {index} is not that of {file1.path}: question or answers differ; {remedy}"
            )
