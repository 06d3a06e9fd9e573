"""Which records are held out, and which an arm trains on."""

import math
from decimal import Decimal

import pytest

from shared.cli import UserError
from training.arms import ARMS, Amount, Pool, draw_arm, split_records

TENTH = Decimal("0.1")
# Four below 1, highest first: 5, 1, 3, 6. Record 4 is over the threshold, 2 has no score, 0 is not in the pool.
SCORES = [0.99, 0.8, math.nan, 0.3, 1.4, 0.9, 0.2]
# By ifd_upper: 3, 6, 1; record 5 is over the threshold.
UPPERS = [0.1, 0.85, math.nan, 0.95, 1.5, 1.1, 0.9]
RECORDS = [1, 2, 3, 4, 5, 6]
LENGTHS = [99, 5, 8, 5, 1, 7, 2]
# Two groups by length: 4, 6, 1 and 3, 5, 2.
POOL = Pool(RECORDS, {"ifd_ppl": SCORES, "ifd_upper": UPPERS}, LENGTHS, "ifd_ppl", threshold=1.0, num_groups=2)
TWO = Amount(2)


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


def test_planted_records_are_not_held_out_and_most_others_stay() -> None:
    planted = [index % 10 == 3 for index in range(100)]
    clean, with_mistakes = split_records(range(100), TENTH, 0), split_records(range(100), TENTH, 0, planted)
    assert len(with_mistakes.held_out) == 10 and not any(planted[index] for index in with_mistakes.held_out)
    kept = {index for index in clean.held_out if not planted[index]}
    assert kept <= set(with_mistakes.held_out)
    assert sorted(with_mistakes.held_out + with_mistakes.pool) == list(range(100))


def test_too_few_clean_records_are_said_to_be_so() -> None:
    with pytest.raises(UserError, match="that is 1, and 0 of them are not planted and ask what no other record asks"):
        split_records(range(10), TENTH, 0, planted=[True] * 10)


@pytest.mark.parametrize(
    ("arm", "records"),
    [
        ("selected", [5, 1]),
        ("upper", [3, 6]),
        ("selected_groups", [5, 1]),  # the best of 4, 6, 1 and of 3, 5, 2
        ("upper_groups", [3, 6]),
        ("longest", [2, 5]),
        ("lowest", [6, 3]),
        ("all", RECORDS),
    ],
)
def test_records_of_an_arm_do_not_depend_on_the_seed(arm: str, records: list[int]) -> None:
    for seed in range(3):
        assert draw_arm(arm, POOL, TWO, seed) == records


def test_every_group_by_length_gives_its_share() -> None:
    lengths = list(range(100))
    pool = Pool(lengths, {"ifd_ppl": [0.5 + index / 1000 for index in lengths]}, lengths, "ifd_ppl", 1.0, 10)
    assert sorted(draw_arm("selected", pool, Amount(20), 0)) == list(range(80, 100))
    assert sorted(draw_arm("selected_groups", pool, Amount(20), 0)) == [
        10 * group + place for group in range(10) for place in (8, 9)
    ]


def test_arms_by_groups_have_responses_as_long_as_the_pool() -> None:
    lengths = list(range(1, 101))  # mean 50.5; the score rises with the length
    scores = {"ifd_ppl": [length / 200 for length in lengths], "ifd_upper": [length / 150 for length in lengths]}
    pool = Pool(list(range(100)), scores, lengths, "ifd_ppl", 1.0, 10)
    means = {arm: sum(lengths[index] for index in draw_arm(arm, pool, Amount(10), 0)) / 10 for arm in ARMS}
    assert means["selected"] == means["upper"] == 95.5  # 91 to 100
    assert means["selected_groups"] == means["upper_groups"] == 55.0  # the longest of each ten: 10, 20, ... 100


def test_more_groups_than_records_are_records_of_their_own() -> None:
    pool = Pool(RECORDS, POOL.scores, LENGTHS, "ifd_ppl", 1.0, num_groups=1000)
    assert len(draw_arm("selected_groups", pool, TWO, 0)) == 2


def test_random_arm_is_drawn_anew_for_each_seed_from_the_whole_pool() -> None:
    draws = [draw_arm("random", POOL, TWO, seed) for seed in range(50)]
    assert all(len(set(draw)) == 2 for draw in draws)
    assert {index for draw in draws for index in draw} == set(RECORDS)
    assert draws[0] == draw_arm("random", POOL, TWO, seed=0)


@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm != "all"])
def test_an_arm_by_tokens_has_as_many_as_fit(arm: str) -> None:
    records = draw_arm(arm, POOL, Amount(9, is_tokens=True), seed=0)
    assert 0 < sum(LENGTHS[index] for index in records) <= 9


def test_by_tokens_the_longest_are_fewer_than_the_lowest() -> None:
    assert draw_arm("longest", POOL, Amount(9, is_tokens=True), 0) == [2]  # 8; with 7 more it would be 15
    assert draw_arm("lowest", POOL, Amount(9, is_tokens=True), 0) == [6, 3]  # 2 + 5; with 5 more it would be 12


def test_an_arm_of_no_record_is_refused() -> None:
    with pytest.raises(UserError, match="the arm longest has no record of so few response tokens"):
        draw_arm("longest", POOL, Amount(7, is_tokens=True), 0)


@pytest.mark.parametrize(
    ("arm", "num", "tokens"), [("selected", 4, 19), ("lowest", 4, 19), ("upper", 3, 12), ("upper_groups", 3, 12)]
)
def test_arm_without_enough_scores_below_the_threshold_is_refused(arm: str, num: int, tokens: int) -> None:
    assert len(draw_arm(arm, POOL, Amount(num), seed=0)) == num
    message = (
        f"only {num} records to train on have a score below 1 for the arm {arm}, and an arm takes {num + 1}; lower"
    )
    with pytest.raises(UserError, match=message):
        draw_arm(arm, POOL, Amount(num + 1), seed=0)
    with pytest.raises(UserError, match=f"only {tokens} response tokens to train on have"):
        draw_arm(arm, POOL, Amount(tokens + 1, is_tokens=True), seed=0)
