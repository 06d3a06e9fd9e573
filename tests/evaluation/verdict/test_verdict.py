"""The verdict: three rules, their counts, and how sure they are."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, Orders, make_review, make_reviews

from verdict.review_file import read_review_file
from verdict.verdict import RULES, RuleVerdict, judge_pairs, outcome, score_interval, sign_test


@pytest.mark.parametrize(
    ("orders", "published", "strict", "mean"),
    [
        (WIN, 1, 1, 1),
        (LOSE, -1, -1, -1),
        (TIE, 0, 0, 0),
        (CONFLICT, 0, 0, 0),
        (ONE_SIDED, 1, 0, 1),
        (((7, 7), (6, 8)), -1, 0, -1),
        (((9, 6), (6, 7)), 0, 0, 1),  # +3 and -1
        (((6, 7), (9, 6)), 0, 0, 1),
        (((8.1, 8), (7.9, 8)), 0, 0, 0),  # +0.1 and -0.1, which floats make unequal
        (((0.3, 0.1), (0, 0.2)), 0, 0, 0),
        (((0, 10), (10, 0)), 0, 0, 0),
    ],
)
def test_outcome_by_each_rule(orders: Orders, published: int, strict: int, mean: int) -> None:
    assert [outcome(make_review(orders), rule) for rule in RULES] == [published, strict, mean]


@pytest.mark.parametrize("rule", RULES)
def test_swapping_the_answers_swaps_the_outcome(rule: str) -> None:
    for first, second in (WIN, LOSE, TIE, CONFLICT, ONE_SIDED, ((9, 6), (6, 7)), ((8.1, 8), (7.95, 8))):
        swapped = make_review((first[::-1], second[::-1]))
        assert outcome(swapped, rule) == -outcome(make_review((first, second)), rule)


@pytest.mark.parametrize(
    ("name", "judge", "triple"),
    [
        ("vicuna", "gpt4", (44, 15, 21)),
        ("koala", "gpt4", (85, 36, 59)),
        ("vicuna", "gpt3.5", (16, 58, 6)),
        ("koala", "gpt3.5", (32, 110, 38)),
    ],
)
def test_published_rule_on_the_published_reviews(
    name: str, judge: str, triple: tuple[int, int, int], real_data_dir: Path
) -> None:
    file = read_review_file(str(real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json"))
    verdict = judge_pairs(file.reviews).rules["published"]
    assert (verdict.win, verdict.tie, verdict.lose) == triple


def test_counts_scores_and_kinds_of_ties() -> None:
    verdict = judge_pairs(make_reviews(WIN, WIN, LOSE, TIE, CONFLICT, CONFLICT, ONE_SIDED, UNPARSED))
    assert (verdict.pairs, verdict.unparsed) == (7, 1)
    published, strict = verdict.rules["published"], verdict.rules["strict"]
    assert (published.win, published.tie, published.lose, published.winning_score) == (3, 3, 1, (3 - 1) / 7 + 1)
    assert (published.ties_agreed, published.ties_conflicting, published.ties_one_sided) == (1, 2, 0)
    assert (strict.win, strict.tie, strict.lose, strict.ties_one_sided) == (2, 4, 1, 1)


def test_mean_scores_are_over_both_orders_of_parsed_pairs() -> None:
    verdict = judge_pairs(make_reviews(((8, 6), (9, 5)), ((0, 10), None)))
    assert verdict.mean_scores == ((8 + 9) / 2, (6 + 5) / 2)


def test_pairs_without_scores_in_either_order_are_unparsed() -> None:
    assert judge_pairs(make_reviews(((8, 6), None), (None, (8, 6)), (None, None))).unparsed == 3


@pytest.mark.parametrize("orders", [[], [UNPARSED, UNPARSED]])
def test_nothing_parsed_gives_none_and_not_a_number(orders: list[Orders]) -> None:
    verdict = judge_pairs(make_reviews(*orders))
    assert (verdict.pairs, verdict.mean_scores) == (0, None)
    assert set(verdict.rules.values()) == {RuleVerdict(0, 0, 0, None, None, None, 0, 0, 0)}


def test_all_ties_are_even_for_certain() -> None:
    published = judge_pairs(make_reviews(*[TIE] * 5)).rules["published"]
    assert (published.winning_score, published.interval, published.sign_test_p) == (1, (1, 1), None)


def test_sign_test_is_exact() -> None:
    tail = sum(math.comb(65, i) for i in range(21 + 1))
    assert sign_test(44, 21) == sign_test(21, 44) == pytest.approx(float(Fraction(2 * tail, 2**65)), rel=1e-12)
    assert sign_test(5, 0) == pytest.approx(2 / 2**5, rel=1e-12)
    assert sign_test(3, 3) == 1
    assert sign_test(4, 3) == 1
    assert sign_test(0, 0) is None
    assert 0 <= sign_test(5000, 100) < 1e-300


def test_interval_repeats_itself_and_holds_the_score() -> None:
    low, high = score_interval(44, 15, 21)
    assert (low, high) == score_interval(44, 15, 21)
    assert low < (44 - 21) / 80 + 1 < high


def test_interval_is_the_bootstrap_over_pairs() -> None:
    outcomes = np.array([1] * 44 + [0] * 15 + [-1] * 21)
    resampled = np.random.default_rng(1).choice(outcomes, (10_000, 80)).mean(axis=1) + 1
    assert score_interval(44, 15, 21) == pytest.approx(
        tuple(np.percentile(resampled, [2.5, 97.5])), abs=0.0126
    )  # one step is 1 / 80
