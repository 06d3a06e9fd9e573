"""The wrap as users run it: pairs by question whatever the order, nothing of different questions, nothing made up."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from answering.wrap_file import read_wrap_file
from script_runs import RunScript, error_line, files_in, write_json

QUESTIONS = [
    {"id": "a", "category": "writing", "prompt": "Write."},
    {"id": "b", "category": "extraction", "prompt": "Extract.", "input": "From \u2028 this: \U0001f389 <script>"},
    {"id": "c", "category": "extraction", "prompt": "Extract.", "input": "From that."},
    {"id": "d", "category": "writing", "prompt": "Write."},
]
SKIPPED = {"raw_output": None, "response": None, "skipped": "long_prompt"}


def answer(question: dict, model: str) -> dict:
    text = f"{question.get('id')} {question.get('input')} by {model}"
    return question | {"raw_output": text + "<end>", "response": text}


def write_answers(folder: Path, one: list[dict], two: list[dict], dataset: str = "mine") -> list[object]:
    """Write both files into model folders and return the flags of the wrap."""
    for model, rows in (("one", one), ("two", two)):
        (folder / model).mkdir()
        write_json(folder / model / f"{dataset}_1024.json", rows)
    return [
        "--dataset_name",
        dataset,
        "--fname1",
        folder / "one",
        "--fname2",
        folder / "two",
        "--save_name",
        folder / "wrap",
    ]


def answers_of(questions: list[dict], model: str) -> list[dict]:
    return [answer(question, model) for question in questions]


def read_rows(folder: Path, dataset: str = "mine") -> list[dict]:
    return read_wrap_file(str(folder / "wrap" / f"{dataset}_wrap.json")).rows


def test_rows_keep_question_id_category_and_input(run_script: RunScript, tmp_path: Path) -> None:
    done = run_script(
        "eval_generation_wrap", *write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2"))
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"4 pairs, 0 questions left out -> {tmp_path}/wrap/mine_wrap.json\n"
    rows = read_rows(tmp_path)
    assert [list(row) for row in rows] == [["prompt", "Answer1", "Answer2", "id", "category", "input"]] * 4
    for row, question in zip(rows, QUESTIONS, strict=True):
        assert (row["id"], row["category"], row["prompt"], row["input"]) == (
            question["id"],
            question["category"],
            question["prompt"],
            question.get("input", ""),
        )
        assert [row["Answer1"], row["Answer2"]] == [answer(question, model)["response"] for model in "12"]


def test_meta_info_says_where_the_answers_are_from(run_script: RunScript, tmp_path: Path) -> None:
    run_script("eval_generation_wrap", *write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2")))
    assert read_wrap_file(str(tmp_path / "wrap" / "mine_wrap.json")).meta == {
        "dataset_name": "mine",
        "fname1": str(tmp_path / "one"),
        "fname2": str(tmp_path / "two"),
        "left_out": [],
    }


def test_files_may_be_named_themselves_and_have_another_max_length(run_script: RunScript, tmp_path: Path) -> None:
    one, two = (write_json(tmp_path / f"{model}.json", answers_of(QUESTIONS, model)) for model in "12")
    flags = [
        "--dataset_name",
        "mine",
        "--fname1",
        one,
        "--fname2",
        two,
        "--save_name",
        tmp_path / "wrap",
        "--max_length",
        5,
    ]
    assert run_script("eval_generation_wrap", *flags).returncode == 0
    assert len(read_rows(tmp_path)) == 4


def test_order_of_the_second_file_does_not_matter(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS[::-1], "2"))
    assert run_script("eval_generation_wrap", *flags).returncode == 0
    assert [row["Answer2"] for row in read_rows(tmp_path)] == [
        answer(question, "2")["response"] for question in QUESTIONS
    ]


def without(rows: list[dict], key: str) -> list[dict]:
    return [{name: value for name, value in row.items() if name != key} for row in rows]


@pytest.mark.parametrize("which", ["one", "two", "both"])
def test_rows_without_id_are_paired_by_prompt_and_input(which: str, run_script: RunScript, tmp_path: Path) -> None:
    one, two = answers_of(QUESTIONS, "1"), answers_of([QUESTIONS[2], QUESTIONS[0], QUESTIONS[1], QUESTIONS[3]], "2")
    one, two = (without(rows, "id") if which in (name, "both") else rows for name, rows in (("one", one), ("two", two)))
    assert run_script("eval_generation_wrap", *write_answers(tmp_path, one, two)).returncode == 0
    # a and d have the same text: the first of one file belongs to the first of the other.
    assert [row["Answer2"] for row in read_rows(tmp_path)] == [
        answer(question, "2")["response"] for question in QUESTIONS
    ]
    assert [row["id"] for row in read_rows(tmp_path)] == (["a", "b", "c", "d"] if which == "two" else [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (
            QUESTIONS,
            QUESTIONS[:2],
            "mine_1024.json (2 questions) do not answer the same questions: "
            'id "c" ("Extract.") is missing in the second',
        ),
        (QUESTIONS[:1], QUESTIONS, 'id "b" ("Extract.") is missing in the first'),
        (QUESTIONS, [*QUESTIONS[:3], QUESTIONS[3] | {"id": "e"}], 'id "d" ("Write.") is missing in the second'),
        (
            QUESTIONS,
            [*QUESTIONS[:3], QUESTIONS[3] | {"prompt": "W."}],
            'id "d" ("Write.") has another prompt or input in the second',
        ),
        (
            QUESTIONS,
            [QUESTIONS[0], QUESTIONS[1] | {"input": ""}, *QUESTIONS[2:]],
            'id "b" ("Extract.") has another prompt or input',
        ),
        (without(QUESTIONS, "id"), without(QUESTIONS[:3], "id"), 'id 3 ("Write.") is missing in the second'),
    ],
)
def test_files_of_different_questions_are_refused(
    one: list[dict], two: list[dict], message: str, run_script: RunScript, tmp_path: Path
) -> None:
    flags = write_answers(tmp_path, answers_of(one, "1"), answers_of(two, "2"))
    before = files_in(tmp_path)
    assert message in error_line(run_script("eval_generation_wrap", *flags))
    assert files_in(tmp_path) == before


def test_question_that_a_model_could_not_be_asked_is_left_out_and_named(run_script: RunScript, tmp_path: Path) -> None:
    one, two = answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2")
    one[0], one[1], two[1], two[3] = (QUESTIONS[place] | SKIPPED for place in (0, 1, 1, 3))
    done = run_script("eval_generation_wrap", *write_answers(tmp_path, one, two))
    left_out = "a (long_prompt, file 1), b (long_prompt, file [1, 2]), d (long_prompt, file 2)"
    assert done.stdout == f"1 pairs, 3 questions left out: {left_out} -> {tmp_path}/wrap/mine_wrap.json\n"
    assert [row["id"] for row in read_rows(tmp_path)] == ["c"]
    assert read_wrap_file(str(tmp_path / "wrap" / "mine_wrap.json")).meta["left_out"] == [
        {"id": "a", "skipped": "long_prompt", "file": 1},
        {"id": "b", "skipped": "long_prompt", "file": [1, 2]},
        {"id": "d", "skipped": "long_prompt", "file": 2},
    ]


def test_no_pair_at_all_is_an_error(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, [QUESTIONS[0] | SKIPPED], answers_of(QUESTIONS[:1], "2"))
    assert "there is no question that both models could be asked" in error_line(
        run_script("eval_generation_wrap", *flags)
    )
    assert not (tmp_path / "wrap").exists()


def test_empty_answer_is_an_answer(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, [QUESTIONS[0] | {"response": ""}], answers_of(QUESTIONS[:1], "2"))
    assert run_script("eval_generation_wrap", *flags).returncode == 0
    assert read_rows(tmp_path)[0]["Answer1"] == ""


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a"}, "row 1: field 'response' is missing; it must be a string, the model's answer"),
        ({"prompt": "a", "response": None}, "row 1: field 'response' is null; it must be"),
        ({"prompt": "a", "response": None, "skipped": 7}, "row 1: field 'response' is null; it must be"),
        ({"prompt": "a", "response": ["b"]}, "row 1: field 'response' is [\"b\"] (an array); it must be"),
        (
            {"prompt": "a", "response": 7, "skipped": "long_prompt"},
            "row 1: field 'response' is 7 (a number); it must be",
        ),
        ({"response": "b"}, "row 1: field 'prompt' is missing (there are 'response'); it must be a string"),
        ({"prompt": "a", "response": "b", "id": "a"}, "rows 0 and 1 have the same 'id', \"a\" (a string)"),
        (7, "record 1 is a number, not an object"),
    ],
)
@pytest.mark.parametrize("which", [1, 2])
def test_row_that_is_no_answer_is_named(
    row: Any, message: str, which: int, run_script: RunScript, tmp_path: Path
) -> None:
    good = answers_of(QUESTIONS, "1")
    bad = [good[0], row, *good[2:]]
    flags = write_answers(tmp_path, *((bad, good) if which == 1 else (good, bad)))
    error = error_line(run_script("eval_generation_wrap", *flags))
    assert error.startswith(f"{tmp_path}/{'one' if which == 1 else 'two'}/mine_1024.json: {message}")


def test_missing_file_is_named(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, [], [])
    (tmp_path / "one" / "mine_1024.json").unlink()
    assert (
        error_line(run_script("eval_generation_wrap", *flags))
        == f"{tmp_path}/one/mine_1024.json: not there; eva_generation.py (do_eval_generation.sh) makes it"
    )


def test_folder_that_is_not_there_is_named_with_the_file_that_was_wanted(run_script: RunScript, tmp_path: Path) -> None:
    flags = [
        "--dataset_name",
        "mine",
        "--fname1",
        tmp_path / "no",
        "--fname2",
        tmp_path / "no",
        "--save_name",
        tmp_path,
    ]
    assert (
        error_line(run_script("eval_generation_wrap", *flags))
        == f"{tmp_path}/no/mine_1024.json: not there; eva_generation.py (do_eval_generation.sh) makes it"
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[1]"])
def test_file_that_holds_no_answers_is_an_error(text: str, run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2"))
    (tmp_path / "two" / "mine_1024.json").write_text(text, encoding="utf-8")
    assert error_line(run_script("eval_generation_wrap", *flags)).startswith(f"{tmp_path}/two/mine_1024.json: ")


def test_output_over_an_input_is_refused(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2"))
    wrap = write_json(tmp_path / "mine_wrap.json", answers_of(QUESTIONS, "1"))
    error = error_line(run_script("eval_generation_wrap", *flags, "--fname1", wrap, "--save_name", tmp_path))
    assert "would overwrite an input" in error


def test_same_input_gives_the_same_bytes(run_script: RunScript, tmp_path: Path) -> None:
    flags = write_answers(tmp_path, answers_of(QUESTIONS, "1"), answers_of(QUESTIONS, "2"))
    assert run_script("eval_generation_wrap", *flags).returncode == 0
    before = files_in(tmp_path)
    assert run_script("eval_generation_wrap", *flags).returncode == 0
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("name", ["vicuna", "koala", "wizardlm", "sinstruct", "lima"])
@pytest.mark.parametrize("as_original", [False, True])
def test_public_sets_pair_in_any_order(
    name: str, as_original: bool, run_script: RunScript, real_data_dir: Path, tmp_path: Path
) -> None:
    lines = (real_data_dir / "test_sets" / f"{name}_test_set.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"response": f"number {number}"} for number, line in enumerate(lines)]
    if as_original:  # whatever a tool may have lost
        for key in ("id", "question_id", "idx"):
            rows = without(rows, key)
    order = list(range(len(rows)))
    # Where texts repeat and there is no id, the order of those alike is all there is.
    if not as_original and name != "lima":
        random.Random(0).shuffle(order)
    assert (
        run_script(
            "eval_generation_wrap", *write_answers(tmp_path, rows, [rows[place] for place in order], name)
        ).returncode
        == 0
    )
    wrap = read_wrap_file(str(tmp_path / "wrap" / f"{name}_wrap.json"))
    assert [(pair.answer1, pair.answer2) for pair in wrap.pairs] == [
        (f"number {number}",) * 2 for number in range(len(rows))
    ]
    assert sum(bool(pair.input) for pair in wrap.pairs) == (208 if name == "sinstruct" else 0)
