"""Chunks: one line a record in order, with the reason or the numbers; short responses are scored in float32."""

import io
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from models.batch_models import PaddedModel
from models.causal_lm import load_batch_models
from models.source import find_model
from records.record import Skipped
from scoring.chunks import SHORT_RESPONSE_TOKENS, submit_chunk
from scoring.score_file import encode_lines, parse_line
from scoring.scorer import Scorer
from tiny_models import load_tiny

SHORT, LONG = (
    "~" * (SHORT_RESPONSE_TOKENS + 1),
    "~" * (SHORT_RESPONSE_TOKENS + 2),
)  # a token each; the first is not scored
RECORDS = [
    {"instruction": "Name three colours.", "output": "Red, yellow and brown."},
    {"instruction": "What is it?", "output": "  "},
    {"instruction": "Go on.", "output": LONG},
    {"instruction": "x" * 200, "output": "Too long a prompt."},
    {"instruction": "Go on!", "output": SHORT},
    {"instruction": "One token.", "output": "~"},
    {"instruction": "What is seven times eight?", "output": "東京は日本の首都です。" * 2},
]
REASONS = [None, "empty_response", None, "long_prompt", None, "short_response", None]
NEEDS_BFLOAT16 = [False, False, True, False, False, False, True]

ScorerAndTokenizer = tuple[Scorer, PreTrainedTokenizerBase]


@pytest.fixture(scope="module")
def mixed(tiny_gpt2: Path) -> Iterator[ScorerAndTokenizer]:
    """A scorer in both dtypes."""
    models, tokenizer = load_batch_models(find_model(str(tiny_gpt2)), "mixed", torch.device("cpu"), 64)
    with Scorer(models, 128, 2) as scorer:
        yield scorer, tokenizer


def lines_of(scorer_and_tokenizer: ScorerAndTokenizer, dtype: str, records: list[dict] = RECORDS) -> list[dict]:
    scorer, tokenizer = scorer_and_tokenizer
    with tqdm(disable=True) as bar:
        return submit_chunk(scorer, tokenizer, records, "none", 64, dtype, {}).lines(bar)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_records_without_a_score_have_their_reason_in_their_place(mixed: ScorerAndTokenizer, dtype: str) -> None:
    lines = lines_of(mixed, dtype)
    assert [line.get("skipped") for line in lines] == REASONS
    assert all(line == {"skipped": reason} for line, reason in zip(lines, REASONS, strict=True) if reason)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_records_line_is_the_one_it_has_alone(mixed: ScorerAndTokenizer, dtype: str) -> None:
    for record, line in zip(RECORDS, lines_of(mixed, dtype), strict=True):
        (alone,) = lines_of(mixed, dtype, [record])
        assert set(line) == set(alone)
        if "loss" in line:
            assert line["loss"] == pytest.approx(alone["loss"], rel=1e-5 if line.get("dtype") != "bfloat16" else 0.01)
            assert line["tokens"] == alone["tokens"]


def test_line_has_both_perplexities_and_numbers_of_tokens(mixed: ScorerAndTokenizer) -> None:
    _, tokenizer = mixed
    line = lines_of(mixed, "float32")[2]
    prompt, whole = (len(tokenizer.encode(text)) for text in ("Go on.\n", "Go on.\n" + LONG))
    assert line["tokens"] == [SHORT_RESPONSE_TOKENS + 1, whole - prompt]
    assert [line["ppl"][1], line["ppl"][3]] == [math.exp(line["loss"][1]), math.exp(line["loss"][3])]


def test_line_says_its_dtype_where_both_are_there(mixed: ScorerAndTokenizer) -> None:
    for line, reason, needs_bfloat16 in zip(lines_of(mixed, "bfloat16"), REASONS, NEEDS_BFLOAT16, strict=True):
        assert line.get("dtype") == (None if reason else "bfloat16" if needs_bfloat16 else "float32")
    for line, reason in zip(lines_of(mixed, "float32"), REASONS, strict=True):
        assert line.get("dtype") == (None if reason else "float32")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_line_does_not_say_its_dtype_where_there_is_one(mixed: ScorerAndTokenizer, dtype: str) -> None:
    scorer, tokenizer = mixed
    with Scorer({dtype: scorer.models[dtype]}, 128) as alone:
        lines = lines_of((alone, tokenizer), dtype)
    assert [line.get("skipped") for line in lines] == REASONS
    assert not any("dtype" in line for line in lines)


def test_short_responses_have_the_scores_of_float32(mixed: ScorerAndTokenizer) -> None:
    for exact, line in zip(lines_of(mixed, "float32"), lines_of(mixed, "bfloat16"), strict=True):
        if "skipped" in exact:
            continue
        is_short = exact["tokens"][0] <= SHORT_RESPONSE_TOKENS
        assert (line["loss"] == pytest.approx(exact["loss"], rel=1e-6)) == is_short
        assert line["loss"] == pytest.approx(exact["loss"], rel=0.02)


def test_lines_can_be_read_again(mixed: ScorerAndTokenizer) -> None:
    for line in lines_of(mixed, "bfloat16"):
        score = parse_line(encode_lines([line]))
        assert score == Skipped(line["skipped"]) if "skipped" in line else score.loss_direct == line["loss"][1]


def test_score_that_is_no_number_is_a_line_like_any_other_without_one(
    tiny_gpt2: Path, mixed: ScorerAndTokenizer
) -> None:
    scorer, tokenizer = mixed
    model, _ = load_tiny(tiny_gpt2)
    padded = PaddedModel(model)
    model.transformer.ln_f.weight.data[0] = math.nan  # after the trial
    with Scorer(scorer.models | {"bfloat16": padded}, 128) as faulty:
        line = lines_of((faulty, tokenizer), "bfloat16")[2]
    assert line == {"skipped": "non_finite"}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bar_moves_on_by_the_chunk(mixed: ScorerAndTokenizer, dtype: str) -> None:
    scorer, tokenizer = mixed
    with tqdm(total=100, initial=30, file=io.StringIO()) as bar:
        running, following = (
            submit_chunk(scorer, tokenizer, part, "none", 64, dtype, {}) for part in (RECORDS, RECORDS[:3])
        )
        running.lines(bar)
        assert bar.n == 30 + 7
        following.lines(bar)
        assert bar.n == 30 + 7 + 3


def test_chunk_without_a_score_is_lines_all_the_same(mixed: ScorerAndTokenizer) -> None:
    assert lines_of(mixed, "bfloat16", [RECORDS[1], RECORDS[3]]) == [
        {"skipped": "empty_response"},
        {"skipped": "long_prompt"},
    ]
