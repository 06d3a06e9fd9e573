"""The figure of a comparison: a bar a test set, cut into wins, ties and losses. Readable at 600 pixels.

Under each bar stands the win rate, a tie as half a win, with its interval, and as a diamond the one at equal length.
The middle of the ties is the win rate, so that one line of even serves bars and rates.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from records.record import Skipped
from reporting.figure_style import INK, figure_bytes, figure_style, new_figure
from shared.texts import shorten_middle
from verdict.scoreboard import Comparison, Scoreboard, ScoreboardRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES = 6.0  # 600 pixels at 100 dots an inch
ROW_INCHES, HEADING_INCHES, FOOT_INCHES = 0.62, 0.34, 0.56
LEFT, RIGHT = 0.19, 0.89
MAX_NAME = 40


@dataclass(frozen=True)
class Palette:
    """Colours of the bars, and of the numbers on them, by outcome; `line` is that of even."""

    bars: dict[str, str]
    numbers: dict[str, str]
    line: str
    ink: str


# Blue and orange are told apart by colour-blind readers, and in grey by their lightness.
PALETTES = {
    "light": Palette(
        {"win": "#2166ac", "tie": "#d5d8dd", "lose": "#f0a03c"},
        {"win": "#ffffff", "tie": "#1f2328", "lose": "#1f2328"},
        "#6b737c",
        INK["light"],
    ),
    "dark": Palette(
        {"win": "#2a6bab", "tie": "#3d444b", "lose": "#b8742a"},
        {"win": "#ffffff", "tie": "#e6e8eb", "lose": "#ffffff"},
        "#9ba4ae",
        INK["dark"],
    ),
}


def draw_comparison(comparison: Comparison, file_format: str, theme: str = "light") -> bytes:
    """Return the figure as PNG or SVG, the same bytes each time. A dark one has no background of its own."""
    with figure_style(theme):
        figure = new_figure(WIDTH_INCHES, 1, theme)
        _draw_on(figure, comparison.boards, PALETTES[theme])
        return figure_bytes(figure, file_format)


def _draw_on(figure: "Figure", boards: list[Scoreboard], palette: Palette) -> None:
    """Lay out legend, bars by judge, and foot; all heights in inches."""
    key1, key2 = boards[0].key1, boards[0].key2
    names = [f"{shorten_middle(key1, MAX_NAME)} wins", "tie", f"{shorten_middle(key2, MAX_NAME)} wins"]
    in_one_line = sum(_width(figure, name) + 0.067 for name in names) < 0.97
    header = 0.34 + (0 if in_one_line else 0.48)
    body = sum(HEADING_INCHES + ROW_INCHES * len(board.rows) for board in boards)
    height = header + body + FOOT_INCHES
    figure.set_size_inches(WIDTH_INCHES, height)
    _draw_legend(figure, names, palette, in_one_line, 1 - 0.22 / height, 0.24 / height)
    # y is in inches from the first heading downwards.
    axes = figure.add_axes((LEFT, FOOT_INCHES / height, RIGHT - LEFT, body / height), facecolor="none")
    axes.set(xlim=(0, 1), ylim=(body, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    y = 0.0
    for board in boards:
        title = f"Judged by {shorten_middle(board.api_model, 28)}, {board.rule} rule"
        left = (0.02 - LEFT) / (RIGHT - LEFT)
        axes.text(left, y + 0.17, title, fontsize=11, weight="bold", va="center")
        y += HEADING_INCHES
        axes.plot([0.5, 0.5], [y, y + ROW_INCHES * len(board.rows)], "--", color=palette.line, linewidth=1, zorder=3)
        if board.rows[-1] is board.total:
            axes.axhline(
                y + ROW_INCHES * (len(board.rows) - 1),
                color=palette.ink,
                linewidth=0.8,
                xmin=-0.24,
                xmax=1.14,
                clip_on=False,
            )
        for row in board.rows:
            _draw_row(axes, board, row, y, palette)
            y += ROW_INCHES
    _draw_foot(figure, boards, height, palette)


def _draw_legend(
    figure: "Figure", names: list[str], palette: Palette, in_one_line: bool, top: float, step: float
) -> None:
    from matplotlib.patches import Rectangle

    x = 0.02
    for index, (name, color) in enumerate(zip(names, palette.bars.values(), strict=True)):
        y = top if in_one_line else top - index * step
        figure.add_artist(Rectangle((x, y - step * 0.25), 0.022, step * 0.5, color=color, transform=figure.transFigure))
        figure.text(x + 0.032, y, name, va="center")
        if in_one_line:
            x += _width(figure, name) + 0.067


def _draw_foot(figure: "Figure", boards: list[Scoreboard], height: float, palette: Palette) -> None:
    has_control = any(not isinstance(row.length[board.rule], Skipped) for board in boards for row in board.rows)
    diamond = "; \N{WHITE DIAMOND} at equal length" if has_control else ""
    lines = [
        f"\N{BLACK CIRCLE} win rate, a tie as half a win, with its 95% interval{diamond}; dashed: even",
        "right: winning score, (win \N{MINUS SIGN} lose) / pairs + 1; 1 is even",
    ]
    for index, line in enumerate(lines):
        figure.text(0.02, (0.36 - 0.2 * index) / height, line, va="center", fontsize=8, color=palette.ink)


def _width(figure: "Figure", text: str, fontsize: float | None = None) -> float:
    """Return how much of the figure's width a text takes."""
    drawn = figure.text(0, 0, text, fontsize=fontsize)
    width = drawn.get_window_extent().width / figure.bbox.width
    drawn.remove()
    return width


def _draw_row(axes: "Axes", board: Scoreboard, row: ScoreboardRow, top: float, palette: Palette) -> None:
    """Draw a test set: its name and counts at the left, its bar, the win rate under it, its score at the right."""
    shown, num_pairs = board.shown(row), row.verdict.pairs
    weight = "bold" if row is board.total else "normal"
    score = "\N{EN DASH}" if shown.winning_score is None else f"{shown.winning_score:.2f}"
    middle = top + 0.25
    axes.text(-0.02, middle, _fitting_name(axes, row.name), ha="right", va="center", weight=weight)
    axes.text(1.02, middle, score, va="center", weight=weight)
    if not num_pairs:
        axes.text(0.02, middle, "no parsed pair", va="center", style="italic")
        return
    begin, is_all_said = 0.0, True
    for kind, color in palette.bars.items():
        count = getattr(shown, kind)
        share = count / num_pairs
        axes.barh(middle, share, 0.3, left=begin, color=color)
        if share > 0.016 + 0.024 * len(str(count)):  # wide enough for its digits
            at = begin + share / 2
            if abs(at - 0.5) < 0.03:
                at = 0.5 + (share / 4 if share > 0.12 else 0)  # beside the line of even
            number: dict[str, Any] = {"color": palette.numbers[kind], "weight": weight, "zorder": 4}
            axes.text(at, middle, str(count), ha="center", va="center", **number)
        else:
            is_all_said &= count == 0
        begin += share
    if not is_all_said:
        counts = f"{shown.win} / {shown.tie} / {shown.lose}"
        axes.text(-0.02, middle + 0.18, counts, ha="right", va="center", fontsize=7)
    _draw_rates(axes, board, row, top + 0.49, palette)


def _draw_rates(axes: "Axes", board: Scoreboard, row: ScoreboardRow, y: float, palette: Palette) -> None:
    """Draw the win rate with its interval, which is half the winning score, and the rate at equal length."""
    shown, control = board.shown(row), row.length[board.rule]
    if shown.winning_score is None or shown.interval is None:
        return
    low, high = (end / 2 for end in shown.interval)
    axes.plot([low, high], [y, y], color=palette.ink, linewidth=1.4, solid_capstyle="butt", zorder=4)
    for end in (low, high):
        axes.plot([end, end], [y - 0.035, y + 0.035], color=palette.ink, linewidth=1.4, zorder=4)
    axes.plot(shown.winning_score / 2, y, "o", color=palette.ink, markersize=4.5, zorder=5, clip_on=False)
    if not isinstance(control, Skipped):
        ground = "#ffffff" if palette is PALETTES["light"] else "#1b1f23"
        marker: dict[str, Any] = {"markersize": 5.5, "markerfacecolor": ground, "markeredgecolor": palette.ink}
        axes.plot(control.controlled, y, "D", zorder=6, clip_on=False, **marker)


def _fitting_name(axes: "Axes", name: str) -> str:
    figure = axes.get_figure(root=True)
    assert figure is not None
    num_chars = MAX_NAME
    while _width(figure, shown := shorten_middle(name, num_chars)) > 0.165:
        num_chars -= 1
    return shown
