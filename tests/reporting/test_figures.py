"""Every figure of a report has a title, and below it, where it stands alone, a line that says what it is of."""

from itertools import pairwise

import numpy as np
import pytest

from reporting.data import ScoredData, stand_by_rank
from reporting.figure_style import figure_style
from reporting.figures import FIGURES, make_figure
from reporting.intervals import Intervals
from reporting.origin import Origin

SCORES = np.array([0.5, 0.7, 0.9, 1.2])
DATA = ScoredData(
    SCORES, SCORES * 20, SCORES * 10, np.array([5, 6, 7, 8]), {}, "ifd_ppl", Intervals(SCORES, SCORES * 1.3, SCORES * 9)
)
LINE = Origin("n" * 300 + ".json", None, "organization/" + "m" * 300, None, "2026-11-26").figure_line()


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("subtitle", ["", "data.json", LINE], ids=["none", "short", "long"])
def test_title_subtitle_and_legend_are_within_the_figure_one_below_the_other(name: str, subtitle: str) -> None:
    with figure_style("light"):
        figure = make_figure(name, DATA, stand_by_rank(SCORES, 1.0, 1), "light", subtitle)
        figure.draw_without_rendering()
        texts = [text.get_text() for text in figure.texts]
        boxes = [text.get_window_extent() for text in figure.texts]
        boxes += [figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()]
    assert texts == [FIGURES[name].title.format(score="IFD"), *([subtitle] if subtitle else [])]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
    assert boxes[0].y1 <= figure.bbox.height
    # The legend may reach into the axes by its own margin.
    assert all(lower.y1 <= upper.y0 + 8 for upper, lower in pairwise(boxes))


def test_title_names_the_score_that_is_drawn() -> None:
    data = ScoredData(SCORES, SCORES, SCORES, np.array([5, 6, 7, 8]), {}, "ifd_upper")
    with figure_style("light"):
        figure = make_figure("ifd", data, stand_by_rank(SCORES, 1.0, 1), "light")
    assert figure.texts[0].get_text() == "How many records have which ifd_upper"
