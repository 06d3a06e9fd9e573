"""The records of a report as its page reads them.

Their texts are bounded: a page of huge records is no larger than others.
"""

import math
import re
from typing import Any

from records.conversations import Fields, Text, texts_of
from records.dataset import Dataset, Fetcher
from records.record import Record
from reporting.data import MAX_REASON, ScoredData, Standing
from reporting.html_page import encode_data
from reporting.sample import Sample
from selection.ifd import is_unsure, score_name
from selection.scored_dataset import UPPER
from shared.texts import is_encodable

# Of all texts together, as they are written in the page; divided evenly among its records.
TEXT_BYTES = 5_000_000
MAX_TEXTS = 40  # turns of one conversation
NOT_SCORED = "context, not scored"  # a call of a tool, or a turn of weight 0
MISSING = "\N{EN DASH}"  # in place of a number
HALF_OF_PAIR = re.compile("[\ud800-\udfff]")


def make_rows(
    dataset: Dataset, fields: Fields, data: ScoredData, standing: Standing, sample: Sample
) -> list[dict[str, Any]]:
    """Return the records of the sample, in rank order: below the threshold, at or over it, skipped."""
    room = TEXT_BYTES // len(sample.numbers)
    fetcher = Fetcher(dataset.records())
    rows = []
    for number in sample.numbers:
        record = fetcher.fetch([number])[0]
        texts, left_out = bounded_texts(record, data.key_name, fields, room)
        numbers = [float(column[number]) for column in (data.scores, data.direct, data.conditioned)]
        rows.append(
            {
                "number": number,
                "rank": sample.ranks.get(number),
                "length": int(data.lengths[number]),
                "selected": bool(standing.is_selected[number]),
                "group": sample.groups.get(number),
                "reason": data.reasons.get(number),
                "numbers": [None if math.isnan(value) else value for value in numbers],
                "shown": [
                    said(value, standing.threshold if index == 0 else None) for index, value in enumerate(numbers)
                ],
                "texts": texts,
                "left_out": left_out,
                **_interval(data, number),
            }
        )
    return sorted(rows, key=lambda row: (row["rank"] is None, row["rank"] or 0, -(row["numbers"][0] or 0)))


def _interval(data: ScoredData, number: int) -> dict[str, Any]:
    """Return what a row says of how sure its score is: nothing where no record has an interval.

    `interval` is the lower end, IFD, and the upper end, or None.
    """
    found = data.intervals
    if found is None:
        return {}
    ends = [float(column[number]) for column in (found.lower, found.ifd, found.upper)]
    tokens = float(found.tokens[number])
    is_known = not any(math.isnan(end) for end in ends) and ends[0] <= ends[2]
    return {
        "unsure": bool(found.is_unsure[number]),
        "tokens": None if math.isnan(tokens) else int(tokens),
        "interval": ends if is_known else None,
        "interval_shown": [said(end, 1) for end in ends] if is_known else None,
    }


def said(value: float, threshold: float | None = None) -> str:
    """Return a number in as many digits as tell it; more of them where it would read like the threshold."""
    if math.isnan(value):
        return MISSING
    if threshold is not None and value != threshold and abs(value - threshold) < 0.001:
        text = f"{value:.7f}".rstrip("0")
        return text if float(text) != threshold else repr(value)
    if value < 0.001:
        return f"{value:.1e}"
    return f"{value:.3f}" if value < 100 else f"{value:,.0f}" if value < 1e6 else f"{value:.2e}"


def bounded_texts(record: Record, key_name: str, fields: Fields, room: int) -> tuple[list[dict[str, Any]], int]:
    """Return the texts of a record in at most `room` bytes of the page, and how many turns in its middle are left out.

    Each text is {name, text, score, length}: the score of a turn as text or "", and its characters before it was
    shortened.
    """
    texts = texts_of(record, fields)
    scores = _turn_scores(record.get("ifd_turns"), key_name, texts)
    num_left_out = max(len(texts) - MAX_TEXTS, 0)
    kept = (
        [*range(MAX_TEXTS // 2), *range(len(texts) - MAX_TEXTS // 2, len(texts))] if num_left_out else range(len(texts))
    )
    cleaned = [_clean(texts[index].text[: room + 1]) for index in kept]
    shares = _shares([_size(text) for text in cleaned], room)
    return [
        {"name": texts[index].name, "text": _cut(text, share), "score": scores[index], "length": len(texts[index].text)}
        for index, text, share in zip(kept, cleaned, shares, strict=True)
    ], num_left_out


def _turn_scores(turns: Any, key_name: str, texts: list[Text]) -> list[str]:
    """Return what is said of each text's own score.

    Nothing is said of responses where the record has not one score for each of them.
    """
    responses = [index for index, text in enumerate(texts) if text.is_response]
    found = [NOT_SCORED if text.name == "assistant" and not text.is_response else "" for text in texts]
    if isinstance(turns, list) and len(turns) == len(responses) and all(isinstance(turn, dict) for turn in turns):
        for index, turn in zip(responses, turns, strict=True):
            found[index] = _turn_score(turn, key_name)
    return found


def _turn_score(turn: Record, key_name: str) -> str:
    score = turn.get(key_name)
    if not isinstance(score, float):
        return str(turn.get("ifd_skipped") or "")[:MAX_REASON]
    # Turns of older scores have no upper end, and nothing is known of how sure they are.
    unsure = ", not sure" if UPPER in turn and is_unsure(turn.get("ifd_ppl"), turn[UPPER]) else ""
    return f"{score_name(key_name)} {said(score)}{unsure}"


def _clean(text: str) -> str:
    # Half of a surrogate pair is no character, and would have the whole page written in escapes.
    return text if text.isascii() or is_encodable(text) else HALF_OF_PAIR.sub("\ufffd", text)


def _size(text: str) -> int:
    return len(encode_data(text).encode()) - len('""')


def _shares(sizes: list[int], room: int) -> list[int]:
    """Return how much of the room each text gets: small ones all they need, the others the rest in equal parts."""
    shares = [0] * len(sizes)
    for num_done, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], room // (len(sizes) - num_done))
        room -= shares[index]
    return shares


def _cut(text: str, room: int) -> str:
    """Return the beginning of a text that takes at most `room` bytes."""
    while (size := _size(text)) > room:
        text = text[: len(text) * room // size]
    return text
