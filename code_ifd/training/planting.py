"""Plant mistakes: some records get the response to another question, so that it is known which ones are wrong.

No torch, no scores: records go in, records come out, before anything is scored.
"""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from records.conversations import Fields, exchanges, texts_of
from records.dataset import Dataset
from records.record import NUMBERS, Record
from selection.ifd import num_selected
from shared.cli import UserError
from shared.files import encode_json
from shared.texts import describe, shorten

PLANTED = "planted"  # the key of a record that says whether its response was swapped


def plant(records: Sequence[Record], rate: Decimal, seed: int, fields: Fields | None = None) -> list[Record]:
    """Return copies of all records in order, a share of them with the response of another; `planted` says which.

    The share is floor(rate * number of records), as step 3 counts. The chosen ones pass their responses around in one
    circle, so no response is lost or doubled. No two of them have the same prompt or the same response, so each gets a
    wrong one. Of a conversation it is the last response. Raises UserError for a record that is not understood, and when
    fewer than two records are to be planted, or fewer than wanted differ.
    """
    fields = fields or {}
    last = [exchanges(record, fields, f"record {index}")[-1:] for index, record in enumerate(records)]
    num_wanted = num_selected(rate, len(records))
    chosen = _distinct([found[0] if found else None for found in last], num_wanted, seed)
    if num_wanted < 2 or len(chosen) < num_wanted:
        raise UserError(
            f"a rate of {rate}: of {len(records)} records that is {num_wanted}, and {len(chosen)} of those drawn "
            "differ in prompt and response; wanted at least two, and so many that differ"
        )
    copies = [record | {PLANTED: False} for record in records]
    for taker, giver in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        copies[taker] = with_response(records[taker], last[giver][0]["output"], fields, f"record {taker}")
        copies[taker] |= {PLANTED: True}
    return copies


def _distinct(last: Sequence[Record | None], num_wanted: int, seed: int) -> list[int]:
    """Return record numbers in random order, no two with the same prompt or response, none with an empty response."""
    chosen: list[int] = []
    seen: set[tuple[str, bytes]] = set()
    for index in random.Random(f"plant {seed}").sample(range(len(last)), len(last)):
        exchange = last[index]
        if len(chosen) == num_wanted or exchange is None or not exchange["output"].strip():
            continue
        keys = {("prompt", _prompt_key(exchange)), ("response", encode_json(exchange["output"].strip()))}
        if not keys & seen:
            chosen.append(index)
            seen |= keys
    return chosen


def _prompt_key(exchange: Record) -> bytes:
    """Return what tells prompts apart: no input is the same as an empty one, and outer white space does not count."""
    if "messages" in exchange:
        turns = [[message["role"], message["content"].strip()] for message in exchange["messages"]]
        return encode_json(turns)
    return encode_json([exchange["instruction"].strip(), (exchange["input"] or "").strip()])


def check_unscored(dataset: Dataset) -> None:
    """Raise UserError for a dataset with scores, which planting would make wrong, or with planted records already."""
    start = 0
    for block in dataset.blocks():
        for key in (PLANTED, *NUMBERS):
            values = block.values(key) or ()
            for index, value in enumerate(values, start):
                if value is not None:
                    raise UserError(
                        f"{dataset.path}: record {index}: {key!r} is there already; mistakes are planted once, in a "
                        "dataset without scores: give the one that step 1 reads"
                    )
        start += len(block)


def with_response(record: Record, response: str, fields: Fields, where: str = "record") -> Record:
    """Return a copy of a record with another last response, written where the old one stands, whatever the shape.

    The copy is read again: it says the same but for that response. Raises UserError, beginning with `where`, when there
    is no such place: a conversation that is JSON in a text, or reasoning beside the answer.
    """
    texts = texts_of(record, fields, where)
    last = max(index for index, text in enumerate(texts) if text.is_response)
    old = texts[last].text
    texts[last] = texts[last]._replace(text=response)
    for place in reversed(_places(record, old)):
        copy = _with_value(record, place, response)
        try:
            if texts_of(copy, fields, where) == texts:
                return copy
        except UserError:
            continue  # two keys held this response, and must not differ
    raise UserError(
        f"{where}: the response {shorten(old)} stands under no key by itself, so no other can take its place; plant "
        "mistakes in a dataset with plain answers"
    )


def _places(value: Any, text: str) -> list[tuple[Any, ...]]:
    """Return the keys and positions that lead to each string in a value that is this text, in order."""
    if value == text:
        return [()]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return [(key, *place) for key, inner in entries for place in _places(inner, text)]


def _with_value(value: Any, place: tuple[Any, ...], text: str) -> Any:
    """Return a copy of a value with a text in the place to which these keys and positions lead."""
    if not place:
        return text
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = _with_value(value[place[0]], place[1:], text)
    return copy


def read_planted(dataset: Dataset) -> list[bool] | None:
    """Return whether each record is planted, None for a dataset without that key.

    Raises UserError for a value that is neither true nor false; a missing one is false.
    """
    found: list[bool] = []
    is_known = False
    for block in dataset.blocks():
        values = block.values(PLANTED)
        is_known |= values is not None
        for value in [False] * len(block) if values is None else values:
            if not isinstance(value, bool | None):
                raise UserError(
                    f"{dataset.path}: record {len(found)}: {PLANTED!r} is {describe(value)}; it must be true or false"
                )
            found.append(bool(value))
    return found if is_known else None
