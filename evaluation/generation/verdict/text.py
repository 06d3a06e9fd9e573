"""A scoreboard in words: the table of 80 columns, and the sentences that terminal and page share."""

import textwrap

from verdict.health import MAX_CONFLICTS, JudgeHealth
from verdict.scoreboard import Scoreboard, ScoreboardRow
from verdict.verdict import RULES, RuleVerdict

WIDTH = 80
MAX_CHANCE = 0.05  # a p below this is called more than chance
RULE_MEANINGS = {
    "published": "a pair is won by the sum of its two orders; a win and a loss cancel to a tie",
    "strict": "a pair is won only if both orders name the same winner",
    "mean": "a pair is won by the mean score difference over both orders",
}


def table_text(board: Scoreboard) -> str:
    """Return what the scoreboard says, for a terminal."""
    if not board.total.verdict.pairs:
        return conclusion(board)
    paragraphs = [
        f"{board.key1} (win) against {board.key2} (lose), judged by {board.api_model} in both orders. "
        f"{rule_text(board.rule)}",
        conclusion(board),
        score_meaning(board),
        *tie_lines(board),
    ]
    health = ["Judge health", *(f"- {line}" for line in health_lines(board))]
    others = [f"{rule_text(rule)}\n{_table(board, rule)}" for rule in RULES if rule != board.rule]
    blocks = [paragraphs[0], _table(board, board.rule), *paragraphs[1:], *others, "\n".join(health)]
    return "\n\n".join(_wrap(block) for block in blocks)


def rule_text(rule: str) -> str:
    """Return a rule in a sentence."""
    return f"{rule.capitalize()} rule: {RULE_MEANINGS[rule]}."


def score_meaning(board: Scoreboard) -> str:
    """Return how the score, its interval and the sign test are to be read."""
    return (
        f"Score = (win - lose) / pairs + 1: 1.00 is even, 2.00 means that {board.key1} wins every pair, 0.00 that "
        f"{board.key2} does. Its 95% "
        "interval is by bootstrap over the pairs. Sign test: the chance of a split of wins and losses at least this "
        "uneven between equals."
    )


def row_texts(shown: RuleVerdict) -> tuple[str, str, str]:
    """Return score, interval and sign test of a row; a dash where there is none."""
    return (
        "-" if shown.winning_score is None else f"{shown.winning_score:.2f}",
        "-" if shown.interval is None else "{:.2f} to {:.2f}".format(*shown.interval),
        "-" if shown.sign_test_p is None else p_text(shown.sign_test_p),
    )


def conclusion(board: Scoreboard) -> str:
    """Return who wins, and whether that is more than chance.

    The sign test decides, which is exact for few pairs too.
    """
    shown = board.shown(board.total)
    if not board.total.verdict.pairs:
        return "No verdict: the judge gave no readable scores for any pair."
    counts = (
        f"{board.key1} wins {shown.win} of {board.total.verdict.pairs} pairs, {board.key2} wins "
        f"{shown.lose}, {shown.tie} are ties"
    )
    score, interval, p = row_texts(shown)
    figures = f"score {score}, 95% interval {interval}" + (f", sign test {p}" if shown.sign_test_p is not None else "")
    if shown.sign_test_p is None or shown.sign_test_p >= MAX_CHANCE:
        return f"Neither is ahead beyond chance: {counts} ({figures})."
    return f"{board.key1 if shown.win > shown.lose else board.key2} is ahead: {counts} ({figures})."


def tie_lines(board: Scoreboard) -> list[str]:
    """Return what the ties are made of, what was left out, and the mean scores, all of the total."""
    shown, verdict = board.shown(board.total), board.total.verdict
    one_sided = f", {shown.ties_one_sided} with a tie in one order only" if shown.ties_one_sided else ""
    lines = [
        f"Of {shown.tie} ties, both orders agree on {shown.ties_agreed}, and {shown.ties_conflicting} are conflicts, "
        "where the orders "
        f"name different winners{one_sided}."
    ]
    if verdict.unparsed:
        lines.append(f"Unparsed pairs: {verdict.unparsed}; without readable scores in both orders, they count nowhere.")
    if verdict.mean_scores:
        mean1, mean2 = verdict.mean_scores
        lines.append(f"Mean score over both orders: {mean1:.2f} for {board.key1}, {mean2:.2f} for {board.key2}.")
    return lines


def health_lines(board: Scoreboard) -> list[str]:
    """Return what the reviews tell about the judge, over all pairs."""
    health = board.total.health
    if not health.pairs:
        return ["nothing to tell: no parsed pair"]
    lines = [
        f"conflicts: the two orders name different winners for {_share(health.conflicts, health.pairs)} of the pairs"
    ]
    lines += [_place_line(health)]
    if health.length_decided:
        lines.append(
            f"length: the longer answer wins {_share(health.longer_won, health.length_decided)} of the decided pairs"
        )
    if health.identical:
        lines.append(
            f"identical answers: {health.identical_tied} of {health.identical} pairs are ties, as all should be"
        )
    if health.one_empty:
        lines.append(
            f"one empty answer: it wins {health.empty_won} and ties {health.empty_tied} of {health.one_empty} pairs, "
            "and should lose all"
        )
    return lines


def verdict_warnings(board: Scoreboard) -> list[str]:
    """Return what a reader must know before believing the verdict."""
    found = []
    contradicted = [
        f"{row.name} {_share(row.health.conflicts, row.health.pairs)}"
        for row in board.rows
        if row.health.too_many_conflicts
    ]
    if contradicted:
        found.append(
            f"the judge contradicts itself in more than {MAX_CONFLICTS:.0%} of the pairs ({', '.join(contradicted)}): "
            "its verdict is "
            "hardly worth anything; use a stronger judge"
        )
    unparsed = [
        f"{row.name} {row.verdict.unparsed} of {row.verdict.unparsed + row.verdict.pairs}"
        for row in board.rows
        if row.verdict.unparsed
    ]
    if unparsed:
        found.append(f"pairs without readable scores in both orders are left out: {', '.join(unparsed)}")
    return found


def _place_line(health: JudgeHealth) -> str:
    counts = (
        f"the first shown answer wins {health.first_shown_won} reviews, the second "
        f"{health.second_shown_won}, {health.shown_equal} are equal"
    )
    if health.place_p is None:
        return f"place: {counts}"
    gained = (
        f"the first place gains {health.pairs_for_first} pairs, the second {health.pairs_for_second} "
        f"({p_text(health.place_p)})"
    )
    slot = "first" if health.pairs_for_first > health.pairs_for_second else "second"
    return f"place: {counts}; {gained}: " + (
        f"it prefers the {slot}" if health.place_p < MAX_CHANCE else "no preference beyond chance"
    )


def p_text(p: float) -> str:
    """Return a probability for people."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _table(board: Scoreboard, rule: str) -> str:
    name_width = min(max(len(name) for name in ["test set", *(row.name for row in board.rows)]), 20)
    heading = f"{'test set':<{name_width}}  pairs    win    tie   lose  score  95% interval  sign test"
    return "\n".join([heading, *(_row(row, rule, name_width) for row in board.rows)])


def _row(row: ScoreboardRow, rule: str, name_width: int) -> str:
    shown = row.verdict.rules[rule]
    name = row.name if len(row.name) <= name_width else row.name[: name_width - 3] + "..."
    score, interval, p = row_texts(shown)
    return (
        f"{name:<{name_width}}  {row.verdict.pairs:>5}  {shown.win:>5}  {shown.tie:>5}  {shown.lose:>5}  "
        f"{score:>5}  {interval:>12}  {p:>9}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})"


def _wrap(block: str) -> str:
    return "\n".join(
        textwrap.fill(
            line,
            WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if len(line) > WIDTH
        else line
        for line in block.split("\n")
    )
