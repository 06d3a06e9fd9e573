"""The figures of a report: histograms of IFD and of both perplexities, and IFD against length and tokens.

The threshold and the cut are drawn in those that show IFD.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from reporting.axes import set_log_axis
from reporting.data import ScoredData, Standing
from reporting.figure_parts import (
    COLORS,
    FEW_POINTS,
    MAX_POINTS,
    NUM_BINS,
    ROOM_AT_THE_TOP,
    ifd_edges,
    ifd_limit,
    mark_cuts,
    part_label,
    record_parts,
    with_beyond,
)
from reporting.figure_style import figure_bytes, figure_style, new_figure
from reporting.token_figure import draw_tokens, has_tokens
from selection.ifd import score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES = 5.0, 3.5  # 500 pixels wide at 100 dots an inch; readable at 350
LEGEND_COLUMNS = 3
SURE_CAPTION = (
    "<h3>How sure the scores are</h3>"
    "<p>The prompt helps some tokens of a response and hurts others. IFD comes from their mean, and a mean of few or "
    "very different tokens is uncertain. The table draws the interval of each record, "
    "two standard errors of the logarithm of IFD to either side; ifd_upper is its upper end.</p>"
    "<p>A record is <strong>not sure</strong> where IFD is below 1 and ifd_upper is not: that it is below 1 can be "
    "chance. A response to another question often is such a record.</p>"
    "<p>The curve is where a record of the usual spread has ifd_upper 1: above it most are not sure. Each token counts "
    "as independent, which it is not quite, so the true intervals are somewhat wider.</p>"
)
PPL_RANGE = (1e-2, 1e12)  # what lies beyond is drawn at its end


def draw_figure(name: str, data: ScoredData, standing: Standing, file_format: str, theme: str = "light") -> bytes:
    """Return one of FIGURES as PNG or SVG, the same bytes each time. A dark one has no background of its own."""
    with figure_style(theme):
        return figure_bytes(make_figure(name, data, standing, theme), file_format)


def make_figure(name: str, data: ScoredData, standing: Standing, theme: str) -> "Figure":
    """Return one of FIGURES. Call it in the figure style of the theme."""
    figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES, theme)
    axes = figure.add_axes((0.145, 0.14, 0.795, 0.70), facecolor="none")
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
            axes.set_position((0.145, 0.14, 0.795, 0.64))
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


def _draw_ifd(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    edges = ifd_edges(ifd_limit(data.scores, standing.threshold), standing)
    limit = float(edges[-1])
    _stack(axes, data.scores, edges, data, standing, theme)
    mark_cuts(axes.axvline, standing, limit, theme)
    axes.set(
        xlim=(0, limit),
        xlabel=with_beyond(score_name(data.key_name), data.scores, limit, "in the last bar"),
        ylabel="records",
    )


def _draw_direct(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    _draw_ppl(axes, data.direct, "perplexity of the response alone", data, standing, theme)


def _draw_conditioned(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    _draw_ppl(axes, data.conditioned, "perplexity of the response after its prompt", data, standing, theme)


def _draw_ppl(axes: "Axes", ppls: np.ndarray, label: str, data: ScoredData, standing: Standing, theme: str) -> None:
    # One scale for both perplexities, to compare them by eye.
    both = np.clip(np.concatenate([data.direct, data.conditioned]), *PPL_RANGE)
    low, high = (np.log10(bound(both)) for bound in (np.nanmin, np.nanmax)) if not np.isnan(both).all() else (0.0, 1.0)
    edges = np.logspace(low, max(high, low + 0.1), NUM_BINS + 1)
    _stack(axes, ppls, edges, data, standing, theme)
    set_log_axis(axes, edges[0], edges[-1])
    axes.set(xlabel=f"{label} (log scale)", ylabel="records")


def _draw_length(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colors = COLORS[theme]
    limit = ifd_limit(data.scores, standing.threshold)
    lengths, scores = np.maximum(data.lengths, 1), np.minimum(data.scores, limit)
    has_score, is_beyond = ~np.isnan(scores), data.scores > limit
    parts = record_parts(data, standing)
    is_density = has_score.sum() > MAX_POINTS
    scale = 2 if has_score.sum() <= FEW_POINTS else 1
    axes.set(xlabel="characters of the response (log scale)")
    axes.set_ylabel(
        with_beyond(score_name(data.key_name), data.scores, limit, "at the top" if is_density else "as triangles")
    )
    if is_density:
        shades = LinearSegmentedColormap.from_list("density", colors["density"])
        axes.hexbin(
            lengths[has_score],
            scores[has_score],
            xscale="log",
            gridsize=(42, 24),
            bins="log",
            mincnt=1,
            cmap=shades,
            linewidths=0.2,
            rasterized=True,
        )
        if standing.cut is None:  # the selected do not lie between two lines
            parts = {"selected": parts["selected"] & _every_nth(parts["selected"], 1000)}
        else:
            parts = {}
    for layer, (name, is_part) in enumerate(parts.items()):
        color = colors["over"] if is_density else colors[name]
        label: str | None = part_label(name, standing)
        for is_drawn, marker, size in ((is_part & ~is_beyond, "o", 12), (is_part & is_beyond, "^", 24)):
            if is_drawn.any():
                # The selected on top. As pixels: thousands of points would make a page slow to open.
                axes.scatter(
                    lengths[is_drawn],
                    scores[is_drawn],
                    s=scale * size,
                    marker=marker,
                    color=color,
                    linewidths=0,
                    alpha=0.85,
                    label=label,
                    zorder=1.3 - layer / 10,
                    rasterized=True,
                )
                label = None
    mark_cuts(axes.axhline, standing, limit, theme)
    axes.set_ylim(0, limit * ROOM_AT_THE_TOP)
    low, high = lengths[has_score].min() / 1.15, lengths[has_score].max() * 1.15
    # Last: a density sets an axis of its own. Wide enough for two whole numbers.
    set_log_axis(axes, low, max(high, low + 2.2), is_whole=True)


def _stack(
    axes: "Axes", values: np.ndarray, edges: np.ndarray, data: ScoredData, standing: Standing, theme: str
) -> None:
    """Draw a histogram of bars that are cut into parts; what lies beyond the edges is in the outermost bars."""
    from matplotlib.ticker import MaxNLocator

    base = np.zeros(len(edges) - 1)
    for name, is_part in record_parts(data, standing).items():
        is_part = is_part & ~np.isnan(values)
        counts, _ = np.histogram(np.clip(values[is_part], edges[0], edges[-1]), edges)
        if counts.any():
            axes.stairs(
                base + counts,
                edges,
                baseline=base,
                fill=True,
                color=COLORS[theme][name],
                linewidth=0,
                label=part_label(name, standing),
            )
        base = base + counts
    axes.set_ylim(0, max(base.max(), 1) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def _every_nth(is_part: np.ndarray, num_wanted: int) -> np.ndarray:
    """Return a mask that leaves at most `num_wanted` of the records, evenly taken."""
    kept = np.flatnonzero(is_part)[:: max(-(-int(is_part.sum()) // num_wanted), 1)]
    mask = np.zeros(len(is_part), dtype=bool)
    mask[kept] = True
    return mask


@dataclass(frozen=True)
class Kind:
    """A kind of figure, and what is said of it to who does not see it."""

    draw_on: Callable[["Axes", ScoredData, Standing, str], None]
    alt: str
    caption: str = ""  # stands beside it, as HTML
    can_draw: Callable[[ScoredData], bool] = lambda _: True


FIGURES = {
    "ifd": Kind(_draw_ifd, "Histogram of IFD, with the threshold and the cut; the table below has its quantiles"),
    "length": Kind(_draw_length, "IFD against the length of the response; the text below says how they go together"),
    "ppl_direct": Kind(
        _draw_direct, "Histogram of the perplexity of the response alone; the table below has its quantiles"
    ),
    "ppl_condition": Kind(
        _draw_conditioned,
        "Histogram of the perplexity of the response after its prompt; the table below has its quantiles",
    ),
    "tokens": Kind(
        draw_tokens,
        "IFD against the tokens of the response: crosses are records that are not surely below 1; the text beside it "
        "says what the curve is",
        SURE_CAPTION,
        has_tokens,
    ),
}


def figure_names(data: ScoredData) -> list[str]:
    """Return those of FIGURES whose numbers the dataset has."""
    return [name for name, kind in FIGURES.items() if kind.can_draw(data)]
