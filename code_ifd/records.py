"""What a record is, and how files are written: as strict JSON in UTF-8, whole or not at all.

A file is written to a temporary one in the same folder, which then takes its place: a reader finds the old file or the
new one, never half of one.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from cli import UserError

Record = dict[str, Any]

STRICT_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Column:
    """Values to add to records, one a record, None for a record without one: numbers, texts, or scores of turns (dicts)."""

    name: str
    kind: Literal["number", "text", "turns"]
    values: list[Any]


class Chunk(Protocol):
    """Some records that follow each other in a dataset, in the form of its format: JSON objects, or rows of a table."""

    def __len__(self) -> int:
        """Return the number of records."""

    def records(self) -> list[Record]:
        """Return the records, each a dict with all of its keys."""

    def values(self, key: str) -> list[Any] | None:
        """Return the values under a key, None for a record without it; None when no record has it."""

    def with_columns(self, columns: "list[Column]") -> "Chunk":
        """Return the records with values added; values that they have already under those names are replaced."""

    def take(self, indices: list[int]) -> "Chunk":
        """Return the records at these places, in this order."""


def encode_json(value: Any) -> bytes:
    """Return one line of strict JSON in UTF-8, without the line end. Raises ValueError for NaN and Infinity."""
    text = STRICT_JSON.encode(value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8 form; its \u escape is valid JSON and reads back as the same string.
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")


@contextlib.contextmanager
def atomic_writer(path: str) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the place of `path` on success and disappears on any failure.

    Raises UserError when the folder cannot be made or written, the disk is full, or `path` is a device or a pipe.
    """
    target = Path(path)
    # The process id keeps two runs apart; a run that was killed leaves its file behind, never a broken target.
    temporary = target.with_name(f".{target.name[:20]}.{os.getpid()}.tmp")
    opened = renamed = False
    try:
        # A file would take its place: root would lose /dev/null, or the link /dev/stdout.
        if os.path.realpath(target.parent) == "/dev" or (target.exists() and not target.is_file() and not target.is_dir()):
            raise UserError(f"{path}: is a device or a pipe; give the output the name of a file")
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


def make_folder(path: str) -> None:
    """Make a folder for output, unless it is there. Raises UserError when it cannot be made or written into."""
    try:
        os.makedirs(path, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"{path}: cannot be written into: {error.strerror}; choose another folder") from None


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
    return decode(read_bytes(path), path)


def read_bytes(path: str) -> bytes:
    """Return a file's bytes. Raises UserError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def decode(data: bytes, path: str, offset: int = 0) -> str:
    """Return the text of a file's bytes from `offset` on, without a byte-order mark. Raises UserError if it is not UTF-8."""
    try:
        return data.decode("utf-8" if offset else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {offset + error.start}: {error.reason}; convert it to UTF-8") from None


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


def is_encodable(text: str) -> bool:
    """Tell whether a text has a UTF-8 form: half of a surrogate pair has none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
