"""The journal: what was appended stays, a torn line is cut, and another run's file is left alone."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_json import objects
from records import journal as line_journal
from records.journal import LineJournal
from shared.cli import UserError

HEADER = {"format": 1, "model": "tiny"}
ENTRIES = [{"index": index, "text": "é\u2028" * index} for index in range(4)]


def write_journal(path: Path) -> bytes:
    with LineJournal(str(path), HEADER, "--save_name") as journal:
        journal.append(ENTRIES[:1])
        journal.append(ENTRIES[1:])
    return path.read_bytes()


def read_entries(path: Path) -> list[dict]:
    with LineJournal(str(path), HEADER, "--save_name") as journal:
        return journal.entries


def test_entries_read_back(tmp_path: Path) -> None:
    write_journal(tmp_path / "journal.jsonl")
    assert read_entries(tmp_path / "journal.jsonl") == ENTRIES


@settings(max_examples=40, deadline=None)
@given(header=objects, entries=st.lists(objects, max_size=4))
def test_what_is_appended_is_read(header: dict, entries: list[dict], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("any") / "journal.jsonl")
    with LineJournal(path, header, "--save_name") as journal:
        journal.append(entries)
    with LineJournal(path, header, "--save_name") as journal:
        assert repr(journal.entries) == repr(entries)


def test_any_cut_keeps_the_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = write_journal(path)
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        num_lines = whole[: size + 1].count(b"\n")  # a line that lacks its end alone is whole
        assert read_entries(path) == ENTRIES[: max(num_lines - 1, 0)]
        with LineJournal(str(path), HEADER, "--save_name") as journal:
            journal.append(ENTRIES[max(num_lines - 1, 0) :])
        assert path.read_bytes() == whole


@pytest.mark.parametrize("tail", [b"\0" * 30 + b"\n", b"[1]\n", b"garbage\n", b"\n"])
def test_last_line_that_is_no_object_is_cut(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = write_journal(path)
    path.write_bytes(whole + tail)
    assert read_entries(path) == ENTRIES
    assert path.read_bytes() == whole


def test_damage_before_the_last_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = write_journal(path).split(b"\n")
    lines[2] = b"garbage"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UserError, match="damaged at line 3"):
        read_entries(path)


def test_file_of_another_run_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = write_journal(path)
    with pytest.raises(UserError, match=r"model: \"tiny\" there, \"other\" now\); .* give --save_name another name"):
        LineJournal(str(path), HEADER | {"model": "other"}, "--save_name")
    assert path.read_bytes() == whole


def test_second_writer_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    with LineJournal(path, HEADER, "--save_name"), pytest.raises(UserError, match="another process is writing it"):
        LineJournal(path, HEADER, "--save_name")


def test_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    with LineJournal(str(path), HEADER, "--save_name") as journal:
        journal.append(ENTRIES[:2])
        before = path.read_bytes()
        pwrite = os.pwrite

        def write_half(fd: int, data: bytes, offset: int) -> int:
            """Write three bytes, as a disk that is filling up does, then none."""
            if offset > len(before):
                raise OSError(28, "No space left on device")
            return pwrite(fd, data[:3], offset)

        monkeypatch.setattr(os, "pwrite", write_half)
        with pytest.raises(UserError, match="No space left on device; what was finished before is kept"):
            journal.append(ENTRIES[2:])
    assert path.read_bytes() == before
    monkeypatch.undo()
    assert read_entries(path) == ENTRIES[:2]


def test_reading_needs_no_lock_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    whole = write_journal(path)
    path.write_bytes(whole + b'{"torn')
    with LineJournal(str(tmp_path / "other.jsonl"), HEADER, "--save_name"):
        assert read_entries_of(path) == ENTRIES
    assert path.read_bytes() == whole + b'{"torn'


def test_reading_another_runs_file_is_refused_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert read_entries_of(path) == []
    write_journal(path)
    with pytest.raises(UserError, match="holds work of another run"):
        line_journal.read_entries(str(path), HEADER | {"model": "other"}, "--save_name")


def read_entries_of(path: Path) -> list[dict]:
    return line_journal.read_entries(str(path), HEADER, "--save_name")
