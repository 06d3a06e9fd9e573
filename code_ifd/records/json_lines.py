"""Records in JSON: an array (.json), read whole, or one object a line (.jsonl), read and written line by line.

Everything written is strict JSON in UTF-8, one record a line in either format. Lines may be compressed (.gz, .zst).
"""

import base64
import contextlib
import gzip
import io
import json
import math
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from records.keys import RECORD_KEYS, TURN_KEYS
from records.record import NUMBERS, Block, Column, Record
from records.remedies import not_an_array
from shared.cli import UserError, missing_package, tell
from shared.files import decode, doubled_key, encode_json, read_bytes, refuse_special
from shared.memory import available_bytes
from shared.texts import json_type, shorten

ARRAY = (".json",)
LINES = (".jsonl", ".ndjson")
# Objects and arrays in each other that every step can write again: Python has room for a thousand calls.
MAX_NESTING = 500
# No record is longer: a compressed file of spaces may hold a line of any length.
LONGEST_LINE = 1 << 28
IF_TOO_LARGE = "wanted one record a line; mend or remove it"
AS_LINES = "write the records into a .jsonl, one a line, which is read line by line"
# Keys of records and turns that are read, and the scores.
MEANING = frozenset((*(name for key in (*RECORD_KEYS, *TURN_KEYS) for name in key.names), *NUMBERS))
IF_ARRAY = "if the file is one array, its name must end in .json"


class Decoder(json.JSONDecoder):
    """Reads as null, and counts, what could not be written back: NaN and Infinity, which some tools write though JSON
    has none, and numbers beyond those of a float (1e400).

    Of a key that an object has twice the last value counts; `doubled` are those objects, and the key of each.
    """

    def __init__(self, told: set[str] | None = None) -> None:
        super().__init__(parse_constant=self._count, parse_float=self._finite, object_pairs_hook=self._object_of)
        self.num_non_finite = 0
        self.doubled: list[tuple[dict[str, Any], str]] = []
        self.told = set() if told is None else told  # files of which it was said

    def _count(self, name: str) -> None:
        self.num_non_finite += 1

    def _object_of(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.doubled.append((found, doubled_key(pairs)))
        return found

    def _finite(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self._count(digits)
        return None


def read_json_array(path: str, decoder: Decoder) -> Iterator[Record]:
    """Yield the records of a JSON array. The file is read and parsed as a whole. Raises UserError for anything else."""
    _check_memory(path)
    try:
        values = _parse(decode(read_bytes(path), path), path, decoder)
    except MemoryError:
        raise UserError(f"{path}: does not fit in memory, which a .json needs; {AS_LINES}") from None
    if not isinstance(values, list):
        raise UserError(not_an_array(path, values))
    _check_doubled(decoder, values, path)
    for index, value in enumerate(values):
        yield _checked(value, index, path)


def read_json_lines(path: str, decoder: Decoder) -> Iterator[Record]:
    """Yield the records of a file with one object a line; blank lines are passed over.

    Raises UserError for anything else.
    """
    index = offset = 0
    with contextlib.closing(open_lines(path)) as file:
        # Only "\n" ends a line: str.splitlines would also cut at U+2028, which JSON strings may hold.
        for number, data in enumerate(_read_errors(file, path), start=1):
            # Files that were joined bring their byte-order marks along.
            text = decode(data, path, offset).lstrip("\ufeff")
            offset += len(data)
            if text.strip():
                record = _checked(_parse(text, path, decoder, number), index, path)
                _check_doubled(decoder, [record], path, index)
                yield record
                index += 1


def begins_with_lines(path: str) -> bool:
    """Tell whether a file begins with an object on a line of its own, and goes on after it."""
    try:
        with open(path, "rb") as file:
            first, second = file.readline(1 << 24), file.readline(1 << 10)
        return isinstance(json.loads(first), dict) and bool(second.strip())
    except (OSError, ValueError, RecursionError):
        return False


def open_lines(path: str) -> IO[bytes]:
    """Return a file of lines opened for reading, decompressed as its name says.

    Raises UserError if it cannot be read.
    """
    refuse_special(path)
    try:
        if path.lower().endswith(".gz"):
            return cast(IO[bytes], gzip.open(path, "rb"))  # which it is in all but its type
        if path.lower().endswith(".zst"):
            return io.BufferedReader(_pyarrow().input_stream(path, compression="zstd"))
        return open(path, "rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


@contextlib.contextmanager
def compressed(file: IO[bytes], path: str) -> Iterator[IO[bytes]]:
    """Yield a writer into `file` that compresses as the name of `path` says; the same bytes for the same data."""
    if path.lower().endswith(".gz"):
        # Neither name nor time goes into the file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            yield cast(IO[bytes], packed)
    elif path.lower().endswith(".zst"):
        with _pyarrow().CompressedOutputStream(_pyarrow().PythonFile(_KeptOpen(file), "w"), "zstd") as packed:
            yield packed
    else:
        yield file


@dataclass(frozen=True)
class JsonBlock:
    """Some records of a dataset. What TableBlock is to Parquet."""

    rows: list[Record]

    def __len__(self) -> int:
        return len(self.rows)

    def records(self) -> list[Record]:
        """Return the records."""
        return self.rows

    def values(self, key: str) -> list[Any] | None:
        """Return the values under a key, None for a record without it; None when no record has it."""
        return [row.get(key) for row in self.rows] if any(key in row for row in self.rows) else None

    def with_columns(self, columns: list[Column]) -> "JsonBlock":
        """Return the records with values added; numbers are null where there is none, anything else is left out."""
        left_out = {column.name for column in columns if column.kind not in ("number", "count")}
        rows = []
        for index, row in enumerate(self.rows):
            kept = {key: value for key, value in row.items() if key not in left_out}
            found = {column.name: column.values[index] for column in columns}
            rows.append(
                kept | {name: value for name, value in found.items() if value is not None or name not in left_out}
            )
        return JsonBlock(rows)

    def take(self, indices: list[int]) -> "JsonBlock":
        """Return the records at these places, in this order."""
        return JsonBlock([self.rows[index] for index in indices])


class JsonWriter:
    """Writes records into an open binary file, one a line: an array, or lines. `path` is for messages."""

    def __init__(self, file: IO[bytes], path: str, is_array: bool) -> None:
        self._file, self._path, self._is_array = file, path, is_array
        self._num_written = 0

    def write(self, block: Block) -> None:
        """Add records. Raises UserError for one that is no strict JSON, naming it."""
        separator = b",\n" if self._is_array else b"\n"
        for record in block.records():
            opening = b"[\n" if self._is_array else b""
            self._file.write(separator if self._num_written else opening)
            try:
                self._file.write(_encoded(record))
            except (TypeError, ValueError, RecursionError) as error:
                text = next((shorten(value) for value in record.values() if isinstance(value, str)), "without a text")
                raise UserError(
                    f"{self._path}: the record {text} cannot be written as JSON: {error}; mend it in the input"
                ) from None
            self._num_written += 1

    def close(self) -> None:
        """Write the end; the underlying file stays open."""
        if self._is_array:
            self._file.write(b"\n]\n" if self._num_written else b"[]\n")
        elif self._num_written:
            self._file.write(b"\n")

    def abandon(self) -> None:
        """Write nothing more: the file will be thrown away."""


def _encoded(record: Record) -> bytes:
    try:
        return encode_json(record)
    except TypeError:
        return encode_json(_without_bytes(record))


def _without_bytes(value: Any) -> Any:
    """Return a value of a table with the bytes in it, which JSON does not have, as base64 text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: _without_bytes(member) for key, member in value.items()}
    return [_without_bytes(member) for member in value] if isinstance(value, list | tuple) else value


def _read_errors(file: IO[bytes], path: str) -> Iterator[bytes]:
    # What a damaged or half-written compressed file raises depends on where it breaks.
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(LONGEST_LINE + 1)
        except MemoryError:
            raise UserError(f"{path}: line {number} does not fit in memory; {IF_TOO_LARGE}") from None
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
        if not line:
            return
        if len(line) > LONGEST_LINE:
            raise UserError(f"{path}: line {number} is longer than {LONGEST_LINE >> 20} MB; {IF_TOO_LARGE}")
        yield line


class _KeptOpen:
    """A file for pyarrow to write into and to close, without closing it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush = file.write, file.flush

    def close(self) -> None:
        """Do nothing: who opened the file closes it."""


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise missing_package("pyarrow", "a .zst file") from None
    return pyarrow


def _checked(value: Any, index: int, path: str) -> Record:
    if not isinstance(value, dict):
        hint = f"; {IF_ARRAY}" if isinstance(value, list) and not index and not path.lower().endswith(ARRAY) else ""
        raise UserError(
            f"{path}: record {index} is {json_type(value)}, not an object with instruction and output{hint}"
        )
    if _nesting(value) > MAX_NESTING:
        raise UserError(
            f"{path}: record {index}: objects or arrays are nested more than {MAX_NESTING} deep; mend or remove it"
        )
    return value


def _check_memory(path: str) -> None:
    """Raise UserError when a file, and the text that it is decoded to, are more than memory has left."""
    num_bytes, available = os.path.getsize(path) if os.path.isfile(path) else 0, available_bytes()
    if available is not None and 2 * num_bytes > available:
        raise UserError(
            f"{path}: {num_bytes >> 20} MB, which a .json needs at least twice in memory, and there are "
            f"{available >> 20} MB; {AS_LINES}"
        )


def _nesting(record: Record) -> int:
    """Return how deep objects and arrays are nested, MAX_NESTING + 1 at most."""
    depth, level = 1, [value for value in record.values() if isinstance(value, dict | list)]
    while level and depth <= MAX_NESTING:
        members = (member for value in level for member in (value.values() if isinstance(value, dict) else value))
        depth, level = depth + 1, [member for member in members if isinstance(member, dict | list)]
    return depth


def _check_doubled(decoder: Decoder, values: list[Any], path: str, start: int = 0) -> None:
    """Raise UserError where the decoder has found a key twice that means something to us, else say so once a file.

    `values` are the records that it has decoded since, the first of them the record `start` of the file.
    """
    if not decoder.doubled:
        return
    doubled = {id(value): key for value, key in decoder.doubled}
    places = [(index, key) for index, value in enumerate(values, start) for key in _doubled_in(value, doubled)]
    decoder.doubled = []
    read = next(((index, key) for index, key in places if key in MEANING), None)
    if read:
        raise UserError(
            f"{path}: record {read[0]}: the key {read[1]!r} is there twice in one object, and one value would be lost; "
            "leave one of them"
        )
    if places and path not in decoder.told:
        index, key = places[0]
        tell(f"note: {path}: record {index}: the key {key!r} is there twice in one object; the last value is kept")
        decoder.told.add(path)


def _doubled_in(value: Any, doubled: dict[int, str]) -> Iterator[str]:
    """Yield the doubled keys of a value's objects."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and id(value) in doubled:
            yield doubled[id(value)]
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value


def _parse(text: str, path: str, decoder: Decoder, line: int | None = None) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        hint = ""
        if line == 1 and text.lstrip().startswith("["):
            hint = f"; {IF_ARRAY}"
        if line is None and error.msg == "Extra data":
            hint = "; if it holds one record a line, its name must end in .jsonl"
        where = f"line {line or error.lineno} column {error.colno}"
        raise UserError(f"{path}: {where}: broken JSON: {error.msg}{hint}") from None
    except (ValueError, RecursionError) as error:
        where = f"line {line}: " if line else ""
        fault = (
            "objects or arrays are nested too deep"
            if isinstance(error, RecursionError)
            else f"a number of more than {sys.get_int_max_str_digits()} digits; write it as a string"
        )
        raise UserError(f"{path}: {where}JSON that cannot be read: {fault}") from None
