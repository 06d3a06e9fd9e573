"""The figure of how sure scores are: IFD against the tokens of the response, with the threshold and the cut."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reporting.axes import set_log_axis
from reporting.data import ScoredData, Standing
from reporting.figure_parts import COLORS, FEW_POINTS, MAX_POINTS, ROOM_AT_THE_TOP, ifd_limit, mark_cuts, with_beyond
from reporting.figure_style import INK
from reporting.intervals import IFD

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def has_tokens(data: ScoredData) -> bool:
    """Tell whether any record has an IFD, and tokens beside it."""
    return data.intervals is not None and bool((~np.isnan(data.intervals.ifd + data.intervals.tokens)).any())


def draw_tokens(axes: "Axes", data: ScoredData, standing: Standing, theme: str) -> None:
    """Draw a point a record, or of evenly taken ones where they are too many. `has_tokens` must be true.

    The cut is a line where the selected are the highest by IFD; where they are not, they have a ring.
    """
    assert data.intervals is not None
    ifd, tokens = data.intervals.ifd, data.intervals.tokens
    there = np.flatnonzero(~np.isnan(ifd + tokens))
    every = -(-len(there) // MAX_POINTS)
    drawn = there[::every]
    limit = ifd_limit(ifd, standing.threshold)
    has_ring = standing.cut is None or data.key_name != IFD
    size = 24 if len(drawn) <= FEW_POINTS else 12
    is_sure, is_selected = data.intervals.upper < 1, standing.is_selected
    # Of a single token nobody knows how sure it is.
    unsure = "ifd_upper \u2265 1" + (" or none" if np.isnan(data.intervals.upper[drawn]).any() else "")
    for kind, label, is_part in (("over", unsure, ~is_sure), ("selected", "ifd_upper < 1", is_sure)):
        for ring in (False, True):
            part = drawn[is_part[drawn] & ((is_selected[drawn] & has_ring) == ring)]
            for is_beyond, marker in ((False, "o"), (True, "^")):
                points = part[(ifd[part] > limit) == is_beyond]
                axes.scatter(
                    tokens[points],
                    np.minimum(ifd[points], limit),
                    s=size * (2 if is_beyond else 1),
                    marker=marker,
                    color=COLORS[theme][kind],
                    edgecolors=INK[theme] if ring else "none",
                    linewidths=0.8 if ring else 0,
                    alpha=0.85,
                    zorder=1.3 if ring else 1.2,
                    rasterized=True,
                )
        if is_part[drawn].any():
            axes.scatter([], [], s=24, color=COLORS[theme][kind], linewidths=0, label=label)
    if has_ring and is_selected[drawn].any():
        axes.scatter([], [], s=24, color="none", edgecolors=INK[theme], linewidths=0.8, label="selected")
    _draw_lines(axes, standing, limit, theme, has_ring)
    axes.set_ylim(0, limit * ROOM_AT_THE_TOP)
    axes.set_ylabel(with_beyond("IFD", ifd[there], limit, "as triangles"))
    axes.set_xlabel("tokens of the response (log scale" + (f"; 1 of {every} records)" if every > 1 else ")"))
    low, high = tokens[there].min() / 1.15, tokens[there].max() * 1.15
    set_log_axis(axes, low, max(high, low + 2.2), is_whole=True)


def _draw_lines(axes: "Axes", standing: Standing, limit: float, theme: str, has_ring: bool) -> None:
    # A cut of another score is none of IFD.
    mark_cuts(axes.axhline, replace(standing, cut=None) if has_ring else standing, limit, theme)
