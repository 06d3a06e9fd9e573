"""The arithmetic of shares: sums are exact, shares are in proportion, and what a group lacks goes to the others."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.ifd import select
from selection.shares import allot, largest_remainder, length_groups, select_by_group, within_tokens

SIZES = st.lists(st.integers(0, 10**7), min_size=1, max_size=40).filter(any)
SCORES = st.none() | st.sampled_from([0.1, 0.5, 0.9, 0.95, 1.0, 1.5]) | st.floats(0.01, 2)
# Records: score, group (-1 is none), response tokens (None is none).
RECORDS = st.lists(st.tuples(SCORES, st.integers(-1, 5), st.none() | st.integers(1, 50)), min_size=1, max_size=60)


def columns(records: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores, groups, tokens = zip(*records, strict=True)
    return np.array(scores, dtype=float), np.array(groups), np.array(tokens, dtype=float)


def test_largest_fractions_get_what_is_left() -> None:
    # Quotas of 10: 4.7, 3.0, 2.3 -> 4 + 3 + 2, and one more for the first.
    assert largest_remainder(10, [47, 30, 23]) == [5, 3, 2]


def test_equal_fractions_go_to_the_earlier_group() -> None:
    assert largest_remainder(5, [1, 1, 1, 1]) == [2, 1, 1, 1]


def test_whole_quotas_are_exact_where_floats_are_not() -> None:
    # 10^16 + 1 and its like are no floats.
    assert largest_remainder(10**17 + 3, [10**17 + 1, 2]) == [10**17 + 1, 2]


@pytest.mark.parametrize(("num_wanted", "sizes"), [(1, []), (1, [0, 0]), (-1, [1]), (1, [2, -1])])
def test_what_cannot_be_shared_is_an_error(num_wanted: int, sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot be shared"):
        largest_remainder(num_wanted, sizes)


@given(st.integers(0, 10**8), SIZES)
def test_shares_add_up_and_are_quotas_rounded(num_wanted: int, sizes: list[int]) -> None:
    shares = largest_remainder(num_wanted, sizes)
    assert sum(shares) == num_wanted
    for share, size in zip(shares, sizes, strict=True):
        assert abs(share - Fraction(num_wanted * size, sum(sizes))) < 1
    if num_wanted <= sum(sizes):
        assert all(share <= size for share, size in zip(shares, sizes, strict=True))


@given(st.integers(0, 300), st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=12))
def test_what_a_group_lacks_goes_to_the_others(num_wanted: int, groups: list[tuple[int, float]]) -> None:
    sizes = [size for size, _ in groups]
    capacities = [int(size * share) for size, share in groups]
    shares, taken = allot(num_wanted, sizes, capacities)
    assert sum(taken) == min(num_wanted, sum(capacities))
    for share, got, capacity in zip(shares, taken, capacities, strict=True):
        assert min(share, capacity) <= got <= capacity


def test_rest_of_a_group_is_shared_in_proportion_to_the_sizes_of_the_others() -> None:
    # Shares of 40: 10, 10, 20. The first has 1; its other 9 go 1 to 2: 3 and 6.
    assert allot(40, [100, 100, 200], [1, 100, 200]) == ([10, 10, 20], [1, 13, 26])


def test_rest_is_passed_on_until_someone_has_room() -> None:
    # Shares of 30: 10 each. The 9 that the first lacks go 5 to 4; the second takes 1 of 5, the third the other 4.
    assert allot(30, [10, 10, 10], [1, 11, 100]) == ([10, 10, 10], [1, 11, 18])


@pytest.mark.parametrize("num_groups", [1, 2, 3, 7, 11])
def test_groups_by_length_are_of_equal_size_and_in_order(num_groups: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 30, 100).astype(float)
    groups = length_groups(lengths, num_groups)
    sizes = np.bincount(groups, minlength=num_groups)
    assert sizes.max() - sizes.min() <= 1
    assert all(lengths[groups < group].max() <= lengths[groups == group].min() for group in range(1, num_groups))


def test_equal_lengths_are_cut_in_record_order() -> None:
    assert length_groups(np.array([5.0, 5, 5, 5]), 2).tolist() == [0, 0, 1, 1]


def test_record_without_a_length_is_in_no_group() -> None:
    assert length_groups(np.array([3.0, math.nan, 1.0]), 2).tolist() == [1, -1, 0]
    assert length_groups(np.array([math.nan]), 2).tolist() == [-1]


def test_more_groups_than_records_leave_some_empty() -> None:
    groups = length_groups(np.array([1.0, 2.0]), 5)
    assert sorted(set(groups.tolist())) == sorted(groups.tolist())
    assert groups.max() < 5


@given(st.lists(SCORES, min_size=1, max_size=60), st.integers(0, 70))
def test_one_group_selects_as_without_groups(scores: list[float | None], num_wanted: int) -> None:
    values = np.array(scores, dtype=float)
    plain = select(values, 1.0, num_wanted)
    found = select_by_group(values, np.zeros(len(values), dtype=int), 1.0, num_wanted).selection
    assert found.indices.tolist() == plain.indices.tolist()
    assert (found.num_skipped, found.num_at_or_over, found.num_below_cut) == (
        plain.num_skipped,
        plain.num_at_or_over,
        plain.num_below_cut,
    )


@given(RECORDS, st.integers(0, 70))
def test_each_group_gets_its_best(records: list[tuple], num_wanted: int) -> None:
    scores, groups, _ = columns(records)
    found = select_by_group(scores, groups, 1.0, num_wanted)
    kept = found.selection.indices.tolist()
    # Highest first over all groups, ties by record order.
    assert kept == sorted(kept, key=lambda index: (-scores[index], index))
    for group, count in enumerate(found.groups):
        inside = np.flatnonzero(groups == group)
        best = sorted((i for i in inside if scores[i] < 1), key=lambda index: (-scores[index], index))
        assert count.num_records == len(inside)
        assert count.num_qualified == len(best)
        assert [index for index in kept if groups[index] == group] == sorted(
            best[: count.num_selected], key=lambda index: (-scores[index], index)
        )
    assert len(kept) == min(num_wanted, sum(count.num_qualified for count in found.groups))


@given(RECORDS, st.integers(0, 70))
def test_counts_add_up_and_records_in_no_group_are_skipped(records: list[tuple], num_wanted: int) -> None:
    scores, groups, _ = columns(records)
    found = select_by_group(scores, groups, 1.0, num_wanted)
    rest = found.selection
    assert rest.num_skipped + rest.num_at_or_over + rest.num_below_cut + len(rest.indices) == len(scores)
    assert rest.num_skipped == sum(math.isnan(score) or group < 0 for score, group in zip(scores, groups, strict=True))
    assert found.num_ungrouped == sum(
        not math.isnan(score) and group < 0 for score, group in zip(scores, groups, strict=True)
    )


@given(RECORDS, st.integers(1, 600))
def test_budget_takes_the_longest_start_of_the_ranking_that_fits(records: list[tuple], num_tokens: int) -> None:
    scores, _, tokens = columns(records)
    ranking = [i for i in select(scores, 1.0, len(scores)).indices.tolist() if not math.isnan(tokens[i])]
    fitting = [n for n in range(len(ranking) + 1) if sum(tokens[ranking[:n]]) <= num_tokens]
    assert within_tokens(scores, None, 1.0, tokens, num_tokens).selection.indices.tolist() == ranking[: max(fitting)]


@given(RECORDS, st.integers(1, 600))
def test_budget_of_groups_is_a_number_of_records_where_one_more_does_not_fit(
    records: list[tuple], num_tokens: int
) -> None:
    scores, groups, tokens = columns(records)
    groups = np.where(np.isnan(tokens), -1, groups)
    kept = within_tokens(scores, groups, 1.0, tokens, num_tokens).selection.indices
    assert tokens[kept].sum() <= num_tokens
    assert kept.tolist() == select_by_group(scores, groups, 1.0, len(kept)).selection.indices.tolist()
    more = select_by_group(scores, groups, 1.0, len(kept) + 1).selection.indices
    assert len(more) == len(kept) or tokens[more].sum() > num_tokens


def test_shares_of_a_budget_are_of_records_so_that_lengths_are_those_of_the_data() -> None:
    # Half of the records have 1 token, half 99: a budget for 20 records takes ten of each, 1,000 tokens.
    tokens = np.array([1.0, 99.0] * 50)
    found = within_tokens(np.full(100, 0.5), length_groups(tokens, 2), 1.0, tokens, 1000)
    assert [count.num_selected for count in found.groups] == [10, 10]


def test_a_million_records_are_as_exact_as_ten() -> None:
    generator = np.random.default_rng(0)
    scores, tokens = generator.random(10**6), generator.integers(1, 500, 10**6).astype(float)
    kept = within_tokens(scores, length_groups(tokens, 1000), 1.0, tokens, 10**7).selection.indices
    assert 10**7 - 500 * 1000 < tokens[kept].sum() <= 10**7
    assert tokens[kept].mean() == pytest.approx(tokens.mean(), rel=0.01)
