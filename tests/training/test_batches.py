"""The steps of a run: every arm gets the same budget, whatever the length of its records."""

from itertools import accumulate, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cli import UserError
from training.batches import Budget, check_budget, cut_by_tokens, draw_batches, passes

RECORDS = [1, 2, 3, 4, 5, 6]


def by_records(num_steps: int, batch_size: int) -> Budget:
    return Budget(num_steps, None, batch_size)


@pytest.mark.parametrize("records", [[1], [1, 2], RECORDS])
def test_by_records_every_step_has_the_same_number(records: list[int]) -> None:
    batches = draw_batches(records, [9] * 7, by_records(7, 3), seed=0)
    assert [len(batch) for batch in batches] == [3] * 7


@pytest.mark.parametrize("budget", [by_records(5, 3), Budget(5, 6, None)])
def test_batches_pass_over_all_records_before_any_comes_again(budget: Budget) -> None:
    drawn = [index for batch in draw_batches(RECORDS, [2] * 7, budget, seed=1) for index in batch]
    assert sorted(drawn[:6]) == sorted(drawn[6:12]) == RECORDS
    assert len(drawn) == 15 and len(set(drawn[12:])) == 3
    assert drawn[:6] != drawn[6:12]


@pytest.mark.parametrize("budget", [by_records(2, 3), Budget(2, 6, None)])
def test_seed_decides_the_order(budget: Budget) -> None:
    orders = {str(draw_batches(RECORDS, [2] * 7, budget, seed)) for seed in range(5)}
    assert len(orders) == 5


def test_a_step_ends_where_the_sum_is_closest_to_its_budget() -> None:
    lengths = [4, 4, 3, 9, 1, 7]
    # Sums: 4, 8, 11, 20, 21, 28. Ends: 10 is closest to 11, 20 to 20, 30 to 28 or what comes next (32).
    steps = cut_by_tokens(iter([0, 1, 2, 3, 4, 5, 0, 0]), lengths, num_steps=3, tokens_per_step=10)
    assert steps == [[0, 1, 2], [3], [4, 5, 0]]


def test_a_long_record_is_a_step_and_the_next_ones_make_up_for_it() -> None:
    # 25 in the first step of 10: the next two have one short record each, and then the sum is back at 4 * 10.
    assert cut_by_tokens(iter([0] + [1] * 99), [25, 3], 4, 10) == [[0], [1], [1], [1, 1, 1]]


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=30),
    st.integers(1, 30),
    st.integers(100, 300),
    st.integers(0, 3),
)
def test_all_arms_see_the_same_number_of_tokens_within_half_a_record(
    lengths: list[int], num_steps: int, tokens_per_step: int, seed: int
) -> None:
    records = range(len(lengths))
    steps = draw_batches(records, lengths, Budget(num_steps, tokens_per_step, None), seed)
    assert len(steps) == num_steps and all(steps)
    sums = accumulate(sum(lengths[index] for index in step) for step in steps)
    for number, total in enumerate(sums, start=1):
        assert abs(total - number * tokens_per_step) <= max(lengths) / 2
    drawn = [index for step in steps for index in step]
    assert drawn == list(islice(passes(records, seed), len(drawn)))


def test_records_too_long_for_the_budget_are_refused() -> None:
    message = "--tokens_per_step 10: records of up to 25 response tokens make 4 steps of 25, more than that; give more"
    for draw in (draw_batches, check_budget):
        with pytest.raises(UserError, match=message):
            draw([0], [25], Budget(4, 10, None), seed=0)
        draw([0], [25], Budget(4, 25, None), seed=0)
