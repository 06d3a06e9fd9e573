"""A comparison as text for a terminal of 80 columns: the result first, how it was counted last."""

import textwrap

from records.record import Skipped
from shared.texts import TERMINAL_COLUMNS, num_columns, shorten_middle
from verdict.agreement import Agreement
from verdict.health_text import health_checks
from verdict.scoreboard import Comparison, Scoreboard, ScoreboardRow
from verdict.text import (
    agreement_text,
    conclusion,
    length_meaning,
    length_text,
    length_texts,
    row_texts,
    rule_text,
    score_meaning,
    tie_lines,
)
from verdict.verdict import RULES

MAX_SET_NAME = 20
# What a row takes beside its names: pairs, ties, score, interval, sign test, and two spaces before each cell.
REST_COLUMNS = 5 + 5 + 5 + 12 + 9 + 7 * 2


def comparison_text(comparison: Comparison) -> str:
    """Return what a comparison says, in lines of at most 80 columns but for long words."""
    board = comparison.first
    if comparison.is_empty:
        return "\n\n".join(_wrap(conclusion(empty)) for empty in comparison.boards)
    blocks = [_heading(board), _wrap(conclusion(board))]
    if not board.is_empty:
        blocks += [_table(board, board.rule), _wrap(length_text(board)), *_length_table(board), _health_table(board)]
        blocks.append("\n".join(_wrap(line) for line in tie_lines(board)))
    if len(comparison.boards) > 1:
        blocks.append(_judges_table(comparison))
        blocks += [_agreement_table(one, board) for one in comparison.agreements]
    blocks.append("\n".join(["How it is counted", *map(_wrap, _meanings(board))]))
    if not board.is_empty:
        blocks += [f"{_wrap(rule_text(rule))}\n{_table(board, rule)}" for rule in RULES if rule != board.rule]
    return "\n\n".join(blocks)


def _heading(board: Scoreboard) -> str:
    return _wrap(f"{board.key1} against {board.key2}, judged by {board.api_model} in both orders")


def _meanings(board: Scoreboard) -> list[str]:
    return [rule_text(board.rule), score_meaning(board), length_meaning()]


def _table(board: Scoreboard, rule: str) -> str:
    """Return the verdict by a rule: a line a test set, under the names of the models."""
    name_width = min(max(num_columns(name) for name in ["test set", *(row.name for row in board.rows)]), MAX_SET_NAME)
    key1, key2 = short_keys(board, (TERMINAL_COLUMNS - REST_COLUMNS - name_width) // 2)
    widths = (name_width, 5, max(5, num_columns(key1)), 5, max(5, num_columns(key2)), 5, 12, 9)
    heading = ("test set", "pairs", key1, "tie", key2, "score", "95% interval", "sign test")
    return "\n".join(_line(cells, widths) for cells in [heading, *(_cells(row, rule) for row in board.rows)])


def short_keys(board: Scoreboard, width: int) -> tuple[str, str]:
    """Return both models' names in at most so many columns; "win" and "lose" where that makes them the same."""
    key1, key2 = (_fit(key, width) for key in (board.key1, board.key2))
    return (key1, key2) if key1 != key2 else ("win", "lose")


def _cells(row: ScoreboardRow, rule: str) -> tuple[object, ...]:
    shown = row.verdict.rules[rule]
    return row.name, row.verdict.pairs, shown.win, shown.tie, shown.lose, *row_texts(shown)


def _length_table(board: Scoreboard) -> list[str]:
    """Return the win rates before and after length is taken out, with a reason where a set of several has none.

    A single set without one has no table.
    """
    widths = (min(max(num_columns(row.name) for row in board.rows), MAX_SET_NAME), 8, 15, 16, 9)
    widths = (max(widths[0], len("test set")), *widths[1:])
    rows = [(row.name, row.length[board.rule]) for row in board.rows]
    known = [(name, *length_texts(control)) for name, control in rows if not isinstance(control, Skipped)]
    lines = [
        _wrap(f"- {name}: {control.reason}", "  ")
        for name, control in rows
        if isinstance(control, Skipped) and len(rows) > 1
    ]
    if known:
        heading = ("test set", "win rate", "at equal length", "95% interval", "longer by")
        lines = [*(_line(cells, widths) for cells in [heading, *known]), *lines]
    title = f"Win rate of {_fit(board.key1, 45)}, length in characters"
    return ["\n".join([title, *lines])] if lines else []


def _health_table(board: Scoreboard) -> str:
    lines = [_wrap(f"{check.mark:<8}  {check.name:<9}  {check.finding}", " " * 21) for check in health_checks(board)]
    return "\n".join(["Judge health", *lines])


def _judges_table(comparison: Comparison) -> str:
    """Return the totals of all judges, one a line."""
    boards = comparison.boards
    name_width = min(max(num_columns(name) for name in ["judge", *(board.api_model for board in boards)]), MAX_SET_NAME)
    # The rate at equal length takes three columns more than the sign test.
    name_width = min(name_width, MAX_SET_NAME - 3)
    key1, key2 = short_keys(boards[0], (TERMINAL_COLUMNS - REST_COLUMNS - 3 - name_width) // 2)
    widths = (name_width, 5, max(5, num_columns(key1)), 5, max(5, num_columns(key2)), 5, 12, 12)
    lines: list[tuple[object, ...]] = [("judge", "pairs", key1, "tie", key2, "score", "95% interval", "equal length")]
    for board in boards:
        counts = _cells(board.total, board.rule)[1:7]
        lines.append((board.api_model, *counts, length_texts(board.total.length[board.rule])[1]))
    return "\n".join(["The judges side by side, all test sets", *(_line(cells, widths) for cells in lines)])


def _agreement_table(agreement: Agreement, board: Scoreboard) -> str:
    """Return how two judges agree, and where they differ: the pairs by both verdicts."""
    lines = [_wrap(agreement_text(agreement, board))]
    if agreement.pairs:
        key1, key2 = short_keys(board, 14)
        names = (key1, "tie", key2)
        widths = (38, *(max(5, num_columns(name)) for name in names))
        corner = f"{_fit(agreement.judge1, 16)} \\ {_fit(agreement.judge2, 16)}"
        rows = [(corner, *names), *((name, *row) for name, row in zip(names, agreement.counts, strict=True))]
        lines += [_line(cells, widths) for cells in rows]
    return "\n".join(lines)


def _line(cells: tuple[object, ...], widths: tuple[int, ...]) -> str:
    """Return cells of so many columns, the first one at the left and the others at the right of theirs."""
    texts = [_fit(str(cell), width) for cell, width in zip(cells, widths, strict=True)]
    padded = [" " * (width - num_columns(text)) + text for text, width in zip(texts[1:], widths[1:], strict=True)]
    return "  ".join([texts[0] + " " * (widths[0] - num_columns(texts[0])), *padded])


def _fit(text: str, width: int) -> str:
    """Return a text of at most so many columns, cut in the middle."""
    num_chars = width
    while num_columns(short := shorten_middle(text, num_chars)) > width:
        num_chars -= 1
    return short


def _wrap(line: str, indent: str = "") -> str:
    if num_columns(line) <= TERMINAL_COLUMNS:
        return line
    kept = line.replace("p = ", "p\u00a0=\u00a0").replace("p < ", "p\u00a0<\u00a0")  # no line ends inside
    wrapped = textwrap.fill(
        kept, TERMINAL_COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return wrapped.replace("\u00a0", " ")
