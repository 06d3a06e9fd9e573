"""The figure of ranks: the same bytes each time, whatever is drawn."""

import math
import struct

import numpy as np
import pytest

from reporting.agreement_figure import MAX_COLUMNS, RankPlot, _tail, draw_rank_plot
from shared.texts import num_columns


def rank_plot(
    scores_a: list[float], scores_b: list[float], name_a: str = "a.json", selected: tuple[int, ...] = (0,)
) -> RankPlot:
    return RankPlot(
        title="Ranks",
        name_a=name_a,
        name_b="b.json",
        scores_a=np.array(scores_a),
        scores_b=np.array(scores_b),
        selected_a=np.array(selected, dtype=np.int64),
        selected_b=np.array([0]),
        selected_name="selected",
        threshold=1,
    )


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


@pytest.mark.parametrize(
    ("scores_a", "scores_b"),
    [
        ([0.5, 0.9, 1.4, math.nan], [0.6, 0.1, 1.1, 0.3]),
        ([0.5], [0.5]),
        ([0.5, 0.5, 0.5], [1, 2, 3]),
        ([math.nan], [0.5]),
    ],
)
def test_figure_is_900_pixels_wide_and_the_same_each_time(scores_a: list[float], scores_b: list[float]) -> None:
    first = draw_rank_plot(rank_plot(scores_a, scores_b))
    assert first == draw_rank_plot(rank_plot(scores_a, scores_b))
    assert png_size(first) == (900, 975)


def test_scores_and_selections_change_the_figure() -> None:
    figures = {
        draw_rank_plot(rank_plot([0.1, 0.2, b], [0.1, 0.2, 0.15], selected=selected))
        for b in (0.3, 0.12)
        for selected in ((0,), (1,))
    }
    assert len(figures) == 2 * 2


@pytest.mark.parametrize("name", ["a/$x$_{2}.json", "\u6c49" * 200, "a\nb\x00.json", "\ud800.json", ""])
def test_names_that_are_hard_to_draw(name: str) -> None:
    assert png_size(draw_rank_plot(rank_plot([0.1, 0.2], [0.2, 0.1], name_a=name))) == (900, 975)
    assert num_columns(_tail(name)) <= MAX_COLUMNS


def test_the_end_of_a_long_path_is_kept() -> None:
    path = "/very" * 40 + "/scored_gpt2.json"
    assert _tail(path).startswith("\u2026")
    assert path.endswith(_tail(path)[1:])
    assert len(_tail(path)) == MAX_COLUMNS
