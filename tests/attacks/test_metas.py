"""Meta files, score files and journals that somebody has edited or damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from records.journal import LineJournal
from scored_data import make_meta
from script_runs import RunScript, error_line, files_in, write_json
from shared.cli import UserError

RECORDS = [{"instruction": f"Name {index} things.", "output": f"Here are {index} of them."} for index in range(4)]
LINE = '{"ppl": [0, 2.0, 0, 1.5], "loss": [0, 0.69, 0, 0.41], "tokens": [5, 5], "se": 0.1}'
WRONG: list[Any] = [5, "text", [1], None, True, 2.5, {"a": 1}]


def merge(run_script: RunScript, folder: Path, meta: Any, lines: str) -> str:
    """Run step 2 on scores with this meta, where it must fail and change nothing; return its error."""
    write_json(folder / "data.json", RECORDS)
    write_json(folder / "s.jsonl.meta.json", meta)
    (folder / "s.jsonl").write_text(lines, encoding="utf-8")
    before = files_in(folder)
    done = run_script(
        *("put_analysis_to_data", "--json_data_path", "data.json", "--json_save_path", "out.json"),
        *("--pt_data_path", "s.jsonl"),
        cwd=folder,
    )
    error = error_line(done)
    assert files_in(folder) == before
    return error


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("key", ["selection", "fields", "chat_date", "versions", "num_records", "data_path", "prompt"])
def test_meta_with_a_value_of_another_type_is_refused(
    run_script: RunScript, tmp_path: Path, key: str, value: Any
) -> None:
    if isinstance(make_meta().get(key, value), type(value)) and key in make_meta():
        pytest.skip("a value of the right type is another run's, which other tests are about")
    if key in ("selection", "fields") and isinstance(value, dict):
        value = [value]
    if key == "chat_date" and isinstance(value, str):
        value = [value]
    error = merge(run_script, tmp_path, make_meta() | {key: value}, f"{LINE}\n" * 4)
    assert "not the meta file of a score file" in error


@pytest.mark.parametrize("meta", [5, [], "text", None, {}, {"format": 1}], ids=repr)
def test_meta_that_is_none_is_refused(run_script: RunScript, tmp_path: Path, meta: Any) -> None:
    assert "not the meta file of a score file" in merge(run_script, tmp_path, meta, f"{LINE}\n" * 4)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"turns": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"ppl": [0, 1e999, 0, 1.5], "loss": [0, 1, 0, 1], "tokens": [5, 5]}',
        '{"ppl": [0, NaN, 0, 1.5], "loss": [0, 1, 0, 1], "tokens": [5, 5]}',
        '{"ppl": [0, 2, 0], "loss": [0, 1, 0, 1], "tokens": [5, 5]}',
        '{"ppl": [0, "2", 0, 2], "loss": [0, 1, 0, 1], "tokens": [5, 5]}',
        '{"ppl": [0, 2, 0, 0.5], "loss": [0, 1, 0, 1], "tokens": [5, 5]}',
        '{"ppl": [0, 2, 0, 2], "loss": [0, 1, 0, 1], "tokens": [5]}',
        '{"ppl": [0, 2, 0, 2], "loss": [0, 1, 0, 1], "tokens": [5, 5], "se": -1}',
        '{"ppl": [0, 2, 0, 2], "loss": [0, 1, 0, 1], "tokens": [5, 5], "se": "x"}',
        '{"ppl": [true, 2, 0, 2], "loss": [0, true, 0, 1], "tokens": [5, 5]}',
        '{"skipped": 5}',
        '{"skipped": "no_prompt", "ppl": [0, 2, 0, 2]}',
        "5",
        "null",
        '"text"',
        "{",
        "",
        "9" * 5000,
    ],
    ids=lambda line: line[:24],
)
def test_score_line_that_is_none_is_refused(run_script: RunScript, tmp_path: Path, line: str) -> None:
    meta = make_meta(num_records=4, start_idx=0, end_idx=4)
    error = merge(run_script, tmp_path, meta, f"{LINE}\n{line}\n{LINE}\n{LINE}\n")
    assert error.startswith("s.jsonl: line 2: not a score line: ") or "data" in error


@pytest.mark.parametrize(
    ("content", "num_kept"),
    [
        (b'{"run": 1}\n{"a": 1}\n{"a": 2}', 2),  # an editor took the last line end away
        (b'{"run": 1}\n{"a": 1}\n{"a": 2', 1),
        (b'{"run": 1}\n{"a": 1}\n\x00\x00\x00', 1),
        (b'{"run": 1}', 0),
        (b'{"run": 1', 0),
    ],
)
def test_journal_keeps_whole_lines_whatever_ends_it(tmp_path: Path, content: bytes, num_kept: int) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    with LineJournal(str(path), {"run": 1}, "--save_path") as journal:
        assert len(journal.entries) == num_kept
        journal.append([{"a": 9}])
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == [{"run": 1}, *({"a": number + 1} for number in range(num_kept)), {"a": 9}]


@pytest.mark.parametrize("middle", [b"", b"{", b"5", b"[]", b"\xff", b"[" * 100_000], ids=lambda data: data[:5])
def test_journal_that_is_damaged_in_the_middle_is_refused(tmp_path: Path, middle: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"run": 1}\n' + middle + b'\n{"a": 2}\n')
    with pytest.raises(UserError, match="damaged at line 2"):
        LineJournal(str(path), {"run": 1}, "--save_path")
