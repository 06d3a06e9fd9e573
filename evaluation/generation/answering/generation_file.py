"""Generation files: what one model answered to the questions of a test set.

The generation writes them, the wrap reads them.

A JSON array in the order of the test set. A row is the test set's own with `raw_output`, the new text with its special
tokens, and `response`, without them and stripped. A question that could not be asked has null in both, and the reason
in `skipped`.
"""

import os
from dataclasses import dataclass
from typing import Any

from answering.question_sets import Question, parse_questions, question_keys
from records.dataset import read_dataset
from shared.cli import UserError
from shared.texts import describe

GenerationRow = dict[str, Any]


@dataclass(frozen=True)
class ModelAnswer:
    """A question and what a model answered, or, where `response` is None, why it could not be asked."""

    question: Question
    has_id: bool  # else the question's id is its row number
    response: str | None
    skipped: str | None


def default_output_dir(model: str) -> str:
    """Return where a model's answers lie when nobody says so: in its own folder, as in the original tool.

    That is in logs/ for a model of the Hub or of pip: a folder of its name would be taken for the model next time.
    """
    return os.path.join(model if os.path.isdir(model) else os.path.join("logs", model), "test_inference")


def generation_path(folder: str, dataset_name: str, max_length: int) -> str:
    """Return where the answers to a test set lie in a model's folder."""
    return os.path.join(folder, f"{dataset_name}_{max_length}.json")


def answered_row(question: Question, raw_output: str, response: str) -> GenerationRow:
    """Return the row of an answered question."""
    return question.row | {"raw_output": raw_output, "response": response}


def skipped_row(question: Question, reason: str) -> GenerationRow:
    """Return the row of a question that could not be asked."""
    return question.row | {"raw_output": None, "response": None, "skipped": reason}


def read_generation_file(path: str, dataset_name: str) -> list[ModelAnswer]:
    """Return the answers of a generation file in file order, ours or the original tool's.

    Raises UserError, naming the row.
    """
    if not os.path.exists(path):
        raise UserError(f"{path}: not there; eva_generation.py (do_eval_generation.sh) makes it")
    rows = read_dataset(path)
    id_key = question_keys(dataset_name).id
    answers = []
    for index, question in enumerate(parse_questions(rows, dataset_name, path)):
        row = question.row
        response, reason = row.get("response"), row.get("skipped")
        is_skipped = "response" in row and response is None and isinstance(reason, str)
        if not is_skipped and not isinstance(response, str):
            seen = f"is {describe(response)}" if "response" in row else "is missing"
            raise UserError(f"{path}: row {index}: field 'response' {seen}; it must be a string, the model's answer")
        answers.append(ModelAnswer(question, id_key in row, response, reason if is_skipped else None))
    return answers
