"""The figure of a scoreboard: a bar a test set, cut into wins, ties and losses. Readable at 600 pixels."""

from typing import TYPE_CHECKING

from reporting.figure_style import INK, figure_bytes, figure_style, new_figure
from shared.texts import shorten_middle
from verdict.scoreboard import Scoreboard, ScoreboardRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES = 6.0  # 600 pixels at 100 dots an inch
# Blue and orange are told apart by colour-blind readers, and in grey by their lightness.
COLORS = {"win": "#2166ac", "tie": "#d5d8dd", "lose": "#f0a03c"}
TEXT_COLORS = {"win": "#ffffff", "tie": "#1f2328", "lose": "#1f2328"}
MAX_NAME = 40


def draw_scoreboard(board: Scoreboard, file_format: str, theme: str = "light") -> bytes:
    """Return the figure as PNG or SVG, the same bytes each time. A dark one has no background of its own."""
    with figure_style(theme):
        figure = new_figure(WIDTH_INCHES, 1, theme)
        _draw_on(figure, board, INK[theme])
        return figure_bytes(figure, file_format)


def _draw_on(figure: "Figure", board: Scoreboard, ink: str) -> None:
    """Lay out heading, legend and bars; all heights in inches."""
    names = [f"{shorten_middle(board.key1, MAX_NAME)} wins", "tie", f"{shorten_middle(board.key2, MAX_NAME)} wins"]
    in_one_line = sum(_width(figure, name) + 0.067 for name in names) < 0.97
    header = 0.62 + (0.24 if in_one_line else 0.72)
    height = header + 0.5 * len(board.rows) + 0.42
    figure.set_size_inches(WIDTH_INCHES, height)
    figure.text(
        0.02,
        1 - 0.24 / height,
        f"Judged by {shorten_middle(board.api_model, 28)}, {board.rule} rule",
        fontsize=12,
        weight="bold",
        va="center",
    )
    _draw_legend(figure, names, in_one_line, 1 - 0.58 / height, 0.24 / height)
    left, right = 0.19, 0.89
    axes = figure.add_axes((left, 0.42 / height, right - left, 1 - (0.42 + header) / height), facecolor="none")
    for position, row in enumerate(board.rows):
        _draw_bar(axes, board, row, position)
    axes.set(xlim=(0, 1), ylim=(len(board.rows) - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if board.rows[-1] is board.total:
        axes.axhline(len(board.rows) - 1.5, color=ink, linewidth=0.8, xmin=-0.27, xmax=1.16, clip_on=False)
    figure.text(
        0.98,
        0.16 / height,
        "right: winning score, (win \N{MINUS SIGN} lose) / pairs + 1; 1 is even",
        ha="right",
        va="center",
        fontsize=8,
    )


def _draw_legend(figure: "Figure", names: list[str], in_one_line: bool, top: float, step: float) -> None:
    from matplotlib.patches import Rectangle

    x = 0.02
    for index, (name, color) in enumerate(zip(names, COLORS.values(), strict=True)):
        y = top if in_one_line else top - index * step
        figure.add_artist(Rectangle((x, y - step * 0.25), 0.022, step * 0.5, color=color, transform=figure.transFigure))
        figure.text(x + 0.032, y, name, va="center")
        if in_one_line:
            x += _width(figure, name) + 0.067


def _width(figure: "Figure", text: str) -> float:
    """Return how much of the figure's width a text takes."""
    drawn = figure.text(0, 0, text)
    width = drawn.get_window_extent().width / figure.bbox.width
    drawn.remove()
    return width


def _draw_bar(axes: "Axes", board: Scoreboard, row: ScoreboardRow, position: int) -> None:
    shown, num_pairs = board.shown(row), row.verdict.pairs
    weight = "bold" if row is board.total else "normal"
    score = "\N{EN DASH}" if shown.winning_score is None else f"{shown.winning_score:.2f}"
    num_chars = MAX_NAME
    figure = axes.get_figure(root=True)
    assert figure is not None
    while _width(figure, name := shorten_middle(row.name, num_chars)) > 0.165:
        num_chars -= 1
    axes.text(-0.02, position, name, ha="right", va="center", weight=weight)
    axes.text(1.02, position, score, va="center", weight=weight)
    begin, is_all_said = 0.0, True
    for kind in COLORS:
        count = getattr(shown, kind)
        share = count / num_pairs if num_pairs else 0.0
        axes.barh(position, share, 0.6, left=begin, color=COLORS[kind])
        if share > 0.016 + 0.024 * len(str(count)):  # wide enough for its digits
            axes.text(
                begin + share / 2,
                position,
                str(count),
                ha="center",
                va="center",
                color=TEXT_COLORS[kind],
                weight=weight,
            )
        else:
            is_all_said &= count == 0
        begin += share
    if not is_all_said:
        axes.text(
            0.5, position + 0.405, f"{shown.win} / {shown.tie} / {shown.lose}", ha="center", va="center", fontsize=7
        )
    if not num_pairs:
        axes.text(0.5, position, "no parsed pair", ha="center", va="center", style="italic")
