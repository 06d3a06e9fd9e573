"""Selected records are found in their dataset by what they say, not by where they stand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.selected_records import SelectedRecords
from shared.cli import UserError


def record(text: str, **more: Any) -> dict[str, Any]:
    return {"instruction": text, "input": "", "output": "b"} | more


def numbers(
    folder: Path, selected: list[dict], data: list[dict], scores: list[float] | None = None, fields: dict | None = None
) -> list[int]:
    path = folder / "selected.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in selected), encoding="utf-8")
    found = SelectedRecords(str(path), fields or {})
    for index, row in enumerate(data):
        found.look_at(row, index, f"record {index}")
    return found.numbers(np.array(scores or [0.5] * len(data)), "data.json")


def test_order_and_other_keys_do_not_matter(tmp_path: Path) -> None:
    data = [record(text, id=text) for text in "abcd"]
    assert numbers(tmp_path, [record("d", ifd_ppl=0.9), record("b", input=None)], data) == [1, 3]


def test_as_many_copies_are_selected_as_the_file_has_and_those_with_the_highest_score(tmp_path: Path) -> None:
    data, scores = [record("a")] * 4, [0.1, float("nan"), 0.7, 0.7]
    assert numbers(tmp_path, [record("a")], data, scores) == [2]
    assert numbers(tmp_path, [record("a")] * 2, data, scores) == [2, 3]
    assert numbers(tmp_path, [record("a")] * 3, data, scores) == [0, 2, 3]


def test_record_that_the_dataset_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"selected.jsonl: record 1 is not in data.json; give the file that was selected from this dataset",
    ):
        numbers(tmp_path, [record("a"), record("z")], [record("a")])


def test_more_copies_than_the_dataset_has_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"record 0 is 2 times in this file, and only 1 times in data.json"):
        numbers(tmp_path, [record("a")] * 2, [record("a")])


def test_conversations_differ_by_their_last_turn(tmp_path: Path) -> None:
    first = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    data = [{"messages": [*first, {"role": "user", "content": last}]} for last in "ab"]
    assert numbers(tmp_path, data[1:], data) == [1]


def test_half_of_a_surrogate_pair_is_found_too(tmp_path: Path) -> None:
    data = [record("half \ud83c"), record("half ?")]
    assert numbers(tmp_path, data[:1], data) == [0]


def test_instruction_does_not_run_into_the_input(tmp_path: Path) -> None:
    data = [record("ab", input="c"), record("a", input="bc")]
    assert numbers(tmp_path, data[1:], data) == [1]


def test_other_keys_can_be_named(tmp_path: Path) -> None:
    data = [{"q": text, "output": "b"} for text in "ab"]
    assert numbers(tmp_path, data[1:], data, fields={"instruction": "q"}) == [1]
