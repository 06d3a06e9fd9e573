"""How sure the scores of a report are: the ends of intervals, who is counted, and what is said of it."""

import math

import numpy as np
import pytest

from reporting.intervals import Intervals, find_intervals, num_unsure, sure_note

NAN = math.nan
SELECTED = np.array([True, True, True, True, False])


def make_intervals(ifd: list[float], upper: list[float]) -> Intervals:
    return Intervals(np.array(ifd), np.array(upper), np.full(len(ifd), 9.0))


# Sure, not sure, below 1 with no upper end, skipped; and one that is not sure, but not selected.
FOUND = make_intervals([0.5, 0.9, 0.8, NAN, 0.7], [0.8, 1.0, NAN, NAN, 1.4])


def test_lower_end_is_as_far_on_a_log_scale_as_the_upper_one() -> None:
    found = make_intervals([0.8], [0.8 * 1.25])
    assert found.lower[0] == pytest.approx(0.8 / 1.25)


def test_score_is_unsure_where_it_is_below_1_and_its_upper_end_is_not() -> None:
    found = make_intervals([0.5, 0.9, 1.0, NAN], [0.999, 1.0, 2.0, NAN])
    assert found.is_unsure.tolist() == [False, True, False, False]


def test_unsure_of_the_selected_are_counted_and_one_without_an_upper_end_is_not_sure() -> None:
    assert num_unsure(FOUND, SELECTED, 1.0) == 2


def test_nothing_is_counted_where_nobody_asked_for_scores_below_1() -> None:
    assert num_unsure(FOUND, SELECTED, 1.2) is None
    assert num_unsure(None, SELECTED, 1.0) is None
    assert sure_note(None, 4, "ifd_ppl") == []


def test_columns_without_an_upper_end_give_no_intervals() -> None:
    columns = {"ifd_ppl": np.array([0.5]), "ifd_upper": np.array([NAN]), "ifd_tokens": np.array([NAN])}
    assert find_intervals(columns) is None


def test_note_says_what_to_do_only_where_it_was_not_done() -> None:
    assert sure_note(2, 9, "ifd_ppl")[0].endswith(" --key_name ifd_upper selects only those that are.")
    assert sure_note(2, 9, "ifd_upper")[0].endswith("reaches 1.")
    assert sure_note(0, 9, "ifd_ppl")[0].startswith("9 of 9 selected are surely below 1")
