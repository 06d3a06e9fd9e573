"""Reviews for the tests: made in memory, or as the files that eval.py leaves."""

import json
from pathlib import Path
from typing import Any

from answering.wrap_file import Pair, write_wrap_file
from verdict.review_file import Review, review_path

# Answer 1's and Answer 2's scores in order 1, then in order 2: who is named is said by the name.
WIN, LOSE, TIE = ((8, 6), (8, 6)), ((6, 8), (6, 8)), ((7, 7), (7, 7))
CONFLICT, ONE_SIDED = ((6, 8), (8, 6)), ((8, 6), (7, 7))
UNPARSED = ((8, 6), None)

Orders = tuple[Any, Any]


def make_review(orders: Orders, answer1: str = "one", answer2: str = "two") -> Review:
    """A review whose scores are given as [Answer 1, Answer 2] in both orders."""
    first, second = orders
    return Review(
        Pair("q", None, "Why?", "", answer1, answer2), "text", first, "text", second and (second[1], second[0])
    )


def make_reviews(*orders: Orders) -> list[Review]:
    return [make_review(both) for both in orders]


def write_review_file(folder: Path, name: str, *orders: Orders, api_model: str = "gpt-4", **changes: Any) -> Path:
    """Write <name>_wrap_reviews_<judge>.json, one pair for each two orders; `changes` replace fields of every row."""
    rows = []
    for index, (first, second) in enumerate(orders):
        row = {"prompt": f"Question {index} of {name}?", "Answer1": f"One {index}.", "Answer2": f"Two {index}."}
        row |= {"id": f"{name}-{index}", "category": "kind", "input": ""}
        row |= {"review": _text(first), "scores": _stored(first)}
        reverse = second and (second[1], second[0])
        rows.append(row | {"review_reverse": _text(reverse), "scores_reverse": _stored(reverse)} | changes)
    path = Path(review_path(str(folder / f"{name}_wrap.json"), api_model))
    write_wrap_file(str(path), {"dataset_name": name}, rows)
    return path


def _text(scores: Any) -> str:
    return f"{scores[0]} {scores[1]}\nBecause." if scores else "I cannot say."


def _stored(scores: Any) -> str | None:
    return json.dumps([float(score) for score in scores]) if scores else None
