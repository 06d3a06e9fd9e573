"""The arithmetic of the table: means over tokens and over responses, spread over seeds, the difference to random."""

import json
import math
from typing import Any

import pytest

from training.arms import ARMS
from training.proof_table import (
    against_random,
    arms_table,
    by_length,
    record_mean,
    spread,
    summarize_arms,
    thirds,
    token_mean,
)


def a_run(
    arm: str,
    seed: int | None,
    losses: list[float],
    tokens: list[int] | None = None,
    trained: int = 100,
    num_planted: int | None = None,
) -> dict[str, Any]:
    return {
        "arm": arm, "seed": seed, "num_records": 9, "num_planted": num_planted, "response_tokens": 40,
        "trained_records": 5, "trained_tokens": trained, "trained_response_tokens": trained // 2,
        "losses": losses, "tokens": tokens or [1] * len(losses),
    }  # fmt: skip


# Two responses, three times each.
RUNS = [
    a_run("untrained", None, [3.0, 2.0] * 3, trained=0),
    a_run("random", 0, [2.0, 1.0] * 3),
    a_run("random", 1, [2.2, 1.0] * 3),
    a_run("selected", 0, [1.9, 1.3] * 3, trained=300),
    a_run("selected", 1, [1.9, 1.1] * 3, trained=500),
]


def test_long_responses_count_for_more_in_one_mean_and_not_in_the_other() -> None:
    run = a_run("random", 0, [1.0, 4.0], tokens=[9, 1])
    assert token_mean(run) == pytest.approx((9 * 1.0 + 1 * 4.0) / 10)
    assert record_mean(run) == pytest.approx((1.0 + 4.0) / 2)


def test_spread_is_range_and_sample_deviation() -> None:
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.minimum, found.maximum) == (3.0, 1.0, 6.0)
    assert found.deviation == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert spread([1.0]).deviation is None


def test_row_of_an_arm_joins_its_seeds() -> None:
    [row] = [row for row in summarize_arms(RUNS) if row["arm"] == "selected"]
    assert (row["seeds"], row["records"], row["trained_tokens"], row["trained_response_tokens"]) == (
        [0, 1],
        9,
        400,
        200,
    )
    assert row["passes"] == pytest.approx((150 / 40 + 250 / 40) / 2)
    assert row["nll_per_record"]["mean"] == pytest.approx((1.6 + 1.5) / 2)
    assert (row["nll_per_token"]["minimum"], row["nll_per_token"]["maximum"]) == pytest.approx((1.5, 1.6))


def test_planted_records_are_counted_where_they_are_known() -> None:
    runs = [a_run("random", seed, [1.0], num_planted=num) for seed, num in ((0, 3), (1, 6))]
    assert summarize_arms(runs)[0]["planted"] == pytest.approx(4.5)
    assert summarize_arms(RUNS)[0]["planted"] is None


@pytest.mark.parametrize(
    ("nums", "shown"),
    [((3, 6), "4.5"), ((0, 0), "0"), ((99, 101), "100"), ((1234, 1235), "1,234"), ((9, 8, 9), "8.67")],
)
def test_number_of_planted_records_is_written_out(nums: tuple[int, ...], shown: str) -> None:
    rows = summarize_arms([a_run("random", seed, [1.0] * 6, num_planted=num) for seed, num in enumerate(nums)])
    assert arms_table(rows).splitlines()[2].split()[:3] == ["random", "9", shown]


def test_difference_to_random_is_paired_by_response_and_seed() -> None:
    # One response: -0.1 and -0.3, mean -0.2. The other: 0.3 and 0.1, mean 0.2. Each is there three times.
    found = against_random(RUNS[3:], RUNS)
    assert found is not None
    assert found["per_record"]["mean"] == pytest.approx(0.0)
    assert found["per_record"]["half_width"] == pytest.approx(1.96 * math.sqrt(6 * 0.2**2 / 5) / math.sqrt(6))


def test_difference_over_tokens_weighs_the_responses_by_their_length() -> None:
    tokens, losses = [3, 1] * 3, [0.8, 1.2] * 3
    runs = [a_run("random", 0, [1.0] * 6, tokens), a_run("all", 0, losses, tokens)]
    found = against_random(runs[1:], runs)
    assert found is not None
    assert found["per_token"]["mean"] == pytest.approx((3 * -0.2 + 1 * 0.2) / 4)
    # Away from the mean of -0.1 by -0.1 and 0.3, with shares of 3/12 and 1/12, three times each; n / (n - 1) is 6 / 5.
    squares = 3 * ((0.25 * 0.1) ** 2 + (0.3 / 12) ** 2)
    assert found["per_token"]["half_width"] == pytest.approx(1.96 * math.sqrt(squares * 6 / 5))


def test_difference_to_random_is_told_for_each_third() -> None:
    tokens = [1, 1, 20, 20, 300, 300]
    runs = [a_run("random", 0, [1.0] * 6, tokens), a_run("all", 0, [1.1, 1.3, 1.0, 1.0, 0.9, 0.7], tokens)]
    found = against_random(runs[1:], runs)
    assert found is not None
    assert [found[name]["mean"] for name in ("shortest", "middle", "longest")] == pytest.approx([0.2, 0.0, -0.2])
    # 0.1 away from the mean, two responses: the standard error is 0.1 * sqrt(2) / sqrt(2).
    assert found["shortest"]["half_width"] == pytest.approx(1.96 * 0.1)


def test_thirds_are_by_length() -> None:
    runs = [a_run("all", seed, [1.0, 2.0, 3.0, 4.0 + seed], tokens=[40, 10, 20, 30]) for seed in (0, 1)]
    assert thirds([40, 10, 20, 30]) == [[1], [2, 3], [0]]
    assert by_length(runs) == [2.0, (3 + 4 + 3 + 5) / 4, 1.0]
    assert thirds([7]) == [[0]] * 3


def test_difference_to_random_needs_a_common_seed_and_two_responses_in_each_third() -> None:
    assert against_random([a_run("all", 2, [1.0] * 6)], RUNS) is None
    assert against_random([a_run("all", 0, [1.0] * 5)], [a_run("random", 0, [1.0] * 5)]) is None
    assert against_random([a_run("all", 0, [1.0] * 6)], [a_run("random", 0, [1.0] * 6)]) is not None


def test_only_arms_with_a_run_have_a_row_and_the_untrained_model_is_first() -> None:
    assert [row["arm"] for row in summarize_arms(RUNS)] == ["untrained", "selected", "random"]


def test_rows_are_strict_json_and_the_table_of_all_arms_fits_a_terminal() -> None:
    wide = [
        a_run(arm, seed, [13.4567, 19.0] * 3, trained=12_345_678, num_planted=10_000)
        for arm in ("untrained", *ARMS)
        for seed in (0, 1)
    ]
    for runs in (RUNS, RUNS[:2], wide):
        rows = summarize_arms(runs)
        json.dumps(rows, allow_nan=False)
        assert max(map(len, arms_table(rows).splitlines())) <= 80


def test_table_says_what_each_arm_saw_and_how_far_it_is_from_random() -> None:
    lines = arms_table(summarize_arms(RUNS)).splitlines()
    [saw, loss, difference] = [line.split() for line in lines if line.startswith("selected")]
    assert saw == ["selected", "9", "40", "5.0", "5", "200", "400"]  # 200 of 40 tokens are 5 passes
    assert loss[:4] == ["selected", "1.550", "(1.500-1.600)", "1.550"]
    assert difference[:2] == ["selected", "+0.000±0.175"]  # 1.96 * sqrt(6 * 0.2 ** 2 / 5) / sqrt(6)
    assert sum(line.startswith("untrained") for line in lines) == 2  # what it saw and its losses
