"""A journal of finished work: one JSON object a line, on the disk before anyone relies on it.

The first line says what the work is part of. A run may be killed at any instant: only the last line can be torn, and it
is cut when the file is opened again.
"""

import contextlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.cli import UserError
from shared.files import doubled_key, encode_json, open_locked, refuse_special, write_durably
from shared.texts import shorten

Entry = dict[str, Any]


class LineJournal:
    """An open journal, locked against other processes. `entries` are the lines after the header, in file order.

    Use it in a `with` statement. `flag` is what messages tell the user to change. Raises UserError when the file is in
    use, damaged, of another run (the message names the first difference), or cannot be written.
    """

    def __init__(self, path: str, header: Entry, flag: str) -> None:
        self.path = path
        self.flag = flag
        self.entries: list[Entry] = []
        self._size = 0  # bytes of whole lines
        self._fd = open_locked(path, flag)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(os.close, self._fd)
            with open(self._fd, "rb", closefd=False) as file:
                data = file.read()
            lines, self._size = _whole_lines(data, path)
            # Nothing is cut before it is sure that the file is this journal.
            if lines:
                _check_header(lines[0], header, path, flag)
            else:
                _check_torn_header(data, header, path, flag)
            if self._size < len(data):
                os.ftruncate(self._fd, self._size)
            elif self._size > len(data):
                write_durably(self._fd, b"\n", len(data))
            self.entries = lines[1:]
            if not lines:
                self._write([header])
            on_failure.pop_all()

    def __enter__(self) -> "LineJournal":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._fd)

    def append(self, entries: list[Entry]) -> None:
        """Add entries with one write and return when they are on the disk. Raises UserError when they cannot be."""
        self._write(entries)
        self.entries += entries

    def _write(self, entries: list[Entry]) -> None:
        data = b"".join(encode_json(entry) + b"\n" for entry in entries)
        try:
            write_durably(self._fd, data, self._size)
        except OSError as error:
            raise UserError(
                f"{self.path}: writing failed: {error.strerror}; what was finished before is kept, and the same "
                "command goes on from there once there is space"
            ) from None
        self._size += len(data)


def read_entries(path: str, header: Entry, flag: str) -> list[Entry]:
    """Return the entries of a journal without a change or a lock, none where there is no file. Raises UserError."""
    refuse_special(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; choose another {flag}") from None
    lines, _ = _whole_lines(data, path)
    if lines:
        _check_header(lines[0], header, path, flag)
    return lines[1:]


def _whole_lines(data: bytes, path: str) -> tuple[list[Entry], int]:
    """The entries, header first, and the number of bytes that they take, with a line end each. What follows is torn."""
    entries: list[Entry] = []
    size = 0
    lines = data.split(b"\n")
    if (last := lines.pop()) and _parse(last, path, len(lines) + 1) is not None:
        lines.append(last)  # whole but for its line end, which an editor may have taken
    for number, line in enumerate(lines, start=1):
        entry = _parse(line, path, number)
        if entry is None and number == len(lines):
            # A power cut can leave a last line whose end was written and whose middle was not.
            break
        if entry is None:
            raise UserError(f"{path}: damaged at line {number}: not a JSON object; mend or remove that line")
        entries.append(entry)
        size += len(line) + 1
    return entries, size


def _check_torn_header(data: bytes, header: Entry, path: str, flag: str) -> None:
    """Raise UserError where a file without a whole line is not the beginning of this journal, but somebody's file."""
    # A power cut can leave zeros for what was not written.
    if not (encode_json(header) + b"\n").startswith(data.rstrip(b"\n").rstrip(b"\0")):
        raise UserError(f"{path}: is there already and is no journal of ours; remove it, or give {flag} another name")


def _check_header(found: Entry, wanted: Entry, path: str, flag: str) -> None:
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            raise UserError(
                f"{path}: holds work of another run ({key}: {shorten(found.get(key), 80)} there, "
                f"{shorten(wanted.get(key), 80)} now); go on with what it was begun with, or give {flag} another name"
            )


def _parse(line: bytes, path: str, number: int) -> Entry | None:
    doubled: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> Entry:
        found = dict(pairs)
        if len(found) < len(pairs):
            doubled.append(doubled_key(pairs))
        return found

    try:
        entry = json.loads(line, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return None
    if doubled:
        raise UserError(
            f"{path}: line {number}: the key {doubled[0]!r} is there twice in one object, and one value would be lost; "
            "leave one of them"
        )
    return entry if isinstance(entry, dict) else None
