"""The figure of IFD against the length of the response, with the cut and the threshold."""

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
from selection.ifd import score_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_length(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw a point a record, or of many records how dense they lie, with the cut and the threshold."""
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


def _every_nth(is_part: np.ndarray, num_wanted: int) -> np.ndarray:
    """Return a mask that leaves at most `num_wanted` of the records, evenly taken."""
    kept = np.flatnonzero(is_part)[:: max(-(-int(is_part.sum()) // num_wanted), 1)]
    mask = np.zeros(len(is_part), dtype=bool)
    mask[kept] = True
    return mask
