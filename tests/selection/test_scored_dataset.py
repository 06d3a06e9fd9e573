"""What is read of a scored dataset."""

import math
from pathlib import Path

import pytest

from records.dataset import Dataset
from script_runs import write_json
from selection.scored_dataset import read_numbers, response_length
from shared.cli import UserError


def open_dataset(folder: Path, records: list[dict]) -> Dataset:
    write_json(folder / "data.json", records)
    return Dataset(str(folder / "data.json"))


def test_one_entry_a_record_and_nan_for_what_is_no_score(tmp_path: Path) -> None:
    data = open_dataset(tmp_path, [{"a": 1, "b": 0.5}, {"a": None, "b": 0}, {"b": 2}])
    columns = read_numbers(data, ("a", "b"))
    assert [columns["a"][0], columns["b"][0], columns["b"][2]] == [1, 0.5, 2]
    assert [math.isnan(columns["a"][1]), math.isnan(columns["a"][2]), math.isnan(columns["b"][1])] == [True] * 3


def test_a_value_that_is_no_number_is_named_with_its_record(tmp_path: Path) -> None:
    records = [{"a": 1}] * 300 + [{"a": "1"}]
    with pytest.raises(UserError, match=r"record 300: 'a' is .1. \(a string\)"):
        read_numbers(open_dataset(tmp_path, records), ("a",))


def test_a_key_that_no_record_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no record has 'b'; run step 2"):
        read_numbers(open_dataset(tmp_path, [{"a": 1}]), ("a", "b"))


def test_the_length_of_a_conversation_is_that_of_all_its_responses() -> None:
    turns = [("human", "hi"), ("gpt", "four"), ("human", "and"), ("gpt", "six666")]
    record = {"conversations": [{"from": role, "value": text} for role, text in turns]}
    assert response_length(record, {}) == 4 + 6
    assert response_length({"instruction": "a", "output": "answer"}, {}) == 6
    assert response_length({"q": "a", "a": "é\n"}, {"instruction": "q", "output": "a"}) == 2


def test_optional_number_that_no_record_has_is_a_column_of_nan(tmp_path: Path) -> None:
    columns = read_numbers(open_dataset(tmp_path, [{"a": 1}, {"a": 2}]), ("a",), optional=("b", "a"))
    assert list(columns) == ["a", "b"]
    assert columns["a"].tolist() == [1, 2]
    assert all(map(math.isnan, columns["b"])) and len(columns["b"]) == 2
