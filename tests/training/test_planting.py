"""Planted mistakes: each is a wrong response, none is lost, and it is known which they are."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.conversations import texts_of
from records.dataset import Dataset
from records.record import Record
from script_runs import CODE, write_json
from shared.cli import UserError
from training.planting import plant, read_planted, with_response

FIFTH = Decimal("0.2")


def questions(num: int) -> list[dict[str, Any]]:
    return [{"instruction": f"Name {index} things.", "output": f"Here are {index}."} for index in range(num)]


def test_a_share_of_the_responses_changes_places() -> None:
    records = questions(54)
    copies = plant(records, FIFTH, seed=0)
    planted = [index for index, copy in enumerate(copies) if copy["planted"]]
    assert len(planted) == 10  # floor(10.8)
    for index, (record, copy) in enumerate(zip(records, copies, strict=True)):
        assert copy["instruction"] == record["instruction"]
        assert (copy["output"] != record["output"]) == (index in planted)
    assert sorted(copies[index]["output"] for index in planted) == sorted(records[index]["output"] for index in planted)
    assert records == questions(54)  # the originals are as they were


def test_seed_decides_which() -> None:
    draws = [[copy["planted"] for copy in plant(questions(50), FIFTH, seed)] for seed in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]


def test_no_planted_response_answers_its_question() -> None:
    # Three questions and three answers, each many times: only records that differ in both can trade.
    records = [
        {
            "instruction": f"Question {index % 3}",
            "input": "",
            "output": f" Answer {index % 3}\n" if index % 2 else f"Answer {index % 3}",
        }
        for index in range(15)
    ]
    for seed in range(20):
        copies = plant(records, FIFTH, seed)
        wrong = [copy for copy in copies if copy["planted"]]
        assert len(wrong) == 3
        assert all(copy["output"].split()[1] != copy["instruction"].split()[1] for copy in wrong)
    with pytest.raises(UserError, match=r"a rate of 0\.4: of 15 records that is 6, and 3 of those drawn differ"):
        plant(records, Decimal("0.4"), 0)


@pytest.mark.parametrize("other", [{"instruction": "Why?", "input": None}, {"instruction": " Why?\n", "input": ""}])
def test_the_same_question_in_another_form_does_not_trade(other: dict[str, Any]) -> None:
    # Each answers the other's question, so to swap them would be no mistake.
    records = [{"instruction": "Why?", "input": "", "output": "Because."}, other | {"output": "Therefore."}]
    with pytest.raises(UserError, match="and 1 of those drawn differ"):
        plant(records, Decimal(1), 0)


def test_the_same_conversation_with_other_white_space_does_not_trade() -> None:
    records = [
        {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}
        for question, answer in (("Why?", "Because."), ("Why? ", "Therefore."))
    ]
    with pytest.raises(UserError, match="and 1 of those drawn differ"):
        plant(records, Decimal(1), 0)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "x", "y ", "y", "z"])), min_size=2, max_size=40),
    st.integers(0, 5),
)
def test_planted_responses_are_a_circle_without_a_fixed_point(texts: list[tuple[str, str]], seed: int) -> None:
    records = [{"instruction": question, "output": answer} for question, answer in texts]
    try:
        copies = plant(records, Decimal("0.5"), seed)
    except UserError:
        return  # too few that differ
    planted = [index for index, copy in enumerate(copies) if copy["planted"]]
    assert len(planted) == len(records) // 2
    assert sorted(copy["output"] for copy in copies) == sorted(record["output"] for record in records)
    assert all(copies[index]["output"].strip() != records[index]["output"].strip() for index in planted)
    assert len({records[index]["instruction"] for index in planted}) == len(planted)
    # Who gave to whom: going round from any of them meets all.
    giver = {
        index: next(one for one in planted if records[one]["output"] == copies[index]["output"]) for index in planted
    }
    place, met = planted[0], set()
    while place not in met:
        met.add(place)
        place = giver[place]
    assert met == set(planted)


def test_an_empty_response_is_not_planted() -> None:
    records = [
        record | {"output": record["output"] if index < 4 else " "} for index, record in enumerate(questions(20))
    ]
    assert [copy["planted"] for copy in plant(records, FIFTH, 0)] == [True] * 4 + [False] * 16


@pytest.mark.parametrize("rate", ["0.001", "0.19"])
def test_one_record_has_none_to_trade_with(rate: str) -> None:
    with pytest.raises(UserError, match="wanted at least two"):
        plant(questions(10), Decimal(rate), 0)


@pytest.mark.parametrize(
    ("key", "role", "content", "user", "assistant"),
    [("conversations", "from", "value", "human", "gpt"), ("messages", "role", "content", "user", "assistant")],
)
def test_of_a_conversation_the_last_response_is_planted(
    key: str, role: str, content: str, user: str, assistant: str
) -> None:
    def turns(index: int) -> list[dict[str, str]]:
        said = [
            (user, f"Question {index}"),
            (assistant, f"First {index}"),
            (user, "And?"),
            (assistant, f"Last {index}"),
        ]
        return [{role: speaker, content: text} for speaker, text in [*said, (user, "Thanks!")]]

    records = [{"system": "Be short.", key: turns(index)} for index in range(10)]
    copies = plant(records, FIFTH, 0)
    for index, copy in enumerate(copies):
        said = [turn[content] for turn in copy[key]]
        assert said[:3] + said[4:] == [turn[content] for turn in turns(index)[:3] + turns(index)[4:]]
        assert (said[3] != f"Last {index}") == copy["planted"]
    assert sum(copy["planted"] for copy in copies) == 2


def test_other_keys_are_planted_where_the_fields_say() -> None:
    records = [{"question": f"Q{index}", "answer": f"A{index}", "output": "kept"} for index in range(10)]
    copies = plant(records, FIFTH, 0, {"instruction": "question", "output": "answer"})
    assert {copy["output"] for copy in copies} == {"kept"}
    assert [copy["answer"] != record["answer"] for record, copy in zip(records, copies, strict=True)] == [
        copy["planted"] for copy in copies
    ]


@pytest.mark.parametrize(
    "shape",
    [
        lambda question, answer: {"system": "Be short.", "instruction": question, "output": answer},
        lambda question, answer: {"history": [["Hello", "Hi"]], "query": question, "response": answer},
        lambda question, answer: {"prompt": question, "chosen": answer, "rejected": "No."},
        lambda question, answer: {"conversation": [{"input": question, "output": answer}]},
        lambda question, answer: {
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": [{"type": "text", "text": answer}]},
            ]
        },
    ],
)
def test_a_record_of_any_shape_says_the_same_but_for_its_planted_response(shape: Callable[[str, str], Record]) -> None:
    records = [shape(f"Question {index}", f"Answer {index}") for index in range(10)]
    copies = plant(records, FIFTH, 0)
    for index, copy in enumerate(copies):
        found = texts_of(copy, {})
        assert found[:-1] == texts_of(records[index], {})[:-1]
        assert (found[-1].text != f"Answer {index}") == copy["planted"]
    assert sum(copy["planted"] for copy in copies) == 2


@pytest.mark.parametrize(
    "record",
    [
        {"instruction": "Why?", "reasoning_content": "Hm.", "output": "So."},
        {"messages": json.dumps([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}])},
    ],
)
def test_a_response_without_a_place_of_its_own_is_refused(record: Record) -> None:
    with pytest.raises(UserError, match=r"record 3: the response .* stands under no key by itself"):
        with_response(record, "No.", {}, "record 3")


def test_a_dataset_says_which_records_are_planted_or_nothing(tmp_path: Path) -> None:
    def read(*values: Any) -> list[bool] | None:
        records = [{"output": "a"} if value is None else {"output": "a", "planted": value} for value in values]
        return read_planted(Dataset(str(write_json(tmp_path / "data.json", records))))

    assert read(True, None, False) == [True, False, False]
    assert read(None, None) is None
    with pytest.raises(UserError, match=r"data.json: record 1: 'planted' is .*; it must be true or false"):
        read(True, "yes")


def test_planting_needs_no_torch() -> None:
    code = "import sys; import training.planting, training.arms, training.batches; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=CODE[0], check=True)
