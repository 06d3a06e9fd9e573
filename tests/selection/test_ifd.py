"""The arithmetic of the score: ratio, filter, ranking, and how many to keep."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from selection.ifd import is_score, num_selected, ratio, select

ONE = 1.0


@pytest.mark.parametrize(
    ("conditioned", "direct", "value"),
    [
        (3.0, 4.0, 3 / 4),
        (6.0, 4.0, 6 / 4),
        (5, 5, 1),
        (0.0, 4.0, None),  # the original tool wrote 0 where scoring had failed
        (4.0, 0.0, None),
        (0.0, 0.0, None),
        (math.nan, 4.0, None),
        (math.inf, 4.0, None),
        (4.0, math.inf, None),  # 4 / inf = 0
        (math.inf, math.inf, None),
        (1e308, 1e-10, None),  # overflows to inf
        (-1.0, 4.0, None),
    ],
)
def test_ratio_is_conditioned_over_direct_or_none(conditioned: float, direct: float, value: float | None) -> None:
    assert ratio(conditioned, direct) == value


@pytest.mark.parametrize("value", [0.5, 1, 1e-320, 1e308, 10**308])
def test_positive_finite_numbers_are_scores(value: float) -> None:
    assert is_score(value)


@pytest.mark.parametrize("value", [0, -0.0, -1, math.nan, math.inf, -math.inf, 10**400, True, None, "0.5", [0.5], {}])
def test_nothing_else_is_a_score(value: object) -> None:
    assert not is_score(value)


@pytest.mark.parametrize(
    ("sample_rate", "num_records", "num"),
    [
        ("0.29", 100, 29),  # floats: 0.29 * 100 = 28.999999999999996
        ("0.57", 100, 57),  # floats: 56.99999999999999
        ("0.1", 990, 99),
        ("0.1", 999, 99),
        ("0.05", 52002, 2600),
        ("0.001", 999, 0),
        ("1", 999, 999),
        ("1e-1", 10, 1),
        ("0." + "3" * 20, 3 * 10**20, 10**20 - 1),  # 99999999999999999999.9
        ("0." + "9" * 30, 10, 9),  # more digits than Decimal's context keeps
        ("0.999999999999999999999999999999999999", 52002, 52001),
    ],
)
def test_number_to_keep_is_the_exact_floor(sample_rate: str, num_records: int, num: int) -> None:
    assert math.floor(Fraction(sample_rate) * num_records) == num  # the expectation itself
    assert num_selected(Decimal(sample_rate), num_records) == num


def test_highest_come_first() -> None:
    assert select([0.2, 0.9, 0.5], ONE, 3).indices.tolist() == [1, 2, 0]


def test_ties_stay_in_record_order() -> None:
    assert select([0.5, 0.7, 0.5, 0.7, 0.5], ONE, 4).indices.tolist() == [1, 3, 0, 2]


def test_threshold_is_strict() -> None:
    below = math.nextafter(1.0, 0.0)
    assert select([1.0, below, math.nextafter(1.0, 2.0)], ONE, 3).indices.tolist() == [1]


@pytest.mark.parametrize("threshold", ["0.1", "0.3", "0.7", "0.9", "1.1"])
def test_a_score_equal_to_the_threshold_as_written_is_not_below_it(threshold: str) -> None:
    # The float nearest to 0.7 is 0.6999999999999999556, but both were written, and mean, 0.7.
    assert select([float(threshold)], float(threshold), 1).indices.tolist() == []


def test_integers_are_scores_too() -> None:
    assert select([1, 2, 0.5, 1e308], 2.0, 4).indices.tolist() == [0, 2]


def test_none_is_never_selected() -> None:
    selection = select([None, 0.5, None], 1e9, 3)
    assert (selection.indices.tolist(), selection.num_skipped) == ([1], 2)


@pytest.mark.parametrize("num_wanted", [0, 1, 2, 3, 4, 100])
def test_counts_add_up_to_the_records(num_wanted: int) -> None:
    scores = [0.1, None, 1.0, 0.9, 2.5, None, 0.5, 1.5]
    selection = select(scores, ONE, num_wanted)
    assert selection.num_skipped == 2
    assert selection.num_at_or_over == 3
    assert len(selection.indices) == min(num_wanted, 3)
    assert selection.num_skipped + selection.num_at_or_over + selection.num_below_cut + len(selection.indices) == len(
        scores
    )
