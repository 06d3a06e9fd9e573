"""The length-controlled win rate on data whose truth is known, on real reviews, and where there is none."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reviews import LOSE, TIE, UNPARSED, WIN, make_review

from records.record import Skipped
from verdict.length_control import LengthControl, fit_length, length_control
from verdict.review_file import read_review_file


def simulate(num_pairs: int, intercept: float, slope: float, seed: int, shift: float = 1.0) -> tuple[list, list]:
    """Length differences with a mean of `shift` standard deviations, and verdicts by the model itself."""
    random = np.random.default_rng(seed)
    differences = np.round(random.normal(shift, 1, num_pairs) * 300)
    rates = 1 / (1 + np.exp(-intercept - slope * np.tanh(differences / differences.std())))
    return list(differences), list((random.random(num_pairs) < rates).astype(float))


def fitted(differences: list, wins: list) -> LengthControl:
    found = fit_length(differences, wins)
    assert isinstance(found, LengthControl), found
    return found


def test_a_verdict_by_length_alone_is_even_at_equal_length() -> None:
    found = fitted(*simulate(20_000, intercept=0, slope=2, seed=0))
    assert found.win_rate > 0.7
    assert found.controlled == pytest.approx(0.5, abs=0.02)
    assert found.slope == pytest.approx(2, abs=0.1)


def test_a_verdict_without_regard_to_length_stays() -> None:
    found = fitted(*simulate(20_000, intercept=0.8, slope=0, seed=1))
    assert found.controlled == pytest.approx(1 / (1 + np.exp(-0.8)), abs=0.02)
    assert found.lead_by_length == pytest.approx(0, abs=0.02)


def test_interval_holds_the_truth_95_times_of_100() -> None:
    truth = 1 / (1 + np.exp(-0.4))
    intervals = [fitted(*simulate(150, intercept=0.4, slope=1.5, seed=seed)).interval for seed in range(400)]
    held = sum(low <= truth <= high for low, high in intervals) / 400
    assert held == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 400))


def test_half_wins_are_surer_than_coins() -> None:
    differences = [300, -300] * 50
    coins, ties = fitted(differences, [1, 1, 0, 0] * 25), fitted(differences, [1, 1, *[0.5] * 96, 0, 0])
    assert coins.controlled == ties.controlled == pytest.approx(0.5)
    assert ties.interval[1] - ties.interval[0] < (coins.interval[1] - coins.interval[0]) / 3


def test_two_lengths_give_the_rates_by_hand() -> None:
    # Longer by 100 wins 30 of 40, shorter by 100 wins 8 of 20: the scale is the standard deviation of these 60.
    wins = [1] * 30 + [0] * 10 + [1] * 8 + [0] * 12
    differences = [100] * 40 + [-100] * 20
    found = fitted(differences, wins)
    assert found.win_rate == 38 / 60
    # The mean of both log odds, log(3) and log(2/3).
    assert found.controlled == pytest.approx(1 / (1 + np.exp(-(np.log(3) + np.log(2 / 3)) / 2)), rel=1e-9)
    assert found.scale == pytest.approx(np.sqrt(100**2 - (2000 / 60) ** 2))


@given(st.lists(st.tuples(st.integers(-3000, 3000), st.sampled_from([0, 0.5, 1])), max_size=60))
def test_swapping_the_models_swaps_the_rates(pairs: list[tuple[int, float]]) -> None:
    found = fit_length([one for one, _ in pairs], [won for _, won in pairs])
    swapped = fit_length([-one for one, _ in pairs], [1 - won for _, won in pairs])
    if isinstance(found, Skipped):
        assert isinstance(swapped, Skipped)
    else:
        assert isinstance(swapped, LengthControl)
        assert swapped.controlled == pytest.approx(1 - found.controlled, abs=1e-6)
        assert found.interval[0] <= found.controlled <= found.interval[1]


@pytest.mark.parametrize(
    ("differences", "wins", "reason"),
    [
        ([], [], "0 pairs are too few to tell length from the rest; it takes 20"),
        ([1, -1] * 9, [1, 0] * 9, "18 pairs are too few"),
        ([0] * 30, [1, 0, 0.5] * 10, "both answers of every pair are equally long"),
        ([5, 9] * 15, [1, 0, 1] * 10, "the first model's answer is the longer one in every pair"),
        ([-5, -9] * 15, [1, 0, 1] * 10, "the second model's answer is the longer one in every pair"),
        ([5, -9] * 15, [0.5] * 30, "every pair has the same verdict"),
        ([5, -9] * 15, [1] * 30, "every pair has the same verdict"),
        ([5, -9] * 15, [1, 0] * 15, "length tells wins from losses without fail"),
    ],
)
def test_what_cannot_be_told_has_a_reason_and_no_number(differences: list, wins: list, reason: str) -> None:
    found = fit_length(differences, wins)
    assert isinstance(found, Skipped)
    assert found.reason.startswith(reason)


def test_lengths_are_characters_without_white_space_around_and_unparsed_pairs_are_left_out() -> None:
    reviews = [
        make_review(orders, one, two)
        for orders, (one, two) in zip(
            [WIN, LOSE, TIE, WIN, LOSE, WIN] * 5, itertools.cycle([("  abc\n", "a"), ("a", "abcd")]), strict=False
        )
    ]
    found = length_control([*reviews, make_review(UNPARSED)], "published")
    assert isinstance(found, LengthControl)
    assert (found.pairs, found.mean_difference) == (30, (2 - 3) / 2)
    assert found.win_rate == (3 + 1 / 2) / 6


@pytest.mark.parametrize(
    ("judge", "names", "rates"),
    [
        ("gpt4", ["vicuna"], (0.644, 0.575, 0.459, 0.684)),
        ("gpt4", ["koala"], (0.572, 0.567, 0.499, 0.633)),
        ("gpt4", ["vicuna", "koala"], (0.594, 0.575, 0.517, 0.630)),
        ("gpt3.5", ["vicuna"], (0.562, 0.540, 0.471, 0.608)),
        ("gpt3.5", ["koala"], (0.483, 0.465, 0.418, 0.513)),
        ("gpt3.5", ["vicuna", "koala"], (0.508, 0.486, 0.447, 0.525)),
    ],
)
def test_rates_of_the_real_reviews(judge: str, names: list[str], rates: tuple, real_data_dir: Path) -> None:
    reviews = [
        review
        for name in names
        for review in read_review_file(str(real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json")).reviews
    ]
    found = length_control(reviews, "published")
    assert isinstance(found, LengthControl)
    assert (found.win_rate, found.controlled, *found.interval) == pytest.approx(rates, abs=0.0006)
