"""Answers on the disk: what `add` has returned for is there, whatever happens to those that wait."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from judging.answer_journal import HEADER, AnswerJournal, JournalContent, read_answer_journal
from judging.outcomes import JudgeAnswer
from shared.cli import UserError


def answer(number: int) -> JudgeAnswer:
    return JudgeAnswer(f"{number} 9\n\u2028\U0001f389", "judge-1", "stop", number, None)


async def add_all(journal: AnswerJournal, numbers: range) -> list[object]:
    return await asyncio.gather(
        *(journal.add(str(number), answer(number)) for number in numbers), return_exceptions=True
    )


def test_answers_read_back(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.jsonl")
    with AnswerJournal(path) as journal:
        asyncio.run(add_all(journal, range(3)))
    with AnswerJournal(path) as journal:
        asyncio.run(add_all(journal, range(3, 5)))
        assert journal.answers == {str(number): answer(number) for number in range(5)}
    assert read_answer_journal(path).answers == journal.answers


def test_reading_without_a_journal_makes_none(tmp_path: Path) -> None:
    assert read_answer_journal(str(tmp_path / "journal.jsonl")) == JournalContent()
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_there_only_when_it_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))

    async def add(journal: AnswerJournal) -> None:
        adding = journal.add("a", answer(1))
        await asyncio.sleep(0)
        assert journal.answers == {} and not adding.done()
        await adding
        assert set(journal.answers) == {"a"} and synced[-1] == (tmp_path / "journal.jsonl").stat().st_size

    with AnswerJournal(str(tmp_path / "journal.jsonl")) as journal:
        asyncio.run(add(journal))


def test_answers_that_come_together_share_a_turn_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    num_syncs = 0

    def count(fd: int) -> None:
        nonlocal num_syncs
        num_syncs += 1

    monkeypatch.setattr(os, "fsync", count)
    with AnswerJournal(str(tmp_path / "journal.jsonl")) as journal:
        asyncio.run(add_all(journal, range(100)))
    assert num_syncs <= 3  # the header, and at most two groups


def test_a_full_disk_is_told_to_all_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> int:
        raise OSError(28, "No space left on device")

    with AnswerJournal(str(tmp_path / "journal.jsonl")) as journal:
        monkeypatch.setattr(os, "pwrite", fail)
        results = asyncio.run(add_all(journal, range(3)))
        assert [type(result) for result in results] == [UserError] * 3 and journal.answers == {}


def test_an_answer_whose_asker_has_gone_is_kept(tmp_path: Path) -> None:
    async def cancel(journal: AnswerJournal) -> None:
        journal.add("a", answer(1)).cancel()
        await journal.flush()

    with AnswerJournal(str(tmp_path / "journal.jsonl")) as journal:
        asyncio.run(cancel(journal))
        assert set(journal.answers) == {"a"}


@pytest.mark.parametrize(
    "entry", [{"key": "a"}, {"text": "8 9"}, {"key": "a", "text": 7}, {"key": "a", "text": "b", "more": 1}]
)
def test_a_line_that_is_no_answer_is_named(entry: dict, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps(HEADER) + "\n" + json.dumps(entry) + "\n{}\n")
    for open_journal in (AnswerJournal, read_answer_journal):
        with pytest.raises(UserError, match="line 2 is not the answer of a judge"):
            open_journal(str(path))
