"""Score files: lines of ours, lines of the original tool, and the meta beside them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from any_json import unicode_texts
from records.record import Score, Skipped
from scored_data import make_meta
from scoring.score_file import (
    RESUME_KEYS,
    ScoreFile,
    differences,
    encode_lines,
    meta_path,
    parse_line,
    parse_original_line,
    read_meta,
    score_line,
    skipped_line,
    turns_line,
)
from script_runs import write_json
from shared.cli import UserError

LINE = {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75], "tokens": [9, 9]}


def line_with(**changes: Any) -> str:
    return json.dumps(LINE | changes)


def test_score_line_holds_losses_and_their_exponentials() -> None:
    line = score_line(1.5, 0.75, 8, 9, 0.25)
    assert line == {
        "ppl": [0, math.exp(1.5), 0, math.exp(0.75)],
        "loss": [0, 1.5, 0, 0.75],
        "tokens": [8, 9],
        "se": 0.25,
    }


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, 710.0, -1.0])
@pytest.mark.parametrize("is_direct", [True, False])
def test_loss_without_a_perplexity_is_skipped_as_non_finite(loss: float, is_direct: bool) -> None:
    assert score_line(*((loss, 1.0) if is_direct else (1.0, loss)), 8, 9) == {"skipped": "non_finite"}


@pytest.mark.parametrize("losses", [(0.0, 0.0), (0.1 + 0.2, 1e-9), (708.9, 3.0)])
def test_our_line_reads_back_exactly(losses: tuple[float, float]) -> None:
    direct, conditioned = losses
    for se in (None, 0.0, 1 / 3):
        line = encode_lines([score_line(direct, conditioned, 5, 6, se)])
        assert line.endswith(b"\n")
        assert parse_line(line) == Score(math.exp(direct), math.exp(conditioned), direct, conditioned, se, 5)


def test_line_from_before_the_standard_error_has_none_and_no_count_of_tokens() -> None:
    assert parse_line(json.dumps(LINE)) == Score(4.0, 2.0, 1.5, 0.75, se=None, num_tokens=None)


@pytest.mark.parametrize("se", ["0.1", True, -0.1, [], 1e999])
def test_standard_error_that_is_none_is_an_error(se: Any) -> None:
    with pytest.raises(ValueError, match=r"'se' is|is not JSON"):
        parse_line(line_with(se=se))


@pytest.mark.parametrize("tokens", [None, 9, [9], [9, 9, 9], [9, "9"], [0, 9], [9.0, 9], [True, 9]])
def test_standard_error_needs_the_number_of_its_tokens(tokens: Any) -> None:
    with pytest.raises(ValueError, match=r"'tokens' is .*, not two numbers of tokens"):
        parse_line(line_with(se=0.1, tokens=tokens))


losses = st.floats(0, 708.9)
ses = st.none() | st.floats(0, allow_infinity=False)
lines = st.builds(score_line, losses, losses, st.integers(1, 2**40), st.integers(1, 2**40), ses) | st.builds(
    skipped_line, unicode_texts
)


@settings(max_examples=60, deadline=None)
@given(results=st.lists(lines | st.builds(turns_line, st.lists(lines, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_what_step_1_writes_is_what_step_2_reads(results: list[dict], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "scores.jsonl"
    path.write_bytes(encode_lines(results))
    write_json(Path(meta_path(str(path))), make_meta())

    def expected(line: dict) -> Any:
        return (
            Skipped(line["skipped"])
            if "skipped" in line
            else Score(line["ppl"][1], line["ppl"][3], line["loss"][1], line["loss"][3], line["se"], line["tokens"][0])
        )

    assert list(ScoreFile(str(path))) == [
        list(map(expected, line["turns"])) if "turns" in line else expected(line) for line in results
    ]


def test_reason_reads_back() -> None:
    assert parse_line(encode_lines([skipped_line("long_prompt")])) == Skipped("long_prompt")


# What neither tool has ever written.
DAMAGED = [
    "",
    "null",
    "[]",
    "7",
    json.dumps(LINE)[:-5],
    json.dumps(LINE) * 2,
    '{"ppl": 1}',
    '{"skipped": 1}',
    line_with(ppl=[0, 4.0, 0]),
    line_with(loss=[0, "4", 0, 2]),
    line_with(loss=None),
    line_with(ppl=[0, True, 0, 2]),
    line_with(ppl=[0, 10**400, 0, 1]),
]
# What only the original tool wrote.
FOREIGN = [
    "{}",
    line_with(ppl=[0, 0, 0, 0], loss=[0, 0, 0, 0]),
    line_with(ppl=[0, math.nan, 0, 2.0]),
    line_with(loss=[0, 1, 0, math.nan]),
    line_with(loss=[0, math.inf, 0, 1]),
]
# JSON, but read as infinity.
OVERFLOWING = [json.dumps(LINE).replace("4.0", "1e999"), json.dumps(LINE).replace("0.75", "1e999")]


@pytest.mark.parametrize("line", [*DAMAGED, *FOREIGN, *OVERFLOWING, line_with(ppl=[0, 0.5, 0, 2])])
def test_our_line_is_a_finite_score_or_a_reason_and_nothing_else(line: str) -> None:
    with pytest.raises(ValueError):
        parse_line(line)


@pytest.mark.parametrize("line", DAMAGED)
def test_damaged_line_is_not_one_of_the_original_tool_either(line: str) -> None:
    with pytest.raises(ValueError):
        parse_original_line(line)


@pytest.mark.parametrize(
    ("line", "score"),
    [
        (line_with(), Score(4.0, 2.0, 1.5, 0.75)),
        ('{"ppl": [0, 3, 0, 2], "loss": [0, 1, 0, 0]}', Score(3.0, 2.0, 1.0, 0.0)),
        ("{}", Skipped("not_scored")),
        (FOREIGN[1], Skipped("not_scored")),
        (line_with(ppl=[0, 4.0, 0, 0]), Skipped("not_scored")),
        (FOREIGN[2], Skipped("non_finite")),
        (FOREIGN[3], Skipped("non_finite")),
        (FOREIGN[4], Skipped("non_finite")),
        (OVERFLOWING[0], Skipped("non_finite")),
        ('{"skipped": "empty_response"}', Skipped("empty_response")),  # a file of ours that lost its meta
    ],
)
def test_line_of_the_original_tool(line: str, score: Score | Skipped) -> None:
    assert parse_original_line(line) == score


@pytest.mark.parametrize("end", ["", "\n"])
def test_file_is_one_score_a_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text("{}\n" + line_with() + end, encoding="utf-8")
    scores = ScoreFile(str(path))
    assert (scores.path, scores.meta, list(scores)) == (
        str(path),
        None,
        [Skipped("not_scored"), Score(4.0, 2.0, 1.5, 0.75)],
    )


@pytest.mark.parametrize("line", [DAMAGED[0], DAMAGED[-2], "[" * 100_000])
def test_damaged_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(f"{line_with()}\n{line}\n{line_with()}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"scores\.jsonl: line 2: not a score line: "):
        list(ScoreFile(str(path)))


def test_meta_lies_beside_the_scores(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    assert read_meta(str(path)) is None
    write_json(tmp_path / "scores.jsonl.meta.json", make_meta())
    assert meta_path(str(path)) == f"{path}.meta.json"
    assert read_meta(str(path)) == make_meta()


META_ERROR = r"\A[^\n]*scores\.jsonl\.meta\.json: [^\n]*remove it and its score file, and score again\Z"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000], ids=lambda text: text[:9])
def test_damaged_meta_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.jsonl.meta.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=META_ERROR):
        read_meta(str(tmp_path / "scores.jsonl"))


@pytest.mark.parametrize(
    "key", sorted({*RESUME_KEYS, "num_records", "data_path"} - {"selection", "fields", "chat_date", "reading"})
)
def test_meta_without_a_key_that_is_read_is_refused(tmp_path: Path, key: str) -> None:
    meta = make_meta()
    del meta[key]
    write_json(tmp_path / "scores.jsonl.meta.json", meta)
    with pytest.raises(UserError, match=META_ERROR):
        read_meta(str(tmp_path / "scores.jsonl"))


@pytest.mark.parametrize(
    ("key", "value"), [("start_idx", "0"), ("end_idx", None), ("end_idx", 2.5), ("data_sha256", 5)]
)
def test_meta_with_a_value_of_the_wrong_type_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    write_json(tmp_path / "scores.jsonl.meta.json", make_meta(**{key: value}))
    with pytest.raises(UserError, match=META_ERROR):
        read_meta(str(tmp_path / "scores.jsonl"))


def test_differences_name_both_sides() -> None:
    other = make_meta(dtype="float16", max_length=128, model="another name, no difference")
    found = differences(make_meta(), other, RESUME_KEYS)
    assert found == 'dtype: "float32" there, "float16" now; max_length: 64 there, 128 now'
    assert differences(other, other, RESUME_KEYS) == ""
