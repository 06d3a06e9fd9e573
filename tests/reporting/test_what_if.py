"""What a report says of other rates than the one that was chosen."""

import math

import numpy as np

from reporting.data import ScoredData, stand_by_file, stand_by_rank
from reporting.intervals import Intervals
from reporting.what_if import what_if

NAN = math.nan


def make_data(scores: list[float], intervals: bool = False) -> ScoredData:
    values = np.array(scores)
    found = Intervals(values, values * 1.25, values * 100) if intervals else None
    return ScoredData(values, values, values, np.arange(1, len(scores) + 1) * 1000, {}, "ifd_ppl", found)


def test_rows_are_5_10_and_15_percent_of_all_records() -> None:
    data = make_data([step / 100 for step in range(1, 91)] + [1.5] * 5 + [NAN] * 5)
    rows = what_if(data, stand_by_rank(data.scores, 1.0, 10))
    assert [(row["rate"], row["num"], row["lowest"]) for row in rows] == [
        ("5%", 5, "0.860"),
        ("10%", 10, "0.810"),
        ("15%", 15, "0.760"),
    ]
    assert [row["is_current"] for row in rows] == [False, True, False]
    assert rows[0]["length"] == f"{(86 + 90) / 2 * 1000:,.0f}"
    assert [row["unsure"] for row in rows] == [None] * 3


def test_another_rate_has_a_row_too_and_so_has_a_larger_one() -> None:
    data = make_data([step / 100 for step in range(1, 91)] + [1.5] * 10)
    rows = what_if(data, stand_by_rank(data.scores, 1.0, 30))
    assert [row["rate"] for row in rows] == ["5%", "10%", "15%", "30%", "45%"]
    assert [row["is_current"] for row in rows] == [False, False, False, True, False]
    rows = what_if(data, stand_by_rank(data.scores, 1.0, 8))
    assert [(row["rate"], row["is_current"]) for row in rows] == [
        ("5%", False),
        ("8%", True),
        ("10%", False),
        ("15%", False),
    ]


def test_selection_of_other_records_is_none_of_the_rows() -> None:
    data = make_data([step / 100 for step in range(1, 21)])
    rows = what_if(data, stand_by_file(data.scores, 1.0, [0, 1]))
    assert [row["is_current"] for row in rows] == [False] * 3


def test_row_says_how_many_are_missing_below_the_threshold() -> None:
    data = make_data([0.5, 0.6] + [2.0] * 98)
    rows = what_if(data, stand_by_rank(data.scores, 1.0, 2))
    assert [(row["num"], row["missing"]) for row in rows] == [(2, 3), (2, 8), (2, 13)]


def test_unsure_records_are_counted_where_scores_have_an_interval() -> None:
    # The upper end is a quarter above the score: 0.8 and more are not surely below 1.
    data = make_data([step / 100 for step in range(1, 101)], intervals=True)
    rows = what_if(data, stand_by_rank(data.scores, 1.0, 10))
    # 0.99 to 0.95, 0.99 to 0.90, 0.99 to 0.85.
    assert [row["unsure"] for row in rows] == [5, 10, 15]
    assert what_if(data, stand_by_rank(data.scores, 0.82, 10))[2]["unsure"] == 2  # 0.81 and 0.80


def test_rate_that_is_less_than_a_record_has_no_row() -> None:
    rows = what_if(make_data([0.5] * 6), stand_by_rank(np.array([0.5] * 6), 1.0, 1))
    assert [(row["rate"], row["num"]) for row in rows] == [("16.7%", 1)]  # the page's own
    nothing = make_data([NAN] * 100)
    assert what_if(nothing, stand_by_rank(nothing.scores, 1.0, 1)) == []
