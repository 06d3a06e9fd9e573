"""From the judge's answers to a review file, and from there to what is still to be asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from answering.wrap_file import Pair, WrapFile, WrapRow
from judging.answer_journal import Answers
from judging.outcomes import JudgeAnswer
from judging.requests import Judge, JudgeRequest, PairRequests, pair_requests
from verdict.review_text import is_cut
from verdict.scores import format_scores, parse_scores

# Between the two texts of a judge that had to be asked again.
ASKED_AGAIN = "\n\n[No two scores could be read; asked for them once more, the judge replied:]\n"

# Why the server refused a prompt, by the key of its request.
Refusals = Mapping[str, str]


@dataclass(frozen=True)
class OrderReview:
    """What the judge said about a pair in one order; `scores` are None where none could be read.

    `finish_reason` is why its last answer ended, None where it ended by itself or nobody knows.
    """

    text: str
    scores: tuple[float, float] | None
    finish_reason: str | None = None


@dataclass(frozen=True)
class AssembledReviews:
    """A whole review file, and how many of its reviews have no scores."""

    meta: dict[str, Any]
    rows: list[WrapRow]
    num_unparsed: int


def follow_up(request: JudgeRequest, answer: JudgeAnswer) -> JudgeRequest | None:
    """Return the request that must follow an answer whose scores cannot be read, or None where none must.

    One that was cut would be cut again at the same limit.
    """
    is_read = parse_scores(answer.text, answer.finish_reason) is not None
    return None if is_read or is_cut(answer.finish_reason) else request.ask_again(answer.text)


def is_cut_short(answer: JudgeAnswer) -> bool:
    """Tell whether an answer was cut at its limit of tokens before its scores."""
    return is_cut(answer.finish_reason) and parse_scores(answer.text, answer.finish_reason) is None


def missing_requests(pairs: list[PairRequests], answers: Answers) -> list[JudgeRequest]:
    """Return what is to be asked next, in file order; equal prompts are asked once."""
    missing: dict[str, JudgeRequest] = {}
    for request in _both_orders(pairs):
        answer = answers.get(request.key)
        following = follow_up(request, answer) if answer else request
        if following and following.key not in answers:
            missing.setdefault(following.key, following)
    return list(missing.values())


def used_answers(pairs: list[PairRequests], answers: Answers) -> dict[str, tuple[JudgeRequest, JudgeAnswer]]:
    """Return the answers that belong to these pairs, with their requests, by key."""
    used: dict[str, tuple[JudgeRequest, JudgeAnswer]] = {}
    for request in _both_orders(pairs):
        step: JudgeRequest | None = request
        while step is not None and step.key in answers:
            used[step.key] = (step, answers[step.key])
            step = follow_up(request, answers[step.key]) if step is request else None
    return used


def as_begun(pairs: list[Pair], judge: Judge, answers: Answers) -> Judge:
    """Return the judge with the prompt that its reviews were begun with: no file mixes two, and no answer is lost.

    That is an earlier version's prompt where the journal has more answers to it than to the published one.
    """
    earlier = replace(judge, has_earlier_prompt=True)
    num_published, num_earlier = (
        len(used_answers(pair_requests(pairs, asked), answers)) if answers else 0 for asked in (judge, earlier)
    )
    return earlier if num_earlier > num_published else judge


def assemble(
    wrap: WrapFile, pairs: list[PairRequests], judge: Judge, answers: Answers, refusals: Refusals
) -> AssembledReviews:
    """Return the review file of a wrap file, every request of which was answered or refused."""
    rows: list[WrapRow] = []
    scores: dict[str, list[tuple[float, float]]] = {"scores": [], "scores_reverse": []}
    for row, pair in zip(wrap.rows, pairs, strict=True):
        rows.append(dict(row))
        for suffix, request in (("", pair.forward), ("_reverse", pair.reverse)):
            review = _order_review(request, answers, refusals)
            # Taken out first: a row of a review file that is judged anew keeps the published order of its keys.
            for key, value in (
                (f"review{suffix}", review.text),
                (f"scores{suffix}", review.scores and format_scores(review.scores)),
                (f"finish_reason{suffix}", review.finish_reason),
            ):
                rows[-1].pop(key, None)
                if value is not None or not key.startswith("finish_reason"):
                    rows[-1][key] = value
            if review.scores:
                scores[f"scores{suffix}"].append(review.scores)
    meta: dict[str, Any] = dict(wrap.meta)
    for name, values in scores.items():
        meta[f"average_{name}"] = (
            format_scores((fmean(a for a, _ in values), fmean(b for _, b in values))) if values else None
        )
    meta["judge"] = judge.meta
    return AssembledReviews(meta, rows, 2 * len(rows) - sum(map(len, scores.values())))


def _order_review(request: JudgeRequest, answers: Answers, refusals: Refusals) -> OrderReview:
    if request.key in refusals:
        return OrderReview(f"[Not reviewed: {refusals[request.key]}]", None)
    first = answers[request.key]
    following = follow_up(request, first)
    if following is None:
        return OrderReview(first.text, parse_scores(first.text, first.finish_reason), _odd_reason(first))
    if following.key in refusals:
        return OrderReview(first.text, None, _odd_reason(first))
    second = answers[following.key]
    scores = parse_scores(second.text, second.finish_reason)
    return OrderReview(first.text + ASKED_AGAIN + second.text, scores, _odd_reason(second))


def _odd_reason(answer: JudgeAnswer) -> str | None:
    return None if answer.finish_reason == "stop" else answer.finish_reason


def _both_orders(pairs: list[PairRequests]) -> Iterator[JudgeRequest]:
    for pair in pairs:
        yield pair.forward
        yield pair.reverse
