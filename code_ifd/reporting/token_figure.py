"""The figure of how sure scores are: IFD against the tokens of the response, with the cuts by IFD and by ifd_upper."""

from typing import TYPE_CHECKING

import numpy as np

from reporting.axes import set_log_axis
from reporting.data import ScoredData, Standing
from reporting.figure_parts import (
    COLORS,
    FEW_POINTS,
    MAX_POINTS,
    ROOM_AT_THE_TOP,
    ifd_limit,
    mark_cuts,
    part_label,
    record_parts,
    with_beyond,
)
from reporting.figure_style import INK
from reporting.intervals import IFD, Intervals
from selection.scored_dataset import UPPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVE_POINTS = 200


def has_tokens(data: ScoredData) -> bool:
    """Tell whether any record has an IFD, and tokens beside it."""
    return data.intervals is not None and bool((~np.isnan(data.intervals.ifd + data.intervals.tokens)).any())


def draw_tokens(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw a point a record, or of evenly taken ones where they are too many: a cross where it is not sure.

    `has_tokens` must be true. Colours are those of the other figures.
    """
    assert data.intervals is not None
    ifd, tokens = data.intervals.ifd, data.intervals.tokens
    there = np.flatnonzero(~np.isnan(ifd + tokens))
    every = -(-len(there) // MAX_POINTS)
    drawn = np.zeros(len(ifd), dtype=bool)
    drawn[there[::every]] = True
    # The threshold and the cut of another score are none of IFD.
    limit = ifd_limit(ifd, standing.threshold if data.key_name == IFD else 1.0)
    _draw_points(axes, data, standing, drawn, limit, theme)
    if data.key_name == IFD:
        mark_cuts(axes.axhline, standing, limit, theme)
    elif limit >= 1:
        axes.axhline(1, color=INK[theme], linewidth=1.1, linestyle=(0, (4, 2)), label="IFD 1")
    low, high = tokens[there].min() / 1.15, tokens[there].max() * 1.15
    high = max(high, low + 2.2)
    _draw_curves(axes, data.intervals, standing.cut if data.key_name == UPPER else None, (low, high), theme)
    axes.set_ylim(0, limit * ROOM_AT_THE_TOP)
    axes.set_ylabel(with_beyond("IFD", ifd[there], limit, "as triangles"))
    axes.set_xlabel("tokens of the response (log scale" + (f"; 1 of {every} records)" if every > 1 else ")"))
    set_log_axis(axes, low, high, is_whole=True)


def _draw_points(
    axes: "Axes", data: ScoredData, standing: Standing, drawn: np.ndarray, limit: float, theme: str
) -> None:
    assert data.intervals is not None
    ifd, tokens, is_unsure = data.intervals.ifd, data.intervals.tokens, data.intervals.is_unsure
    size = 24 if drawn.sum() <= FEW_POINTS else 12
    for layer, (name, is_part) in enumerate(record_parts(data, standing).items()):
        is_beyond = ifd > limit
        label: str | None = part_label(name, standing)
        for is_in, marker, scale in ((~is_unsure & ~is_beyond, "o", 1), (is_unsure, "x", 1.3), (is_beyond, "^", 2)):
            points = np.flatnonzero(is_part & drawn & is_in)
            if len(points):
                axes.scatter(
                    tokens[points],
                    np.minimum(ifd[points], limit),
                    s=scale * size,
                    marker=marker,
                    color=COLORS[theme][name],
                    linewidths=1.1 if marker == "x" else 0,
                    alpha=0.85,
                    zorder=1.3 - layer / 10,
                    rasterized=True,
                )
        if (is_part & drawn).any():
            # The colour alone: the shape has an entry of its own.
            axes.scatter([], [], s=16, marker="s", color=COLORS[theme][name], linewidths=0, label=label)
    if (drawn & is_unsure).any():
        axes.scatter([], [], s=24, marker="x", color=INK[theme], linewidths=1.1, label="not sure")


def _draw_curves(axes: "Axes", intervals: Intervals, cut: float | None, ends: tuple[float, float], theme: str) -> None:
    """Draw where the upper end of a usual record is 1, and where it is at the cut of a selection by it."""
    if np.isnan(intervals.usual_spread):
        return
    tokens = np.geomspace(*ends, CURVE_POINTS)
    axes.plot(tokens, intervals.usual_ifd(1, tokens), color=INK[theme], linewidth=1.1, label="ifd_upper 1")
    if cut is not None:
        color = COLORS[theme]["selected"]
        axes.plot(tokens, intervals.usual_ifd(cut, tokens), color=color, linewidth=1.3, label=f"cut {cut:.3f}")
