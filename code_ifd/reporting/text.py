"""What a report says in words and numbers; its page shows them as they are."""

import math
from typing import Any

import numpy as np

from reporting.agreement import LengthCheck
from reporting.data import ScoredData, Standing
from reporting.intervals import num_unsure, sure_note
from reporting.rows import MISSING, said
from reporting.sample import GROUPS
from selection.ifd import score_name
from selection.scored_dataset import UPPER

PERCENTS = (0, 5, 25, 50, 75, 95, 100)
QUANTILE_NAMES = {0: " (lowest)", 50: " (median)", 100: " (highest)"}
MAX_PLAIN = 1e11  # as 99,999,999,999.9
MAX_REASONS = 6
MIN_FOR_DRIFT = 30  # of fewer records, even 0.3 says nothing


def lead(data: ScoredData, standing: Standing, how: str) -> str:
    """Return the first sentence. `how` says where the selection comes from."""
    num, total = standing.num_selected, len(data)
    if np.isnan(data.scores).all():
        return f"No record of {total:,} has a score, so there is nothing to select from."
    if standing.cut is not None:
        name = "" if data.key_name == "ifd_ppl" else f"{data.key_name} "
        ends = f"the highest {name}below {standing.threshold:g}, down to {said(standing.cut, standing.threshold)}"
        return f"{num:,} of {total:,} records are selected {how}: {ends}."
    return f"{num:,} of {total:,} records are selected {how}."


def notes(data: ScoredData, standing: Standing) -> list[str]:
    """Return what a reader should know where nothing is wrong."""
    found = sure_note(_num_unsure(data, standing), standing.num_selected, data.key_name)
    if standing.num_selected and standing.cut is None and not any(_beside_the_score(data, standing)):
        found.append(
            "The selected records are not simply those with the highest scores, as after the diversity step, "
            "so there is no cut to draw in. If they were selected below another threshold, give it by --filter_threash."
        )
    if data.key_name == "ifd_loss":
        found.append("The score is ifd_loss, the ratio of the losses.")
    if data.key_name == UPPER:
        found.append("The score is ifd_upper, the upper end of a 95 percent interval of IFD.")
    return found


def _num_unsure(data: ScoredData, standing: Standing) -> int | None:
    return num_unsure(data.intervals, standing.is_selected, standing.threshold)


def report_warnings(data: ScoredData, standing: Standing) -> list[str]:
    """Return what looks like a mistake."""
    found = []
    num_over, num_skipped = _beside_the_score(data, standing)
    if num_over:
        found.append(
            f"{_records(num_over)} selected at or over the threshold {standing.threshold:g}: "
            "another threshold was used to select them."
        )
    if num_skipped:
        found.append(f"{_records(num_skipped)} selected without having a score.")
    # Where scores are not sure, most upper ends are over 1, and nothing is wrong.
    ifd = data.intervals.ifd if data.intervals and data.key_name == UPPER else data.scores
    if standing.threshold >= 1 and 2 * int((ifd >= standing.threshold).sum()) > len(data) - standing.num_skipped:
        found.append(
            "More than half of the scores are at or over the threshold, which is usually a wrong prompt template."
        )
    return found


def _beside_the_score(data: ScoredData, standing: Standing) -> tuple[int, int]:
    """Return how many records are selected at or over the threshold, and without a score."""
    num_over = (standing.is_selected & (data.scores >= standing.threshold)).sum()
    return int(num_over), int((standing.is_selected & np.isnan(data.scores)).sum())


def counts(data: ScoredData, standing: Standing) -> list[dict[str, Any]]:
    """Return how many records stand where; the numbers add up to all records."""
    others = ~standing.is_selected
    no_score = np.isnan(data.scores)
    num_over = int((others & (data.scores >= standing.threshold)).sum())
    over = f"at or over {standing.threshold:g}"
    surely = "surely " if data.key_name == UPPER else ""
    over_why = f"the prompt does not {surely}help the response" if standing.threshold >= 1 else ""
    unsure = _num_unsure(data, standing)
    unsure_note = f"{unsure:,} not surely below 1" if unsure else ""
    below, why = f"below {standing.threshold:g}, not selected", ""
    if standing.cut is not None:
        below, why = "below the cut", "the prompt helps more"
    return [
        {"kind": "selected", "name": "selected", "num": standing.num_selected, "note": unsure_note},
        {"kind": "below", "name": below, "num": standing.num_below, "note": why},
        {"kind": "over", "name": over, "num": num_over, "note": over_why},
        {"kind": "skipped", "name": "skipped", "num": int((others & no_score).sum()), "note": _reasons(data)},
    ]


def group_names(threshold: float) -> dict[str, str]:
    """Return what each of GROUPS is called.

    The names say what is measured, since a high score alone is no proof of a wrong response.
    """
    return dict(zip(GROUPS, ("Highest", "Near the cut", "Lowest", f"At or over {threshold:g}", "Skipped"), strict=True))


def quantiles(data: ScoredData) -> list[list[str]]:
    """Return a row for each of PERCENTS: its name, and the quantile of the score and of both perplexities.

    All numbers of a column are written alike.
    """
    rows = [[f"{percent}%{QUANTILE_NAMES.get(percent, '')}"] for percent in PERCENTS]
    for column, digits in ((data.scores, 3), (data.direct, 1), (data.conditioned, 1)):
        known = column[~np.isnan(column)]
        values = np.percentile(known, PERCENTS).tolist() if len(known) else [math.nan] * len(PERCENTS)
        for row, text in zip(rows, _written_alike(values, digits), strict=True):
            row.append(text)
    return rows


def _written_alike(values: list[float], digits: int) -> list[str]:
    """Return numbers with so many decimals, or all as powers of ten where one has more digits than a column holds."""
    if any(value >= MAX_PLAIN for value in values):
        return [f"{value:.2e}" for value in values]
    return [MISSING if math.isnan(value) else f"{value:,.{digits}f}" for value in values]


def length_lines(check: LengthCheck, key_name: str = "ifd_ppl") -> list[str]:
    """Return what is said of scores and lengths; the check's one selection is the selected records."""
    of_score = f"Spearman of {score_name(key_name)} and length"
    lines = [f"Mean response: {check.mean_all:,.0f} characters over all records"]
    mean_selected, spearman = check.mean_selected[0], check.correlation.spearman
    lines[0] += f", {mean_selected:,.0f} over the selected." if mean_selected is not None else "."
    if spearman is None:
        return [*lines, "Too few different scores or lengths to rank."]
    num_scored = check.correlation.num_common
    if num_scored < MIN_FOR_DRIFT:
        return [*lines, f"{of_score}: {spearman:.2f}, of only {num_scored} records."]
    drift = "length says little about the score"
    if abs(spearman) > 0.2:
        drift = f"longer responses tend to score {'higher' if spearman > 0 else 'lower'}"
    return [*lines, f"{of_score}: {spearman:.2f}; {drift}."]


def _records(num: int) -> str:
    return "1 record is" if num == 1 else f"{num:,} records are"


def _reasons(data: ScoredData) -> str:
    counted = data.reason_counts()
    parts = [f"{reason} {num:,}" for reason, num in counted[:MAX_REASONS]]
    if len(counted) > MAX_REASONS:
        parts.append(f"{len(counted) - MAX_REASONS:,} other reasons {sum(num for _, num in counted[MAX_REASONS:]):,}")
    return ", ".join(parts)
