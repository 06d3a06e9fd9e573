"""What the figures of a report share: colours, the axis of IFD, and the lines of the threshold and the cut."""

import math
from collections.abc import Callable

import numpy as np

from reporting.data import ScoredData, Standing
from reporting.figure_style import INK

MAX_POINTS = 2000  # more are drawn as a density
FEW_POINTS = 100  # are drawn larger
NUM_BINS = 60  # of a histogram, about
# Each has a contrast of about 3 to the ground, and the three are told apart by colour-blind readers.
COLORS = {
    "light": {"selected": "#2166ac", "below": "#929aa5", "over": "#d67f1f", "density": ("#cfd4da", "#3f464d")},
    "dark": {"selected": "#6cb0ee", "below": "#6b747f", "over": "#f0a03c", "density": ("#333a41", "#d5d9de")},
}
ROOM_AT_THE_TOP = 1.05  # for whole points


def ifd_limit(scores: np.ndarray, threshold: float) -> float:
    """Return where the axis of IFD ends: a few records are far beyond all others, and would push these into one bar."""
    known = scores[~np.isnan(scores)]
    unit = threshold if 0 < threshold < known.max() else 1.0
    return float(min(known.max(), max(1.5 * unit, min(np.percentile(known, 98), 5 * unit)))) * 1.02


def ifd_edges(limit: float, standing: Standing) -> np.ndarray:
    """Return the edges of a histogram from 0 to the limit or a little further.

    The cut and the threshold are edges, so that every bar is on one side of both. All bars have the same width, but for
    one between cut and threshold where these are closer to each other than half a bar.
    """
    width = limit / NUM_BINS
    marks = sorted(mark for mark in (standing.cut, standing.threshold) if mark is not None and 0 < mark < limit)
    if not marks:
        return np.linspace(0, limit, NUM_BINS + 1)
    gap = marks[-1] - marks[0]
    num_between = max(round(gap / width), 1)
    if gap >= width / 2:
        width = gap / num_between
    before = marks[0] - width * np.arange(1, math.ceil(marks[0] / width) + 1)[::-1]
    between = np.linspace(marks[0], marks[-1], num_between + 1) if gap else np.array(marks[:1])
    after = marks[-1] + width * np.arange(1, math.ceil((limit - marks[-1]) / width) + 1)
    return np.concatenate([before, between, after])


def record_parts(data: ScoredData, standing: Standing) -> dict[str, np.ndarray]:
    """Return which records have a score, cut into those that are selected, below the threshold, and at or over it."""
    others = ~standing.is_selected & ~np.isnan(data.scores)
    is_over = data.scores >= standing.threshold
    return {
        "selected": standing.is_selected & ~np.isnan(data.scores),
        "below": others & ~is_over,
        "over": others & is_over,
    }


def part_label(name: str, standing: Standing) -> str:
    """Return what a part of the records is called in a legend."""
    not_selected = "not selected" if standing.cut is None else "below the cut"
    return {"selected": "selected", "below": not_selected, "over": f"at or over {standing.threshold:g}"}[name]


def mark_cuts(line: Callable[..., object], standing: Standing, limit: float, theme: str) -> None:
    """Draw the threshold and the cut with `line` where they are within the limit of the axis."""
    if 0 <= standing.threshold <= limit:
        line(
            standing.threshold,
            color=INK[theme],
            linewidth=1.1,
            linestyle=(0, (4, 2)),
            label=f"threshold {standing.threshold:g}",
        )
    if standing.cut is not None and standing.cut <= limit:
        line(standing.cut, color=COLORS[theme]["selected"], linewidth=1.3, label=f"cut {standing.cut:.3f}")


def with_beyond(label: str, scores: np.ndarray, limit: float, where: str) -> str:
    """Return the label of an axis with the number of records beyond its end, and where these are drawn."""
    num_beyond = int((scores > limit).sum())
    return f"{label} ({num_beyond:,} over {limit:.2g} {where})" if num_beyond else label
