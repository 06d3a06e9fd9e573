"""Test sets: the questions that two models answer. Five public ones, the bundled sample, and anyone's own.

A set called NAME lies in NAME_test_set.jsonl, one question a line, in the folder of the environment variable
TEST_DATA_DIR, or else in evaluation/test_data: below the working directory, as the original tool has it, or ours.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records.dataset import read_dataset
from records.record import Record
from shared.cli import UserError
from shared.texts import describe

BUNDLED_FOLDER = Path(__file__).parents[2] / "test_data"
PUBLISHED_FOLDER = Path("evaluation", "test_data")


@dataclass(frozen=True)
class QuestionKeys:
    """Where a test set keeps what: the keys of its rows."""

    prompt: str = "prompt"
    id: str = "id"
    category: str = "category"


# Sets of other names have the keys prompt, and maybe id, input and category.
PUBLIC_SETS = {
    "vicuna": QuestionKeys(prompt="text", id="question_id"),
    "koala": QuestionKeys(),
    "wizardlm": QuestionKeys(prompt="Instruction", id="idx", category="Skill"),
    "sinstruct": QuestionKeys(prompt="instruction", category="motivation_app"),
    "lima": QuestionKeys(prompt="conversations"),
}


@dataclass(frozen=True)
class Question:
    """One question. `input` is empty where there is none; `row` is the line of the test set as it stands."""

    id: str | int
    category: str | None
    prompt: str
    input: str
    row: Record


def question_keys(dataset_name: str) -> QuestionKeys:
    """Return the keys of a test set's rows."""
    return PUBLIC_SETS.get(dataset_name, QuestionKeys())


def question_set_path(dataset_name: str) -> Path:
    """Return the file of a test set. Raises UserError when there is none, naming the folders that were looked into."""
    folders = [Path(folder) for folder in (os.environ.get("TEST_DATA_DIR"), BUNDLED_FOLDER) if folder]
    if PUBLISHED_FOLDER.is_dir() and PUBLISHED_FOLDER.resolve() != BUNDLED_FOLDER.resolve():
        folders.insert(-1, PUBLISHED_FOLDER)
    for folder in folders:
        path = folder / f"{dataset_name}_test_set.jsonl"
        if path.is_file():
            return path
    remedy = "set TEST_DATA_DIR to its folder"
    if dataset_name in PUBLIC_SETS:
        remedy = "see evaluation/test_data/README.md for how to get it"
    elif dataset_name.lower() in PUBLIC_SETS:
        remedy = f"the public set is called {dataset_name.lower()}"
    raise UserError(
        f"--dataset_name {dataset_name}: no {dataset_name}_test_set.jsonl in {' or '.join(map(str, folders))}; {remedy}"
    )


def read_questions(dataset_name: str) -> list[Question]:
    """Return the questions of a test set in file order; a row without an id gets its number. Raises UserError."""
    path = str(question_set_path(dataset_name))
    return parse_questions(read_dataset(path), dataset_name, path)


def parse_questions(rows: list[Record], dataset_name: str, path: str) -> list[Question]:
    """Return the questions in rows of a test set, or in rows that have more.

    Raises UserError, which names `path` and the row.
    """
    keys = question_keys(dataset_name)
    questions: list[Question] = []
    seen: dict[str | int, int] = {}
    for index, row in enumerate(rows):
        question = Question(
            id=row.get(keys.id, index),
            category=row.get(keys.category),
            prompt=_text(row, keys.prompt, f"{path}: row {index}"),
            input=_input(row, f"{path}: row {index}"),
            row=row,
        )
        if isinstance(question.id, bool) or not isinstance(question.id, str | int):
            raise UserError(
                f"{path}: row {index}: field {keys.id!r} is {describe(question.id)}; it must be a string or a number"
            )
        if question.id in seen:
            raise UserError(
                f"{path}: rows {seen[question.id]} and {index} have the same {keys.id!r}, {describe(question.id)}"
            )
        seen[question.id] = index
        questions.append(question)
    return questions


def _input(row: Record, where: str) -> str:
    # Self-Instruct's way: a list of instances, of which the first is asked.
    instances = row.get("instances")
    if isinstance(instances, list) and instances and isinstance(instances[0], dict):
        return _text(instances[0], "input", where) if instances[0].get("input") is not None else ""
    return _text(row, "input", where) if row.get("input") is not None else ""


def _text(row: Record, key: str, where: str) -> str:
    value: Any = row.get(key)
    if not isinstance(value, str):
        seen = f"is {describe(value)}" if key in row else f"is missing (there are {', '.join(map(repr, row))})"
        raise UserError(f"{where}: field {key!r} {seen}; it must be a string")
    return value
