"""Wrap files: the original tool's are read, ours keep what they were given, and a wrong row is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from answering.wrap_file import Pair, read_wrap_file, write_wrap_file
from any_json import objects, texts
from shared.cli import UserError

ROW = {
    "prompt": "Why?",
    "Answer1": "So.",
    "Answer2": "No \u2028 idea \U0001f389.",
    "id": "q1",
    "category": "c",
    "input": "i",
}


@pytest.mark.parametrize(("name", "num"), [("vicuna", 80), ("koala", 180)])
@pytest.mark.parametrize("ending", ["wrap", "wrap_reviews_gpt4"])
def test_files_of_the_original_tool(name: str, num: int, ending: str, real_data_dir: Path) -> None:
    wrap = read_wrap_file(str(real_data_dir / "reviews" / f"{name}_{ending}.json"))
    assert (wrap.dataset_name, len(wrap.pairs)) == (name, num)
    assert [pair.id for pair in wrap.pairs] == list(range(num))
    assert all(pair.prompt for pair in wrap.pairs)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    path = str(tmp_path / "mine_wrap.json")
    meta = {"dataset_name": "mine", "more": [1]}
    write_wrap_file(path, meta, [ROW, ROW])
    wrap = read_wrap_file(path)
    assert (wrap.meta, wrap.rows) == (meta, [ROW, ROW])
    assert wrap.pairs == [Pair("q1", "c", "Why?", "i", "So.", "No \u2028 idea \U0001f389.")] * 2


@settings(max_examples=40, deadline=None)
@given(meta=objects, prompt=texts, answer=texts, more=objects)
def test_any_row_reads_back(
    meta: dict, prompt: str, answer: str, more: dict, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("any") / "mine_wrap.json")
    meta = {**meta, "dataset_name": "mine"}
    row = {**more, "prompt": prompt, "Answer1": answer, "Answer2": "", "input": prompt}
    write_wrap_file(path, meta, [row])
    wrap = read_wrap_file(path)
    assert (repr(wrap.meta), repr(wrap.rows)) == (repr(meta), repr([row]))
    assert (wrap.pairs[0].prompt, wrap.pairs[0].answer1, wrap.pairs[0].input) == (prompt, answer, prompt)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "neither a wrap file nor one of reviews"),
        ({"data": [ROW]}, "neither a wrap file nor one of reviews"),
        ({"Meta_Info": {"dataset_name": 7}, "data": [ROW]}, "neither a wrap file nor one of reviews"),
        ({"Meta_Info": {"dataset_name": "mine"}, "data": []}, "no pairs in it"),
        ({"Meta_Info": {"dataset_name": "mine"}, "data": [ROW, 7]}, "pair 1 is a number, not an object"),
        (
            {"Meta_Info": {"dataset_name": "vicuna"}, "data": [ROW]},
            "pair 0: field 'text' is missing; it must be a string",
        ),
        (
            {"Meta_Info": {"dataset_name": "mine"}, "data": [ROW | {"Answer2": None}]},
            "pair 0: field 'Answer2' is null; it must be a string",
        ),
    ],
)
def test_what_is_no_wrap_file_is_an_error(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrap.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_wrap_file(str(path))
    assert str(caught.value).startswith(f"{path}: {message}")


def test_broken_json_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "wrap.json").write_text('{"Meta_Info": ', encoding="utf-8")
    with pytest.raises(UserError, match=r"broken JSON.*eval_generation_wrap.py"):
        read_wrap_file(str(tmp_path / "wrap.json"))
