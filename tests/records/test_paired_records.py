"""Two datasets are taken for versions of one only when every text is the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.dataset import Dataset
from records.paired_records import paired_records
from records.record import Record
from script_runs import write_json
from shared.cli import UserError

PLAIN = [{"instruction": f"ask {index}", "input": "", "output": f"answer {index}"} for index in range(600)]
CHAT = [
    {"conversations": [{"from": role, "value": text} for role, text in turns]}
    for turns in (
        [("human", "hi"), ("gpt", "four"), ("human", "and"), ("gpt", "six")],
        [("system", "be brief"), ("human", "hi")],
    )
]


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., list[Record]]:
    def read(a: Any, b: Any, fields: dict[str, str] | None = None) -> list[Record]:
        datasets = [
            Dataset(str(write_json(tmp_path / name, records))) for name, records in (("a.json", a), ("b.json", b))
        ]
        return list(paired_records(*datasets, fields or {}))

    return read


def test_other_keys_and_an_input_that_is_none_may_differ(pair: Callable[..., list[Record]]) -> None:
    others = [
        {"ifd_ppl": 0.5, "output": record["output"], "instruction": record["instruction"], "input": None}
        for record in PLAIN
    ]
    del others[7]["input"]
    assert pair(PLAIN, others) == PLAIN


def test_formats_may_differ(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", PLAIN)
    pq.write_table(pa.Table.from_pylist(PLAIN), tmp_path / "b.parquet", row_group_size=70)
    assert list(paired_records(Dataset(str(tmp_path / "a.json")), Dataset(str(tmp_path / "b.parquet")), {})) == PLAIN


@pytest.mark.parametrize("name", ["instruction", "output"])
def test_first_record_with_another_text_is_named(pair: Callable[..., list[Record]], name: str) -> None:
    others = [dict(record) for record in PLAIN]
    others[300][name] += "!"
    others[301] = PLAIN[0]
    start = len(PLAIN[300][name])
    with pytest.raises(
        UserError,
        match=rf'^record 300 differs: its {name}, from character {start} on, is "" in .*a.json and "!" in .*b.json; ',
    ):
        pair(PLAIN, others)


def test_input_that_only_one_has_is_named(pair: Callable[..., list[Record]]) -> None:
    with pytest.raises(UserError, match=r"^record 1 differs: .*a\.json has output where .*b\.json has input"):
        pair(PLAIN, [PLAIN[0], PLAIN[1] | {"input": "!"}, *PLAIN[2:]])


@pytest.mark.parametrize(("num_a", "num_b", "longer"), [(600, 256, "a"), (599, 600, "b")])
def test_record_that_only_one_has_is_named(
    pair: Callable[..., list[Record]], num_a: int, num_b: int, longer: str
) -> None:
    shorter, num = "ba"[longer == "b"], min(num_a, num_b)
    with pytest.raises(UserError, match=rf"{longer}.json has more than {num} records, .*{shorter}.json has {num};"):
        pair(PLAIN[:num_a], PLAIN[:num_b])


def test_records_in_another_order_are_refused(pair: Callable[..., list[Record]]) -> None:
    with pytest.raises(UserError, match="record 0 differs"):
        pair(PLAIN, PLAIN[::-1])


def test_other_names_for_the_same_turns_are_the_same_texts(pair: Callable[..., list[Record]]) -> None:
    roles = {"human": "user", "gpt": "assistant", "system": "system"}
    messages = [
        {"messages": [{"role": roles[turn["from"]], "content": turn["value"]} for turn in record["conversations"]]}
        for record in CHAT
    ]
    assert pair(CHAT, messages) == CHAT


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        (1, r'record 0 differs: its turn 1 \(assistant\), from character 4 on, is "" in .*a.json and "x" in'),
        (3, r'record 0 differs: its turn 3 \(assistant\), from character 3 on, is "" in .*a.json and "x" in'),
    ],
)
def test_turn_that_differs_is_named(pair: Callable[..., list[Record]], turn: int, message: str) -> None:
    turns = [dict(turn) for turn in CHAT[0]["conversations"]]
    turns[turn]["value"] += "x"
    with pytest.raises(UserError, match=message):
        pair(CHAT, [{"conversations": turns}])


def test_conversation_with_fewer_turns_is_refused(pair: Callable[..., list[Record]]) -> None:
    with pytest.raises(UserError, match=r"record 0 differs: .*a\.json has 4 texts in it, .*b\.json 2"):
        pair(CHAT, [{"conversations": CHAT[0]["conversations"][:2]}])
    with pytest.raises(
        UserError, match=r"record 0 differs: .*a\.json has turn 0 .user. where .*b\.json has turn 0 .system."
    ):
        pair(CHAT, [CHAT[1]])


def test_fields_name_the_texts_of_both(pair: Callable[..., list[Record]]) -> None:
    a, b = ([{"q": "ask", "a": "answer", "instruction": other}] for other in ("one", "two"))
    assert pair(a, b, {"instruction": "q", "output": "a"}) == a
    with pytest.raises(UserError, match=r"b\.json: record 0: field 'q' is missing"):
        pair(a, PLAIN[:1], {"instruction": "q", "output": "a"})
