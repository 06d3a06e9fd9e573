"""The figures of a report: histograms of IFD and of both perplexities, and IFD against length and tokens.

The threshold and the cut are drawn in those that show IFD.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reporting.data import ScoredData, Standing
from reporting.figure_style import figure_bytes, figure_style, new_figure
from reporting.histograms import draw_conditioned, draw_direct, draw_ifd
from reporting.length_figure import draw_length
from reporting.token_figure import draw_tokens, has_tokens
from selection.ifd import score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES = 5.0, 3.9  # 500 pixels wide at 100 dots an inch; readable at 350
LEGEND_COLUMNS = 3
LEFT, BOTTOM, WIDTH = 0.145, 0.125, 0.795  # of the axes, in shares of the figure
TITLE_Y, SUBTITLE_Y = 0.955, 0.9
SURE_CAPTION = (
    "<p>The prompt helps some tokens of a response and hurts others. IFD comes from their mean, and a mean of few or "
    "very different tokens is uncertain. The table draws the interval of each record, "
    "two standard errors of the logarithm of IFD to either side; ifd_upper is its upper end.</p>"
    "<p>A record is <strong>not sure</strong> where IFD is below 1 and ifd_upper is not: that it is below 1 can be "
    "chance. A response to another question often is such a record.</p>"
    "<p>The curve shows where ifd_upper is 1 for a record whose tokens differ as much as usual: most records above it "
    "are not sure. Each token counts as independent, which it is not quite, so the true intervals are somewhat "
    "wider.</p>"
)


def draw_figure(
    name: str, data: ScoredData, standing: Standing, file_format: str, theme: str = "light", subtitle: str = ""
) -> bytes:
    """Return one of FIGURES as PNG or SVG, the same bytes each time. A dark one has no background of its own."""
    with figure_style(theme):
        return figure_bytes(make_figure(name, data, standing, theme, subtitle), file_format)


def make_figure(name: str, data: ScoredData, standing: Standing, theme: str, subtitle: str = "") -> "Figure":
    """Return one of FIGURES. Call it in the figure style of the theme.

    `subtitle` is for a figure that stands alone: it says what the numbers are of.
    """
    figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES, theme)
    title = FIGURES[name].title.format(score=score_name(data.key_name))
    figure.text(0.02, TITLE_Y, title, fontsize=11, weight="bold", va="center")
    if subtitle:
        line = figure.text(0.02, SUBTITLE_Y, subtitle, fontsize=8, va="center")
        line.set_fontsize(8 * min(1, 0.95 * figure.bbox.width / line.get_window_extent().width))
    top = SUBTITLE_Y - (0.15 if subtitle else 0.1)
    axes = figure.add_axes((LEFT, BOTTOM, WIDTH, top - BOTTOM), facecolor="none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    if np.isnan(data.scores).all() or not FIGURES[name].can_draw(data):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no record has a score", ha="center", va="center", transform=axes.transAxes)
    else:
        FIGURES[name].draw_on(axes, data, standing, theme)
    names = axes.get_legend_handles_labels()[1]
    if names:
        if len(names) > 2 * LEGEND_COLUMNS:  # a third line
            axes.set_position((LEFT, BOTTOM, WIDTH, top - 0.055 - BOTTOM))
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=LEGEND_COLUMNS,
            frameon=False,
            fontsize=8.5,
            handlelength=1.4,
            columnspacing=1.2,
        )
    return figure


@dataclass(frozen=True)
class Kind:
    """A kind of figure, and what is said of it to who does not see it."""

    draw_on: Callable[["Axes", ScoredData, Standing, str], None]
    title: str  # with {score} for the name of the score
    alt: str
    caption: str = ""  # stands beside it, as HTML
    can_draw: Callable[[ScoredData], bool] = lambda _: True


FIGURES = {
    "ifd": Kind(
        draw_ifd,
        "How many records have which {score}",
        "Histogram of IFD, with the threshold and the cut; the table below has its quantiles",
    ),
    "length": Kind(
        draw_length,
        "{score} and the length of the response",
        "IFD against the length of the response; the text below says how they go together",
    ),
    "ppl_direct": Kind(
        draw_direct,
        "Perplexity of the response alone",
        "Histogram of the perplexity of the response alone; the table below has its quantiles",
    ),
    "ppl_condition": Kind(
        draw_conditioned,
        "Perplexity of the response after its prompt",
        "Histogram of the perplexity of the response after its prompt; the table below has its quantiles",
    ),
    "tokens": Kind(
        draw_tokens,
        "How sure the scores are",
        "IFD against the tokens of the response: crosses are records that are not surely below 1; the text beside it "
        "says what the curve is",
        SURE_CAPTION,
        has_tokens,
    ),
}


def figure_names(data: ScoredData) -> list[str]:
    """Return those of FIGURES whose numbers the dataset has."""
    return [name for name, kind in FIGURES.items() if kind.can_draw(data)]
