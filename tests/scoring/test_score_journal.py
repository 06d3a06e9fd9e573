"""The journal: what is on disk stays, what is torn is cut, and nobody else's file is touched."""

import os
from pathlib import Path

import pytest

from records.record import Skipped
from scoring.score_file import META_FORMAT, ScoreFile, encode_lines, score_line, skipped_line
from scoring.score_journal import ScoreJournal
from shared.cli import UserError

PER_CHUNK = 4


def meta(num_records: int = 10, **changes: object) -> dict:
    """The meta of a run over `num_records` records in chunks of four."""
    return {
        "format": META_FORMAT,
        "model": "tiny",
        "model_fingerprint": "sha256:0",
        "dtype": "float32",
        "max_length": 64,
        "prompt": "none",
        "data_path": "data.json",
        "data_sha256": "1",
        "num_records": num_records,
        "start_idx": 0,
        "end_idx": num_records,
        "records_per_window": PER_CHUNK,
        "versions": {"torch": "1"},
    } | changes


def lines(start: int, stop: int) -> list[dict]:
    return [
        score_line(2 + index / 10, 1.0, 5, 5) if index % 3 else skipped_line("empty_response")
        for index in range(start, stop)
    ]


def write_chunks(path: Path, num_chunks: int) -> None:
    with ScoreJournal(str(path), meta()) as journal:
        for _ in range(num_chunks):
            journal.append(lines(journal.num_done, min(journal.num_done + PER_CHUNK, 10)))


def test_chunks_follow_each_other_and_read_back(tmp_path: Path) -> None:
    write_chunks(tmp_path / "scores.jsonl", 3)
    assert (tmp_path / "scores.jsonl").read_bytes() == encode_lines(lines(0, 10))
    scores = list(ScoreFile(str(tmp_path / "scores.jsonl")))
    assert [isinstance(score, Skipped) for score in scores] == [index % 3 == 0 for index in range(10)]


def test_any_cut_resumes_at_a_whole_chunk(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 3)
    whole = path.read_bytes()
    ends = [len(encode_lines(lines(0, count))) for count in (0, 4, 8, 10)]
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with ScoreJournal(str(path), meta()) as journal:
            num_done = journal.num_done
            assert num_done == max(count for count, end in zip((0, 4, 8, 10), ends, strict=True) if end <= size)
            assert os.path.getsize(path) == ends[(0, 4, 8, 10).index(num_done)]
            if num_done == 0:
                journal.append(lines(0, 4))  # or leaving would remove the empty file and its meta


@pytest.mark.parametrize("tail", [b"\0" * 300, b'{"ppl": [0, NaN, 0, 1]}\n', b"garbage\n" * 3])
def test_torn_chunk_is_cut_whatever_it_holds(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 1)
    path.write_bytes(path.read_bytes() + tail)
    with ScoreJournal(str(path), meta()) as journal:
        assert journal.num_done == 4
    assert path.read_bytes() == encode_lines(lines(0, 4))


def test_damage_before_the_last_chunk_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 3)
    damaged = path.read_bytes().replace(b'"loss"', b'"lose"', 1)
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="damaged at line 2"):
        ScoreJournal(str(path), meta())
    assert path.read_bytes() == damaged


def test_line_beyond_the_last_record_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 3)
    path.write_bytes(path.read_bytes() + encode_lines(lines(10, 11)))
    with pytest.raises(UserError, match="damaged at line 11"):
        ScoreJournal(str(path), meta())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"dtype": "bfloat16"}, 'dtype: "float32" there, "bfloat16" now'),
        (
            {"data_sha256": "2", "data_path": "b.json"},
            'data_path: "data.json" there, "b.json" now, and their contents differ',
        ),
        ({"model_fingerprint": "sha256:9"}, 'model_fingerprint: "sha256:0" there, "sha256:9" now'),
        ({"max_length": 32}, "max_length: 64 there, 32 now"),
        ({"prompt": "chat"}, 'prompt: "none" there, "chat" now'),
        ({"start_idx": 1}, "start_idx: 0 there, 1 now"),
        ({"end_idx": 9}, "end_idx: 10 there, 9 now"),
        ({"records_per_window": 5}, "records_per_chunk: 4 there, 5 now"),
        ({"versions": {"torch": "2"}}, 'versions: {"torch": "1"} there, {"torch": "2"} now'),
    ],
)
def test_file_of_another_run_is_refused_with_the_difference(tmp_path: Path, changes: dict, named: str) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 2)
    before = path.read_bytes()
    with pytest.raises(UserError) as error:
        ScoreJournal(str(path), meta() | changes)
    assert f"holds scores of another run ({named})" in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("changes", [{"data_path": "moved.json"}, {"model": "/elsewhere"}])
def test_names_do_not_matter_where_contents_agree(tmp_path: Path, changes: dict) -> None:
    write_chunks(tmp_path / "scores.jsonl", 2)
    with ScoreJournal(str(tmp_path / "scores.jsonl"), meta() | changes) as journal:
        assert journal.num_done == 8


def test_file_without_meta_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text("something of the user's\n", encoding="utf-8")
    with pytest.raises(UserError, match="nothing says what it holds scores of; give --save_path another name"):
        ScoreJournal(str(path), meta())
    assert path.read_text(encoding="utf-8") == "something of the user's\n"


@pytest.mark.parametrize("text", ["{", "[]", '{"dtype": "float32"}'])
def test_damaged_meta_is_a_users_error(tmp_path: Path, text: str) -> None:
    write_chunks(tmp_path / "scores.jsonl", 1)
    (tmp_path / "scores.jsonl.meta.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"scores\.jsonl\.meta\.json"):
        ScoreJournal(str(tmp_path / "scores.jsonl"), meta())


def test_second_writer_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "scores.jsonl")
    with ScoreJournal(path, meta()), pytest.raises(UserError, match="another process is writing it"):
        ScoreJournal(path, meta())


def test_run_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    with ScoreJournal(str(tmp_path / "scores.jsonl"), meta()):
        assert (tmp_path / "scores.jsonl.meta.json").exists()
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_finished_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.jsonl"
    write_chunks(path, 1)
    real_write = os.pwrite

    def disk_fills_up(fd: int, data: memoryview, offset: int) -> int:
        if offset > len(encode_lines(lines(0, 4))):
            raise OSError(28, "No space left on device")
        return real_write(fd, data[:10], offset)  # a partial write first, as a filling disk gives

    monkeypatch.setattr(os, "pwrite", disk_fills_up)
    with (
        ScoreJournal(str(path), meta()) as journal,
        pytest.raises(UserError, match="No space left on device; the first 4 of 10 records are kept"),
    ):
        journal.append(lines(4, 8))
    assert path.read_bytes() == encode_lines(lines(0, 4))


def test_disk_with_no_room_for_the_scores_is_an_error_before_scoring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 2299})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match="2,299 bytes free and the scores need about 2,300"):
        ScoreJournal(str(tmp_path / "scores.jsonl"), meta())


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"file/scores\.jsonl: cannot be written"):
        ScoreJournal(str(tmp_path / "file" / "scores.jsonl"), meta())
