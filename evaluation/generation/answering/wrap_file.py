"""Wrap files: the answers of two models side by side, an entry for each question.

The judge reads them, review files extend them.

{"Meta_Info": {"dataset_name": ...}, "data": [{"prompt": ..., "Answer1": ..., "Answer2": ...}]}

The question lies under the key that it has in its test set. Ours also have `id`, `category` and `input`; files of the
original tool do not.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from answering.question_sets import question_keys
from shared.cli import UserError
from shared.files import atomic_writer, encode_json, read_text, unique_keys
from shared.texts import describe, json_type

WrapRow = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Two answers to one question.

    `id` is the row number where the file has none, `input` empty where there is none.
    """

    id: str | int
    category: str | None
    prompt: str
    input: str
    answer1: str
    answer2: str


@dataclass(frozen=True)
class WrapFile:
    """A wrap file or a review file. `rows` are its entries as they stand, `pairs` the same ones checked."""

    path: str
    meta: dict[str, Any]
    rows: list[WrapRow]
    pairs: list[Pair]

    @property
    def dataset_name(self) -> str:
        """Name of the test set."""
        return self.meta["dataset_name"]


def read_wrap_file(path: str) -> WrapFile:
    """Return a wrap file, or a review file, whose rows have more.

    Raises UserError for anything else, naming the row.
    """
    if not os.path.exists(path):
        raise UserError(
            f"{path}: not there; eval_generation_wrap.py (do_eval_generation_wrap.sh) makes wrap files, eval.py "
            "(do_eval.sh) reviews"
        )
    try:
        content = json.loads(read_text(path), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: broken JSON: {error}; make it again: a wrap file with eval_generation_wrap.py, reviews with "
            "eval.py, which asks nothing twice"
        ) from None
    meta = content.get("Meta_Info") if isinstance(content, dict) else None
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get("dataset_name"), str) or not isinstance(rows, list):
        raise UserError(
            f"{path}: neither a wrap file nor one of reviews: it must be an object with Meta_Info.dataset_name and a "
            "list called data"
        )
    if not rows:
        raise UserError(f"{path}: no pairs in it")
    return WrapFile(path, meta, rows, [_pair(row, index, meta["dataset_name"], path) for index, row in enumerate(rows)])


def write_wrap_file(path: str, meta: dict[str, Any], rows: list[WrapRow]) -> None:
    """Write a wrap file or a review file, whole or not at all. Raises UserError when it cannot be written."""
    with atomic_writer(path) as file:
        file.write(b'{"Meta_Info": ' + encode_json(meta) + b', "data": [\n')
        file.write(b",\n".join(encode_json(row) for row in rows))
        file.write(b"\n]}\n")


def _pair(row: Any, index: int, dataset_name: str, path: str) -> Pair:
    if not isinstance(row, dict):
        raise UserError(f"{path}: pair {index} is {json_type(row)}, not an object")
    prompt_key = question_keys(dataset_name).prompt
    texts = []
    for key in (prompt_key, "Answer1", "Answer2", "input"):
        value = row.get(key, "" if key == "input" else None)
        if not isinstance(value, str):
            seen = f"is {describe(value)}" if key in row else "is missing"
            raise UserError(f"{path}: pair {index}: field {key!r} {seen}; it must be a string")
        texts.append(value)
    prompt, answer1, answer2, context = texts
    return Pair(row.get("id", index), row.get("category"), prompt, context, answer1, answer2)
