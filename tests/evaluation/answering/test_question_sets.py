"""Test sets: the public ones as they are, anyone's own, and what is wrong with a row."""

import json
from pathlib import Path
from typing import Any

import pytest

from answering.question_sets import read_questions
from shared.cli import UserError

NUM_QUESTIONS = {"vicuna": 80, "koala": 180, "wizardlm": 218, "sinstruct": 252, "lima": 300}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEST_DATA_DIR", str(tmp_path))
    return tmp_path


def write_set(folder: Path, rows: list[Any]) -> Path:
    path = folder / "mine_test_set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "num"), NUM_QUESTIONS.items())
def test_public_sets(name: str, num: int, real_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATA_DIR", str(real_data_dir / "test_sets"))
    questions = read_questions(name)
    assert len(questions) == len({question.id for question in questions}) == num
    assert all(question.prompt.strip() for question in questions)
    # Only Self-Instruct has inputs; its first instance holds them.
    assert sum(bool(question.input) for question in questions) == (208 if name == "sinstruct" else 0)


def test_categories_of_a_public_set(real_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATA_DIR", str(real_data_dir / "test_sets"))
    assert {question.category for question in read_questions("vicuna")} >= {"generic", "math", "writing"}


def test_own_set_needs_nothing_but_a_prompt(folder: Path) -> None:
    write_set(
        folder,
        [
            {"prompt": "a"},
            {"prompt": "b", "id": "x", "input": "c", "category": "d", "more": 1},
            {"prompt": "e", "input": None},
        ],
    )
    assert [(q.id, q.category, q.prompt, q.input) for q in read_questions("mine")] == [
        (0, None, "a", ""),
        ("x", "d", "b", "c"),
        (2, None, "e", ""),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "a"}], "row 0: field 'prompt' is missing (there are 'question'); it must be a string"),
        ([{"prompt": "a"}, {"prompt": 7}], "row 1: field 'prompt' is 7 (a number); it must be a string"),
        ([{"prompt": "a", "input": []}], "row 0: field 'input' is [] (an array); it must be a string"),
        ([{"prompt": "a", "id": True}], "row 0: field 'id' is true (a boolean); it must be a string or a number"),
        ([{"prompt": "a", "id": 1}, {"prompt": "b", "id": 1}], "rows 0 and 1 have the same 'id', 1 (a number)"),
        ([{"prompt": "a", "instances": [{"input": 7}]}], "row 0: field 'input' is 7 (a number); it must be a string"),
    ],
)
def test_row_that_is_no_question_is_named(rows: list[Any], message: str, folder: Path) -> None:
    path = write_set(folder, rows)
    with pytest.raises(UserError) as caught:
        read_questions("mine")
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("vicuna", "see evaluation/test_data/README.md"),
        ("Vicuna", "the public set is called vicuna"),
        ("nothing", "set TEST_DATA_DIR"),
    ],
)
def test_missing_set_says_where_it_was_looked_for(name: str, remedy: str, folder: Path) -> None:
    with pytest.raises(UserError, match=f"no {name}_test_set.jsonl in {folder} or .*; {remedy}"):
        read_questions(name)
