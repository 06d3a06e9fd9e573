"""The standard error of a score: that of a plain computation from the library's own logits, on every path."""

import json
import math
from pathlib import Path

import pytest
import torch
from tqdm import tqdm

from models.batch_models import BatchModel, PaddedModel
from models.causal_lm import load_batch_models
from models.source import find_model
from published_method import published_se, response_nll
from scoring.chunks import submit_chunk
from scoring.score_file import encode_lines, parse_line
from scoring.scorer import Scorer
from selection.score_summary import summarize
from tiny_models import load_tiny

RECORDS = [
    {"instruction": "Name three colours.", "output": "Red, yellow and brown."},
    {"instruction": "Go on.", "input": "1, 2", "output": "3, 4, 5, 6, 7 and so on, one after the other"},
    {"instruction": "Repeat it.", "output": "no " * 40},  # is cut, and every token is like the next
    {"instruction": "Where is it?", "output": "東京は日本の首都です。" * 9},  # is cut
    {"instruction": "Say two.", "output": "~~"},
]


def prompt_of(record: dict) -> str:
    return record["instruction"] + "\n" + (record["input"] + "\n" if record.get("input") else "")


def models_of(folder: Path, kind: str) -> dict[str, BatchModel]:
    if kind == "packed":
        return load_batch_models(find_model(str(folder)), "float32", torch.device("cpu"), 64)[0]
    padded = PaddedModel(load_tiny(folder)[0])
    if kind == "whole logits":
        padded.head = None
    return {"float32": padded}


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize("kind", ["packed", "padded", "whole logits"])
@pytest.mark.parametrize("tokens_per_batch", [1, 512])
def test_it_is_that_of_the_librarys_logits_where_a_response_is_cut_too(
    model_fixture: str, kind: str, tokens_per_batch: int, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model_fixture)
    model, tokenizer = load_tiny(folder, use_kernels=False)
    with Scorer(models_of(folder, kind), tokens_per_batch, 2) as scorer, tqdm(disable=True) as bar:
        lines = submit_chunk(scorer, tokenizer, RECORDS, "none", 64, "float32", {}).lines(bar)
    num_cut = 0
    for record, line in zip(RECORDS[:-1], lines[:-1], strict=True):
        prompt = prompt_of(record)
        is_cut = len(tokenizer.encode(prompt + record["output"])) > 64
        num_cut += is_cut
        # The room of the direct pass is a token longer, which a BOS takes where there is one.
        is_later = is_cut and not tokenizer.encode("")
        expected = published_se(*response_nll(model, tokenizer, prompt, record["output"], 64), is_later)
        assert line["se"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert num_cut == 2
    assert lines[-1]["se"] is None or model_fixture == "tiny_llama"  # one scored token, or two after a BOS


def test_every_turn_of_a_conversation_has_its_own(tiny_llama: Path) -> None:
    models, tokenizer = load_batch_models(find_model(str(tiny_llama)), "float32", torch.device("cpu"), 256)
    answers = ["Red, yellow and brown.", "Seven of nine, and then some more."]
    turns = [
        {"from": who, "value": text}
        for answer in answers
        for who, text in (("human", "Say something."), ("gpt", answer))
    ]
    with Scorer(models, 512) as scorer, tqdm(disable=True) as bar:
        (line,) = submit_chunk(scorer, tokenizer, [{"conversations": turns}], "none", 256, "float32", {}).lines(bar)
    model, tokenizer = load_tiny(tiny_llama, 256, use_kernels=False)
    prompts = ["Say something.\n", f"Say something.\n{answers[0]}\nSay something.\n"]
    for turn, prompt, answer in zip(line["turns"], prompts, answers, strict=True):
        direct, conditioned = response_nll(model, tokenizer, prompt, answer, 256)
        assert turn["se"] == pytest.approx(published_se(direct, conditioned, False), rel=1e-4)
    numbers = summarize(parse_line(encode_lines([line])), "mean")
    uppers = [turn["ppl"][3] / turn["ppl"][1] * math.exp(2 * turn["se"]) for turn in line["turns"]]
    assert numbers["ifd_upper"] == pytest.approx(sum(uppers) / 2)
    assert numbers["ifd_tokens"] == sum(turn["tokens"][0] for turn in line["turns"])


@pytest.mark.parametrize("step", [30, pytest.param(1, marks=pytest.mark.long)])
def test_golden_records_have_that_of_the_librarys_logits(smollm2_scorer, real_data_dir: Path, step: int) -> None:
    from models.causal_lm import load_causal_lm
    from models.pip_models import SMOLLM2

    scorer, tokenizer = smollm2_scorer
    scorer.tokens_per_batch = 512
    records = json.loads((real_data_dir / "golden" / "alpaca_60.json").read_text(encoding="utf-8"))[::step]
    with tqdm(disable=True) as bar:
        lines = submit_chunk(scorer, tokenizer, records, "none", 1024, "float32", {}).lines(bar)
    model, _ = load_causal_lm(find_model(SMOLLM2.name), torch.float32, torch.device("cpu"), 1024, use_kernels=False)
    for record, line in zip(records, lines, strict=True):
        direct, conditioned = response_nll(model, tokenizer, prompt_of(record), record["output"], 1024)
        assert line["se"] == pytest.approx(published_se(direct, conditioned, False), rel=1e-4)
