"""Keys that a JSON object has twice: one of the values would be lost without a word."""

import json
from pathlib import Path

import pytest

from script_runs import RunScript, error_line, files_in

GOOD = '{"instruction": "Add.", "input": "", "output": "2", "ifd_ppl": 0.5}'
READ = {
    "instruction": '{"instruction": "a", "instruction": "b", "output": "c"}',
    "output": '{"instruction": "a", "output": "b", "output": "c"}',
    "same": '{"instruction": "a", "output": "b", "output": "b"}',
    "null": '{"instruction": "a", "output": null, "output": "b"}',
    "input": '{"instruction": "a", "input": "x", "output": "b", "input": ""}',
    "score": '{"instruction": "a", "output": "b", "ifd_ppl": 0.1, "ifd_ppl": 0.9}',
    "turns": '{"messages": [], "messages": [{"role": "user", "content": "a"}]}',
    "role": '{"messages": [{"role": "user", "role": "system", "content": "a"}, {"role": "assistant", "content": "b"}]}',
    "content": '{"conversations": [{"from": "human", "value": "a", "value": "b"}, {"from": "gpt", "value": "c"}]}',
    "escaped": '{"instruction": "a", "o\\u0075tput": "b", "output": "c"}',
}
EXTRA = {
    "id": '{"instruction": "a", "output": "b", "ifd_ppl": 0.5, "id": 1, "id": 2}',
    "nested": '{"instruction": "a", "output": "b", "ifd_ppl": 0.5, "meta": {"x": [{"y": 1, "y": 2}]}}',
    "empty": '{"instruction": "a", "output": "b", "ifd_ppl": 0.5, "": 1, "": 2}',
    "control": '{"instruction": "a", "output": "b", "ifd_ppl": 0.5, "\\u001b[2J": 1, "\\u001b[2J": 2}',
}


def write(folder: Path, ending: str, record: str) -> Path:
    path = folder / f"data{ending}"
    text = f"[{GOOD},{record}]" if ending == ".json" else f"{GOOD}\n{record}\n"
    path.write_text(text, encoding="utf-8")
    return path


def select(run_script: RunScript, data: Path) -> tuple[object, ...]:
    return ("select_data", "--json_data_path", data, "--json_save_path", data.with_name("new.json"), "--sample_num=2")


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize("name", READ)
def test_key_that_means_something_is_refused(run_script: RunScript, tmp_path: Path, name: str, ending: str) -> None:
    data = write(tmp_path, ending, READ[name])
    before = files_in(tmp_path)
    for command in (
        select(run_script, data),
        ("data_analysis", "--data_path", data, "--save_path", tmp_path / "s.jsonl"),
    ):
        line = error_line(run_script(*command))
        assert line.startswith(f"{data}: record 1: the key ") and "is there twice in one object" in line
        assert files_in(tmp_path) == before


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
@pytest.mark.parametrize("name", EXTRA)
def test_any_other_key_is_told_once_and_its_last_value_kept(
    run_script: RunScript, tmp_path: Path, name: str, ending: str
) -> None:
    data = write(tmp_path, ending, EXTRA[name])
    done = run_script(*select(run_script, data))
    assert done.returncode == 0
    assert done.stderr.startswith(f"note: {data}: record 1: the key ") and done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))[1] == json.loads(EXTRA[name])


def test_keys_of_several_objects_are_not_doubled(run_script: RunScript, tmp_path: Path) -> None:
    record = '{"instruction": "a", "output": "b", "ifd_ppl": 0.5, "m": {"output": 1, "m": {"output": 2}}}'
    done = run_script(*select(run_script, write(tmp_path, ".json", record)))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_deep_record_with_a_doubled_key_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    deep = '{"instruction": "a", "output": "b", "x": 1, "x": ' + "[" * 900 + "]" * 900 + "}"
    done = run_script(*select(run_script, write(tmp_path, ".json", deep)))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.endswith("nested more than 500 deep; mend or remove it\n")
