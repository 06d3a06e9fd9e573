"""Whether the judge deserves trust: does it contradict itself, prefer a place, or length? Pure arithmetic."""

from dataclasses import dataclass
from typing import Any

from verdict.review_file import Review
from verdict.review_text import holds_prompt_marks
from verdict.verdict import is_conflicting, is_parsed, outcome, sign_test, signs

MAX_CONFLICTS = 0.3


@dataclass(frozen=True)
class JudgeHealth:
    """What the parsed pairs tell about their judge.

    Winners are those of the published rule; shares are None without a case.

    `conflicts` are the pairs whose orders name different winners; a tie in one order contradicts nobody.
    `first_shown_won` and so on count single reviews, two a pair. `pairs_for_first` and `pairs_for_second` count the
    pairs that one shown place gained by, and `place_p` is the sign test between those two: the reviews of a pair are
    not independent, pairs are. `length_decided` are the decided pairs of answers of different length, `longer_won`
    those that the longer one won. Answers are `identical` and empty up to the white space around them; of `one_empty`
    pairs exactly one answer is empty. `marked` pairs, parsed or not, have an answer with marks of the judge's prompt
    in it; `marked_ids` names them.
    """

    pairs: int
    conflicts: int
    conflict_share: float | None
    too_many_conflicts: bool
    first_shown_won: int
    second_shown_won: int
    shown_equal: int
    pairs_for_first: int
    pairs_for_second: int
    place_p: float | None
    length_decided: int
    longer_won: int
    longer_share: float | None
    identical: int
    identical_tied: int
    one_empty: int
    empty_won: int
    empty_tied: int
    marked: int
    marked_ids: list[str | int]


def judge_health(reviews: list[Review]) -> JudgeHealth:
    """Return what the reviews tell about their judge."""
    parsed = [review for review in reviews if is_parsed(review)]
    conflicts = sum(map(is_conflicting, parsed))
    share = conflicts / len(parsed) if parsed else None
    marked = [review.pair.id for review in reviews if _holds_marks(review)]
    return JudgeHealth(
        pairs=len(parsed),
        conflicts=conflicts,
        conflict_share=share,
        too_many_conflicts=share is not None and share > MAX_CONFLICTS,
        **_places(parsed),
        **_lengths(parsed),
        **_special_answers(parsed),
        marked=len(marked),
        marked_ids=marked,
    )


def _holds_marks(review: Review) -> bool:
    return holds_prompt_marks(review.pair.answer1) or holds_prompt_marks(review.pair.answer2)


def _places(parsed: list[Review]) -> dict[str, Any]:
    # In order 2 Answer 2 is shown first.
    wins = [(order1, -order2) for order1, order2 in map(signs, parsed)]
    singles = [place for pair in wins for place in pair]
    for_first, for_second = sum(sum(pair) > 0 for pair in wins), sum(sum(pair) < 0 for pair in wins)
    return {
        "first_shown_won": singles.count(1),
        "second_shown_won": singles.count(-1),
        "shown_equal": singles.count(0),
        "pairs_for_first": for_first,
        "pairs_for_second": for_second,
        "place_p": sign_test(for_first, for_second),
    }


def _lengths(parsed: list[Review]) -> dict[str, Any]:
    longer = [
        (len(review.pair.answer1.strip()) - len(review.pair.answer2.strip())) * outcome(review, "published")
        for review in parsed
    ]
    decided, won = sum(value != 0 for value in longer), sum(value > 0 for value in longer)
    return {"length_decided": decided, "longer_won": won, "longer_share": won / decided if decided else None}


def _special_answers(parsed: list[Review]) -> dict[str, int]:
    identical: list[int] = []
    one_empty: list[int] = []  # 1 where the empty answer wins
    for review in parsed:
        first, second = review.pair.answer1.strip(), review.pair.answer2.strip()
        if first == second:
            identical.append(outcome(review, "published"))
        elif not first or not second:
            one_empty.append(outcome(review, "published") * (1 if second else -1))
    return {
        "identical": len(identical),
        "identical_tied": identical.count(0),
        "one_empty": len(one_empty),
        "empty_won": one_empty.count(1),
        "empty_tied": one_empty.count(0),
    }
