"""Token sequences: the published boundaries, and the reasons for having no score."""

import pytest

from models.sequences import SequencePair, encode_chunk
from records.record import Skipped
from shared.cli import UserError
from tiny_models import build_tokenizer

PLAIN = build_tokenizer(adds_bos=False)
WITH_BOS = build_tokenizer(adds_bos=True)


def record(instruction: str, output: str, context: str | None = "") -> dict:
    return {"instruction": instruction, "input": context, "output": output}


def pair_of(
    tokenizer, instruction: str, output: str, max_length: int = 1000, template: str = "none"
) -> SequencePair | Skipped:
    return encode_chunk(tokenizer, [record(instruction, output)], template, max_length)[0]


@pytest.mark.parametrize("tokenizer", [PLAIN, WITH_BOS])
def test_direct_is_the_response_alone_without_its_first_token(tokenizer) -> None:
    pair = pair_of(tokenizer, "Name a colour.", "Red and yellow.")
    assert pair.direct.input_ids == tokenizer.encode("Red and yellow.")
    assert pair.direct.num_scored == len(pair.direct.input_ids) - 1


@pytest.mark.parametrize("tokenizer", [PLAIN, WITH_BOS])
def test_conditioned_counts_from_the_number_of_prompt_tokens_on(tokenizer) -> None:
    pair = pair_of(tokenizer, "Name a colour.", "Red and yellow.")
    assert pair.conditioned.input_ids == tokenizer.encode("Name a colour.\nRed and yellow.")
    assert pair.conditioned.first_scored == len(tokenizer.encode("Name a colour.\n"))


def test_direct_is_cut_to_one_token_more_than_the_room_after_the_prompt() -> None:
    num_prompt = len(PLAIN.encode("Name a colour.\n"))
    pair = pair_of(PLAIN, "Name a colour.", "Red and yellow and brown leaves.", max_length=num_prompt + 5)
    assert len(pair.direct.input_ids) == 5 + 1
    assert pair.conditioned.num_scored == 5


def test_one_token_of_room_is_enough() -> None:
    num_prompt = len(PLAIN.encode("Name a colour.\n"))
    pair = pair_of(PLAIN, "Name a colour.", "Red and yellow.", max_length=num_prompt + 1)
    assert (pair.direct.num_scored, pair.conditioned.num_scored) == (1, 1)


@pytest.mark.parametrize("excess", [0, 1, 20])
def test_prompt_that_fills_max_length_leaves_no_room(excess: int) -> None:
    num_prompt = len(PLAIN.encode("Name a colour of autumn leaves.\n"))
    assert pair_of(PLAIN, "Name a colour of autumn leaves.", "Red.", max_length=num_prompt - excess) == Skipped(
        "long_prompt"
    )


@pytest.mark.parametrize("output", ["", " ", "\n\n\t", "\u3000"])
def test_response_of_white_space_is_empty(output: str) -> None:
    assert pair_of(PLAIN, "Name a colour.", output) == Skipped("empty_response")


def test_one_token_response_is_short_unless_a_bos_predicts_it() -> None:
    assert len(PLAIN.encode("a")) == 1
    assert pair_of(PLAIN, "Name a letter.", "a") == Skipped("short_response")
    assert pair_of(WITH_BOS, "Name a letter.", "a").direct.num_scored == 1


def test_response_that_merges_into_the_prompt_is_short() -> None:
    class Merging:
        """A tokenizer that turns everything into as many tokens as there are lines."""

        chat_template = None

        def __call__(self, texts: list[str], **options) -> dict:
            return {"input_ids": [[7] * text.count("\n") or [7, 7] for text in texts]}

    assert pair_of(Merging(), "Say no.", "no way") == Skipped("short_response")


def test_chunk_equals_one_record_at_a_time() -> None:
    records = [
        record("Où est la gare ?", "東京は日本の首都です。"),
        record("Add.", ""),
        record("x", "seven times eight", "y"),
    ]
    one_by_one = [encode_chunk(WITH_BOS, [one], "alpaca", 100)[0] for one in records]
    assert encode_chunk(WITH_BOS, records, "alpaca", 100) == one_by_one


def test_chat_template_is_applied_with_a_single_bos() -> None:
    pair = pair_of(WITH_BOS, "Name a colour.", "Red and yellow.", template="chat")
    assert WITH_BOS.decode(pair.conditioned.input_ids) == "<s><user>Name a colour.</user>\n<assistant>Red and yellow."
    assert pair.conditioned.input_ids.count(WITH_BOS.bos_token_id) == 1
    assert WITH_BOS.decode(pair.conditioned.input_ids[pair.conditioned.first_scored :]) == "Red and yellow."


def test_chat_without_a_chat_template_names_the_other_choices() -> None:
    with pytest.raises(UserError, match="no chat template; choose another one, such as alpaca"):
        pair_of(PLAIN, "Name a colour.", "Red.", template="chat")
