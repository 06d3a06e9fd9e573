"""On a GPU: the scores of the CPU, and no waiting for the GPU inside a chunk. Skipped without one."""

from pathlib import Path

import pytest
import torch

from models.causal_lm import load_batch_models
from models.sequences import TokenSequence
from models.source import find_model
from scoring.scorer import Scorer, default_tokens_per_batch
from tiny_models import each_alone

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def sequences() -> list[TokenSequence]:
    generator = torch.Generator().manual_seed(1)
    return [
        TokenSequence(torch.randint(1, 300, (length,), generator=generator).tolist(), 1 + length // 3)
        for length in (5, 9, 30, 60, 64)
    ]


def score(folder: Path, device: str, dtype: str) -> list[float]:
    models, _ = load_batch_models(find_model(str(folder)), dtype, torch.device(device), 64)
    with Scorer(models, default_tokens_per_batch(torch.device(device))) as scorer:
        return scorer.mean_nll(sequences(), dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_scores_are_those_of_the_cpu(tiny_gpt2: Path, dtype: str, tolerance: float) -> None:
    assert score(tiny_gpt2, "cuda", dtype) == pytest.approx(score(tiny_gpt2, "cpu", "float32"), rel=tolerance)


def test_batch_never_waits_for_the_gpu(tiny_gpt2: Path) -> None:
    models, _ = load_batch_models(find_model(str(tiny_gpt2)), "bfloat16", torch.device("cuda"), 64)
    batch = each_alone(sequences())
    models["bfloat16"].token_nll(batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.inference_mode():
            models["bfloat16"].token_nll(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
