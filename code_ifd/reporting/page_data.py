"""What the page of a report shows, as its script reads it."""

from typing import Any

from reporting.agreement import check_length
from reporting.categories import category_tables
from reporting.data import ScoredData, Standing
from reporting.next_step import NextStep
from reporting.origin import Origin
from reporting.rows import NOT_SCORED
from reporting.text import counts, group_names, lead, length_lines, notes, quantiles, report_warnings
from reporting.what_if import what_if
from selection.ifd import score_name


def report_data(
    data: ScoredData,
    standing: Standing,
    how: str,
    rows: list[dict[str, Any]],
    origin: Origin,
    next_step: NextStep,
) -> dict[str, Any]:
    """Return the data of the page; `how` says how the selection is known."""
    length_check = check_length(data.scores, data.lengths, [standing.is_selected.nonzero()[0]])
    return {
        "title": origin.page_title(),
        "name": origin.dataset,
        "origin": origin.parts(),
        "lead": lead(data, standing, how),
        "warnings": report_warnings(data, standing),
        "notes": notes(data, standing),
        "num_records": len(data),
        "counts": counts(data, standing),
        "quantiles": quantiles(data),
        "what_if": what_if(data, standing),
        "categories": category_tables(data.categories, data.scores, standing.is_selected),
        "next_step": next_step.as_data(),
        "length": length_lines(length_check, data.key_name),
        "key_name": data.key_name,
        "not_scored": NOT_SCORED,
        "score": score_name(data.key_name),
        "has_intervals": data.intervals is not None,
        "groups": list(group_names(standing.threshold).items()),
        "rows": rows,
    }
