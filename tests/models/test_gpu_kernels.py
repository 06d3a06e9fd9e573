"""Scoring on a GPU, as far as it can be tried without one: the same scores without masks, and few operations."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from models import batch_models, gpu_kernels
from models.batch_models import PaddedModel
from models.gpu_kernels import NAME, use_causal_attention, use_gpu_kernels
from models.output_head import LOGITS_BYTES, HeadChunk, OutputHead, head_chunk
from models.sequences import TokenSequence
from scoring.scorer import Scorer, default_tokens_per_batch
from tiny_models import each_alone, random_sequences, save_mistral

META = torch.device("meta")


class Operations(TorchDispatchMode):
    """Counts the operations that are dispatched."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(function)] += 1
        return function(*args, **(kwargs or {}))


def load(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture
def gpt2_without_weights(monkeypatch: pytest.MonkeyPatch) -> Callable[[torch.dtype], PaddedModel]:
    """GPT-2's shape on a device that computes nothing, so the trials of a loaded model are left out."""
    monkeypatch.setattr(batch_models, "check_model", lambda model: True)
    monkeypatch.setattr(gpu_kernels, "_logits", lambda model: None)
    monkeypatch.setattr(gpu_kernels, "_agree", lambda *args: True)

    def build(dtype: torch.dtype) -> PaddedModel:
        with META:
            model = GPT2LMHeadModel(GPT2Config()).to(dtype).eval()
        use_gpu_kernels(model)
        return PaddedModel(model)

    return build


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_batch_of_a_gpu_takes_few_operations(
    dtype: torch.dtype, gpt2_without_weights: Callable[[torch.dtype], PaddedModel]
) -> None:
    model = gpt2_without_weights(dtype)
    sequences = each_alone([TokenSequence([1] * 256, 1)] * 64)
    assert default_tokens_per_batch(META) == 64 * 256
    with torch.inference_mode(), Operations() as operations:
        nll = model.token_nll(sequences)
    assert nll.shape == (64 * 255,)
    assert operations.counts.total() < 600
    assert operations.counts["aten._local_scalar_dense.default"] == 0  # nobody asks the device


def test_number_of_operations_does_not_grow_with_the_sequences(
    gpt2_without_weights: Callable[[torch.dtype], PaddedModel],
) -> None:
    model, totals = gpt2_without_weights(torch.float32), []
    for num_sequences, length in ((16, 256), (256, 16)):
        with torch.inference_mode(), Operations() as operations:
            # As many scored tokens each: the head's chunks are the same.
            model.token_nll(each_alone([TokenSequence([1] * length, length // 2)] * num_sequences))
        totals.append(operations.counts.total())
    assert totals[0] == totals[1]


@pytest.mark.parametrize("model_fixture", ["tiny_gpt2", "tiny_llama"])
def test_scores_are_the_same_with_and_without_masks(model_fixture: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(model_fixture)
    model, sequences, losses = load(folder), random_sequences([64, 60, 33, 9, 2]), []
    for change in (lambda model: None, use_gpu_kernels):
        change(model)
        with Scorer({"float32": PaddedModel(model)}, 1000) as scorer:
            losses.append(scorer.mean_nll(sequences))
    assert model.config._attn_implementation == NAME
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_trial_takes_rounding_for_no_difference(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    exact = torch.randn(2, 8, 1000) * 30 - 100  # as large as GPT-2's
    rounded, wrong = exact.to(dtype).float(), exact.roll(1, dims=1)
    assert gpu_kernels._agree(exact, rounded, dtype)
    assert not gpu_kernels._agree(exact, wrong, dtype)
    assert not gpu_kernels._agree(exact * float("nan"), exact, dtype)


def test_model_that_does_not_see_all_earlier_tokens_keeps_its_masks(tmp_path: Path) -> None:
    model = load(save_mistral(tmp_path))
    assert not use_causal_attention(model)
    assert model.config._attn_implementation == "sdpa"


def test_model_whose_logits_change_keeps_its_masks(tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_kernels, "_agree", lambda *args: False)
    model = load(tiny_gpt2)
    assert not use_causal_attention(model)
    assert model.config._attn_implementation == "sdpa"


def test_attention_of_another_kind_is_left_alone(tiny_gpt2: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, attn_implementation="eager").eval()
    assert not use_causal_attention(model)
    assert model.config._attn_implementation == "eager"


class Card:
    """What torch says of a card."""

    def __init__(self, total_memory: int) -> None:
        self.total_memory = total_memory


@pytest.mark.parametrize(
    ("gigabytes", "num_bytes"),
    [(80, LOGITS_BYTES), (16, (16 << 30) // 32), (2, (2 << 30) // 32)],
)
def test_head_of_a_card_takes_the_whole_vocabulary_and_as_many_tokens_as_its_memory_allows(
    gigabytes: int, num_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Card(gigabytes << 30))
    chunk = head_chunk(torch.device("cuda"), 50257)
    assert chunk == HeadChunk(num_bytes // (4 * 50257), 50257)


def test_vocabulary_beyond_all_memory_goes_token_by_token() -> None:
    assert head_chunk(META, 1 << 30).tokens == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_chunks_give_what_small_ones_do(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(700, 16), torch.randn(5000, 16), torch.randint(0, 5000, (700,))
    head = OutputHead(weight, None, dtype)
    small = head.nll(hidden, targets)
    head.chunk = HeadChunk(300, 5000)
    torch.testing.assert_close(head.nll(hidden, targets), small, rtol=1e-5, atol=1e-5)
