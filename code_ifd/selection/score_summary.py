"""The numbers that a scored record gets, from its score or from those of its turns. Pure arithmetic."""

import statistics
from typing import Any

from records.record import NUMBERS, Result, Score, Skipped
from selection.ifd import ratio, upper_end

TURNS = ("mean", "last", "max")
Numbers = dict[str, float | None]


def summarize(result: Result, turns: str) -> Numbers | Skipped:
    """Return a record's numbers, or the reason why it has none.

    Of a conversation, `mean` averages each number over the turns that have a score; `last` takes those of the last
    turn; `max` those of the turn with the highest ifd_ppl, the first of several. Turns without a score count for
    `last` alone. ifd_tokens is always the sum over the turns.
    """
    if not isinstance(result, list):
        return _numbers(result)
    each = [_numbers(turn) for turn in result]
    found = _of_turns(each, turns)
    counts = [numbers["ifd_tokens"] for numbers in each if not isinstance(numbers, Skipped)]
    known = [count for count in counts if count is not None]
    return found if isinstance(found, Skipped) else found | {"ifd_tokens": sum(known) if known else None}


def _of_turns(each: list[Numbers | Skipped], turns: str) -> Numbers | Skipped:
    scored = [(ifd, numbers) for numbers in each if not isinstance(numbers, Skipped) and (ifd := numbers["ifd_ppl"])]
    if turns == "last":
        return each[-1]
    if not scored:
        return next((turn for turn in each if isinstance(turn, Skipped)), Skipped("non_finite"))
    if turns == "max":
        return max(scored, key=lambda turn: turn[0])[1]
    return {name: _mean([numbers[name] for _, numbers in scored]) for name in NUMBERS}


def turn_numbers(result: Result) -> list[dict[str, Any]] | None:
    """Return the numbers of each turn, `ifd_skipped` saying why one has none; None for a record without turns."""
    if not isinstance(result, list):
        return None
    each = [_numbers(turn) for turn in result]
    return [
        {**dict.fromkeys(NUMBERS), "ifd_skipped": turn.reason}
        if isinstance(turn, Skipped)
        else {**turn, "ifd_skipped": None}
        for turn in each
    ]


def _numbers(score: Score | Skipped) -> Numbers | Skipped:
    if isinstance(score, Skipped):
        return score
    ifd = ratio(score.ppl_conditioned, score.ppl_direct)
    return {
        "ppl_A_direct": score.ppl_direct,
        "ppl_A_condition": score.ppl_conditioned,
        "ifd_ppl": ifd,
        "ifd_loss": ratio(score.loss_conditioned, score.loss_direct),
        "ifd_upper": upper_end(ifd, score.se),
        "ifd_tokens": score.num_tokens,
    }


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
