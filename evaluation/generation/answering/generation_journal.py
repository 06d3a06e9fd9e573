"""The journal of a generation: a line for each finished batch.

It lies beside the generation file, which is written when all are there.

It stays: it says what the answers were made with, and that they are all there.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from answering.generation_file import GenerationRow, answered_row, skipped_row
from answering.question_sets import Question
from records.dataset import read_dataset, write_dataset
from records.journal import LineJournal
from shared.cli import UserError
from shared.files import open_locked

# What decides where the files lie.
FLAG = "--output_dir (EVAL_DIR of the shell scripts)"


def generation_journal_path(output: str) -> str:
    """Return where the journal of a generation file lies."""
    return f"{output}.journal.jsonl"


@contextlib.contextmanager
def open_journal(output: str, header: dict[str, Any]) -> Iterator[LineJournal]:
    """Yield the journal of a generation file.

    Raises UserError when it is another run's, or when the file lies there without one.
    """
    path = generation_journal_path(output)
    if Path(output).exists() and not Path(path).exists():
        raise UserError(
            f"{output}: exists, but {path} does not, so nothing says how it was made; remove it, or give {FLAG} "
            "another name"
        )
    _forget_unused(path)
    with LineJournal(path, header, FLAG) as journal:
        try:
            yield journal
        finally:
            if not journal.entries:
                Path(path).unlink(missing_ok=True)


def _forget_unused(path: str) -> None:
    """Remove a journal that holds nothing but its header: its run was killed before the first batch was done."""
    if not Path(path).exists():
        return
    fd = open_locked(path, FLAG)
    try:
        if Path(path).read_bytes().count(b"\n") <= 1:
            Path(path).unlink()
    finally:
        os.close(fd)


def rows_of(journal: LineJournal, questions: list[Question]) -> dict[int, GenerationRow]:
    """Return the rows that are done, by the indices of their questions.

    Raises UserError for a journal that is damaged.
    """
    rows = {}
    try:
        for entry in journal.entries:
            for index in entry.get("skipped", []):
                rows[index] = skipped_row(questions[index], "long_prompt")
            for answer in entry.get("answers", []):
                question = questions[answer["place"]]
                rows[answer["place"]] = answered_row(question, answer["raw_output"], answer["response"])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(
            f"{journal.path}: damaged: {error!r}; remove it and its generation file, and generate again"
        ) from None
    return rows


def write_generation_file(output: str, rows: dict[int, GenerationRow]) -> None:
    """Write the generation file, or find it as it was written before. Raises UserError when it was changed since."""
    in_order = [rows[index] for index in range(len(rows))]
    if not Path(output).exists():
        write_dataset(output, in_order)
    elif read_dataset(output) != in_order:
        raise UserError(
            f"{output}: was changed after it was made; remove it and run again to get it back, or give {FLAG} another "
            "name"
        )
