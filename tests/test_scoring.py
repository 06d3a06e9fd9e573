"""Scoring: batches equal the published method one at a time, whatever the budget; memory runs out with grace."""

import math
from pathlib import Path

import pytest
import torch
from causal_lm import load_causal_lm
from cli import UserError
from model_source import find_model
from published_method import published_losses
from scoring import Scorer, batch_mean_nll, check_model, head_nll, logits_nll, take_batch
from sequences import TokenSequence, encode_window
from transformers import BertConfig, BertLMHeadModel, Gemma2Config, Gemma2ForCausalLM, GPT2LMHeadModel

CPU = torch.device("cpu")
RECORDS = [
    {"instruction": "Name three colours of leaves.", "input": "", "output": "Red, yellow and brown."},
    {"instruction": "What is it?", "input": "seven times eight", "output": "Fifty-six."},
    {"instruction": "Translate.", "input": None, "output": "東京は日本の首都です。"},
    {"instruction": "Go on.", "output": "Where is the station? " * 3},
    {"instruction": "Où est la gare ?", "input": "", "output": "Là-bas."},
]


def load(folder: Path, max_length: int = 64) -> tuple:
    return load_causal_lm(find_model(str(folder)), torch.float32, CPU, max_length)


def sequences_of(lengths: list[int]) -> list[TokenSequence]:
    generator = torch.Generator().manual_seed(1)
    return [TokenSequence(torch.randint(1, 300, (length,), generator=generator).tolist(), 1 + length // 3) for length in lengths]


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize("tokens_per_batch", [1, 100, 10_000])
def test_batches_agree_with_the_published_method(model_fixture: str, tokens_per_batch: int, request: pytest.FixtureRequest) -> None:
    model, tokenizer = load(request.getfixturevalue(model_fixture))
    pairs = encode_window(tokenizer, RECORDS, "none", 64)
    sequences = [sequence for pair in pairs for sequence in (pair.direct, pair.conditioned)]
    losses = Scorer(model, tokens_per_batch).mean_nll(sequences)
    expected = []
    for record in RECORDS:
        prompt = record["instruction"] + "\n" + (record.get("input") + "\n" if record.get("input") else "")
        expected += published_losses(model, tokenizer, prompt, record["output"], 64)
    assert losses == pytest.approx(expected, rel=1e-5)


def test_budget_changes_nothing_beyond_rounding(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    sequences = sequences_of([2, 3, 5, 8, 13, 21, 34, 55, 64, 64, 2])
    whole = Scorer(model, 100_000).mean_nll(sequences)
    for tokens_per_batch in (1, 64, 200):
        assert Scorer(model, tokens_per_batch).mean_nll(sequences) == pytest.approx(whole, rel=1e-5)


def test_model_is_float32_whatever_the_checkpoint_holds(tiny_llama: Path) -> None:
    model, _ = load(tiny_llama)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_padding_is_never_seen(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    short, long = sequences_of([9, 60])
    alone, together = batch_mean_nll(model, [short], True)[0], batch_mean_nll(model, [long, short], True)[1]
    assert together.item() == pytest.approx(alone.item(), rel=1e-6)


def test_head_in_chunks_equals_cross_entropy_over_whole_logits() -> None:
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(1300, 16), torch.randn(5000, 16), torch.randn(5000)
    targets = torch.randint(0, 5000, (1300,))
    for part_bias in (None, bias):
        logits = torch.nn.functional.linear(hidden, weight, part_bias)
        expected = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        torch.testing.assert_close(head_nll(hidden, targets, weight, part_bias), expected, rtol=1e-5, atol=1e-5)


def test_nll_of_a_certain_token_is_zero_not_below() -> None:
    weight = torch.eye(4) * 100
    nll = head_nll(torch.eye(4), torch.arange(4), weight, None)
    assert nll.tolist() == [0, 0, 0, 0]


def test_batch_is_filled_up_to_the_budget() -> None:
    sequences = sequences_of([50, 30, 20, 10])
    assert take_batch([0, 1, 2, 3], sequences, 149) == [0, 1]  # 2 * 50 <= 149 < 3 * 50
    assert take_batch([1, 2, 3], sequences, 90) == [1, 2, 3]
    assert take_batch([0, 1], sequences, 7) == [0]


def test_out_of_memory_halves_the_budget_and_loses_nothing(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = load(tiny_gpt2)
    sequences = sequences_of([40, 40, 40, 40, 40, 40, 40, 40, 12])
    expected = Scorer(model, 10_000).mean_nll(sequences)
    seen = []

    def fails_above_100_tokens(model: GPT2LMHeadModel, batch: list[TokenSequence], plain: bool) -> list[torch.Tensor]:
        seen.append(len(batch))
        if len(batch) * len(batch[0].input_ids) > 100:
            raise torch.OutOfMemoryError("injected")
        return batch_mean_nll(model, batch, plain)

    monkeypatch.setattr("scoring.batch_mean_nll", fails_above_100_tokens)
    scorer = Scorer(model, 10_000)
    assert scorer.mean_nll(sequences) == pytest.approx(expected, rel=1e-5)
    assert seen[:3] == [9, 4, 2]  # 360 tokens, then half, then half of 160
    assert scorer.tokens_per_batch == 80


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("injected"), MemoryError(), RuntimeError("can't allocate memory: 9 bytes")])
def test_out_of_memory_on_one_sequence_is_a_users_error(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    model, _ = load(tiny_gpt2)

    def always_fails(*args: object) -> None:
        raise error

    scorer = Scorer(model, 64)
    monkeypatch.setattr("scoring.batch_mean_nll", always_fails)
    with pytest.raises(UserError, match="out of memory on a single sequence of 40 tokens; lower --max_length"):
        scorer.mean_nll(sequences_of([40, 30]))


def test_other_runtime_errors_are_not_taken_for_memory(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = load(tiny_gpt2)

    def fails(*args: object) -> None:
        raise RuntimeError("shapes do not match")

    scorer = Scorer(model, 64)
    monkeypatch.setattr("scoring.batch_mean_nll", fails)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        scorer.mean_nll(sequences_of([40, 30]))


def test_nan_weights_give_nan_losses_not_numbers(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    model.transformer.ln_f.weight.data[0] = math.nan
    assert all(math.isnan(loss) for loss in Scorer(model, 64, True).mean_nll(sequences_of([5, 9])))


def test_token_id_beyond_the_embeddings_is_a_users_error(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    with pytest.raises(UserError, match="token id 400, but the model has 400 embeddings"):
        Scorer(model, 64).mean_nll([TokenSequence([1, 400, 2], 1)])


def test_no_sequences_give_no_losses(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    assert Scorer(model, 64).mean_nll([]) == []


def test_every_batch_is_reported(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    finished = []
    Scorer(model, 64).mean_nll(sequences_of([20, 30, 40, 50]), finished.append)
    assert finished == [1, 1, 2]  # 50, 40, then 30 and 20 together: 2 * 30 <= 64


def test_model_that_sees_later_tokens_is_refused() -> None:
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, initializer_range=0.5)
    with pytest.raises(UserError, match="BertLMHeadModel is not causal"):
        check_model(BertLMHeadModel(config).eval())


def test_model_that_caps_its_logits_is_scored_through_whole_logits() -> None:
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=300, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        intermediate_size=32, initializer_range=0.5, final_logit_softcapping=2.0,
    )
    model = Gemma2ForCausalLM(config).eval()
    scorer = Scorer(model, 30)
    assert not scorer.has_plain_head
    sequences = [TokenSequence([sequence.input_ids[0], *(i % 300 for i in sequence.input_ids[1:])], 1) for sequence in sequences_of([9, 14])]
    expected = []
    for sequence in sequences:
        ids = torch.tensor([sequence.input_ids])
        expected.append(model(input_ids=ids, labels=ids).loss.item())
    assert scorer.mean_nll(sequences) == pytest.approx(expected, rel=1e-5)


def test_whole_logits_agree_with_the_chunked_head(tiny_gpt2: Path) -> None:
    model, _ = load(tiny_gpt2)
    assert check_model(model)
    sequences = sequences_of([9, 14, 33])
    assert Scorer(model, 64).mean_nll(sequences) == pytest.approx(
        [part.item() for part in batch_mean_nll(model, sequences, False)], rel=1e-5
    )


def test_logits_nll_picks_its_positions() -> None:
    logits = torch.zeros(2, 3, 4)
    logits[1, 2, 3] = math.log(3)  # p = 3 / (3 + 1 + 1 + 1)
    nll = logits_nll(logits, torch.tensor([1, 0]), torch.tensor([2, 0]), torch.tensor([3, 0]))
    assert nll.tolist() == pytest.approx([math.log(2), math.log(4)])
