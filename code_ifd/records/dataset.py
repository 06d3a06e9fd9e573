"""A dataset as the steps see it: one file, or several that are one, streamed block by block, whatever their format.

`dataset_files` says which files a path means, `json_lines` and `parquet` read and write them.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Protocol

from records import hub_dataset, json_lines
from records.dataset_files import LINES, TABLES, WANTED, ends_in, find_files
from records.hub_name import parse_hub_name
from records.json_lines import JsonBlock, JsonWriter
from records.record import Block, Record
from shared.cli import UserError, missing_package, tell
from shared.files import atomic_writer, sha256_of

if TYPE_CHECKING:
    import pyarrow as pa

RECORDS_PER_BLOCK = 256


class Writer(Protocol):
    """An open dataset file."""

    def write(self, block: Block) -> None:
        """Add records."""

    def close(self) -> None:
        """Write the end; the underlying file stays open."""

    def abandon(self) -> None:
        """Write nothing more: the file will be thrown away."""


class Dataset:
    """The records under a path, or of a dataset of the Hugging Face Hub, which is downloaded.

    `files` are those that hold them, in order; `hub` says what they are on the Hub, None for files that never were.
    Raises UserError when there are none.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        name = parse_hub_name(path)
        self.hub = hub_dataset.fetch(name) if name else None
        self.files = self.hub.files if self.hub else find_files(path)
        self._signatures = {file: _signature(file) for file in self.files}
        self._noted = False
        self._told: set[str] = set()
        self._schema: pa.Schema | None = None  # of tables, once they are read

    @property
    def is_table(self) -> bool:
        """Whether its records are rows of a table, with column types."""
        return ends_in(self.files[0], TABLES)

    def holds_lines(self, file: str) -> bool:
        """Tell whether one of the files has a record a line.

        Its name says so; a .json of the Hub, which nobody here can rename, may hold lines all the same.
        """
        if not ends_in(file, json_lines.ARRAY):
            return ends_in(file, LINES)
        return self.hub is not None and json_lines.begins_with_lines(file)

    def blocks(self) -> Iterator[Block]:
        """Yield all records in order, in blocks. Raises UserError for what is wrong, naming file and record or line."""
        num_records = 0
        decoder = json_lines.Decoder(self._told)
        if self.is_table and self._schema is None:
            self._schema = _parquet().schema_of_files(self.files)
        for file in self.files:
            try:
                for block in self._read(file, decoder):
                    num_records += len(block)
                    self._check_unchanged(file)
                    yield block
            except UserError:
                self._check_unchanged(file)  # the better reason
                raise
        if not num_records:
            raise UserError(f"{self.path}: no records in it")
        if decoder.num_non_finite and not self._noted:
            tell(
                f"note: {self.path}: {decoder.num_non_finite} NaN or Infinity, which JSON does not have, or numbers as "
                "large as 1e400, read as null"
            )
            self._noted = True

    def records(self) -> Iterator[Record]:
        """Yield all records in order. Raises UserError as `blocks` does."""
        return (record for block in self.blocks() for record in block.records())

    def whole(self) -> Block:
        """Return all records as one block. Raises UserError as `blocks` does."""
        blocks = list(self.blocks())
        return (
            _parquet().join(blocks)
            if self.is_table
            else JsonBlock([row for block in blocks for row in block.records()])
        )

    def sha256(self) -> str:
        """Return the SHA-256, in hex, of the file's bytes; of several files, of their names and hashes."""
        if len(self.files) == 1:
            return sha256_of(self.files[0])
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(os.fsencode(f"{Path(file).name} {sha256_of(file)}\n"))
        return digest.hexdigest()

    def _read(self, file: str, decoder: json_lines.Decoder) -> Iterator[Block]:
        if self.is_table:
            yield from _parquet().read_table(file, self._schema)
            return
        if not ends_in(file, (*json_lines.ARRAY, *LINES)):
            raise UserError(f"{file}: the file name must end in {WANTED}")
        read = json_lines.read_json_lines if self.holds_lines(file) else json_lines.read_json_array
        records = read(file, decoder)
        while rows := list(islice(records, RECORDS_PER_BLOCK)):
            yield JsonBlock(rows)

    def _check_unchanged(self, file: str) -> None:
        # Two passes must see the same records, and scores must be of what was hashed.
        if _signature(file) != self._signatures[file]:
            raise UserError(f"{file}: has changed while it was read; run this again when nothing writes it")


@dataclass(frozen=True)
class RecordRange:
    """The records of a dataset from `start` up to, but not including, `end`, as often as they are iterated."""

    dataset: Dataset
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __iter__(self) -> Iterator[Record]:
        return islice(self.dataset.records(), self.start, self.end)


class Fetcher:
    """Fetches records by their numbers from a stream; rising numbers cost one pass over it."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self._rest, self._position = iter(records), 0

    def fetch(self, numbers: list[int]) -> list[Record]:
        """Return the records with these rising numbers."""
        if numbers and numbers[0] < self._position:
            self._rest, self._position = iter(self._records), 0
        found = []
        for number in numbers:
            found.append(next(islice(self._rest, number - self._position, None)))
            self._position = number + 1
        return found


def check_name(path: str, source: Dataset | None) -> None:
    """Raise UserError when records of `source` cannot be written under a name."""
    if not ends_in(path, (*json_lines.ARRAY, *LINES, ".parquet")):
        raise UserError(f"{path}: the file name must end in {WANTED}")
    if ends_in(path, TABLES) and not (source and source.is_table):
        raise UserError(
            f"{path}: Parquet keeps the column types of Parquet, and {source and source.path} is JSON, which has none; "
            "write .jsonl"
        )


@contextmanager
def dataset_writer(path: str, source: Dataset | None = None) -> Iterator[Writer]:
    """Yield a writer whose file appears when all went well, and not at all otherwise.

    `source` is the dataset that the blocks come from. Raises UserError when they cannot be written under that name.
    """
    check_name(path, source)
    with atomic_writer(path) as file, json_lines.compressed(file, path) as packed:
        writer = new_writer(packed, path, ends_in(path, TABLES), is_array=ends_in(path, json_lines.ARRAY))
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.close()


def new_writer(file: IO[bytes], path: str, to_table: bool, is_array: bool = False) -> Writer:
    """Return a writer into an open file: of Parquet, of a JSON array, or of JSON lines. `path` is for messages."""
    return _parquet().TableWriter(file, path) if to_table else JsonWriter(file, path, is_array)


def read_dataset(path: str) -> list[Record]:
    """Return all records of a dataset at once. Raises UserError for what is wrong, naming file and record or line."""
    return list(Dataset(path).records())


def write_dataset(path: str, records: list[Record]) -> None:
    """Write records as `path`'s extension asks, one record a line. Raises UserError if it cannot."""
    with dataset_writer(path) as writer:
        writer.write(JsonBlock(records))


def _parquet() -> ModuleType:
    try:
        from records import parquet
    except ImportError:
        raise missing_package("pyarrow", "a Parquet or Arrow file") from None
    return parquet


def _signature(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
