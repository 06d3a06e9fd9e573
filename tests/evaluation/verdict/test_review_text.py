"""What of a message is a judge's text: strings, and the text parts of a list."""

from pathlib import Path
from typing import Any

import pytest

from script_runs import write_json
from verdict.review_file import read_review_file
from verdict.review_text import joined_text

THINKING = {"type": "thinking", "thinking": "Assistant 1: 4/10. Assistant 2: 8/10."}
TEXT = {"type": "text", "text": "9 4\nOne is right."}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("9 4", "9 4"),
        ([TEXT], TEXT["text"]),
        ([THINKING, TEXT], TEXT["text"]),
        ([{"type": "reasoning", "text": "4 8"}, TEXT], TEXT["text"]),
        ([{"type": "text", "text": "9 "}, {"type": "output_text", "text": "4"}], "9 4"),
        (["9 4", TEXT], "9 4" + TEXT["text"]),
        ([{"type": "text"}, {"type": "text", "text": None}], ""),
        ([], ""),
        (None, None),
        ({"text": "9 4"}, None),
        ([9, 4], None),
    ],
)
def test_only_parts_of_text_count(content: Any, text: str | None) -> None:
    assert joined_text(content) == text


def test_a_review_in_parts_is_read(tmp_path: Path) -> None:
    row = {"prompt": "Why?", "Answer1": "So.", "Answer2": "No.", "scores": [-1, -1], "scores_reverse": [-1, -1]}
    row |= {"review": [THINKING, TEXT], "review_reverse": "<think>8 4</think>4 9"}
    path = write_json(tmp_path / "r.json", {"Meta_Info": {"dataset_name": "mine"}, "data": [row]})
    review = read_review_file(str(path)).reviews[0]
    assert (review.text, review.scores, review.scores_reverse) == (TEXT["text"], (9, 4), (4, 9))
