"""The figure of two scorers: each record's rank by the one against its rank by the other."""

import io
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from agreement import common_ranks
from cli import missing_package

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (6.0, 6.5)
PNG_DPI = 150
INK, FAINT = "#1f2328", "#6b727a"
# Told apart by colour-blind readers, and in grey by their lightness. Drawn in this order.
COLORS = {"neither": "#b9bfc6", "A only": "#f0a03c", "B only": "#8e3b8a", "both": "#2166ac"}
MAX_NAME = 64


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
    selected_name: str  # how the selection is called in the legend
    threshold: float


def draw(plot: RankPlot) -> bytes:
    """Return the figure as PNG, the same bytes each time."""
    # Its remarks on fonts are of no use to who compares scores.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    try:
        import matplotlib
    except ImportError:
        raise missing_package("matplotlib", "the figure") from None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings = {"font.size": 9, "text.parse_math": False, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT,
                "xtick.color": FAINT, "ytick.color": FAINT}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as boxes
        figure = Figure(figsize=SIZE_INCHES, dpi=PNG_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.13, 0.1, 0.83, 0.83 * SIZE_INCHES[0] / SIZE_INCHES[1]))
        _draw_ranks(axes, plot)
        figure.text(0.13, 0.968, plot.title, fontsize=11, weight="bold", va="center")
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.015, 1.0), ncols=4, frameon=False, handletextpad=0.2, columnspacing=1.2, borderaxespad=0.2,
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_ranks(axes: "Axes", plot: RankPlot) -> None:
    common, ranks_a, ranks_b = common_ranks(plot.scores_a, plot.scores_b)
    in_a, in_b = np.isin(common, plot.selected_a), np.isin(common, plot.selected_b)
    groups = {"neither": ~in_a & ~in_b, "A only": in_a & ~in_b, "B only": in_b & ~in_a, "both": in_a & in_b}
    # As many points as there are, the smaller and the fainter the more: 50,000 still show where they are dense.
    size, alpha = float(np.clip(20_000 / max(len(common), 1), 1.5, 16)), float(np.clip(2_000 / max(len(common), 1), 0.15, 0.85))
    for name, members in groups.items():
        label = f"{plot.selected_name} {name}: {members.sum()}" if name == "both" else f"{name}: {members.sum()}"
        opacity = alpha if name == "neither" else max(alpha, 0.5)
        axes.scatter(ranks_a[members], ranks_b[members], s=size, color=COLORS[name], alpha=opacity, linewidths=0, label=label)
    for draw_line, scores in ((axes.axvline, plot.scores_a), (axes.axhline, plot.scores_b)):
        draw_line((scores[common] >= plot.threshold).sum() + 0.5, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    margin = 0.02 * len(common) + 1
    # The best come first in every list, so here the best are at the top right.
    axes.set(xlim=(len(common) + margin, 1 - margin), ylim=(len(common) + margin, 1 - margin), aspect="equal")
    axes.set_xlabel(f"rank by A, 1 is the highest: {_tail(plot.name_a)}")
    axes.set_ylabel(f"rank by B, 1 is the highest: {_tail(plot.name_b)}")
    axes.spines[["top", "right"]].set_visible(False)


def _tail(name: str) -> str:
    """Return the end of a path, which tells more than its start, of characters that can be drawn."""
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return printable if len(printable) <= MAX_NAME else "\N{HORIZONTAL ELLIPSIS}" + printable[-MAX_NAME + 1 :]
