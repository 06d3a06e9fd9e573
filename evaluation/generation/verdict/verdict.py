"""Which answer wins, by three rules, and how sure that is. Pure arithmetic on reviews.

A pair is judged in both orders, because a judge may prefer a place. The rules differ in what they make of the two:

published  the sign of (winner in order 1 + winner in order 2): a win and a tie is a win,
           a win and a loss cancel to a tie
strict     won only if both orders name the same winner
mean       the sign of the mean score difference over both orders

A pair without scores in one of its orders is unparsed: counted apart, in no total.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from verdict.review_file import Review
from verdict.scores import Scores

RULES = ("published", "strict", "mean")
NUM_RESAMPLES = 10_000
SEED = 0
MAX_CHANCE = 0.05  # a p below this is called more than chance

Orders = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class RuleVerdict:
    """The verdict on a set of pairs by one rule. None where there is nothing to compute from.

    `win` counts the pairs that Answer 1 wins. `winning_score` is (win - lose) / pairs + 1: 1 is even, 2 all won, 0 all
    lost. Its interval holds 95 percent of the scores of test sets resampled from these pairs. `sign_test_p` is the
    probability of a split of wins and losses at least as uneven if both were equally likely.
    """

    win: int
    tie: int
    lose: int
    winning_score: float | None
    interval: tuple[float, float] | None
    sign_test_p: float | None
    ties_agreed: int  # both orders say tie
    ties_conflicting: int  # the orders name different winners
    ties_one_sided: int  # one order says tie: a tie by the strict rule alone


@dataclass(frozen=True)
class Verdict:
    """The verdict on a set of pairs by all rules.

    `pairs` and the mean scores (over both orders) leave out unparsed ones. `cut` counts the reviews, two a pair, that
    ended at the judge's limit of tokens.
    """

    pairs: int
    unparsed: int
    cut: int
    mean_scores: tuple[float, float] | None
    rules: dict[str, RuleVerdict]


def judge_pairs(reviews: list[Review]) -> Verdict:
    """Return the verdict on the pairs of a test set, or of several."""
    parsed = [review for review in reviews if is_parsed(review)]
    means = None
    if parsed:
        orders = [_scores_in_both_orders(review) for review in parsed]
        firsts = math.fsum(shown[0] + reverse[1] for shown, reverse in orders)
        seconds = math.fsum(shown[1] + reverse[0] for shown, reverse in orders)
        means = (firsts / (2 * len(parsed)), seconds / (2 * len(parsed)))
    num_cut = sum(review.num_cut for review in reviews)
    return Verdict(
        len(parsed), len(reviews) - len(parsed), num_cut, means, {rule: _by_rule(parsed, rule) for rule in RULES}
    )


def is_parsed(review: Review) -> bool:
    """Whether the judge gave scores in both orders."""
    return review.scores is not None and review.scores_reverse is not None


def signs(review: Review) -> tuple[int, int]:
    """Return who wins a parsed pair in order 1 and in order 2: 1 is Answer 1, -1 is Answer 2, 0 neither."""
    first, second = _leads(review)
    return _sign(first), _sign(second)


def is_conflicting(review: Review) -> bool:
    """Whether the two orders of a parsed pair name different winners. A tie in one order contradicts nobody."""
    first, second = signs(review)
    return first * second < 0


def outcome(review: Review, rule: str) -> int:
    """Return 1 when Answer 1 wins a parsed pair, -1 when Answer 2 does, 0 for a tie."""
    first, second = signs(review)
    if rule == "published":
        return _sign(first + second)
    if rule == "strict":
        return first if first == second else 0
    return _sign(sum(_leads(review)))


def sign_test(num_one: int, num_other: int) -> float | None:
    """Return the exact two-sided p of a split between two kinds that are equally likely; None without a case."""
    if num_one + num_other == 0:
        return None
    from scipy.stats import binomtest  # here: it takes a second to import

    return float(binomtest(num_one, num_one + num_other).pvalue)


def p_text(p: float) -> str:
    """Return a probability for people."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def score_interval(win: int, tie: int, lose: int) -> tuple[float, float] | None:
    """Return the 95 percent percentile interval of the winning score over NUM_RESAMPLES resamples of the pairs.

    Drawing as many pairs as there are, with replacement, draws their three counts from a multinomial distribution.
    """
    import numpy as np

    total = win + tie + lose
    if total == 0:
        return None
    counts = np.random.default_rng(SEED).multinomial(total, np.array([win, tie, lose]) / total, size=NUM_RESAMPLES)
    low, high = np.percentile((counts[:, 0] - counts[:, 2]) / total + 1, [2.5, 97.5])
    return float(low), float(high)


def _by_rule(parsed: list[Review], rule: str) -> RuleVerdict:
    outcomes = [outcome(review, rule) for review in parsed]
    win, tie, lose = (outcomes.count(value) for value in (1, 0, -1))
    ties = [review for review, value in zip(parsed, outcomes, strict=True) if value == 0]
    agreed, conflicting = _count(signs(review) == (0, 0) for review in ties), _count(map(is_conflicting, ties))
    return RuleVerdict(
        win,
        tie,
        lose,
        winning_score=(win - lose) / len(parsed) + 1 if parsed else None,
        interval=score_interval(win, tie, lose),
        sign_test_p=sign_test(win, lose),
        ties_agreed=agreed,
        ties_conflicting=conflicting,
        ties_one_sided=tie - agreed - conflicting,
    )


def _leads(review: Review) -> Orders:
    """Return by how much Answer 1 leads in each order, exactly.

    8.1 - 8 and 8 - 7.9 are the same, and differ in floats.
    """
    shown, reverse = _scores_in_both_orders(review)
    return _exact(shown[0]) - _exact(shown[1]), _exact(reverse[1]) - _exact(reverse[0])


def _scores_in_both_orders(review: Review) -> tuple[Scores, Scores]:
    """Return the scores of a parsed pair, each in the order shown."""
    assert review.scores is not None and review.scores_reverse is not None
    return review.scores, review.scores_reverse


def _exact(score: float) -> Decimal:
    return Decimal(repr(score))


def _sign(value: int | Decimal) -> int:
    return (value > 0) - (value < 0)


def _count(cases: Iterable[bool]) -> int:
    return sum(cases)
