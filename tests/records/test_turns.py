"""Turns in every spelling, what of them is scored, and what is refused."""

from typing import Any

import pytest

from records.conversations import check_records, exchanges, has_prompt, texts_of
from shared.cli import UserError

Q = {"role": "user", "content": "q"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALL_TEXT = '[{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]'
LAST = {"role": "assistant", "content": "so"}


def said(turns: Any, **more: Any) -> list[tuple[list[tuple[str, str]], str]]:
    """Each exchange: the messages before the response, and the response."""
    return [
        ([(message["role"], message["content"]) for message in exchange["messages"]], exchange["output"])
        for exchange in exchanges({"messages": turns, **more}, {})
    ]


def assistant(content: Any = "", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


TWO = [([("user", "q")], "a"), ([("user", "q"), ("assistant", "a"), ("user", "r")], "b")]


@pytest.mark.parametrize(
    "turns",
    [
        [
            {"from": "human", "value": "q"},
            {"from": "gpt", "value": "a"},
            {"from": "human", "value": "r"},
            {"from": "gpt", "value": "b"},
        ],
        [
            {"role": "Human", "value": "q"},
            {"from": "GPT", "content": "a"},
            {"speaker": "prompter", "text": "r"},
            {"role": "bing", "text": "b"},
        ],
        [{"input": "q", "output": "a"}, {"input": "r", "output": "b"}],
        [{"human": "q", "assistant": "a"}, {"human": "r", "assistant": "b"}],
        [{"assistant": "a", "user": "q"}, {"prompt": "r", "response": "b"}],
        [["q", "a"], ["r", "b"]],
        [{"user": "q"}, {"assistant": "a"}, {"user": "r"}, {"assistant": "b"}],
        '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, ["r", "b"]]',
        [
            {"role": "user", "from": None, "content": "q", "value": None},
            assistant("a", tool_calls=None, weight=None),
            ["r", "b"],
        ],
    ],
)
def test_all_spellings_are_one(turns: Any) -> None:
    assert said(turns) == TWO


def test_pairs_of_xtuner_may_have_a_system_text_and_no_question() -> None:
    turns = [{"system": "be", "input": "", "output": "a"}, {"input": "q", "output": "b", "output_with_loss": False}]
    assert exchanges({"conversation": turns}, {}) == [
        {"messages": [{"role": "system", "content": "be"}], "output": "a"}
    ]


@pytest.mark.parametrize("key", ["dialog", "dialogue", "conversation", "log", "my chat"])
def test_turns_are_found_under_any_key(key: str) -> None:
    record = {"id": 1, "tags": ["x", "y"], key: [{"speaker": "Human", "text": "q"}, {"speaker": "Bot", "text": "a"}]}
    assert exchanges(record, {}) == [{"messages": [Q], "output": "a"}]


@pytest.mark.parametrize(
    ("turn", "text"),
    [
        (assistant("", tool_calls=[CALL]), CALL_TEXT),
        (assistant(None, tool_calls=[CALL]), CALL_TEXT),
        ({"role": "assistant", "tool_calls": [CALL]}, CALL_TEXT),
        (assistant("", function_call={"name": "f"}), '{"name": "f"}'),
        (assistant(None, tool_calls='[{"name": "f"}]'), '[{"name": "f"}]'),
        ({"from": "function_call", "value": {"name": "f"}}, '{"name": "f"}'),
        ({"from": "gpt", "value": "", "tool_calls": [CALL]}, CALL_TEXT),
        (assistant([{"type": "tool_call", "value": '{"name": "f"}'}]), '{"name": "f"}'),
        (assistant([{"type": "tool_use", "name": "f"}]), '{"name": "f"}'),
        (assistant(None, tool_calls=[CALL], reasoning_content="hm"), f"<think>\nhm\n</think>\n\n{CALL_TEXT}"),
    ],
)
def test_call_without_words_is_context_and_never_an_empty_answer(turn: dict[str, Any], text: str) -> None:
    assert said([Q, turn, LAST]) == [([("user", "q"), ("assistant", text)], "so")]


def test_call_after_words_stays_in_their_message_and_out_of_the_response() -> None:
    turns = [Q, assistant("wait", tool_calls=[CALL]), {"role": "tool", "content": "7"}, LAST]
    before = [("user", "q"), ("assistant", f"wait\n{CALL_TEXT}"), ("tool", "7")]
    assert said(turns) == [([("user", "q")], "wait"), (before, "so")]
    assert [text.is_response for text in texts_of({"messages": turns}, {})] == [False, True, False, False, True]


@pytest.mark.parametrize("result", [{"hours": 7}, [{"type": "text", "text": '{"hours": 7}'}], '{"hours": 7}'])
def test_result_of_a_tool_may_be_an_object(result: Any) -> None:
    assert said([Q, {"role": "tool", "content": result}, LAST])[0][0][1] == ("tool", '{"hours": 7}')


@pytest.mark.parametrize(
    "weight",
    [{"weight": 0}, {"loss": False}, {"loss_weight": 0.0}, {"train": False}, {"training": 0}, {"trainable": False}],
)
def test_turn_without_weight_is_context(weight: dict[str, Any]) -> None:
    assert said([Q, assistant("no", **weight), Q, LAST]) == [
        ([("user", "q"), ("assistant", "no"), ("user", "q")], "so")
    ]


@pytest.mark.parametrize("weight", [{"weight": 1}, {"weight": 0.5}, {"loss": True}, {"loss": None}, {"name": 0}])
def test_turn_with_any_weight_is_scored(weight: dict[str, Any]) -> None:
    assert [response for _, response in said([Q, assistant("yes", **weight)])] == ["yes"]


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}],
        [{"type": "text", "value": "one "}, {"type": "text", "value": "two"}],
        [{"type": "input_text", "text": "one "}, "two"],
        [{"text": "one two"}],
        [{"type": "text", "text": "one two", "image_url": None}],
    ],
)
def test_parts_that_are_texts_are_joined(content: Any) -> None:
    assert said([{"role": "user", "content": content}, assistant(content)]) == [([("user", "one two")], "one two")]


@pytest.mark.parametrize(
    "turn",
    [
        assistant("a", reasoning_content="hm"),
        assistant("a", thinking="hm"),
        assistant("a", reasoning="hm", content_type=None),
        assistant([{"type": "reasoning", "value": "hm"}, {"type": "text", "value": "a"}]),
        assistant([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]),
        assistant("<think>\nhm\n</think>\n\na", reasoning_content="hm"),
    ],
)
def test_reasoning_is_part_of_the_response_and_of_later_context(turn: dict[str, Any]) -> None:
    whole = "<think>\nhm\n</think>\n\na"
    one, two = said([Q, turn, Q, LAST])
    assert (one[1], two[0][1]) == (whole, ("assistant", whole))


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            [{"role": "user", "content": [{"type": "image", "image": "a.jpg"}]}],
            'messages[0]: content[0] is a part of type "image"',
        ),
        (
            [{"role": "user", "content": [{"type": "text", "text": 3}]}],
            "messages[0]: content[0]: its text is 3 (a number)",
        ),
        (
            [{"role": "user", "content": "a", "images": ["x"]}],
            "messages[0]: has 'images', and a language model is shown texts",
        ),
        ([{"role": "user", "content": "a", "value": "b"}], "messages[0]: has both 'content' and 'value', which differ"),
        ([assistant("a", weight="0")], "messages[0]: 'weight' is \"0\" (a string); it must be a number, true or false"),
        ([assistant("a", tools=[{"name": "f"}])], "messages[0]: has 'tools', which belong beside the turns; --fields"),
        ([assistant(None)], "messages[0]: 'content' is null; it must be a string"),
        ([{"content": "a"}], "messages[0]: 'role' is null; wanted one of system, developer, "),
        ([{"value": "a"}], "messages[0]: 'from' is null; wanted one of system, developer, "),
        ([["q", "a", "b"]], "messages[0] is an array, not an object"),
        ([["q", 3]], "messages[0]: the answer is 3 (a number)"),
        (
            ["q", "a"],
            "messages[0] is a string, not an object with 'role' and 'content', or 'from' and 'value'; if the texts",
        ),
        ("no list", "field 'messages' is \"no list\" (a string); it must be a list of turns"),
        (7, "field 'messages' is 7 (a number); it must be a list of turns"),
    ],
)
def test_turn_that_is_not_understood_is_named(turns: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_records([{"messages": turns}], "d", {})
    assert str(caught.value).startswith(f"d: record 0: {message}")


def test_parts_that_are_no_texts_can_be_left_out() -> None:
    turns = [{"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "q"}]}, LAST]
    assert exchanges({"messages": turns}, {"images": ""}) == [{"messages": [Q], "output": "so"}]
    with pytest.raises(UserError, match="part of type"):
        exchanges({"messages": turns}, {"videos": ""})


def test_texts_alternate_where_fields_name_them() -> None:
    assert exchanges({"data": ["q", "a", "r"]}, {"conversations": "data"}) == [{"messages": [Q], "output": "a"}]
    with pytest.raises(UserError, match="if the texts of 'data' are of user and assistant in turn, --fields conv"):
        exchanges({"data": ["q", "a", "r"]}, {})


def test_nothing_stands_before_a_greeting_or_after_an_empty_question() -> None:
    first, second = exchanges({"messages": [LAST, Q, LAST]}, {})
    assert (has_prompt(first), has_prompt(second)) == (False, True)
    (empty,) = exchanges({"messages": [{"role": "user", "content": " \n"}, LAST]}, {})
    assert not has_prompt(empty)
    for record, expected in (({"instruction": " "}, False), ({"instruction": "", "input": "i"}, True)):
        assert has_prompt(exchanges(record | {"output": "a"}, {})[0]) == expected
