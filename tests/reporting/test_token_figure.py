"""The figure of IFD against tokens: its shapes, its lines, and when it is drawn."""

import math
from typing import Any

import numpy as np
import pytest

from reporting.data import ScoredData, stand_by_rank
from reporting.figure_parts import MAX_POINTS
from reporting.figure_style import figure_style
from reporting.figures import draw_figure, figure_names, make_figure
from reporting.intervals import Intervals

NAN = math.nan


def make_data(ifd: list[float], upper: list[float], tokens: list[float], key_name: str = "ifd_ppl") -> ScoredData:
    columns = [np.array(values, dtype=np.float64) for values in (ifd, upper, tokens)]
    scores = columns[1] if key_name == "ifd_upper" else columns[0]
    return ScoredData(scores, scores, scores, np.ones(len(ifd), np.int64), {}, key_name, Intervals(*columns))


def axes_of(data: ScoredData, num_wanted: int = 1) -> Any:
    with figure_style("light"):
        return make_figure("tokens", data, stand_by_rank(data.scores, 1.0, num_wanted), "light").axes[0]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def places(axes: Any, marker: str) -> list[list[float]]:
    """Where the points of a shape are: a cross is drawn by lines, a dot filled."""
    layers = [points for points in axes.collections if len(points.get_offsets())]
    return [
        place
        for points in layers
        if (points.get_linewidth()[0] > 0) == (marker == "x")
        for place in points.get_offsets().tolist()
    ]


FOUND = ([0.5, 0.9, 1.2], [0.7, 1.1, 1.6], [9, 20, 300])


def test_legend_names_what_is_there_and_both_cuts() -> None:
    assert sorted(legend(axes_of(make_data(*FOUND)))) == sorted(
        ["selected", "below the cut", "at or over 1", "not sure", "threshold 1", "cut 0.900", "ifd_upper 1"]
    )


def test_only_records_that_are_not_sure_are_crosses() -> None:
    # The second is over 1 at its end, and of the last no end is known.
    axes = axes_of(make_data([0.5, 0.9, 1.2, 0.6], [0.7, 1.1, 1.6, NAN], [9, 20, 300, 1]))
    assert sorted(places(axes, "x")) == [[1, 0.6], [20, 0.9]]
    assert sorted(places(axes, "o")) == [[9, 0.5], [300, 1.2]]


def test_curve_is_the_ifd_at_which_the_upper_end_of_a_usual_record_is_1() -> None:
    # The logarithms of the gaps are twice the standard error: spreads of 1 / 2 * 2, 1 / 2 * 3 and 2 / 2 * 4.
    ifd = [0.2, 0.3, 0.1]
    upper = [ifd[0] * math.e, ifd[1] * math.e, ifd[2] * math.e**2]
    axes = axes_of(make_data(ifd, upper, [4, 9, 16]))
    curve = next(line for line in axes.get_lines() if line.get_label() == "ifd_upper 1")
    assert curve.get_ydata() == pytest.approx(np.exp(-2 * 1.5 / np.sqrt(curve.get_xdata())))


def test_selection_by_the_upper_ends_has_a_curve_as_its_cut_and_the_threshold_is_none_of_ifd() -> None:
    axes = axes_of(make_data(*FOUND, key_name="ifd_upper"))
    names = legend(axes)
    assert "IFD 1" in names and "threshold 1" not in names
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert lines["cut 0.700"] == pytest.approx(0.7 * lines["ifd_upper 1"])


def test_selection_by_another_score_has_no_cut_of_ifd() -> None:
    assert not any(name.startswith("cut") for name in legend(axes_of(make_data(*FOUND, key_name="ifd_loss"))))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_legend_of_three_lines_is_within_the_figure_and_above_the_axes(theme: str) -> None:
    data = make_data(*FOUND)
    with figure_style(theme):
        figure = make_figure("tokens", data, stand_by_rank(data.scores, 1.0, 1), theme)
        figure.draw_without_rendering()
        box = figure.axes[0].get_legend().get_window_extent()
        assert box.y1 <= figure.bbox.height
        assert box.y0 >= figure.axes[0].get_window_extent().y1 - 8  # its own margin


def test_points_are_bounded_and_the_axis_says_so() -> None:
    num = 2 * MAX_POINTS + 1
    axes = axes_of(make_data([0.5] * num, [0.7] * num, [9] * num))
    assert sum(len(points.get_offsets()) for points in axes.collections) == -(-num // 3)
    assert axes.get_xlabel().endswith("; 1 of 3 records)")


def test_no_figure_without_intervals_or_tokens() -> None:
    bare = ScoredData(*[np.array([0.5])] * 3, np.array([1]), {})
    assert "tokens" not in figure_names(bare)
    assert "tokens" not in figure_names(make_data([0.5], [0.7], [float("nan")]))
    assert "tokens" in figure_names(make_data([0.5], [0.7], [3]))


@pytest.mark.parametrize("ifd", [[1e-300, 0.5], [0.5, 1e300], [0.5, 0.5]], ids=["tiny", "huge", "equal"])
def test_odd_scores_are_drawn_without_a_word(ifd: list[float], recwarn: pytest.WarningsRecorder) -> None:
    data = make_data(ifd, [value * 1.5 for value in ifd], [1, 1e9])
    assert draw_figure("tokens", data, stand_by_rank(data.scores, 1.0, 1), "svg", "dark").rstrip().endswith(b"</svg>")
    assert not recwarn.list
