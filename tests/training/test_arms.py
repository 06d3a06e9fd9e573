"""Which records are held out, which an arm trains on, and in which batches."""

import math
from decimal import Decimal

import pytest

from shared.cli import UserError
from training.arms import ARMS, LONGEST, Candidates, draw_arm, draw_batches, split_records

TENTH = Decimal("0.1")
# Four below 1, highest first: 5, 1, 3, 6. Record 4 is over the threshold, 2 has no score, 0 is not in the pool.
SCORES = [0.99, 0.8, math.nan, 0.3, 1.4, 0.9, 0.2]
POOL = [1, 2, 3, 4, 5, 6]
CANDIDATES = Candidates(POOL, SCORES, lengths=[99, 5, 8, 5, 1, 7, 2])


def test_held_out_records_are_a_share_and_the_others_are_the_pool() -> None:
    split = split_records(range(57), TENTH, seed=0)
    assert (len(split.held_out), len(split.pool)) == (5, 52)  # floor(5.7)
    assert sorted(split.held_out + split.pool) == list(range(57))


def test_no_question_is_on_both_sides_and_no_record_without_a_response_on_any() -> None:
    questions = [None if index % 10 == 9 else index // 2 for index in range(100)]
    # Of a pair, only the partner of a skipped record asks alone: 8, 18, ...
    for seed in range(20):
        split = split_records(questions, TENTH, seed)
        assert {questions[index] for index in split.held_out}.isdisjoint(questions[index] for index in split.pool)
        assert len(split.held_out) == 9 and set(split.held_out) <= set(range(8, 100, 10))
        assert len(split.held_out + split.pool) == 90


def test_seed_decides_what_is_held_out() -> None:
    draws = {tuple(split_records(range(100), TENTH, seed).held_out) for seed in (0, 1, 0, 1)}
    assert len(draws) == 2


@pytest.mark.parametrize(
    ("questions", "held_out_rate"), [(range(9), "0.1"), ([0, 0] * 10, "0.1"), (range(9), "1"), ([None], "0.5")]
)
def test_split_with_an_empty_side_is_refused(questions: list, held_out_rate: str) -> None:
    with pytest.raises(UserError, match=r"--held_out_rate [\d.]+: of \d+ records"):
        split_records(questions, Decimal(held_out_rate), seed=0)


@pytest.mark.parametrize(
    ("arm", "records"), [("selected", [5, 1]), ("lowest", [6, 3]), ("all", POOL), (LONGEST, [2, 5])]
)
def test_records_of_an_arm_do_not_depend_on_the_seed(arm: str, records: list[int]) -> None:
    for seed in range(3):
        assert draw_arm(arm, CANDIDATES, 2, 1.0, seed) == records


def test_random_arm_is_drawn_anew_for_each_seed_from_the_whole_pool() -> None:
    draws = [draw_arm("random", CANDIDATES, 2, 1.0, seed) for seed in range(50)]
    assert all(len(set(draw)) == 2 for draw in draws)
    assert {index for draw in draws for index in draw} == set(POOL)
    assert draws[0] == draw_arm("random", CANDIDATES, 2, 1.0, seed=0)


@pytest.mark.parametrize("arm", ["selected", "lowest"])
def test_arm_without_enough_scores_below_the_threshold_is_refused(arm: str) -> None:
    assert sorted(draw_arm(arm, CANDIDATES, 4, 1.0, seed=0)) == [1, 3, 5, 6]
    with pytest.raises(UserError, match="only 4 records to train on have a score below 1, and an arm takes 5"):
        draw_arm(arm, CANDIDATES, 5, 1.0, seed=0)


@pytest.mark.parametrize("arm", [*ARMS, LONGEST])
def test_every_arm_has_the_same_number_of_steps(arm: str) -> None:
    batches = draw_batches(draw_arm(arm, CANDIDATES, 2, 1.0, seed=0), num_steps=7, batch_size=3, seed=0)
    assert [len(batch) for batch in batches] == [3] * 7


def test_batches_pass_over_all_records_before_any_comes_again() -> None:
    drawn = [index for batch in draw_batches(POOL, num_steps=5, batch_size=3, seed=1) for index in batch]
    assert sorted(drawn[:6]) == sorted(drawn[6:12]) == POOL
    assert len(set(drawn[12:])) == 3
    assert drawn[:6] != drawn[6:12]


def test_seed_decides_the_order() -> None:
    orders = {str(draw_batches(POOL, 2, 3, seed)) for seed in range(5)}
    assert len(orders) == 5
