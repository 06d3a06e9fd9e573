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
    """Return a row for each of RATES that is one record or more: the highest scores below the threshold."""
    rows = []
    for rate in RATES:
        num_wanted = num_selected(rate, len(data))
        chosen = select(data.scores, standing.threshold, num_wanted).indices
        if not len(chosen):
            continue
        is_chosen = np.zeros(len(data), dtype=bool)
        is_chosen[chosen] = True
        unsure = num_unsure(data.intervals, is_chosen, standing.threshold)
        rows.append(
            {
                "rate": f"{100 * rate:.0f}%",
                "num": len(chosen),
                "missing": num_wanted - len(chosen),
                "lowest": said(float(data.scores[chosen[-1]]), standing.threshold),
                "length": f"{data.lengths[chosen].mean():,.0f}",
                "unsure": unsure,
                "is_current": bool(np.array_equal(is_chosen, standing.is_selected)),
            }
        )
    return rows
