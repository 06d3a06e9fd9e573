"""Shapes of records: what is an exchange, what is context, and what is not understood."""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import pytest

from records.conversations import check_records, exchanges, parse_fields, texts_of
from records.dataset import read_dataset
from records.record import Score, Skipped
from script_runs import RunScript, error_line, write_json
from selection.score_summary import summarize, turn_numbers
from shared.cli import UserError

SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "Book a table."},
        {"from": "function_call", "value": '{"name": "book"}'},
        {"from": "observation", "value": "done"},
        {"from": "gpt", "value": "It is booked."},
        {"from": "human", "value": "Thanks."},
        {"from": "gpt", "value": "You are welcome."},
    ]
}
CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Book a table."},
        {"role": "assistant", "content": None, "tool_calls": [{"name": "book"}]},
        {"role": "tool", "content": "done"},
        {"role": "assistant", "content": "It is booked."},
    ]
}


def spoken(exchange: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in exchange["messages"]]


def test_each_turn_of_the_assistant_comes_after_all_before_it() -> None:
    one, two = exchanges(SHAREGPT, {})
    before = [("user", "Book a table."), ("assistant", '{"name": "book"}'), ("tool", "done")]
    assert (spoken(one), one["output"]) == (before, "It is booked.")
    assert (spoken(two), two["output"]) == (
        [*before, ("assistant", "It is booked."), ("user", "Thanks.")],
        "You are welcome.",
    )


def test_calls_of_tools_are_context() -> None:
    (only,) = exchanges(CHAT, {})
    assert spoken(only)[0] == ("system", "Be brief.")
    assert spoken(only)[2] == ("assistant", json.dumps([{"name": "book"}]))
    assert only["output"] == "It is booked."


def test_system_text_beside_the_turns_comes_first() -> None:
    assert spoken(exchanges(SHAREGPT | {"system": "Be brief."}, {})[0])[0] == ("system", "Be brief.")


def test_plain_record_is_one_exchange_under_any_keys() -> None:
    record = {"question": "Why?", "answer": "So.", "more": 1}
    assert exchanges(record, {"instruction": "question", "output": "answer"}) == [
        {"instruction": "Why?", "input": None, "output": "So."}
    ]


def test_conversation_under_another_key() -> None:
    assert exchanges({"dialog": SHAREGPT["conversations"]}, {"conversations": "dialog"}) == exchanges(SHAREGPT, {})


def test_texts_of_a_plain_record_leave_out_an_empty_input() -> None:
    record = {"q": "ask", "input": "", "a": "answer"}
    assert texts_of(record, {"instruction": "q", "output": "a"}) == [
        ("instruction", "ask", False),
        ("output", "answer", True),
    ]
    assert texts_of(record | {"input": "more"}, {"instruction": "q", "output": "a"})[1] == ("input", "more", False)


def test_texts_of_a_conversation_are_all_turns_the_last_question_too() -> None:
    turns = [("human", "hi"), ("gpt", "ho"), ("function_call", "f()"), ("human", "and?")]
    record = {"system": "be", "conversations": [{"from": role, "value": text} for role, text in turns]}
    assert texts_of(record, {}) == [
        ("system", "be", False),
        ("user", "hi", False),
        ("assistant", "ho", True),
        ("assistant", "f()", False),
        ("user", "and?", False),
    ]


def test_fields_are_parsed() -> None:
    assert parse_fields("instruction=q, output=a=b") == {"instruction": "q", "output": "a=b"}
    assert parse_fields("images=,system=task") == {"images": "", "system": "task"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "instruction", "instruction=", "=q", "prompt=q", "output=a,output=b", "output=a,,", "=", "id="),
        "instruction=a,output=a",
    ],
)
def test_fields_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_fields(text)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            {"text": "a"},
            "field 'instruction' is missing (there are 'text'); wanted instruction, (input,) output; "
            "or conversations, a list",
        ),
        ({"conversations": "a"}, "field 'conversations' is \"a\" (a string); it must be a list of turns"),
        ({"messages": ["a"]}, "messages[0] is a string, not an object with 'role' and 'content'"),
        (
            {"messages": [{"role": "poet", "content": "a"}]},
            "messages[0]: 'role' is \"poet\" (a string); wanted one of system, ",
        ),
        (
            {"messages": [{"role": ["user"], "content": "a"}]},
            "messages[0]: 'role' is [\"user\"] (an array); wanted one of system, ",
        ),
        (
            {"messages": [{"role": "user", "content": [1]}]},
            "messages[0]: content[0] is 1 (a number); a part must be a text or an object with a type",
        ),
        ({"conversations": [{"from": "gpt"}]}, "conversations[0]: 'value' is null; it must be a string"),
        ({"instruction": "a", "output": "\ud800"}, "field 'output' holds half of a surrogate pair"),
        ({"messages": [{"role": "assistant", "content": "\ud800"}]}, "a turn of assistant holds half of a surrogate"),
        (
            {"messages": [{"role": "user", "content": "\ud800"}, {"role": "assistant", "content": "a"}]},
            "a turn of user holds half of a surrogate pair",
        ),
    ],
)
def test_record_that_is_not_understood_is_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_records([record], "data.json", {})
    assert str(caught.value).startswith("data.json: record 0: " + message)


def test_dataset_may_have_records_of_every_shape() -> None:
    plain = {"instruction": "a", "output": "b"}
    assert check_records([plain, plain, CHAT, SHAREGPT], "data.json", {}) == (4, 2, False)
    assert check_records([plain, plain], "data.json", {}) == (2, None, True)


def score(direct: float, conditioned: float) -> Score:
    return Score(math.exp(direct), math.exp(conditioned), direct, conditioned)


LOW, HIGH = score(2.0, 1.0), score(4.0, 3.0 + 0.9)
IFD_LOW, IFD_HIGH = math.exp(-1), math.exp(-0.1)


@pytest.mark.parametrize(
    ("turns", "result", "ifd"),
    [
        ("mean", [LOW, HIGH], (IFD_LOW + IFD_HIGH) / 2),
        ("mean", [LOW, Skipped("short_response"), HIGH], (IFD_LOW + IFD_HIGH) / 2),
        ("last", [HIGH, LOW], IFD_LOW),
        ("max", [LOW, HIGH, LOW, Skipped("long_prompt")], IFD_HIGH),
        ("mean", LOW, IFD_LOW),
    ],
)
def test_numbers_of_a_record(turns: str, result: Any, ifd: float) -> None:
    assert summarize(result, turns)["ifd_ppl"] == pytest.approx(ifd)


def test_highest_turn_gives_all_numbers() -> None:
    assert summarize([LOW, HIGH], "max") == summarize(HIGH, "mean")


@pytest.mark.parametrize(
    ("turns", "result", "reason"),
    [
        ("last", [LOW, Skipped("long_prompt")], "long_prompt"),
        ("mean", [Skipped("short_response"), Skipped("long_prompt")], "short_response"),
        ("max", Skipped("empty_response"), "empty_response"),
    ],
)
def test_record_without_a_number_has_a_reason(turns: str, result: Any, reason: str) -> None:
    assert summarize(result, turns) == Skipped(reason)


def test_every_turn_keeps_its_numbers() -> None:
    numbers = turn_numbers([LOW, Skipped("long_prompt")])
    assert numbers[0] == {**summarize(LOW, "mean"), "ifd_skipped": None}
    assert (numbers[1]["ifd_ppl"], numbers[1]["ifd_skipped"]) == (None, "long_prompt")
    assert turn_numbers(LOW) is None


def test_turn_scores_as_a_plain_record_of_the_same_text(run_script: RunScript, tiny_gpt2: Path, tmp_path: Path) -> None:
    turns = [("human", "Name a colour."), ("gpt", "Red and brown."), ("human", "And?"), ("gpt", "Yellow leaves.")]
    talk = {"conversations": [{"from": speaker, "value": text} for speaker, text in turns]}
    plain = [
        {"instruction": turns[0][1], "output": turns[1][1]},
        {"instruction": "\n".join(text for _, text in turns[:3]), "output": turns[3][1]},
    ]
    silent = {"conversations": [{"from": "human", "value": "Hello?"}]}
    write_json(tmp_path / "talk.json", [talk, silent])
    write_json(tmp_path / "plain.json", plain)
    for name in ("talk", "plain"):
        flags = ["--model_name_or_path", tiny_gpt2, "--max_length", 64]
        done = run_script(
            "data_analysis", f"--data_path={name}.json", f"--save_path={name}.jsonl", *flags, cwd=tmp_path
        )
        assert done.returncode == 0
    lines = {
        name: [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("talk", "plain")
    }
    talk_line, silent_line = lines["talk"]
    assert silent_line == {"skipped": "empty_response"}
    for turn, line in zip(talk_line["turns"], lines["plain"], strict=True):
        assert turn["tokens"] == line["tokens"]
        assert turn["loss"] == pytest.approx(line["loss"], rel=1e-5)
    done = run_script(
        "put_analysis_to_data",
        "--pt_data_path=talk.jsonl",
        "--json_data_path=talk.json",
        "--json_save_path=scored.json",
        "--turns=last",
        cwd=tmp_path,
    )
    assert done.stdout == "2 records, 1 with a score; skipped: empty_response 1 -> scored.json\n"
    scored = read_dataset(str(tmp_path / "scored.json"))
    assert scored[0]["ifd_ppl"] == scored[0]["ifd_turns"][1]["ifd_ppl"]
    assert "ifd_turns" not in scored[1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--prompt=alpaca"],
            "--prompt alpaca: has room for one question, and talk.json has conversations; choose none or chat",
        ),
        (["--dtype=mixed"], "--dtype mixed: cannot tell which conversations of talk.json step 3 will select"),
    ],
)
def test_what_conversations_cannot_have_is_refused(
    flags: list[str], message: str, run_script: RunScript, tmp_path: Path
) -> None:
    write_json(tmp_path / "talk.json", [SHAREGPT])
    error = error_line(
        run_script("data_analysis", "--data_path=talk.json", "--save_path=new.jsonl", *flags, cwd=tmp_path)
    )
    assert error.startswith(message)


def test_real_conversations_are_understood(real_data_dir: Path) -> None:
    records = read_dataset(str(real_data_dir / "sharegpt_demo.json"))
    assert check_records(records, "sharegpt_demo.json", {}) == (120, 0, False)
    assert sum(len(exchanges(record, {})) for record in records) == 318  # the turns of gpt
