"""Batch models: padded or packed, a sequence's loss is the one it has alone; models that mean nothing are refused."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import BertConfig, BertLMHeadModel, Gemma2Config, Gemma2ForCausalLM, GPT2LMHeadModel, PreTrainedModel

from models import packing
from models.batch_models import BatchModel, PaddedModel
from models.causal_lm import pack_model
from models.packing import check_model
from models.sequences import TokenSequence
from scoring.scorer import Scorer
from shared.cli import UserError
from tiny_models import build_llama4, build_mllama, each_alone, load_tiny, random_sequences, save_phi3

LENGTHS = [64, 60, 33, 14, 9, 2]


def padded_and_packed(folder: Path) -> list[BatchModel]:
    padded = PaddedModel(load_tiny(folder)[0])
    return [padded, pack_model(padded, {"float32"}, 64)["float32"]]


@torch.inference_mode()
def losses_of(model: BatchModel, batch: list[TokenSequence]) -> list[float]:
    parts = model.token_nll(each_alone(batch)).split([sequence.num_scored for sequence in batch])
    return [part.mean().item() for part in parts]


@torch.inference_mode()
def library_losses(model: PreTrainedModel, batch: list[TokenSequence]) -> list[float]:
    """Return transformers' own loss of each sequence, one at a time."""
    losses = []
    for sequence in batch:
        input_ids = torch.tensor([sequence.input_ids])
        labels = input_ids.clone()
        labels[:, : sequence.first_scored] = -100  # ignored
        losses.append(model(input_ids=input_ids, labels=labels).loss.item())
    return losses


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_both_kinds_give_the_librarys_losses(model_fixture: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(model_fixture)
    padded, packed = padded_and_packed(folder)
    sequences = random_sequences(LENGTHS)
    expected = library_losses(load_tiny(folder, use_kernels=False)[0], sequences)
    assert losses_of(padded, sequences) == pytest.approx(expected, rel=1e-5)
    assert losses_of(packed, sequences) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_padding_is_never_seen(model_fixture: str, request: pytest.FixtureRequest) -> None:
    padded, _ = padded_and_packed(request.getfixturevalue(model_fixture))
    long, short = random_sequences([60, 9])
    assert losses_of(padded, [long, short])[1] == pytest.approx(losses_of(padded, [short])[0], rel=1e-6)


def test_both_kinds_know_as_many_tokens_as_there_are_embeddings(tiny_gpt2: Path) -> None:
    assert [model.vocabulary for model in padded_and_packed(tiny_gpt2)] == [400, 400]


def test_padded_batch_is_filled_up_to_the_budget(tiny_gpt2: Path) -> None:
    padded, _ = padded_and_packed(tiny_gpt2)
    assert padded.batch_size_of([50, 50, 50, 50], 149) == 2  # 2 * 50 <= 149 < 3 * 50
    assert padded.batch_size_of([50, 49, 48, 47], 150) == 3  # padded to 50
    assert padded.batch_size_of([30, 29, 28], 1000) == 3
    assert padded.batch_size_of([50, 20], 7) == 1


def test_padded_batch_ends_before_a_much_shorter_sequence_when_it_is_big_enough(tiny_gpt2: Path) -> None:
    padded, _ = padded_and_packed(tiny_gpt2)
    assert padded.batch_size_of([100, 79, 79], 1600) == 2  # 79 < 0.8 * 100, but 1 * 100 < 1600 / 8 <= 2 * 100
    assert padded.batch_size_of([100, 80, 80, 79], 1600) == 3  # 80 is not below
    assert padded.batch_size_of([100, 90, 80], 1600) == 3


def test_packed_batch_is_filled_up_to_the_budget(tiny_gpt2: Path) -> None:
    _, packed = padded_and_packed(tiny_gpt2)
    assert packed.batch_size_of([50, 30, 20, 10], 100) == 3  # 50 + 30 + 20 <= 100
    assert packed.batch_size_of([50, 30, 20, 10], 99) == 2
    assert packed.batch_size_of([50, 30, 20, 10], 1000) == 4
    assert packed.batch_size_of([50, 20], 7) == 1


def test_nan_weights_give_nan_losses_not_numbers(tiny_gpt2: Path) -> None:
    for model in padded_and_packed(tiny_gpt2):
        body = model.model.transformer.ln_f if isinstance(model, PaddedModel) else model.decoder.final_norm
        body.weight.data[0] = math.nan
        assert all(math.isnan(loss) for loss in losses_of(model, random_sequences([5, 9])))


def test_nan_checkpoint_is_refused(tiny_gpt2: Path) -> None:
    model, _ = load_tiny(tiny_gpt2)
    model.transformer.ln_f.weight.data[0] = math.nan
    with pytest.raises(UserError, match="its weights give no finite number"):
        PaddedModel(model)


def test_model_that_sees_later_tokens_is_refused() -> None:
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
    )
    model = BertLMHeadModel(config).eval()
    with pytest.raises(UserError, match="BertLMHeadModel is not causal"):
        check_model(model)
    with pytest.raises(UserError, match="BertLMHeadModel is not causal"):
        PaddedModel(model)


def test_plain_head_is_seen(tiny_gpt2: Path, tiny_llama: Path) -> None:
    assert check_model(load_tiny(tiny_gpt2)[0])
    assert check_model(load_tiny(tiny_llama)[0])


def test_whole_logits_agree_with_the_chunked_head(tiny_gpt2: Path) -> None:
    padded, _ = padded_and_packed(tiny_gpt2)
    sequences = random_sequences(LENGTHS)
    chunked = losses_of(padded, sequences)
    padded.head = None
    assert losses_of(padded, sequences) == pytest.approx(chunked, rel=1e-5)


def test_model_that_caps_its_logits_is_scored_through_whole_logits() -> None:
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=32,
        initializer_range=0.5,
        final_logit_softcapping=2.0,
    )
    padded = PaddedModel(Gemma2ForCausalLM(config).eval())
    assert padded.head is None
    assert pack_model(padded, {"float32"}, 64) == {}
    sequences = random_sequences([14, 9])
    assert losses_of(padded, sequences) == pytest.approx(library_losses(padded.model, sequences), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_padded_model_in_sixteen_bits_is_near_its_float32(tiny_gpt2: Path, dtype: torch.dtype) -> None:
    sequences = random_sequences(LENGTHS)
    expected = losses_of(PaddedModel(load_tiny(tiny_gpt2)[0]), sequences)
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2, dtype=dtype).eval()
    padded = PaddedModel(model)
    assert padded.head is not None
    assert losses_of(padded, sequences) == pytest.approx(expected, rel=0.02)


def test_sequences_on_both_sides_of_a_short_context_share_no_batch(tmp_path: Path) -> None:
    padded = PaddedModel(load_tiny(save_phi3(tmp_path, short_context=32))[0])
    assert padded.short_context == 32
    assert padded.batch_size_of([40, 36, 33, 32, 30], 1000) == 3  # 32 tokens still are the short context
    assert padded.batch_size_of([32, 30], 1000) == 2
    assert padded.batch_size_of([40, 39], 1000) == 2
    assert padded.batch_size_of([40, 39, 30], 80) == 2  # the budget counts as ever


def test_losses_about_a_short_context_are_those_of_each_sequence_alone(tmp_path: Path) -> None:
    model, _ = load_tiny(save_phi3(tmp_path, short_context=32))
    sequences = random_sequences([40, 36, 33, 32, 31, 20])
    with Scorer({"float32": PaddedModel(model)}, tokens_per_batch=1000) as scorer:
        found = scorer.mean_nll(sequences)
    assert found == pytest.approx(library_losses(model, sequences), rel=1e-5)
    # A longer neighbour would show: that is what the batches are cut for.
    together = losses_of(PaddedModel(model), sequences)
    assert together[-1] != pytest.approx(found[-1], rel=1e-3)


def test_model_without_a_short_context_has_none(tiny_gpt2: Path, tiny_llama: Path) -> None:
    assert PaddedModel(load_tiny(tiny_gpt2)[0]).short_context is None
    assert PaddedModel(load_tiny(tiny_llama)[0]).short_context is None


@pytest.mark.parametrize("build", [build_llama4, build_mllama])
def test_model_that_is_its_own_body_is_scored_through_whole_logits(build: Callable[[], PreTrainedModel]) -> None:
    padded = PaddedModel(build())
    assert padded.head is None
    sequences = random_sequences([14, 9])
    assert losses_of(padded, sequences) == pytest.approx(library_losses(padded.model, sequences), rel=1e-5)


@pytest.mark.parametrize("hidden", [None, torch.zeros(1, 8, 7)])
def test_model_whose_body_ends_elsewhere_than_before_its_head_has_no_plain_head(
    hidden: torch.Tensor | None, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = load_tiny(tiny_gpt2)
    body = SimpleNamespace(last_hidden_state=hidden)
    monkeypatch.setattr(packing, "vocabulary_size", lambda model: 300)  # asks the body too
    monkeypatch.setattr(type(model), "base_model", property(lambda model: lambda **options: body))
    assert not check_model(model)
