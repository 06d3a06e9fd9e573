"""What would be selected at other rates: how many records, down to which score, how long, and how sure."""

from decimal import Decimal
from typing import Any

import numpy as np

from reporting.data import ScoredData, Standing
from reporting.intervals import num_unsure
from reporting.rows import said
from selection.ifd import num_selected, select

RATES = (Decimal("0.05"), Decimal("0.10"), Decimal("0.15"))


def what_if(data: ScoredData, standing: Standing) -> list[dict[str, Any]]:
    """Return a row for each of RATES that is one record or more: the highest scores below the threshold.

    Where the page's own selection is at another rate, it has a row too; where it is the largest, one half as large
    again follows.
    """
    sizes = {num_selected(rate, len(data)): f"{100 * rate:.0f}%" for rate in RATES}
    rows = {num: _row(data, standing, num, rate) for num, rate in sizes.items()}
    num_own = int(standing.is_selected.sum())
    own = _row(data, standing, num_own, _percent(num_own, data))
    if own and own["is_current"] and not any(row and row["is_current"] for row in rows.values()):
        rows[num_own] = own
        if num_own == max(rows):
            num_more = min(num_own * 3 // 2, len(data))
            rows[num_more] = _row(data, standing, num_more, _percent(num_more, data))
    return [row for _, row in sorted(rows.items()) if row]


def _percent(num: int, data: ScoredData) -> str:
    return f"{100 * num / len(data):.3g}%" if len(data) else ""


def _row(data: ScoredData, standing: Standing, num_wanted: int, rate: str) -> dict[str, Any] | None:
    chosen = select(data.scores, standing.threshold, num_wanted).indices
    if not len(chosen):
        return None
    is_chosen = np.zeros(len(data), dtype=bool)
    is_chosen[chosen] = True
    return {
        "rate": rate,
        "num": len(chosen),
        "missing": num_wanted - len(chosen),
        "lowest": said(float(data.scores[chosen[-1]]), standing.threshold),
        "length": f"{data.lengths[chosen].mean():,.0f}",
        "unsure": num_unsure(data.intervals, is_chosen, standing.threshold),
        "is_current": bool(np.array_equal(is_chosen, standing.is_selected)),
    }
