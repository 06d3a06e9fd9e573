"""What a report says of the next step: the command of step 3, or how a trainer is told of the file."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from reporting.next_step import step_3, train_on
from script_runs import RunScript, write_json


def test_command_is_one_that_step_3_runs(run_script: RunScript, tmp_path: Path) -> None:
    records = [{"instruction": f"{index}", "output": "x", "ifd_ppl": index / 10} for index in range(1, 10)]
    write_json(tmp_path / "my data.json", records)
    snippet = step_3("my data.json", ["--sample_num", "2", "--filter_threash", "0.8"]).snippet
    python, script, *flags = shlex.split(snippet.replace("\\\n", ""))
    assert (python, script) == ("python", "code_ifd/select_data.py")
    assert run_script("select_data", *flags, cwd=tmp_path).returncode == 0
    chosen = json.loads((tmp_path / "selected.json").read_text(encoding="utf-8"))
    assert [record["instruction"] for record in chosen] == ["7", "6"]


@pytest.mark.parametrize(
    ("record", "keys"),
    [
        ({"instruction": "a", "output": "b"}, ["file_name"]),
        ({"conversations": [{"from": "human", "value": "a"}]}, ["file_name", "formatting", "columns"]),
        ({"messages": [{"role": "user", "content": "a"}]}, ["file_name", "formatting", "columns", "tags"]),
    ],
    ids=["alpaca", "sharegpt", "messages"],
)
def test_entry_for_a_trainer_is_json_that_names_the_file(record: dict[str, Any], keys: list[str]) -> None:
    entry = json.loads(train_on("out/my \u6c49 selected.json", record).snippet)["superfiltered"]
    assert (list(entry), entry["file_name"]) == (keys, "/path/to/my \u6c49 selected.json")


@pytest.mark.parametrize(
    "record",
    [
        {"question": "a", "answer": "b"},
        {"instruction": ["a"], "output": "b"},
        {"messages": []},
        {"messages": [1]},
        {"conversations": [["a", "b"]]},
        {},
    ],
)
def test_records_of_other_keys_have_no_entry(record: dict[str, Any]) -> None:
    step = train_on("out/selected.json", record)
    assert step.snippet == "" and "README" in step.lines[-1]
