"""A comparison in words: the sentences that terminal and page share."""

from records.record import Skipped
from verdict.agreement import Agreement
from verdict.health import MAX_CONFLICTS
from verdict.health_text import share_text
from verdict.length_control import LengthControl
from verdict.scoreboard import Comparison, Scoreboard
from verdict.verdict import MAX_CHANCE, RuleVerdict, p_text

RULE_MEANINGS = {
    "published": "a pair is won by the sum of its two orders; a win and a loss cancel to a tie",
    "strict": "a pair is won only if both orders name the same winner",
    "mean": "a pair is won by the mean score difference over both orders",
}
NONE = "-"


def rule_text(rule: str) -> str:
    """Return a rule in a sentence."""
    return f"{rule.capitalize()} rule: {RULE_MEANINGS[rule]}."


def score_meaning(board: Scoreboard) -> str:
    """Return how the score, its interval and the sign test are to be read."""
    return (
        f"Score = (win - lose) / pairs + 1: 1.00 is even, 2.00 means that {board.key1} wins every pair, 0.00 that "
        f"{board.key2} does. Its 95% interval is by bootstrap over the pairs. Sign test: the chance of a split of wins "
        "and losses at least this uneven between equals."
    )


def length_meaning() -> str:
    """Return how the win rate at equal length is to be read."""
    return (
        "Win rate: a tie is half a win. At equal length: what a logistic regression of the verdict on the difference "
        "in length, tanh(characters / standard deviation), leaves where that is 0 (AlpacaEval 2, arXiv 2404.04475)."
    )


def row_texts(shown: RuleVerdict) -> tuple[str, str, str]:
    """Return score, interval and sign test of a row; a dash where there is none."""
    return (
        NONE if shown.winning_score is None else f"{shown.winning_score:.2f}",
        NONE if shown.interval is None else "{:.2f} to {:.2f}".format(*shown.interval),
        NONE if shown.sign_test_p is None else p_text(shown.sign_test_p),
    )


def length_texts(control: LengthControl | Skipped) -> tuple[str, str, str, str]:
    """Return win rate, win rate at equal length, its interval, and how many characters longer; dashes without."""
    if isinstance(control, Skipped):
        return NONE, NONE, NONE, NONE
    low, high = control.interval
    rates = f"{control.win_rate:.1%}", f"{control.controlled:.1%}", f"{low:.1%} to {high:.1%}"
    return *rates, f"{control.mean_difference:+,.0f}"


def conclusion(board: Scoreboard) -> str:
    """Return who wins, and whether that is more than chance.

    The sign test decides, which is exact for few pairs too.
    """
    shown, verdict = board.shown(board.total), board.total.verdict
    if board.is_empty:
        cut = f", and {verdict.cut} of {2 * verdict.unparsed} reviews were cut at --max_tokens" if verdict.cut else ""
        return (
            f"No verdict: {board.api_model} gave no scores that can be read for any of {verdict.unparsed} pairs{cut}. "
            "Read what it said in the review files, then judge again with evaluation/scripts/do_eval.sh: by a stronger "
            "judge (API_MODEL, API_BASE), or with more room (MAX_TOKENS) for one whose answers are cut or that thinks "
            "first."
        )
    counts = (
        f"{board.key1} wins {shown.win} of {verdict.pairs} pairs, {board.key2} wins {shown.lose}, {shown.tie} are ties"
    )
    score, interval, p = row_texts(shown)
    figures = f"score {score}, 95% interval {interval}" + (f", sign test {p}" if shown.sign_test_p is not None else "")
    if shown.sign_test_p is None or shown.sign_test_p >= MAX_CHANCE:
        return f"Neither is ahead beyond chance: {counts} ({figures})."
    return f"{board.key1 if shown.win > shown.lose else board.key2} is ahead: {counts} ({figures})."


def length_text(board: Scoreboard) -> str:
    """Return how much of the lead is length, in plain words."""
    control = board.total.length[board.rule]
    if isinstance(control, Skipped):
        return f"How much of this is length cannot be told: {control.reason}."
    is_first = control.win_rate >= 0.5
    leader = board.key1 if is_first else board.key2
    rate, controlled = (value if is_first else 1 - value for value in (control.win_rate, control.controlled))
    low, high = control.interval if is_first else (1 - control.interval[1], 1 - control.interval[0])
    lead, by_length = rate - 0.5, rate - controlled
    at_equal = f"between answers of equal length it would be {controlled:.1%} (95% interval {low:.1%} to {high:.1%})"
    if lead < 0.0005:
        text = f"The win rate of {leader}, a tie as half a win, is even; {at_equal}"
    elif by_length <= 0:
        text = (
            f"Length explains nothing of {leader}'s lead: its win rate, a tie as half a win, is {rate:.1%}; {at_equal}"
        )
    elif controlled <= 0.5:
        text = f"Length explains all of {leader}'s lead: its win rate, a tie as half a win, is {rate:.1%}; {at_equal}"
    else:
        text = (
            f"Length explains {by_length / lead:.0%} of {leader}'s lead: its win rate, a tie as half a win, is "
            f"{rate:.1%}; {at_equal}"
        )
    return f"{text}{'' if low > 0.5 or high < 0.5 else ', which may be even'}. {_longer(control, board)}"


def tie_lines(board: Scoreboard) -> list[str]:
    """Return what the ties are made of, what was left out, and the mean scores, all of the total."""
    shown, verdict = board.shown(board.total), board.total.verdict
    one_sided = f", {shown.ties_one_sided} with a tie in one order only" if shown.ties_one_sided else ""
    lines = [
        f"Ties: {shown.tie}, of which {shown.ties_agreed} in both orders, {shown.ties_conflicting} by conflict (the "
        f"orders name different winners){one_sided}."
    ]
    if verdict.unparsed:
        lines.append(f"Unparsed pairs: {verdict.unparsed}; without readable scores in both orders, they count nowhere.")
    if verdict.mean_scores:
        mean1, mean2 = verdict.mean_scores
        lines.append(f"Mean score over both orders: {mean1:.2f} for {board.key1}, {mean2:.2f} for {board.key2}.")
    return lines


def agreement_text(agreement: Agreement, board: Scoreboard) -> str:
    """Return how far two judges agree; `board` has the names of the models."""
    judges = f"{agreement.judge1} and {agreement.judge2}"
    if not agreement.pairs:
        return f"{judges} have no pair for which both gave scores."
    text = f"{judges} give the same verdict to {share_text(agreement.same, agreement.pairs, 'pairs')}"
    if agreement.kappa is None or agreement.interval is None:
        return f"{text}; kappa is not defined where both always give one verdict."
    low, high = agreement.interval
    return (
        f"{text}, and name opposite winners for {agreement.opposed}: Cohen's kappa {agreement.kappa:.2f} (95% interval "
        f"{low:.2f} to {high:.2f}; 1 is full agreement, 0 is chance)."
    )


def verdict_warnings(comparison: Comparison) -> list[str]:
    """Return what a reader must know before believing the verdict."""
    several = len(comparison.boards) > 1
    return [
        f"{board.api_model}: {warning}" if several else warning
        for board in comparison.boards
        for warning in _board_warnings(board)
        if not board.is_empty or several
    ]


def _board_warnings(board: Scoreboard) -> list[str]:
    found = []
    contradicted = [
        f"{row.name} {share_text(row.health.conflicts, row.health.pairs)}"
        for row in board.rows
        if row.health.too_many_conflicts
    ]
    if contradicted:
        found.append(
            f"the judge contradicts itself in more than {MAX_CONFLICTS:.0%} of the pairs ({', '.join(contradicted)}): "
            "its verdict is hardly worth anything; use a stronger judge"
        )
    unparsed = [
        f"{row.name} {row.verdict.unparsed} of {row.verdict.unparsed + row.verdict.pairs}"
        for row in board.rows
        if row.verdict.unparsed
    ]
    if cut := board.total.verdict.cut:
        found.append(
            f"{cut} reviews were cut at the judge's limit of tokens; judge again with a larger --max_tokens "
            "(MAX_TOKENS of do_eval.sh)"
        )
    if unparsed:
        found.append(f"pairs without readable scores in both orders are left out: {', '.join(unparsed)}")
    return found


def _longer(control: LengthControl, board: Scoreboard) -> str:
    difference = round(control.mean_difference)
    if not difference:
        return "The answers of both are equally long on average."
    longer = board.key1 if difference > 0 else board.key2
    return f"{longer}'s answers are {abs(difference):,} characters longer on average."
