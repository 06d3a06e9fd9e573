"""Plant mistakes: some records get the response to another question, so that it is known which ones are wrong.

No torch, no scores: records go in, records come out, before anything is scored.
"""

import random
from collections.abc import Sequence
from decimal import Decimal

from records.conversations import CONVERSATIONS, Fields, exchanges, is_conversation, texts_of
from records.dataset import Dataset
from records.record import NUMBERS, Record
from selection.ifd import num_selected
from shared.cli import UserError
from shared.files import encode_json
from shared.texts import describe

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
        copies[taker] = with_response(records[taker], last[giver][0]["output"], fields) | {PLANTED: True}
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


def with_response(record: Record, response: str, fields: Fields) -> Record:
    """Return a copy of a record with another response, of a conversation with another last one."""
    if not is_conversation(record, fields):
        return record | {fields.get("output", "output"): response}
    name = next(name for name in CONVERSATIONS if fields.get(name, name) in record)
    key, content_key = fields.get(name, name), CONVERSATIONS[name][1]
    turns = list(record[key])
    texts = texts_of(record, fields)  # may begin with the record's `system`, which is no turn
    place = max(index for index, text in enumerate(texts) if text.is_response) - (len(texts) - len(turns))
    turns[place] = turns[place] | {content_key: response}
    return record | {key: turns}


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
