"""From finished training runs to the table.

It has what each arm was trained on, and its loss on the held-out records with its spread.
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import Any

from training.arms import ARMS, LONGEST

UNTRAINED = "untrained"
Run = dict[str, Any]


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds of an arm."""

    mean: float
    minimum: float
    maximum: float
    deviation: float | None  # sample standard deviation; None for one seed


def spread(values: list[float]) -> Spread:
    """Return mean, range and sample standard deviation of at least one value."""
    return Spread(
        statistics.fmean(values), min(values), max(values), statistics.stdev(values) if len(values) > 1 else None
    )


def token_mean(run: Run) -> float:
    """Return the nats per token over all held-out response tokens: long responses count for more."""
    return sum(loss * num for loss, num in zip(run["losses"], run["tokens"], strict=True)) / sum(run["tokens"])


def record_mean(run: Run) -> float:
    """Return the mean over held-out responses of each one's nats per token."""
    return statistics.fmean(run["losses"])


def summarize_arms(runs: list[Run]) -> list[dict[str, Any]]:
    """Return one row for each arm that has a finished run, the untrained model first. All values are JSON's."""
    rows = []
    for arm in (UNTRAINED, *ARMS, LONGEST):
        of_arm = [run for run in runs if run["arm"] == arm]
        if not of_arm:
            continue
        rows.append(
            {
                "arm": arm,
                "seeds": [run["seed"] for run in of_arm],
                "records": of_arm[0]["num_records"],
                "trained_tokens": statistics.fmean(run["trained_tokens"] for run in of_arm),
                "trained_response_tokens": statistics.fmean(run["trained_response_tokens"] for run in of_arm),
                "nll_per_token": vars(spread([token_mean(run) for run in of_arm])),
                "nll_per_record": vars(spread([record_mean(run) for run in of_arm])),
                "nll_by_length": by_length(of_arm),
                "minus_random": None if arm in (UNTRAINED, "random") else against_random(of_arm, runs),
            }
        )
    return rows


def against_random(of_arm: list[Run], runs: list[Run]) -> dict[str, dict[str, float]] | None:
    """Return how much higher the losses of an arm are than the random arm's, over the seeds that both have finished.

    In nats per token, once over all tokens and once as the mean of responses, each as `mean` and `half_width` of its
    95 percent interval over held-out responses (normal approximation), which says nothing about other seeds. None
    where there are no two responses or no common seed.
    """
    of_random = {run["seed"]: run for run in runs if run["arm"] == "random"}
    pairs = [(run, of_random[run["seed"]]) for run in of_arm if run["seed"] in of_random]
    if not pairs or len(pairs[0][0]["losses"]) < 2:
        return None
    differences = [
        [one - other for one, other in zip(run["losses"], rival["losses"], strict=True)] for run, rival in pairs
    ]
    of_response = [statistics.fmean(column) for column in zip(*differences, strict=True)]
    return {
        "per_token": _weighted(of_response, of_arm[0]["tokens"]),
        "per_record": _weighted(of_response, [1] * len(of_response)),
    }


def _weighted(values: list[float], weights: list[int]) -> dict[str, float]:
    """Return the weighted mean and the half-width of its interval, by the delta method for a ratio of two means."""
    shares = [weight / sum(weights) for weight in weights]
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    squares = sum((share * (value - mean)) ** 2 for share, value in zip(shares, values, strict=True))
    return {"mean": mean, "half_width": 1.96 * math.sqrt(squares * len(values) / (len(values) - 1))}


def by_length(of_arm: list[Run]) -> list[float]:
    """Return the mean loss of the shortest, middle and longest third of the held-out responses, over all seeds."""
    return [
        statistics.fmean(run["losses"][index] for run in of_arm for index in third)
        for third in thirds(of_arm[0]["tokens"])
    ]


def thirds(tokens: list[int]) -> list[list[int]]:
    """Return the indices of the shortest, the middle and the longest third; of fewer than three, none is left empty."""
    order = sorted(range(len(tokens)), key=tokens.__getitem__)
    cuts = [round(len(order) * share / 3) for share in range(4)]
    return [order[start:end] or order for start, end in itertools.pairwise(cuts)]


def arms_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as text of at most 80 columns."""
    lines = [
        f"{'trained on':>17}{'tokens':>11}{'response':>11}  held-out response, nats per token",
        f"{'arm':<10}{'records':>7}{'seen':>11}{'tokens':>11}  {'all tokens (range)':<20} {'mean of responses'}",
    ]
    for row in rows:
        per_token, per_record = row["nll_per_token"], row["nll_per_record"]
        between = f" ({per_token['minimum']:.3f}-{per_token['maximum']:.3f})" if len(row["seeds"]) > 1 else ""
        around = "" if per_record["deviation"] is None else f" +-{per_record['deviation']:.3f}"
        lines.append(
            f"{row['arm']:<10}{row['records']:>7}{row['trained_tokens']:>11,.0f}{row['trained_response_tokens']:>11,.0f}"
            f"  {per_token['mean']:.3f}{between:<15} {per_record['mean']:.3f}{around}"
        )
    lines += ["", f"{'mean of responses':<20}{'shortest third':>16}{'middle':>16}{'longest third':>16}"]
    lines += [f"{row['arm']:<20}" + "".join(f"{loss:>16.3f}" for loss in row["nll_by_length"]) for row in rows]
    compared = [row for row in rows if row["minus_random"]]
    if compared:
        lines += ["", f"{'minus random (95%)':<20}{'all tokens':>28}{'mean of responses':>30}"]
    for row in compared:
        both = [_interval(row["minus_random"][name]) for name in ("per_token", "per_record")]
        lines.append(f"{row['arm']:<20}{both[0]:>28}{both[1]:>30}")
    return "\n".join(lines)


def _interval(found: dict[str, float]) -> str:
    mean, half = found["mean"], found["half_width"]
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"
