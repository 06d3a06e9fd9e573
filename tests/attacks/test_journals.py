"""Journals, metas and score lines of others, or with values that no run has written."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from records.journal import read_entries
from scored_data import flags, make_meta
from scoring.mixed import open_rescored
from scoring.score_file import meta_path
from scoring.score_journal import ScoreJournal
from script_runs import RunScript, error_line, files_in, write_json
from shared.cli import UserError

LINE = {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75], "tokens": [3, 3], "se": 0.1}
RECORDS = [{"instruction": "Add.", "input": "", "output": "2"}] * 2
DEEP = "[" * 100_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dataset of two records and their scores."""
    data = write_json(tmp_path / "data.json", RECORDS)
    (tmp_path / "scores.jsonl").write_text((json.dumps(LINE) + "\n") * 2, encoding="utf-8")
    write_meta(tmp_path, data)
    return tmp_path


def write_meta(folder: Path, data: Path, **changes: Any) -> None:
    values = {"data_sha256": hashlib.sha256(data.read_bytes()).hexdigest(), "num_records": 2, "end_idx": 2}
    write_json(folder / "scores.jsonl.meta.json", make_meta(**values) | changes)


def step_2(run_script: RunScript, folder: Path, scores: str = "scores.jsonl") -> Any:
    command = ["--pt_data_path", scores, "--json_data_path=data.json", "--json_save_path=new.json"]
    return run_script("put_analysis_to_data", *command, cwd=folder)


def test_the_whole_meta_is_taken(run_script: RunScript, folder: Path) -> None:
    assert step_2(run_script, folder).returncode == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("selection", 5),
        ("selection", []),
        ("selection", "10"),
        ("selection", None),
        ("selection", {}),
        ("selection", {"num_wanted": "5", "filter_threash": "1"}),
        ("selection", {"num_wanted": 5, "filter_threash": 1}),
        ("selection", {"num_wanted": True, "filter_threash": "1"}),
        ("selection", {"num_wanted": 5, "filter_threash": "1", "key_name": ["ifd_ppl"]}),
        ("fields", "instruction=q"),
        ("chat_date", 20261126),
        ("data_commit", []),
        ("model", 7),
        ("format", "1"),
        ("format", True),
        ("max_length", 64.0),
        ("prompt", None),
        ("data_path", ["data.json"]),
        ("data_sha256", 0),
        ("num_records", "2"),
        ("start_idx", -1),
        ("end_idx", 3),
        ("end_idx", 10**400),
        ("records_per_window", 0),
        ("versions", []),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_type_in_a_meta_is_one_line(run_script: RunScript, folder: Path, key: str, value: Any) -> None:
    write_meta(folder, folder / "data.json", **{key: value})
    before = files_in(folder)
    line = error_line(step_2(run_script, folder))
    assert line.startswith("scores.jsonl.meta.json: not the meta file of a score file: ")
    assert len(line) < 400
    assert files_in(folder) == before


@pytest.mark.parametrize(
    "text",
    ["", "7", "[]", "{", DEEP, '{"format": 1, "format": 2}', '{"num_records": ' + "9" * 5000 + "}", "\ufeff", "\x00"],
    ids=lambda text: text[:12] + str(len(text)),
)
def test_broken_meta_is_one_line(run_script: RunScript, folder: Path, text: str) -> None:
    (folder / "scores.jsonl.meta.json").write_text(text, encoding="utf-8")
    assert error_line(step_2(run_script, folder)).startswith("scores.jsonl.meta.json: ")


BAD_LINES = {
    "deep": DEEP,
    "deep_turns": '{"turns": ' + DEEP,
    "deep_value": '{"ppl": ' + "[" * 500 + "]" * 500 + "}",
    "doubled": '{"ppl": [0, 4, 0, 2], "loss": [0, 1, 0, 1], "loss": [0, 2, 0, 1]}',
    "turns_in_turns": '{"turns": [{"turns": [{"skipped": "x"}]}]}',
    "digits": '{"ppl": [0, ' + "9" * 5000 + ", 0, 2]}",
    "skipped": '{"skipped": 5}',
    "array": "[]",
    "bytes": "\x00\x01",
    "surrogate": '{"skipped": "\\ud800"',
}


@pytest.mark.parametrize("has_meta", [True, False])
@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_score_line_is_one_line(run_script: RunScript, folder: Path, name: str, has_meta: bool) -> None:
    (folder / "scores.jsonl").write_text(json.dumps(LINE) + "\n" + BAD_LINES[name] + "\n", encoding="utf-8")
    if not has_meta:
        (folder / "scores.jsonl.meta.json").unlink()
    line = error_line(step_2(run_script, folder))
    assert line.startswith("scores.jsonl: line 2: not a score line: ")
    assert len(line) < 400 and not (folder / "new.json").exists()


@pytest.mark.parametrize("name", BAD_LINES)
def test_bad_last_chunk_is_torn_and_cut(tmp_path: Path, name: str) -> None:
    path, meta = tmp_path / "s.jsonl", make_meta(num_records=8, end_idx=8)
    with ScoreJournal(str(path), meta) as journal:
        journal.append([LINE] * 4)
    whole = path.read_bytes()
    path.write_bytes(whole + BAD_LINES[name].encode() + b"\n")
    with ScoreJournal(str(path), meta) as journal:
        assert journal.num_done == 4
    assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["score file", "meta", "both"])
def test_what_a_run_has_not_made_it_does_not_remove(tmp_path: Path, kind: str) -> None:
    path, meta = tmp_path / "s.jsonl", make_meta()
    if kind != "meta":
        path.touch()
    if kind != "score file":
        write_json(Path(meta_path(str(path))), make_meta(dtype="bfloat16"))
    before = files_in(tmp_path)
    with ScoreJournal(str(path), meta):
        pass
    assert files_in(tmp_path) == before


def test_what_a_run_has_made_for_nothing_it_removes(tmp_path: Path) -> None:
    with ScoreJournal(str(tmp_path / "s.jsonl"), make_meta()):
        assert len(files_in(tmp_path)) == 2
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("content", [b'{"my": "settings"}', b"[1]", b"", b"notes", b'{"format": 1}'])
def test_a_meta_of_others_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.jsonl.meta.json").write_bytes(content)
    with pytest.raises(UserError, match=r"s\.jsonl\.meta\.json: "):
        ScoreJournal(str(tmp_path / "s.jsonl"), make_meta())
    assert files_in(tmp_path) == {tmp_path / "s.jsonl.meta.json": content}


@pytest.mark.parametrize(
    "content",
    [
        b"my numbers\n",
        b"[1, 2]\n",
        b'{"my": "numbers"}\n',
        b'{"rough_sha256": "x", "more": 1}\n',
        b'{"rough_sha256": ["x"], "a": 1}\n{"records": [0]}\n',
        DEEP.encode() + b"\n",
    ],
    ids=lambda content: str(content[:20]),
)
def test_a_file_of_others_is_no_journal_of_rescored_lines(tmp_path: Path, content: bytes) -> None:
    rough, path = tmp_path / "rough", tmp_path / "s.jsonl.float32"
    rough.write_bytes(b"rough")
    path.write_bytes(content)
    with pytest.raises(UserError):
        open_rescored(str(path), str(rough))
    assert path.read_bytes() == content


def test_a_journal_of_other_rough_scores_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "rough").write_bytes(b"rough")
    path = tmp_path / "s.jsonl.float32"
    path.write_bytes(b'{"rough_sha256": "another"}\n{"records": [0], "lines": []}\n')
    with open_rescored(str(path), str(tmp_path / "rough")) as journal:
        assert journal.entries == []


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"records": 5, "lines": []},
        {"records": [0], "lines": []},
        {"records": [0], "lines": [7]},
        {"records": ["0"], "lines": [LINE]},
        {"records": [0], "lines": [{"loss": "x"}]},
        {"records": [0]},
    ],
    ids=str,
)
def test_wrong_entry_of_rescored_lines_is_one_line(tmp_path: Path, entry: dict[str, Any]) -> None:
    (tmp_path / "rough").write_bytes(b"rough")
    path = tmp_path / "s.jsonl.float32"
    header = {"rough_sha256": hashlib.sha256(b"rough").hexdigest()}
    path.write_text(json.dumps(header) + "\n" + json.dumps(entry) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="damaged: not the scores of --dtype mixed; remove it"):
        open_rescored(str(path), str(tmp_path / "rough"))


def test_a_journal_that_is_a_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_entries(str(tmp_path), {}, "--flag")


def test_scores_of_nobody_are_not_taken_over(run_script: RunScript, folder: Path, tiny_gpt2: Path) -> None:
    (folder / "scores.jsonl.meta.json").unlink()
    before = files_in(folder)
    line = error_line(run_script("data_analysis", *flags(folder / "data.json", folder / "scores.jsonl", tiny_gpt2)))
    assert "so nothing says what it holds scores of" in line
    assert files_in(folder) == before


def test_a_run_that_cannot_load_its_model_leaves_an_empty_score_file(
    run_script: RunScript, folder: Path, tiny_gpt2: Path
) -> None:
    broken = folder / "broken"
    broken.mkdir()
    for path in tiny_gpt2.iterdir():
        (broken / path.name).write_bytes(b"torn" if path.suffix == ".safetensors" else path.read_bytes())
    (folder / "empty.jsonl").touch()
    before = files_in(folder)
    done = run_script("data_analysis", *flags(folder / "data.json", folder / "empty.jsonl", broken))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert files_in(folder) == before
