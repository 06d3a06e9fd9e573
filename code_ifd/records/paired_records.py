"""Two datasets read side by side, record by record, sure that both hold the same records."""

from collections.abc import Iterator
from itertools import zip_longest

from records.conversations import Fields, is_conversation, texts_of
from records.dataset import Dataset
from records.record import Record
from shared.cli import UserError
from shared.texts import shorten

REMEDY = "compare two scored versions of one dataset, with its records in the same order"


def paired_records(a: Dataset, b: Dataset, fields: Fields) -> Iterator[Record]:
    """Yield each record of `a`, once it is sure to be that of `b` too.

    Formats, keys besides the texts, and an input that is null, missing or empty may differ. Raises UserError for the
    first record whose texts do, or that only one of them has, naming it.
    """
    for index, (record_a, record_b) in enumerate(zip_longest(a.records(), b.records())):
        if record_a is None or record_b is None:
            longer, shorter = (a, b) if record_b is None else (b, a)
            raise UserError(f"{longer.path} has more than {index} records, {shorter.path} has {index}; {REMEDY}")
        texts_a, texts_b = (
            _named_texts(record, fields, f"{data.path}: record {index}")
            for record, data in ((record_a, a), (record_b, b))
        )
        if texts_a != texts_b:
            raise UserError(f"record {index} differs: {_difference(a.path, texts_a, b.path, texts_b)}; {REMEDY}")
        yield record_a


def _named_texts(record: Record, fields: Fields, where: str) -> list[tuple[str, str]]:
    """Return all texts of a record, each with its name; turns are numbered from 0."""
    is_turn = is_conversation(record, fields, where)
    return [
        (f"turn {number} ({name})" if is_turn else name, text)
        for number, (name, text, _) in enumerate(texts_of(record, fields, where))
    ]


def _difference(path_a: str, texts_a: list[tuple[str, str]], path_b: str, texts_b: list[tuple[str, str]]) -> str:
    """Return what differs first, in words."""
    for (name_a, text_a), (name_b, text_b) in zip(texts_a, texts_b, strict=False):
        if name_a != name_b:
            return f"{path_a} has {name_a} where {path_b} has {name_b}"
        if text_a != text_b:
            start = _length_of_common_start(text_a, text_b)
            shown_a, shown_b = (shorten(text[start:]) for text in (text_a, text_b))
            return f"its {name_a}, from character {start} on, is {shown_a} in {path_a} and {shown_b} in {path_b}"
    return f"{path_a} has {len(texts_a)} texts in it, {path_b} {len(texts_b)}"


def _length_of_common_start(text_a: str, text_b: str) -> int:
    pairs = enumerate(zip(text_a, text_b, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(text_a), len(text_b)))
