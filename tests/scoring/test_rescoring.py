"""Which rounded scores could change the selection: probabilities, boundaries, and that the selection holds."""

import math
import random

import pytest

from scoring.rescoring import (
    MIN_SAMPLE,
    RISK,
    RoughScore,
    boundaries,
    flip_chance,
    next_to_rescore,
    student_tail,
    upper_spread,
)
from selection.ifd import select


@pytest.mark.parametrize(("t", "chance"), [(0, 0.5), (2.132, 0.05), (2.776, 0.025), (8.610, 0.0005)])
def test_tail_agrees_with_the_printed_tables_of_students_distribution(t: float, chance: float) -> None:
    assert student_tail(t) == pytest.approx(chance, rel=1e-3)


def test_tail_far_out_follows_its_power_law() -> None:
    assert student_tail(1e5) == pytest.approx(3 / 1e20, rel=1e-6)  # 3 / t^4; a difference from 1 would have given 0


def test_boundaries_are_the_threshold_and_the_middle_of_the_gap_at_the_cut() -> None:
    scores = {record: RoughScore(value, 10) for record, value in enumerate([0.2, -0.1, -0.3, -0.7])}
    assert boundaries(scores, 1.0, 2) == [0, pytest.approx((-0.3 + -0.7) / 2)]
    assert boundaries(scores, 1.0, 3) == [0]  # all that are below the threshold are selected
    assert boundaries(scores, 0.5, 1) == [pytest.approx(math.log(0.5))]
    assert boundaries(scores, 0.0, 1) == []


def test_flip_chance_falls_with_distance_and_with_length() -> None:
    near, far, long = RoughScore(-0.01, 25), RoughScore(-0.05, 25), RoughScore(-0.01, 400)
    chances = [flip_chance(score, [0.0], spread=0.05) for score in (near, far, long)]
    assert chances[0] == student_tail(0.01 * 5 / 0.05)
    assert chances[1] == student_tail(0.05 * 5 / 0.05)
    assert chances[2] == student_tail(0.01 * 20 / 0.05)


def test_spread_errs_on_the_large_side() -> None:
    # A variance of twice the scale's square; chi-squared's lower 5 percent point at 40 degrees of freedom is 26.51.
    assert upper_spread([0.1, -0.1] * 20) == pytest.approx(0.1 * math.sqrt(40 / 26.51 / 2), rel=1e-3)


def test_sample_comes_first_and_from_near_the_boundaries() -> None:
    scores = {record: RoughScore(-0.001 * record, 50) for record in range(200)}
    assert next_to_rescore(scores, 1.0, 200) == list(range(MIN_SAMPLE))


def test_nothing_is_rescored_when_all_is_exact() -> None:
    assert next_to_rescore({record: RoughScore(-0.1 * record, 50, is_exact=True) for record in range(9)}, 1.0, 3) == []


def test_fewer_records_than_a_sample_are_all_rescored() -> None:
    assert next_to_rescore({record: RoughScore(-0.1 * record, 50) for record in range(9)}, 1.0, 3) == list(range(9))


def run_to_the_end(exact: list[float], rough: list[float], tokens: list[int], num_wanted: int) -> tuple[set[int], int]:
    """Rescore until nothing is left to do; return the selected records and how many were rescored."""
    scores = {record: RoughScore(value, tokens[record]) for record, value in enumerate(rough)}
    num_rescored = 0
    while chosen := next_to_rescore(scores, 1.0, num_wanted):
        assert not any(scores[record].is_exact for record in chosen)  # or it would never end
        num_rescored += len(chosen)
        for record in chosen:
            scores[record] = RoughScore(exact[record], tokens[record], True, rough[record] - exact[record])
    return set(select([scores[record].value for record in range(len(rough))], 0.0, num_wanted).indices), num_rescored


def test_selection_is_that_of_the_exact_scores_with_the_stated_chance() -> None:
    num_wrong = num_rescored = 0
    num_trials, num_records = 100, 1000
    for trial in range(num_trials):
        draw = random.Random(trial)
        exact = [draw.gauss(-0.4, 0.35) for _ in range(num_records)]
        tokens = [draw.randint(25, 400) for _ in range(num_records)]
        # Heavier tails than Gaussian: every tenth error is three times as wide.
        rough = [
            value + draw.gauss(0, 0.03 * draw.choice([1] * 9 + [3])) / math.sqrt(n)
            for value, n in zip(exact, tokens, strict=True)
        ]
        found, num = run_to_the_end(exact, rough, tokens, num_records // 10)
        num_rescored += num
        num_wrong += found != set(select(exact, 0.0, num_records // 10).indices)
    # With a chance of exactly RISK, more than 11 of 100 would happen once in two hundred times.
    assert num_wrong <= 11 and RISK == 0.05
    assert num_rescored < 0.15 * num_trials * num_records
