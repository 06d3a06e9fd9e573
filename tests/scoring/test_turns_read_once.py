"""Conversations are read once: their lines are those of each turn scored alone, on every path."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models.batch_models import BatchModel, PaddedModel
from models.causal_lm import pack_model
from models.sequences import encode_chunk
from models.shared_sequences import SharedSequence
from records.conversations import exchanges
from records.record import Record, Skipped
from scoring.chunks import submit_chunk
from scoring.score_file import score_line, skipped_line, turns_line
from scoring.scorer import Scorer
from selection.ifd import standard_error
from tiny_models import build_llama4, build_mllama, build_tokenizer, load_tiny, save_chat_llama, save_phi3

CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
# Thoughts of all answers but the last are left out.
FORGETS = CHATML.replace(
    "{{ m.content }}", "{{ m.content if loop.last else m.content.split('</think>')[-1].lstrip() }}"
)
ANSWERS = ["Red, yellow and brown.", "", "~", "Seven of nine.", "Seven of nine.", "東京は日本の首都です。", "no " * 30]
TALK = {"conversations": [turn for answer in ANSWERS for turn in ({"from": "human", "value": "Say it."},
                                                                  {"from": "gpt", "value": answer})]}  # fmt: skip
GREETED = {"conversations": [{"from": "gpt", "value": "Hello, what is it?"}, *TALK["conversations"][:8]]}
THOUGHT = {
    "conversations": [
        {"from": who, "value": value}
        for number in range(4)
        for who, value in (
            ("human", f"What is {number} and one?"),
            ("gpt", f"<think>{number} is a number.</think> It is {number + 1}."),
        )
    ]
}
PLAIN = {"instruction": "Say it.", "output": "Red, yellow and brown."}
RECORDS = [TALK, PLAIN, GREETED, THOUGHT, {"conversations": [{"from": "human", "value": "Hello?"}]}, PLAIN]


class Counting:
    """A model that adds up the tokens it reads."""

    def __init__(self, model: BatchModel) -> None:
        self.model, self.num_tokens = model, 0
        self.vocabulary, self.short_context = model.vocabulary, model.short_context
        self.batch_size_of = model.batch_size_of

    def token_nll(self, batch: list[SharedSequence]) -> torch.Tensor:
        self.num_tokens += sum(map(len, batch))
        return self.model.token_nll(batch)


def each_turn_alone(
    scorer: Scorer, tokenizer: PreTrainedTokenizerBase, record: Record, template: str, max_length: int
) -> dict[str, Any]:
    """Return the line of a record from sequences that go through the model one by one."""
    lines = []
    asked = exchanges(record, {})
    for pair in encode_chunk(tokenizer, asked, template, max_length):
        if isinstance(pair, Skipped):
            lines.append(skipped_line(pair.reason))
            continue
        direct, conditioned = (scorer.submit([one]).result()[0] for one in (pair.direct, pair.conditioned))
        se = standard_error(*pair.aligned(direct.token_nll, conditioned.token_nll))
        lines.append(score_line(direct.mean, conditioned.mean, len(direct.token_nll), len(conditioned.token_nll), se))
    if asked and "messages" not in asked[0]:
        return lines[0]
    return turns_line(lines) if asked else skipped_line("empty_response")


def assert_lines_are_those_of_each_turn_alone(
    model: BatchModel,
    tokenizer: PreTrainedTokenizerBase,
    template: str,
    max_length: int,
    records: list[Record] = RECORDS,
    tokens_per_batch: int = 512,
) -> None:
    with Scorer({"float32": model}, tokens_per_batch) as scorer, tqdm(disable=True) as bar:
        found = submit_chunk(scorer, tokenizer, records, template, max_length, "float32", {}).lines(bar)
        expected = [each_turn_alone(scorer, tokenizer, record, template, max_length) for record in records]
    assert_alike(found, expected)


def assert_alike(found: Any, expected: Any) -> None:
    """Compare whole lines: numbers within 1e-5, all else exactly."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    else:
        assert found == expected


def model_of(folder: Path, kind: str, max_length: int) -> tuple[BatchModel, PreTrainedTokenizerBase]:
    model, tokenizer = load_tiny(folder, max_length)
    padded = PaddedModel(model)
    if kind == "packed":
        return pack_model(padded, {"float32"}, max_length)["float32"], tokenizer
    if kind == "whole logits":
        padded.head = None
    return padded, tokenizer


@pytest.mark.parametrize("kind", ["packed", "padded", "whole logits"])
@pytest.mark.parametrize(
    ("model_fixture", "max_length"), [("tiny_gpt2", 64), ("tiny_gpt2", 40), ("tiny_llama", 256), ("tiny_llama", 50)]
)
def test_lines_are_those_of_each_turn_alone(
    kind: str, model_fixture: str, max_length: int, request: pytest.FixtureRequest
) -> None:
    model, tokenizer = model_of(request.getfixturevalue(model_fixture), kind, max_length)
    assert_lines_are_those_of_each_turn_alone(model, tokenizer, "none", max_length)


@pytest.mark.parametrize("kind", ["packed", "padded"])
@pytest.mark.parametrize("template", [CHATML, FORGETS])
@pytest.mark.parametrize("max_length", [256, 70])
def test_lines_are_those_of_each_turn_alone_in_a_chat_template(
    kind: str, template: str, max_length: int, tmp_path: Path
) -> None:
    model, tokenizer = model_of(save_chat_llama(tmp_path, template), kind, max_length)
    assert_lines_are_those_of_each_turn_alone(model, tokenizer, "chat", max_length)


@pytest.mark.parametrize("build", [build_llama4, build_mllama])
def test_lines_are_those_of_each_turn_alone_where_logits_are_whole(build: Callable[[], PreTrainedModel]) -> None:
    assert_lines_are_those_of_each_turn_alone(PaddedModel(build()), build_tokenizer(adds_bos=True), "none", 128)


def test_turns_within_a_short_context_are_not_read_in_a_longer_one(tmp_path: Path) -> None:
    model, tokenizer = load_tiny(save_phi3(tmp_path, short_context=48), 128)
    assert_lines_are_those_of_each_turn_alone(PaddedModel(model), tokenizer, "none", 128)


def test_turns_of_one_sequence_survive_halving(tiny_gpt2: Path) -> None:
    model, tokenizer = model_of(tiny_gpt2, "packed", 64)
    faulty, call, failed = Counting(model), model.token_nll, []

    def fails_above_70_tokens(batch: list[SharedSequence]) -> torch.Tensor:
        if sum(map(len, batch)) > 70:
            failed.append(len(batch))
            raise torch.OutOfMemoryError("injected")
        return call(batch)

    faulty.token_nll = fails_above_70_tokens  # type: ignore[method-assign]
    assert_lines_are_those_of_each_turn_alone(faulty, tokenizer, "none", 64, tokens_per_batch=10_000)
    assert failed


texts = st.text(st.sampled_from("ab ~é東\n"), max_size=12)
talks = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def packed_gpt2(tiny_gpt2: Path) -> tuple[BatchModel, PreTrainedTokenizerBase]:
    return model_of(tiny_gpt2, "packed", 64)


@given(st.lists(talks, min_size=1, max_size=3), st.integers(8, 64))
@settings(max_examples=20)
def test_lines_of_any_turns_are_those_of_each_alone(
    packed_gpt2: tuple[BatchModel, PreTrainedTokenizerBase], chats: list[list[tuple[str, str]]], max_length: int
) -> None:
    records = [
        {
            "messages": [
                message
                for asked, answer in chat
                for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": answer})
            ]
        }
        for chat in chats
    ]
    assert_lines_are_those_of_each_turn_alone(*packed_gpt2, "none", max_length, records)


def talk_of(numbers: range) -> Record:
    """A conversation whose answers begin otherwise each: none of them begins another."""
    turns = [
        {"role": role, "content": text}
        for number in numbers
        for role, text in (("user", "Go on."), ("assistant", f"{chr(97 + number)}~~~~"))
    ]
    return {"messages": turns}


def tokens_read(model: BatchModel, tokenizer: PreTrainedTokenizerBase, template: str, records: list[Record]) -> int:
    counting = Counting(model)
    with Scorer({"float32": counting}, 512) as scorer, tqdm(disable=True) as bar:
        lines = submit_chunk(scorer, tokenizer, records, template, 1024, "float32", {}).lines(bar)
    assert not any("skipped" in turn for line in lines for turn in line["turns"])
    return counting.num_tokens


def test_work_grows_with_the_turns_not_with_their_square(tiny_llama: Path) -> None:
    model, tokenizer = model_of(tiny_llama, "padded", 256)
    one_long, four_short = [talk_of(range(24))], [talk_of(range(first, first + 6)) for first in range(0, 24, 6)]
    num_user, num_answer = (len(tokenizer.encode(text)) - 1 for text in ("Go on.\n", "a~~~~\n"))
    # A BOS, all turns, and no line end after the last; and each answer alone, with a BOS of its own.
    direct = 24 * num_answer
    assert tokens_read(model, tokenizer, "none", one_long) == 24 * (num_user + num_answer) + direct
    assert tokens_read(model, tokenizer, "none", four_short) == 24 * (num_user + num_answer) + direct


def test_same_response_is_read_once(tiny_llama: Path) -> None:
    model, tokenizer = model_of(tiny_llama, "padded", 256)
    records = [{"messages": talk_of(range(1))["messages"]}] * 2
    assert tokens_read(model, tokenizer, "none", records) == tokens_read(model, tokenizer, "none", records[:1])


def test_turns_whose_reasoning_is_forgotten_are_read_for_themselves(tmp_path: Path) -> None:
    model, tokenizer = model_of(save_chat_llama(tmp_path, FORGETS), "padded", 256)
    pairs = encode_chunk(tokenizer, exchanges(THOUGHT, {}), "chat", 1024)
    alone = sum(len(one.input_ids) for pair in pairs for one in (pair.direct, pair.conditioned))
    assert tokens_read(model, tokenizer, "chat", [THOUGHT]) == alone
