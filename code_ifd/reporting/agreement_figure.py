"""The figure of two scorers: each record's rank by the one against its rank by the other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reporting.agreement import common_ranks
from reporting.figure_style import INK, figure_bytes, figure_style, new_figure
from shared.texts import num_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (6.0, 6.5)
PNG_DPI = 150
FAINT = "#6b727a"
# Told apart by colour-blind readers, and in grey by their lightness. Drawn in this order.
COLORS = {"neither": "#b9bfc6", "A only": "#f0a03c", "B only": "#8e3b8a", "both": "#2166ac"}
MAX_COLUMNS = 56


@dataclass(frozen=True)
class RankPlot:
    """What is drawn: the scores of A and B (NaN where there is none) and the record numbers that each selects."""

    title: str
    name_a: str
    name_b: str
    scores_a: np.ndarray
    scores_b: np.ndarray
    selected_a: np.ndarray
    selected_b: np.ndarray
    selected_name: str  # what is selected, for the legend
    threshold: float


def draw_rank_plot(plot: RankPlot) -> bytes:
    """Return the figure as PNG, the same bytes each time."""
    with figure_style("light", font_size=9):
        figure = new_figure(*SIZE_INCHES, "light", PNG_DPI)
        axes = figure.add_axes((0.15, 0.085, 0.815, 0.815 * SIZE_INCHES[0] / SIZE_INCHES[1]))
        _draw_ranks(axes, plot)
        figure.text(0.15, 0.965, plot.title, fontsize=11, weight="bold", va="center")
        axes.legend(
            title=plot.selected_name,
            alignment="left",
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=4,
            frameon=False,
            handletextpad=0.3,
            columnspacing=1.2,
            borderaxespad=0.2,
            markerscale=(20 / _size(plot)) ** 0.5,
        )
        return figure_bytes(figure, "png")


def _draw_ranks(axes: "Axes", plot: RankPlot) -> None:
    from matplotlib.ticker import MaxNLocator

    common, ranks_a, ranks_b = common_ranks(plot.scores_a, plot.scores_b)
    in_a, in_b = np.isin(common, plot.selected_a), np.isin(common, plot.selected_b)
    groups = {"neither": ~in_a & ~in_b, "A only": in_a & ~in_b, "B only": in_b & ~in_a, "both": in_a & in_b}
    for name, members in groups.items():
        label = f"{name}: {members.sum():,}"
        axes.scatter(
            ranks_a[members], ranks_b[members], s=_size(plot), color=COLORS[name], alpha=0.8, linewidths=0, label=label
        )
    over_a, over_b = ((scores[common] >= plot.threshold).sum() + 0.5 for scores in (plot.scores_a, plot.scores_b))
    dashed: dict[str, Any] = {"color": INK["light"], "linewidth": 0.8, "linestyle": (0, (4, 3))}
    axes.axvline(over_a, **dashed)
    axes.axhline(over_b, **dashed)
    num_ranks = max(len(common), 1)
    margin = 0.02 * num_ranks + 0.5
    # The records that step 3 takes first are at the top right.
    axes.set(xlim=(num_ranks + margin, 1 - margin), ylim=(num_ranks + margin, 1 - margin), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        steps = MaxNLocator(nbins=6, integer=True).tick_values(1, max(num_ranks, 2))
        axis.set_major_formatter("{x:,.0f}")
        axis.set_ticks([1, *(step for step in steps if 1 < step <= num_ranks)])
    axes.set_xlabel(f"rank by A, 1 is the highest: {_tail(plot.name_a)}")
    axes.set_ylabel(f"rank by B, 1 is the highest: {_tail(plot.name_b)}")
    axes.yaxis.set_label_coords(-0.14, 0.5)
    axes.tick_params(colors=FAINT)
    axes.spines[:].set_color(FAINT)
    axes.spines[["top", "right"]].set_visible(False)


def _size(plot: RankPlot) -> float:
    """Return the area of a point, in square points: small where there are many."""
    return float(np.clip(16_000 / max(len(plot.scores_a), 1), 1, 16))


def _tail(name: str) -> str:
    """Return the end of a path as far as it has room, of characters that can be drawn.

    The end tells more than the start.
    """
    text = "".join(char if char.isprintable() else "?" for char in name)
    while num_columns(text) > MAX_COLUMNS:
        text = "\N{HORIZONTAL ELLIPSIS}" + text[2:]
    return text
