"""Records of every shape that people have: what is the prompt, what the response, and where nothing tells."""

from typing import Any

import pytest

from records.conversations import check_records, exchanges, first_prompt, needed_part, parse_fields, texts_of
from records.record import Record
from shared.cli import UserError


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "be"}
PLAIN = {"instruction": "q", "input": None, "output": "a"}
TALK = [{"messages": [user("q")], "output": "a"}]


@pytest.mark.parametrize(
    ("record", "fields", "expected"),
    [
        # plain records
        ({"prompt": "q", "completion": "a"}, "", [PLAIN]),
        ({"prompt": "q", "response": "a", "id": 7}, "", [PLAIN]),
        ({"question": "q", "answer": "a"}, "", [PLAIN]),
        ({"query": "q", "response": "a"}, "", [PLAIN]),
        ({"instruction": "q", "response": "a", "context": "c"}, "", [PLAIN | {"input": "c"}]),
        ({"input": "q", "target": "a"}, "instruction=input,output=target", [PLAIN]),
        ({"input": "q", "output": "a"}, "instruction=input", [PLAIN]),
        (
            {"instruction": "a", "input": "b", "output": "q"},
            "instruction=output,output=instruction",
            [{**PLAIN, "input": "b"}],
        ),
        ({"instruction": "q", "output": "a", "system": "", "history": [], "tools": "[]"}, "", [PLAIN]),
        ({"instruction": "q", "output": "a", "conversations": None, "messages": []}, "", [PLAIN]),
        ({"instruction": None, "prompt": "q", "output": None, "completion": "a"}, "", [PLAIN]),
        (
            {"instruction": "q", "output": "a", "cot": "hm"},
            "reasoning=cot",
            [PLAIN | {"output": "<think>\nhm\n</think>\n\na"}],
        ),
        # system and history
        (
            {"question": "q", "response": "a", "system_prompt": "be"},
            "",
            [{"messages": [SYSTEM, user("q")], "output": "a"}],
        ),
        (
            {"question": "q", "response": "a", "task": "be"},
            "system=task",
            [{"messages": [SYSTEM, user("q")], "output": "a"}],
        ),
        (
            {"instruction": "q", "input": "i", "output": "a", "system": "be"},
            "",
            [{"messages": [SYSTEM, user("q\ni")], "output": "a"}],
        ),
        (
            {"query": "q", "response": "a", "history": [["q0", "a0"]]},
            "",
            [
                {"messages": [user("q0")], "output": "a0"},
                {"messages": [user("q0"), assistant("a0"), user("q")], "output": "a"},
            ],
        ),
        (
            {"instruction": "q", "output": "a", "earlier": [user("q0"), assistant("a0")]},
            "history=earlier",
            [
                {"messages": [user("q0")], "output": "a0"},
                {"messages": [user("q0"), assistant("a0"), user("q")], "output": "a"},
            ],
        ),
        (
            {"system": "be", "messages": [SYSTEM, user("q"), assistant("a")]},
            "",
            [{"messages": [SYSTEM, user("q")], "output": "a"}],
        ),
        # TRL
        ({"prompt": [user("q")], "completion": [assistant("a")]}, "", TALK),
        ({"prompt": [user("q")], "completion": [assistant("a")]}, "instruction=prompt,output=completion", TALK),
        ({"prompt": "q", "completion": [assistant("a")]}, "", TALK),
        (
            {"prompt": [user("q0"), assistant("a0"), user("q")], "completion": "a"},
            "",
            [
                {
                    "messages": [user("q0"), assistant("a0"), user("q")],
                    "output": "a",
                },  # what is in the prompt is context
            ],
        ),
        ({"prompt": "q", "prompt_id": "x", "messages": [user("q"), assistant("a")]}, "", TALK),
        # preferences
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "", [PLAIN]),
        ({"instruction": "q", "input": "i", "chosen": "a", "rejected": "b"}, "", [PLAIN | {"input": "i"}]),
        ({"prompt": [user("q")], "chosen": [assistant("a")], "rejected": [assistant("b")]}, "", TALK),
        ({"chosen": [user("q"), assistant("a")], "rejected": [user("q"), assistant("b")]}, "", TALK),
        ({"prompt": "q", "chosen": [user("q"), assistant("a")]}, "", TALK),
        ({"prompt": "q", "messages": [user("q"), assistant("a")], "chosen": [user("q"), assistant("a")]}, "", TALK),
        ({"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "a"}}, "", TALK),
        (
            {"messages": [SYSTEM, user("q")], "chosen": [user("q"), assistant("a")]},
            "",
            [
                {"messages": [SYSTEM, user("q")], "output": "a"},
            ],
        ),
        ({"messages": [user("q")], "best": "a"}, "chosen=best", TALK),
        ({"messages": [user("q")], "response": "a"}, "messages=messages,output=response", TALK),
        # KTO
        ({"prompt": "q", "completion": "a", "label": True}, "", [PLAIN]),
        ({"prompt": "q", "completion": "a", "label": False}, "label=", [PLAIN]),
        ({"question": "q", "answer": "a", "label": "negative"}, "", [PLAIN]),
        # several shapes in one record
        ({"conversations": None, "messages": [user("q"), assistant("a")]}, "", TALK),
        ({"instruction": None, "output": None, "messages": [user("q"), assistant("a")]}, "", TALK),
        ({"instruction": "", "input": "", "output": "", "messages": [user("q"), assistant("a")]}, "", TALK),
        ({"messages": [user("q"), assistant("a")], "conversations": [["q", "a"]]}, "", TALK),
        ({"instruction": "x", "output": "y", "messages": [user("q"), assistant("a")]}, "messages=messages", TALK),
        ({"instruction": "q", "output": "a", "messages": [user("x")]}, "messages=", [PLAIN]),
        ({"instruction": "q", "output": "a", "messages": [user("x")]}, "instruction=instruction", [PLAIN]),
        ({"messages": []}, "", []),
        ({"conversations": [], "source": "x"}, "", []),
    ],
)
def test_exchanges_of_every_shape(record: Record, fields: str, expected: list[Record]) -> None:
    parsed = parse_fields(fields) if fields else {}
    check_records([record], "d", parsed)
    assert exchanges(record, parsed) == expected
    assert exchanges(needed_part(record, parsed), parsed) == expected
    responses = [text.text for text in texts_of(record, parsed) if text.is_response]
    assert responses == [exchange["output"] for exchange in expected]
    if expected:
        first = expected[0]
        asked = next((turn["content"] for turn in first.get("messages", []) if turn["role"] == "user"), None)
        assert first_prompt(record, parsed) == first.get("instruction", asked)


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ([{"type": "function", "function": {"name": "f"}}], [{"type": "function", "function": {"name": "f"}}]),
        ([{"name": "f"}], [{"type": "function", "function": {"name": "f"}}]),
        ('[{"name": "f"}]', [{"type": "function", "function": {"name": "f"}}]),
        ("[]", None),
        ("any text", None),
        (["f"], None),
    ],
)
def test_tools_go_with_every_exchange(tools: Any, expected: Any) -> None:
    record = {"messages": [user("q"), assistant("a"), user("r"), assistant("b")], "tools": tools}
    assert [exchange.get("tools") for exchange in exchanges(record, {})] == [expected] * 2
    (of_plain,) = exchanges({"instruction": "q", "output": "a", "tools": tools}, {})
    assert of_plain.get("tools") == expected


@pytest.mark.parametrize(
    ("record", "fields", "message"),
    [
        (
            {"question": "q", "answer": "a", "response": "b"},
            "",
            "'response' and 'answer' could each be the output; say which: --fields output=response",
        ),
        ({"prompt": "q", "query": "r", "output": "b"}, "", "'prompt' and 'query' could each be the instruction"),
        (
            {"instruction": "q", "output": "a", "messages": [user("q")]},
            "",
            "has 'messages' beside 'instruction' and 'output'; say which",
        ),
        (
            {"messages": [user("q")], "conversations": [user("r")]},
            "",
            "'conversations' and 'messages' are lists of turns, and differ",
        ),
        (
            {"a": [user("q")], "b": [user("q")]},
            "",
            "'a' and 'b' are lists of turns; say which: --fields conversations=a",
        ),
        (
            {"messages": [user("q")], "response": "a"},
            "",
            "'messages' ends before the answer, and there is 'response'; --fields conv",
        ),
        (
            {"messages": [user("q"), assistant("a")], "chosen": "b"},
            "",
            "'chosen' is a second answer after the last turn",
        ),
        (
            {"messages": [user("q")], "chosen": [user("r"), assistant("a")]},
            "",
            "'chosen' is a conversation that begins otherwise",
        ),
        (
            {"instruction": "q", "output": "a", "chosen": "b"},
            "",
            "'output' and 'chosen' are both answers; say which is meant",
        ),
        (
            {"prompt": "q", "completion": "a", "label": False},
            "",
            "'label' is false: its answer is one that was not wanted",
        ),
        ({"instruction": "q", "output": "a", "kto_tag": 0}, "", "'kto_tag' is false"),
        (
            {"image": "x.jpg", "conversations": [["q", "a"]]},
            "",
            "has 'image', and a language model is shown texts alone; --fields image=",
        ),
        (
            {"input": "q", "output": "a"},
            "",
            "field 'instruction' is missing (there are 'input', 'output'); --fields instruction=input",
        ),
        ({"instruction": None, "output": "a"}, "", "field 'instruction' is null; it must be a string (there are "),
        ({"q": "q", "output": "a"}, "instruction=question", "field 'question' is missing (there are 'q', 'output'); "),
        ({"instruction": "q", "output": "a", "answer": None}, "output=answer", "field 'answer' is null"),
        (
            {"instruction": "q", "output": ["a", "b"]},
            "",
            'field \'output\' is ["a", "b"] (an array); it must be a string',
        ),
        (
            {"question": "q", "context": {"x": 1}, "answer": 3},
            "",
            "field 'context' is {\"x\": 1} (an object); it must be a string; --fields",
        ),
        ({"question": "q", "answer": 3}, "", "field 'answer' is 3 (a number); it must be a string"),
        (
            {"instruction": "q", "output": "a", "history": "x"},
            "",
            "field 'history' is \"x\" (a string); it must be a list of turns",
        ),
        ({"instruction": "q", "output": "a", "system": 3}, "", "field 'system' is 3 (a number); it must be a string"),
        (
            {"version": 1, "data": [{"instruction": "q", "output": "a"}]},
            "",
            "field 'instruction' is missing (there are 'version', 'data'); if 'data'",
        ),
        ({"chosen": "\n\nHuman: q\n\nAssistant: a"}, "", "field 'instruction' is missing"),
        ({}, "", "field 'instruction' is missing (there are none); wanted"),
    ],
)
def test_record_that_could_mean_several_things_is_refused(record: Record, fields: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_records([record], "d", parse_fields(fields) if fields else {})
    assert str(caught.value).startswith(f"d: record 0: {message}")
    assert "\n" not in str(caught.value)


def test_notes_count_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    plain = {"instruction": "q", "output": "a"}
    records = [plain | {"answer": "b"}, plain | {"answer": "a"}, plain | {"choices": ["a"]}, plain | {"answer": "c"}]
    check_records(records, "d", {})
    assert capsys.readouterr().err == (
        "note: d: 'answer' is left out: 'output' is the output, in 2 of 4 records\n"
        "note: d: 'choices' is left out (--fields choices= says that this is meant), in 1 of 4 records\n"
    )
    check_records([{"prompt": "x", "context": ["y"], "messages": [user("q"), assistant("a")]}], "d", {})
    notes = capsys.readouterr().err
    assert "'prompt' is left out beside 'messages'" in notes and "'context' is left out beside 'messages'" in notes


@pytest.mark.parametrize("value", ["A: hi\nB: ho", {"a": 1}, ["a", "b"]])
def test_text_under_a_key_of_turns_is_noted(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for beside in ({"instruction": "q", "output": "a"}, {"messages": [user("q"), assistant("a")]}):
        check_records([beside | {"dialogue": value}, beside | {"turns": 2}], "d", {})
        assert "'dialogue' is left out" in capsys.readouterr().err


def test_mark_of_an_image_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    check_records([{"messages": [user("<image>What?"), assistant("a")], "images": ["x"]}], "d", {"images": ""})
    assert capsys.readouterr().err == "note: d: <image> in a text is scored as the text that it is, in 1 of 1 records\n"


def test_first_prompt_is_there_for_a_record_that_is_not_whole() -> None:
    assert first_prompt({"instruction": 7, "ifd_ppl": 0.5}, {}) == 7
    assert first_prompt({"prompt": "q"}, {}) == "q"
    assert first_prompt({"ifd_ppl": 0.5}, {}) is None
    with pytest.raises(UserError, match="'role' is null"):
        first_prompt({"messages": [{}]}, {})
