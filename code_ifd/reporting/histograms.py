"""The histograms of a report: of IFD, with the cut and the threshold, and of both perplexities."""

from typing import TYPE_CHECKING

import numpy as np

from reporting.axes import set_log_axis
from reporting.data import ScoredData, Standing
from reporting.figure_parts import (
    COLORS,
    NUM_BINS,
    ifd_edges,
    ifd_limit,
    mark_cuts,
    part_label,
    record_parts,
    with_beyond,
)
from selection.ifd import score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PPL_RANGE = (1e-2, 1e12)  # what lies beyond is drawn at its end


def draw_ifd(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw how many records have which score, with the cut and the threshold."""
    edges = ifd_edges(ifd_limit(data.scores, standing.threshold), standing)
    limit = float(edges[-1])
    _stack(axes, data.scores, edges, data, standing, theme)
    mark_cuts(axes.axvline, standing, limit, theme)
    axes.set(
        xlim=(0, limit),
        xlabel=with_beyond(score_name(data.key_name), data.scores, limit, "in the last bar"),
        ylabel="records",
    )


def draw_direct(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw how many records have which perplexity of the response alone."""
    _draw_ppl(axes, data.direct, data, standing, theme)


def draw_conditioned(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw how many records have which perplexity of the response after its prompt."""
    _draw_ppl(axes, data.conditioned, data, standing, theme)


def _draw_ppl(axes: "Axes", ppls: np.ndarray, data: ScoredData, standing: Standing, theme: str) -> None:
    # One scale for both perplexities, to compare them by eye.
    both = np.clip(np.concatenate([data.direct, data.conditioned]), *PPL_RANGE)
    low, high = (np.log10(bound(both)) for bound in (np.nanmin, np.nanmax)) if not np.isnan(both).all() else (0.0, 1.0)
    edges = np.logspace(low, max(high, low + 0.1), NUM_BINS + 1)
    _stack(axes, ppls, edges, data, standing, theme)
    set_log_axis(axes, edges[0], edges[-1])
    axes.set(xlabel="perplexity (log scale)", ylabel="records")


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
