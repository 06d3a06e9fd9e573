"""A dataset as the steps see it: one file, or several that are one, streamed chunk by chunk, whatever their format.

The file name decides: .json is an array (read whole), .jsonl one object a line (also .jsonl.gz, .jsonl.zst), .parquet a
table. A path may be a file, a pattern (data/*.jsonl), a folder of shards, or a folder that `save_to_disk` of Hugging Face
datasets has written. Several files are one dataset, in the order of their names.
"""

import glob
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import IO, Protocol

import json_records
from cli import UserError, missing_package
from json_records import JsonChunk, JsonWriter
from records import Chunk, Record, atomic_writer, read_text, sha256_of

RECORDS_PER_CHUNK = 256
LINES = tuple(ending + packing for ending in json_records.LINES for packing in ("", ".gz", ".zst"))
TABLES = (".parquet", ".arrow")
FORMATS = (*json_records.ARRAY, *LINES, *TABLES)
DATASET_HELP = (
    "a .json array (read whole), or .jsonl, .jsonl.gz, .jsonl.zst, .parquet (streamed); a pattern or folder of such files is "
    "one dataset, and so is a folder that save_to_disk of Hugging Face datasets has written"
)
WANTED = ".json (an array), .jsonl (a record a line; also .jsonl.gz, .jsonl.zst) or .parquet"


class Writer(Protocol):
    """An open dataset file."""

    def write(self, chunk: Chunk) -> None:
        """Add records."""

    def close(self) -> None:
        """Write the end; the underlying file stays open."""

    def abandon(self) -> None:
        """Write nothing more: the file will be thrown away."""


class Dataset:
    """The records under a path. `files` are those that hold them, in order. Raises UserError when there are none."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.files = find_files(path)
        self._signatures = {file: _signature(file) for file in self.files}
        self._noted = False

    @property
    def is_table(self) -> bool:
        """Whether its records are rows of a table, with column types."""
        return _ends(self.files[0], TABLES)

    def chunks(self) -> Iterator[Chunk]:
        """Yield all records in order, in chunks. Raises UserError for what is wrong, naming file and record or line."""
        num_records = 0
        decoder = json_records.Decoder()
        for file in self.files:
            try:
                for chunk in _read(file, decoder):
                    num_records += len(chunk)
                    self._check_unchanged(file)
                    yield chunk
            except UserError:
                self._check_unchanged(file)  # the better reason
                raise
        if not num_records:
            raise UserError(f"{self.path}: no records in it")
        if decoder.num_non_finite and not self._noted:
            print(f"note: {self.path}: {decoder.num_non_finite} NaN or Infinity, which JSON does not have, read as null", file=sys.stderr)
            self._noted = True

    def records(self) -> Iterator[Record]:
        """Yield all records in order. Raises UserError as `chunks` does."""
        return (record for chunk in self.chunks() for record in chunk.records())

    def whole(self) -> Chunk:
        """Return all records as one chunk. Raises UserError as `chunks` does."""
        chunks = list(self.chunks())
        return _arrow().join(chunks) if self.is_table else JsonChunk([row for chunk in chunks for row in chunk.records()])

    def sha256(self) -> str:
        """Return the SHA-256, in hex, of the file's bytes; of several files, of their names and hashes."""
        if len(self.files) == 1:
            return sha256_of(self.files[0])
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{Path(file).name} {sha256_of(file)}\n".encode())
        return digest.hexdigest()

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
        self._restart()

    def fetch(self, numbers: list[int]) -> list[Record]:
        """Return the records with these rising numbers."""
        if numbers and numbers[0] < self._position:
            self._restart()
        found = []
        for number in numbers:
            found.append(next(islice(self._rest, number - self._position, None)))
            self._position = number + 1
        return found

    def _restart(self) -> None:
        self._rest, self._position = iter(self._records), 0


@contextmanager
def dataset_writer(path: str, source: Dataset | None = None) -> Iterator[Writer]:
    """Yield a writer whose file appears when all went well, and not at all otherwise.

    `source` is the dataset that the chunks come from. Raises UserError when they cannot be written under that name.
    """
    if not _ends(path, (*json_records.ARRAY, *LINES, ".parquet")):
        raise UserError(f"{path}: the file name must end in {WANTED}")
    to_table = _ends(path, TABLES)
    if to_table and not (source and source.is_table):
        raise UserError(f"{path}: Parquet keeps the column types of Parquet, and {source and source.path} is JSON, which has none; write .jsonl")
    with atomic_writer(path) as file, json_records.compressed(file, path) as packed:
        writer = new_writer(packed, path, to_table, is_array=_ends(path, json_records.ARRAY))
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.close()


def new_writer(file: IO[bytes], path: str, to_table: bool, is_array: bool = False) -> Writer:
    """Return a writer into an open file: of Parquet, of a JSON array, or of JSON lines. `path` is for messages."""
    return _arrow().TableWriter(file, path) if to_table else JsonWriter(file, path, is_array)


def read_dataset(path: str) -> list[Record]:
    """Return all records of a dataset at once. Raises UserError for what is wrong, naming file and record or line."""
    return list(Dataset(path).records())


def write_dataset(path: str, records: list[Record]) -> None:
    """Write records as `path`'s extension asks, one record a line. Raises UserError if it cannot."""
    with dataset_writer(path) as writer:
        writer.write(JsonChunk(records))


def find_files(path: str) -> list[str]:
    """Return the files that a dataset path means, in order. Raises UserError when there is none of a known format."""
    if os.path.isdir(path):
        files = _saved_files(path) or _shards(os.path.join(glob.escape(path), "*"))
        if not files:
            raise UserError(f"{path}: no dataset files in this folder; wanted {WANTED}")
    elif glob.has_magic(path) and not os.path.exists(path):
        files = _shards(path)
        if not files:
            raise UserError(f"{path}: no dataset file matches; wanted {WANTED}")
    else:
        files = [path]
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise UserError(f"{path}: files of several formats ({', '.join(sorted(kinds))}); give a pattern that matches one of them")
    return files


def _shards(pattern: str) -> list[str]:
    # What step 1 writes beside its scores, and what Hugging Face writes beside its data, are no data.
    others = (".meta.json", "dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json")
    return sorted(file for file in glob.glob(pattern) if _ends(file, FORMATS) and not _ends(file, others) and os.path.isfile(file))


def _saved_files(folder: str) -> list[str]:
    if os.path.exists(os.path.join(folder, "dataset_dict.json")):
        splits = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        raise UserError(f"{folder}: holds several splits ({', '.join(splits)}); give one of them, such as {os.path.join(folder, splits[0] if splits else 'train')}")
    state_path = os.path.join(folder, "state.json")
    if not os.path.exists(state_path):
        return []
    try:
        state = json.loads(read_text(state_path))
        names = [entry["filename"] for entry in state["_data_files"]]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{state_path}: not what save_to_disk writes; save the dataset again") from None
    if state.get("_indices_data_files"):
        raise UserError(f"{folder}: saved with a selection or shuffle that is not applied; call flatten_indices() before save_to_disk")
    return [os.path.join(folder, name) for name in names]


def _read(file: str, decoder: json_records.Decoder) -> Iterator[Chunk]:
    if _ends(file, TABLES):
        yield from _arrow().read_table(file)
        return
    if not _ends(file, (*json_records.ARRAY, *LINES)):
        raise UserError(f"{file}: the file name must end in {WANTED}")
    records = json_records.read_array(file, decoder) if _ends(file, json_records.ARRAY) else json_records.read_lines(file, decoder)
    while rows := list(islice(records, RECORDS_PER_CHUNK)):
        yield JsonChunk(rows)


def _arrow() -> ModuleType:
    try:
        import arrow_records
    except ImportError:
        raise missing_package("pyarrow", "a Parquet or Arrow file") from None
    return arrow_records


def _ends(path: str, endings: tuple[str, ...]) -> bool:
    return path.lower().endswith(endings)


def _kind(path: str) -> str:
    return next((kind for kind, endings in (("json", json_records.ARRAY), ("jsonl", LINES)) if _ends(path, endings)), Path(path).suffix)


def _signature(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
