"""Files that are no dataset: the error says what is there, and its command makes a dataset of it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from records.dataset import Dataset, read_dataset
from script_runs import write_json
from shared.cli import UserError

RECORDS = [{"instruction": f"say {index}", "output": 'it\'s \u6c49 "so",\nyes'} for index in range(3)]


def error_of(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_dataset(str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def run_command(message: str, path: Path) -> list[dict[str, Any]]:
    """Run what follows the last colon and blank before python3, as a user would, and read what it has written."""
    command = message[message.index("python3 -c") :].replace("python3", sys.executable, 1)
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    subprocess.run(["bash", "-c", command], check=True, env=environment)
    return read_dataset(str(path.with_suffix(".jsonl")))


@pytest.mark.parametrize("path", ["missing.json", "data/my_data", "no.csv", "a/b/c.parquet", "spaced name.jsonl"])
def test_absent_path_is_absent_before_anything_about_its_ending(path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Dataset(str(tmp_path / path))
    assert str(caught.value) == f"{tmp_path / path}: cannot be read: No such file or directory"


@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_table_of_texts_becomes_a_dataset_by_the_command(ending: str, delimiter: str, tmp_path: Path) -> None:
    long = "x" * 200_000  # csv itself stops at 131,072
    path = tmp_path / f"it's a table{ending}"
    rows = [["instruction", "output"], ["a", f'"so, {long}"'], ["\u6c49", '"two\nlines"']]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    path.write_text(text, encoding="utf-8-sig", newline="")
    assert run_command(error_of(path), path) == [
        {"instruction": "a", "output": f"so, {long}"},
        {"instruction": "\u6c49", "output": "two\nlines"},
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"version": "1", "data": RECORDS}, "its field 'data' holds one"),
        ({key: [record[key] for record in RECORDS] for key in RECORDS[0]}, "a table by columns"),
        ({key: {str(n): record[key] for n, record in enumerate(RECORDS)} for key in RECORDS[0]}, "a table by columns"),
        ({str(number): record for number, record in enumerate(RECORDS)}, "records under their numbers"),
    ],
)
def test_json_of_another_form_becomes_a_dataset_by_the_command(value: Any, said: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "data.json", value)
    message = error_of(path)
    assert "this is an object, not an array of records" in message and said in message
    assert run_command(message, path) == RECORDS


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", json.dumps(RECORDS[0]), "but one record; put it in brackets"),
        ("a.json", json.dumps({"id": 1, "messages": [{"role": "user", "content": "q"}]}), "but one record"),
        ("a.json", '{"x": 1}', "this is an object, not an array of records; a .json dataset is [{...}, {...}]"),
        ("a.json", '"x"', "this is a string, not an array of records; a .json dataset is"),
        ("a.json", "{}", "this is an object, not an array of records; a .json dataset is"),
        ("a.json", f"{json.dumps(RECORDS[0])}\n{json.dumps(RECORDS[1])}\n", "its name must end in .jsonl"),
        (
            "a.jsonl",
            json.dumps(RECORDS),
            "record 0 is an array, not an object with instruction and output; if the file ",
        ),
        ("a.jsonl", json.dumps(RECORDS, indent=1), "if the file is one array, its name must end in .json"),
        ("a.txt", "x", "the file name must end in .json (an array)"),
        ("a.xlsx", "x", "save the sheet as CSV, and give that"),
        ("a.zip", "x", "unpack it, and give a file or the folder"),
        ("a.json.gz", "x", "unpack it first"),
    ],
)
def test_other_files_are_errors_with_a_hint(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert said in error_of(tmp_path / name)


@pytest.mark.parametrize("start", ["\ufeff", ""])
def test_joined_lines_may_have_byte_order_marks(start: str, tmp_path: Path) -> None:
    parts = ["\ufeff" + json.dumps(record) + "\n" for record in RECORDS]
    (tmp_path / "a.jsonl").write_text(
        "\n\ufeff\n".join(parts).removeprefix("\ufeff" if not start else ""), encoding="utf-8"
    )
    assert read_dataset(str(tmp_path / "a.jsonl")) == RECORDS


def test_byte_order_mark_in_a_text_stays(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": "\ufeffx\ufeff"}\n', encoding="utf-8")
    assert read_dataset(str(tmp_path / "a.jsonl")) == [{"a": "\ufeffx\ufeff"}]
