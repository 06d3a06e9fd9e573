"""From finished training runs to the table.

It has what each arm was trained on, and its loss on the held-out records with its spread.
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import Any

from training.arms import ARMS

UNTRAINED = "untrained"
Run = dict[str, Any]
THIRDS = ("shortest", "middle", "longest")
COMPARED = ("per_token", "per_record", *THIRDS)


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
    for arm in (UNTRAINED, *ARMS):
        of_arm = [run for run in runs if run["arm"] == arm]
        if not of_arm:
            continue
        rows.append(
            {
                "arm": arm,
                "seeds": [run["seed"] for run in of_arm],
                **amounts(of_arm),
                "nll_per_token": vars(spread([token_mean(run) for run in of_arm])),
                "nll_per_record": vars(spread([record_mean(run) for run in of_arm])),
                "nll_by_length": by_length(of_arm),
                "minus_random": None if arm in (UNTRAINED, "random") else against_random(of_arm, runs),
            }
        )
    return rows


def amounts(of_arm: list[Run]) -> dict[str, float | None]:
    """Return what an arm has and what a run on it saw, as means over its seeds.

    `passes` is how often it saw what it has, in response tokens; `planted` is None where nothing is known of planted
    mistakes.
    """
    names = ("response_tokens", "trained_records", "trained_response_tokens", "trained_tokens")
    found: dict[str, float | None] = {name: statistics.fmean(run[name] for run in of_arm) for name in names}
    passes = [run["trained_response_tokens"] / max(run["response_tokens"], 1) for run in of_arm]
    planted = [run["num_planted"] for run in of_arm if run["num_planted"] is not None]
    return {
        "records": statistics.fmean(run["num_records"] for run in of_arm),
        "planted": statistics.fmean(planted) if planted else None,
        **found,
        "passes": statistics.fmean(passes),
    }


def against_random(of_arm: list[Run], runs: list[Run]) -> dict[str, dict[str, float]] | None:
    """Return how much higher the losses of an arm are than the random arm's, over the seeds that both have finished.

    In nats per token, once over all tokens and once as the mean of responses, of all and of each third by length; each
    as `mean` and `half_width` of its 95 percent interval over held-out responses (normal approximation), which says
    nothing about other seeds. None where there are no two responses in each third, or no common seed.
    """
    of_random = {run["seed"]: run for run in runs if run["arm"] == "random"}
    pairs = [(run, of_random[run["seed"]]) for run in of_arm if run["seed"] in of_random]
    parts = dict(zip(THIRDS, thirds(of_arm[0]["tokens"]), strict=True))
    if not pairs or min(map(len, parts.values())) < 2:
        return None
    differences = [
        [one - other for one, other in zip(run["losses"], rival["losses"], strict=True)] for run, rival in pairs
    ]
    of_response = [statistics.fmean(column) for column in zip(*differences, strict=True)]
    return {
        "per_token": _weighted(of_response, of_arm[0]["tokens"]),
        "per_record": _weighted(of_response, [1] * len(of_response)),
        **{name: _weighted([of_response[index] for index in part], [1] * len(part)) for name, part in parts.items()},
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
    """Return the rows as text of at most 80 columns: what each arm trained on, its losses, and those minus random's."""
    lines = [
        f"{'':<16}{'has':<31}{'and saw in training':<33}",
        f"{'arm':<16}{'records':>8}{'planted':>8}{'tokens':>10}"
        f"{'passes':>9}{'records':>9}{'tokens':>10}{'+ prompts':>10}",
    ]
    for row in rows:
        planted = "" if row["planted"] is None else _count(row["planted"])
        lines.append(
            f"{row['arm']:<16}{row['records']:>8,.0f}{planted:>8}{row['response_tokens']:>10,.0f}{row['passes']:>9.1f}"
            f"{row['trained_records']:>9,.0f}{row['trained_response_tokens']:>10,.0f}{row['trained_tokens']:>10,.0f}"
        )
    lines += [
        "",
        f"{'held-out loss':<16}{'all tokens (range)':<23}{'mean of':<15}{'by length:':<10}",
        f"{'nats per token':<16}{'':<23}{'responses':<15}" + "".join(f"{name:<9}" for name in THIRDS).rstrip(),
    ]
    for row in rows:
        per_token, per_record = row["nll_per_token"], row["nll_per_record"]
        between = f" ({per_token['minimum']:.3f}-{per_token['maximum']:.3f})" if len(row["seeds"]) > 1 else ""
        around = "" if per_record["deviation"] is None else f" ±{per_record['deviation']:.3f}"
        lines.append(
            f"{row['arm']:<16}{per_token['mean']:.3f}{between:<17} {per_record['mean']:.3f}{around:<9} "
            + "".join(f"{loss:<9.3f}" for loss in row["nll_by_length"]).rstrip()
        )
    compared = [row for row in rows if row["minus_random"]]
    if compared:
        lines += ["", f"{'minus random':<15}" + "".join(f"{name:>13}" for name in ("all tokens", "responses", *THIRDS))]
    for row in compared:
        lines.append(f"{row['arm']:<15}" + "".join(f"{_interval(row['minus_random'][name]):>13}" for name in COMPARED))
    return "\n".join(lines)


def _count(mean: float) -> str:
    """Return a mean number of records: a small one with its decimals, none as 1e+03."""
    return f"{mean:.3g}" if mean < 100 else f"{mean:,.0f}"


def _interval(found: dict[str, float]) -> str:
    return f"{found['mean']:+z.3f}±{found['half_width']:.3f}"
