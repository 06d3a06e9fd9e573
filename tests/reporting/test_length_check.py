"""How scores go with the length of responses."""

import math

import numpy as np
import pytest

from reporting.agreement import check_length


def test_score_that_rises_with_length() -> None:
    found = check_length([0.1, 0.2, 0.3, math.nan], [10, 20, 60, 2], [np.array([2, 1]), np.array([2])])
    assert found.correlation.spearman == pytest.approx(1)
    assert found.mean_all == (10 + 20 + 60 + 2) / 4  # the one without a score too
    assert found.mean_selected == [(60 + 20) / 2, 60]


def test_nothing_selected_has_no_mean_length() -> None:
    found = check_length([0.1, 0.2, 0.3], [3, 2, 1], [np.array([], dtype=np.int64)])
    assert found.mean_selected == [None]
    assert found.correlation.spearman == pytest.approx(-1)


def test_responses_of_one_length_have_no_correlation_but_a_mean() -> None:
    found = check_length([0.1, 0.2, 0.3], [5, 5, 5], [np.array([0])])
    assert (found.correlation.spearman, found.mean_all, found.mean_selected) == (None, 5, [5])
