"""The numbers of a scored dataset (of step 2, or of the original tool) as columns."""

import math
from array import array
from collections.abc import Sequence
from typing import Protocol

from records.conversations import Fields, exchanges
from records.dataset import Dataset
from records.record import Block, Record
from selection.ifd import is_score
from shared.cli import UserError
from shared.texts import describe

NumberColumns = dict[str, "array[float]"]
# Step 2 can write these only where the score file has "se".
UPPER, TOKENS = "ifd_upper", "ifd_tokens"


def read_scores(dataset: Dataset, key_name: str) -> "array[float]":
    """Return each record's score, NaN where it has none. Raises UserError where none has one, or one is no number."""
    return read_numbers(dataset, (key_name,))[key_name]


def read_numbers(dataset: Dataset, key_names: Sequence[str], optional: Sequence[str] = ()) -> NumberColumns:
    """Return the numbers under each key, one entry a record, NaN for what is no score (null, missing, 0, infinite).

    The dataset is read once, and no more of it is kept. Raises UserError where no record has one of `key_names`
    (those of `optional` may be missing), or a value is no number, naming the record.
    """
    columns = number_columns(dataset.path, key_names, optional)
    read_columns(dataset, columns)
    return checked_numbers(columns, key_names)


def number_columns(path: str, key_names: Sequence[str], optional: Sequence[str] = ()) -> "list[NumberColumn]":
    """Return a column to read for each key, once for a key that is named twice."""
    return [NumberColumn(path, key_name) for key_name in dict.fromkeys((*key_names, *optional))]


def checked_numbers(columns: "Sequence[NumberColumn]", key_names: Sequence[str]) -> NumberColumns:
    """Return the numbers of columns after reading. Raises UserError where no record has one of `key_names`."""
    for column in columns:
        if column.key_name in key_names:
            column.check_there()
    return {column.key_name: column.numbers for column in columns}


class RecordColumn(Protocol):
    """What is kept of each record, while a dataset is read block by block."""

    def add(self, block: Block) -> None:
        """Add an entry for each record of a block."""


def read_columns(dataset: Dataset, columns: Sequence[RecordColumn]) -> None:
    """Read a dataset once, for all columns. Raises UserError as they do."""
    for block in dataset.blocks():
        for column in columns:
            column.add(block)


class NumberColumn:
    """The numbers under a key, NaN for what is no score. `path` is for messages."""

    def __init__(self, path: str, key_name: str) -> None:
        self.key_name, self.numbers = key_name, array("d")
        self._path, self._is_there = path, False

    def add(self, block: Block) -> None:
        """Add the numbers of a block. Raises UserError for a value that is neither a number nor null."""
        values = block.values(self.key_name)
        if values is None:
            self.numbers.extend([math.nan] * len(block))
            return
        self._is_there = True
        for value in values:
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise UserError(
                    f"{self._path}: record {len(self.numbers)}: {self.key_name!r} is {describe(value)}; "
                    "it must be a number or null"
                )
            self.numbers.append(value if value is not None and is_score(value) else math.nan)

    @property
    def has_numbers(self) -> bool:
        """Whether any record has a number."""
        return not all(map(math.isnan, self.numbers))

    def check_there(self) -> None:
        """Raise UserError where no record has the key, or where only a later version of step 1 gives it numbers."""
        if self.key_name == UPPER and not self.has_numbers:
            raise no_upper(self._path)
        if not self._is_there:
            other = ", or choose another --key_name" if self.key_name.startswith("ifd_") else ""
            raise UserError(f"{self._path}: no record has {self.key_name!r}; run step 2 on it first{other}")


def no_upper(path: str) -> UserError:
    """Return the error for a dataset whose scores have no standard error."""
    return UserError(
        f"{path}: no record has a number under {UPPER!r}; the scores were made before step 1 wrote "
        '"se": score again (step 1) and merge (step 2), or choose another --key_name'
    )


def response_length(record: Record, fields: Fields, where: str = "record") -> int:
    """Return the characters of a record's response, or of all responses of a conversation.

    Raises UserError as `exchanges` does.
    """
    return sum(len(exchange["output"]) for exchange in exchanges(record, fields, where))


class CharacterColumn:
    """The characters of each record's response, NaN where it has none. `path` is for messages."""

    def __init__(self, path: str, fields: Fields, is_strict: bool) -> None:
        self.numbers = array("d")
        self._path, self._fields, self._is_strict = path, fields, is_strict

    def add(self, block: Block) -> None:
        """Add the lengths of a block. A record that is not understood has none, or, if strict, raises UserError."""
        for record in block.records():
            try:
                length = response_length(record, self._fields, f"{self._path}: record {len(self.numbers)}")
            except UserError:
                if self._is_strict:
                    raise
                length = 0
            self.numbers.append(length or math.nan)
