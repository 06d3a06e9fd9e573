"""What the page of a comparison shows, as its script reads it: strict JSON, all of it text for people."""

from dataclasses import asdict
from typing import Any

from records.record import Skipped
from verdict.agreement import Agreement
from verdict.health_text import health_checks
from verdict.length_control import LengthControl
from verdict.review_file import Review, ReviewFile
from verdict.review_text import after_thinking
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
    verdict_warnings,
)
from verdict.verdict import RULES, is_conflicting, is_parsed, outcome

# Of all texts of a page together; beyond it the longest are cut.
TEXT_CHARS = 8_000_000
TEXT_KEYS = {"prompt", "input", "answers", "reviews"}


def comparison_page_data(files: dict[str, list[ReviewFile]], comparison: Comparison) -> dict[str, Any]:
    """Return what the page shows of the review files of each judge: of an empty verdict its conclusion alone."""
    board = comparison.first
    judges = [one.api_model for one in comparison.boards]
    data: dict[str, Any] = {
        "key1": board.key1,
        "key2": board.key2,
        "judge": f"Judged by {' and '.join(judges)} in both orders",
        "is_empty": comparison.is_empty,
        "conclusion": conclusion(board) if len(judges) == 1 or board.is_empty else f"{judges[0]}: {conclusion(board)}",
    }
    if comparison.is_empty:
        return data
    return data | {
        "judges": judges,
        "length": "" if board.is_empty else length_text(board),
        "warnings": verdict_warnings(comparison),
        "rows": [_row(board, row, board.rule) for row in board.rows],
        "notes": [] if board.is_empty else tie_lines(board),
        "health": [
            {"judge": one.api_model, "checks": [asdict(check) | {"mark": check.mark} for check in health_checks(one)]}
            for one in comparison.boards
        ],
        "totals": [
            _row(one, one.total, one.rule) | {"name": one.api_model, "is_total": False} for one in comparison.boards
        ],
        "agreements": [_agreement(one, board) for one in comparison.agreements],
        "meanings": [rule_text(board.rule), score_meaning(board), length_meaning()],
        "others": [
            {"rule": rule_text(rule), "rows": [_row(board, row, rule) for row in board.rows]}
            for rule in RULES
            if rule != board.rule
        ],
        "pairs": _pairs(files, comparison),
    }


def _row(board: Scoreboard, row: ScoreboardRow, rule: str) -> dict[str, Any]:
    shown = row.verdict.rules[rule]
    score, interval, sign_test = row_texts(shown)
    return {
        "name": row.name,
        "is_total": row is board.total,
        "pairs": row.verdict.pairs,
        "win": shown.win,
        "tie": shown.tie,
        "lose": shown.lose,
        "score": score,
        "interval": interval,
        "sign_test": sign_test,
        "at_equal_length": _length(row.length[rule]),
    }


def _length(control: LengthControl | Skipped) -> list[str]:
    """Return the rate at equal length and its interval, or a dash and why there is none."""
    if isinstance(control, Skipped):
        return ["\N{EN DASH}", control.reason]
    return list(length_texts(control)[1:3])


def _agreement(agreement: Agreement, board: Scoreboard) -> dict[str, Any]:
    return {
        "text": agreement_text(agreement, board),
        "judges": [agreement.judge1, agreement.judge2],
        "counts": agreement.counts if agreement.pairs else [],
    }


def _pairs(files: dict[str, list[ReviewFile]], comparison: Comparison) -> list[dict[str, Any]]:
    """Return every pair with what each judge says of it, all texts together in TEXT_CHARS characters."""
    first, *others = files.values()
    pairs = []
    for index, file in enumerate(first):
        for number, review in enumerate(file.reviews):
            reviews = [review, *(of_judge[index].reviews[number] for of_judge in others)]
            pairs.append(_pair(reviews, file.dataset_name, comparison.first.rule))
    limit = text_limit([len(text) for pair in pairs for text in _texts(pair)], TEXT_CHARS)
    for pair in pairs:
        for holder in (pair, *pair["opinions"]):
            for key in TEXT_KEYS & holder.keys():
                value = holder[key]
                is_list = isinstance(value, list)
                holder[key] = [_cut(text, limit) for text in value] if is_list else _cut(value, limit)
    return pairs


def _pair(reviews: list[Review], set_name: str, rule: str) -> dict[str, Any]:
    pair = reviews[0].pair
    opinions = [_opinion(review, rule) for review in reviews]
    outcomes = {opinion["outcome"] for opinion in opinions} - {"unparsed"}
    return {
        "set": set_name,
        "id": pair.id,
        "category": pair.category,
        "prompt": pair.prompt,
        "input": pair.input,
        "answers": [pair.answer1, pair.answer2],
        "opinions": opinions,
        "differ": len(outcomes) > 1,
    }


def _opinion(review: Review, rule: str) -> dict[str, Any]:
    """Return what a judge says of a pair, with its scores as [Answer 1, Answer 2] in both orders."""
    parsed = is_parsed(review)
    return {
        "reviews": [_without_thinking(review.text), _without_thinking(review.text_reverse)],
        "scores": [review.scores, review.scores_reverse and review.scores_reverse[::-1]],
        "outcome": {1: "win", 0: "tie", -1: "lose"}[outcome(review, rule)] if parsed else "unparsed",
        "conflict": parsed and is_conflicting(review),
    }


def _without_thinking(text: str) -> str:
    """Return a review that says how much thinking went before it, which is in the review file alone."""
    review = after_thinking(text)
    if review is None or review == text:
        return text
    return f"[{len(text) - len(review):,} characters of thinking are in the review file]\n\n{review.strip()}"


def text_limit(lengths: list[int], room: int) -> int:
    """Return how long a text may be so that all take at most `room` characters and no more are cut than must be."""
    for num_done, length in enumerate(sorted(lengths)):
        num_left = len(lengths) - num_done
        if length * num_left > room:
            return room // num_left
        room -= length
    return max(lengths, default=0)


def _texts(pair: dict[str, Any]) -> list[str]:
    reviews = [text for opinion in pair["opinions"] for text in opinion["reviews"]]
    return [pair["prompt"], pair["input"], *pair["answers"], *reviews]


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\u2026\n\n[Shortened: the first {limit:,} of {len(text):,} characters]"
