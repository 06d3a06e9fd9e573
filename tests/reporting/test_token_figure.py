"""The figure of IFD against tokens: its colours, its lines, and when it is drawn."""

from typing import Any

import numpy as np
import pytest

from reporting.data import ScoredData, stand_by_rank
from reporting.figure_parts import MAX_POINTS
from reporting.figure_style import figure_style
from reporting.figures import draw_figure, figure_names, make_figure
from reporting.intervals import Intervals


def make_data(ifd: list[float], upper: list[float], tokens: list[float], key_name: str = "ifd_ppl") -> ScoredData:
    columns = [np.array(values, dtype=np.float64) for values in (ifd, upper, tokens)]
    scores = columns[1] if key_name == "ifd_upper" else columns[0]
    return ScoredData(scores, scores, scores, np.ones(len(ifd), np.int64), {}, key_name, Intervals(*columns))


def axes_of(data: ScoredData, num_wanted: int = 1) -> Any:
    with figure_style("light"):
        return make_figure("tokens", data, stand_by_rank(data.scores, 1.0, num_wanted), "light").axes[0]


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


FOUND = ([0.5, 0.9, 1.2], [0.7, 1.1, 1.6], [9, 20, 300])


def test_legend_names_both_colours_and_both_cuts() -> None:
    assert sorted(legend(axes_of(make_data(*FOUND)))) == sorted(
        ["ifd_upper \u2265 1", "ifd_upper < 1", "threshold 1", "cut 0.900"]
    )


def test_record_without_an_upper_end_is_not_sure() -> None:
    names = legend(axes_of(make_data([0.5, 0.9], [float("nan"), 0.95], [1, 20])))
    assert "ifd_upper \u2265 1 or none" in names


def test_selection_by_another_score_has_rings_and_no_cut_of_ifd() -> None:
    axes = axes_of(make_data(*FOUND, key_name="ifd_upper"))
    assert "selected" in legend(axes) and not any(name.startswith("cut") for name in legend(axes))
    ringed = [
        points.get_offsets() for points in axes.collections if len(points.get_offsets()) and points.get_linewidth()[0]
    ]
    assert np.concatenate(ringed).tolist() == [[9, 0.5]]


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
