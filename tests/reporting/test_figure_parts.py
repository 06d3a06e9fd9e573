"""The bars of a report's histogram of IFD: where they end, and that none of them is on both sides of a line."""

import numpy as np
import pytest

from reporting.data import Standing, stand_by_rank
from reporting.figure_parts import NUM_BINS, ifd_edges, ifd_limit

SCORES = np.concatenate([np.linspace(0.001, 0.999, 400), np.linspace(1, 1.4, 40)])


def edges_of(scores: np.ndarray, num_wanted: int, threshold: float) -> tuple[np.ndarray, Standing]:
    standing = stand_by_rank(scores, threshold, num_wanted)
    return ifd_edges(ifd_limit(scores, threshold), standing), standing


@pytest.mark.parametrize("num_wanted", [1, 2, 3, 10, 40, 123, 400])
@pytest.mark.parametrize("threshold", [0.3, 0.95, 1.0, 1.2])
def test_cut_and_threshold_are_edges(num_wanted: int, threshold: float) -> None:
    edges, standing = edges_of(SCORES, num_wanted, threshold)
    assert standing.cut in edges and threshold in edges


@pytest.mark.parametrize("num_wanted", [1, 2, 3, 10, 40, 123, 400])
def test_bars_are_of_one_width_but_for_a_narrow_one_between_the_lines(num_wanted: int) -> None:
    edges, standing = edges_of(SCORES, num_wanted, 1.0)
    widths = np.diff(edges)
    others = widths[edges[:-1] != standing.cut]
    assert (others > 0).all() and others.max() == pytest.approx(others.min())
    assert 2 / 3 * NUM_BINS <= len(edges) <= 2 * NUM_BINS
    # Not narrow where there is room for half a bar.
    if 1 - standing.cut >= edges[-1] / NUM_BINS:
        assert widths.min() == pytest.approx(widths.max())


@pytest.mark.parametrize("num_wanted", [1, 40, 400])
def test_bars_reach_from_0_to_the_end_of_the_axis_and_less_than_two_bars_beyond(num_wanted: int) -> None:
    edges, _ = edges_of(SCORES, num_wanted, 1.0)
    limit, width = ifd_limit(SCORES, 1.0), edges[1] - edges[0]
    assert -width < edges[0] <= 0
    assert limit <= edges[-1] + 1e-12 and edges[-1] < limit + 2 * width


def test_without_a_line_on_the_axis_the_bars_are_even() -> None:
    standing = Standing(5.0, np.array([], dtype=np.int64), np.zeros(2, dtype=bool), None, 0, 0)
    assert ifd_edges(0.6, standing) == pytest.approx(np.linspace(0, 0.6, NUM_BINS + 1))


@pytest.mark.parametrize("scores", [[1e-300, 0.5], [0.5, 1e300], [0.9999999, 0.5, 2.0], [1e-300]])
def test_odd_scores_have_few_bars(scores: list[float]) -> None:
    edges, _ = edges_of(np.array(scores), 1, 1.0)
    assert len(edges) <= 2 * NUM_BINS and (np.diff(edges) > 0).all()
