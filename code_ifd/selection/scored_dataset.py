"""The numbers of a scored dataset (of step 2, or of the original tool) as columns."""

import math
from array import array
from collections.abc import Sequence

from records.conversations import Fields, exchanges
from records.dataset import Dataset
from records.record import Record
from selection.ifd import is_score
from shared.cli import UserError
from shared.texts import describe

NumberColumns = dict[str, "array[float]"]


def read_scores(dataset: Dataset, key_name: str) -> "array[float]":
    """Return each record's score, NaN where it has none. Raises UserError where none has one, or one is no number."""
    return read_numbers(dataset, (key_name,))[key_name]


def read_numbers(dataset: Dataset, key_names: Sequence[str]) -> NumberColumns:
    """Return the numbers under each key, one entry a record, NaN for what is no score (null, missing, 0, infinite).

    The dataset is read once, and no more of it is kept. Raises UserError where no record has one of the keys, or a
    value is no number, naming the record.
    """
    columns: NumberColumns = {key_name: array("d") for key_name in key_names}
    unseen = set(key_names)
    for block in dataset.blocks():
        for key_name, column in columns.items():
            values = block.values(key_name)
            if values is None:
                column.extend([math.nan] * len(block))
                continue
            unseen.discard(key_name)
            for value in values:
                if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                    raise UserError(
                        f"{dataset.path}: record {len(column)}: {key_name!r} is {describe(value)}; "
                        "it must be a number or null"
                    )
                column.append(value if value is not None and is_score(value) else math.nan)
    if unseen:
        missing = next(key_name for key_name in key_names if key_name in unseen)
        other = ", or choose another --key_name" if missing.startswith("ifd_") else ""
        raise UserError(f"{dataset.path}: no record has {missing!r}; run step 2 on it first{other}")
    return columns


def response_length(record: Record, fields: Fields, where: str = "record") -> int:
    """Return the characters of a record's response, or of all responses of a conversation.

    Raises UserError as `exchanges` does.
    """
    return sum(len(exchange["output"]) for exchange in exchanges(record, fields, where))
