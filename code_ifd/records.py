"""Datasets on disk: a JSON array (.json) or one JSON object a line (.jsonl), read whole, checked, written whole.

Everything written is strict JSON in UTF-8, first to a temporary file in the same folder, then renamed over the target:
a reader finds the old file or the new one, never half of one.
"""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cli import UserError

Record = dict[str, Any]

JSON_LINES = (".jsonl", ".ndjson")
FORMATS = (".json", *JSON_LINES)


def read_dataset(path: str) -> list[Record]:
    """Return the records of a dataset file in file order, each a dict with all of its keys. See read_hashed_dataset."""
    return read_hashed_dataset(path)[0]


def read_hashed_dataset(path: str) -> tuple[list[Record], str]:
    """Return the records of a dataset file in file order, and the SHA-256 of the bytes that they were read from, in hex.

    The extension decides: `.json` is an array of objects, `.jsonl` one object a line (blank lines are passed over).
    NaN and Infinity, which some tools write though JSON has none, become null, and a line on stderr counts them.
    Raises UserError for a file that cannot be read, is not valid JSON, holds no record, or holds something else.
    """
    data = _read_bytes(path)
    text = _decode(data, path)
    non_finite: list[str] = []
    if dataset_format(path) == ".json":
        records = _parse_json(text, path, non_finite)
        if not isinstance(records, list):
            raise UserError(f"{path}: this is {json_type(records)}, not an array of records; a .json dataset is [{{...}}, {{...}}]")
    else:
        # Only "\n" ends a line: str.splitlines would also cut at U+2028, which JSON strings may hold.
        lines = enumerate(text.split("\n"), start=1)
        records = [_parse_json(line, path, non_finite, number) for number, line in lines if line.strip()]
    if not records:
        raise UserError(f"{path}: no records in it")
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise UserError(f"{path}: record {index} is {json_type(record)}, not an object with instruction and output")
    if non_finite:
        print(f"note: {path}: {len(non_finite)} NaN or Infinity, which JSON does not have, read as null", file=sys.stderr)
    return records, hashlib.sha256(data).hexdigest()


def check_fields(records: list[Record], path: str) -> None:
    """Raise UserError for the first record that cannot be scored as an instruction, an optional input and an output.

    `input` may be missing, null or empty. The message names file, record index, field and value.
    """
    for index, record in enumerate(records):
        for field in ("instruction", "input", "output"):
            value = record.get(field)
            if field == "input" and value is None:
                continue
            if not isinstance(value, str):
                seen = f"is {describe(value)}" if field in record else "is missing"
                raise UserError(f"{path}: record {index}: field {field!r} {seen}; it must be a string")
            if not value.isascii() and not _is_encodable(value):
                raise UserError(
                    f"{path}: record {index}: field {field!r} holds half of a surrogate pair, which is no character: "
                    f"{shorten(value)}; mend or remove it"
                )


def write_dataset(path: str, records: list[Record]) -> None:
    """Write records as `path`'s extension asks, one record a line in either format. Raises UserError if it cannot."""
    as_lines = dataset_format(path) != ".json"
    opening, separator, closing = ("", "\n", "\n") if as_lines else ("[\n", ",\n", "\n]\n")
    with atomic_writer(path) as file:
        file.write(opening.encode())
        for index, record in enumerate(records):
            if index:
                file.write(separator.encode())
            try:
                file.write(encode_json(record))
            except (ValueError, RecursionError) as error:
                raise UserError(f"{path}: record {index} cannot be written as JSON: {error}; mend it in the input") from None
        file.write(closing.encode())


def dataset_format(path: str) -> str:
    """Return the lower-case extension of a dataset path, one of FORMATS, or raise UserError."""
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        raise UserError(f"{path}: the file name must end in .json (an array) or .jsonl (a record a line)")
    return extension


def encode_json(value: Any) -> bytes:
    """Return one line of strict JSON in UTF-8, without the line end. Raises ValueError for NaN and Infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8 form; its \u escape is valid JSON and reads back as the same string.
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")


@contextlib.contextmanager
def atomic_writer(path: str) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the place of `path` on success and disappears on any failure.

    Raises UserError when the folder cannot be made or written, or the disk is full.
    """
    target = Path(path)
    # The process id keeps two runs apart; a run that was killed leaves its file behind, never a broken target.
    temporary = target.with_name(f".{target.name[:20]}.{os.getpid()}.tmp")
    opened = renamed = False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            opened = True
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        renamed = True
    except OSError as error:
        raise UserError(f"{path}: cannot be written, nothing was changed: {error.strerror}; free space or choose another place") from None
    finally:
        if opened and not renamed:
            temporary.unlink(missing_ok=True)


def refuse_overwriting(save_path: str, *inputs: str) -> None:
    """Raise UserError when the output of a step is one of its inputs."""
    for path in inputs:
        if os.path.realpath(save_path) == os.path.realpath(path):
            raise UserError(f"{save_path}: the output would overwrite an input of this step; give the output another name")


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex. Raises UserError if the file cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def read_text(path: str) -> str:
    """Return a file's text, without a byte-order mark. Raises UserError if it is missing, unreadable or not UTF-8."""
    return _decode(_read_bytes(path), path)


def _read_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}: {error.reason}; convert it to UTF-8") from None


def json_type(value: Any) -> str:
    """Return what a Python value is in JSON, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def describe(value: Any) -> str:
    """Return a value and its JSON type, for messages: `7 (a number)`."""
    return "null" if value is None else f"{shorten(value)} ({json_type(value)})"


def shorten(value: Any, num_chars: int = 40) -> str:
    """Return a value as ASCII JSON of at most `num_chars` characters, for messages."""
    text = json.dumps(value)
    return text if len(text) <= num_chars else text[: num_chars - 3] + "..."


def _parse_json(text: str, path: str, non_finite: list[str], line: int | None = None) -> Any:
    try:
        return json.loads(text, parse_constant=non_finite.append)
    except json.JSONDecodeError as error:
        hint = ""
        if line == 1 and text.lstrip().startswith("["):
            hint = "; if the file is one array, its name must end in .json"
        if line is None and error.msg == "Extra data":
            hint = "; if it holds one record a line, its name must end in .jsonl"
        where = f"line {line or error.lineno} column {error.colno}"
        raise UserError(f"{path}: {where}: broken JSON: {error.msg}{hint}") from None
    except (ValueError, RecursionError) as error:
        # A number of more than 4,300 digits, or arrays nested a thousand deep.
        where = f"line {line}: " if line else ""
        raise UserError(f"{path}: {where}JSON that cannot be read: {error}") from None


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
