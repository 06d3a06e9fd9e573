"""Rank correlations, overlaps, flips and disagreements: by hand on small numbers."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.agreement import correlate, disagreements, flips, overlap

NAN = math.nan


def scores(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_one_swap_of_neighbours() -> None:
    found = correlate(scores(1, 2, 3, 4), scores(1, 3, 2, 4))
    assert found.spearman == pytest.approx(1 - 6 * (1 + 1) / (4 * (4**2 - 1)))  # rank differences 1 and 1
    assert found.kendall == pytest.approx((5 - 1) / 6)  # of 6 pairs, 1 in the other order


def test_ties_share_their_mean_rank() -> None:
    found = correlate(scores(1, 1, 2), scores(1, 2, 3))
    # Ranks 1.5, 1.5, 3 and 1, 2, 3; less their mean of 2: -0.5, -0.5, 1 and -1, 0, 1.
    assert found.spearman == pytest.approx((0.5 + 0 + 1) / math.sqrt(1.5 * 2))
    assert found.kendall == pytest.approx(
        2 / math.sqrt(2 * 3)
    )  # tau-b: 2 pairs agree; untied are 2 in the first, 3 in the second


PAIRS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=3, max_size=30)


@given(PAIRS)
def test_kendall_is_the_count_over_all_pairs_of_records(pairs: list[tuple[int, int]]) -> None:
    signs = [((x > u) - (x < u), (y > v) - (y < v)) for (x, y), (u, v) in combinations(pairs, 2)]
    num_untied_a, num_untied_b = sum(a != 0 for a, _ in signs), sum(b != 0 for _, b in signs)
    found = correlate(*np.array(pairs, dtype=np.float64).T)
    if num_untied_a and num_untied_b:
        assert found.kendall == pytest.approx(sum(a * b for a, b in signs) / math.sqrt(num_untied_a * num_untied_b))
    else:
        assert found.kendall is None


@given(PAIRS)
def test_only_the_ranking_counts(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    plain, bent, swapped = correlate(a, b), correlate(a**3, np.log(b)), correlate(b, a)
    assert (plain.spearman, plain.kendall) == (bent.spearman, bent.kendall)
    assert plain.spearman == (None if swapped.spearman is None else pytest.approx(swapped.spearman))
    assert plain.spearman is None or -1 <= plain.spearman <= 1


def test_the_same_and_the_opposite_ranking() -> None:
    values = np.linspace(0.1, 0.9, 101)
    same, opposite = correlate(values, values), correlate(values, -values)
    assert (same.spearman, same.kendall) == pytest.approx((1, 1))
    assert (opposite.spearman, opposite.kendall) == pytest.approx((-1, -1))


def test_records_without_a_number_are_counted_and_left_out() -> None:
    a, b = scores(1, NAN, 2, 3, NAN, NAN, 9), scores(1, 5, 2, 3, NAN, NAN, NAN)
    found = correlate(a, b)
    assert (found.num_common, found.num_only_a, found.num_only_b, found.num_neither) == (3, 1, 1, 2)
    assert found.spearman == pytest.approx(correlate(scores(1, 2, 3), scores(1, 2, 3)).spearman)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (scores(0.5, 0.5, 0.5), scores(1, 2, 3), "the first numbers are all equal"),
        (scores(1, 2, 3), scores(7, 7, 7), "the second numbers are all equal"),
        (scores(1, 2, NAN), scores(1, 2, 3), "fewer than 3 records"),
        (scores(NAN), scores(NAN), "fewer than 3 records"),
        (scores(), scores(), "fewer than 3 records"),
    ],
)
def test_an_undefined_correlation_is_none_with_a_reason(a: np.ndarray, b: np.ndarray, reason: str) -> None:
    found = correlate(a, b)
    assert (found.spearman, found.kendall) == (None, None)
    assert found.undefined and found.undefined.startswith(reason)


def test_overlap_in_shares_of_the_larger_and_of_either() -> None:
    found = overlap(np.array([4, 1, 7]), np.array([7, 9, 4, 2]))
    assert (found.num_a, found.num_b, found.num_both) == (3, 4, 2)
    assert (found.share, found.jaccard) == (2 / 4, 2 / (3 + 4 - 2))


def test_overlap_of_nothing_is_no_number() -> None:
    nothing = np.array([], dtype=np.int64)
    assert (overlap(nothing, nothing).share, overlap(nothing, nothing).jaccard) == (None, None)
    assert overlap(nothing, np.array([3])).share == 0


def test_flips_count_strictly_below_the_threshold() -> None:
    a, b = scores(0.5, 0.9, 1.0, 1.2, 0.3, NAN), scores(0.6, 1.0, 0.99, 1.3, NAN, 0.5)
    found = flips(a, b, 1)
    assert (found.num_below_both, found.num_below_only_a, found.num_below_only_b, found.num_below_neither) == (
        1,
        1,
        1,
        1,
    )


def test_disagreements_begin_with_the_largest_and_leave_out_equal_ranks() -> None:
    # Ranks among the five with both: 1 to 5 by a; 4, 2, 3, 5, 1 by b.
    a, b = scores(9, 8, NAN, 7, 6, 5), scores(2, 8, 1, 5, 1, 9)
    found = disagreements(a, b, 10)
    assert [(row.record, row.rank_a, row.rank_b) for row in found] == [(5, 5, 1), (0, 1, 4), (4, 4, 5)]
    assert (found[0].score_a, found[0].score_b) == (5, 9)
    assert disagreements(a, b, 2) == found[:2]


def test_equal_scores_share_their_mean_rank_in_disagreements() -> None:
    found = disagreements(scores(5, 5, 1), scores(1, 2, 3), 3)
    assert [(row.record, row.rank_a, row.rank_b) for row in found] == [(2, 3, 1), (0, 1.5, 3), (1, 1.5, 2)]


def test_equally_large_disagreements_are_in_record_order() -> None:
    num_records = 40
    a = np.arange(num_records, dtype=np.float64)
    b = a.reshape(-1, 2)[:, ::-1].ravel()  # neighbours swapped
    assert [row.record for row in disagreements(a, b, 7)] == list(range(7))
