"""The training loop: which tokens its loss counts, what a step does, and that it learns."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from models.causal_lm import load_causal_lm
from models.sequences import TokenSequence
from models.source import find_model
from shared.cli import UserError
from tiny_models import random_sequences
from training.fine_tuning import Recipe, fine_tune, rate_share, response_nll

LORA = Recipe(learning_rate=0.02, lora_rank=4)


@pytest.fixture(params=["tiny_gpt2", "tiny_llama"])
def folder(request: pytest.FixtureRequest) -> Path:
    """A tiny model of each kind."""
    return request.getfixturevalue(request.param)


def load(folder: Path) -> PreTrainedModel:
    return load_causal_lm(find_model(str(folder)), torch.float32, torch.device("cpu"), 64, use_kernels=False)[0]


def weights_of(model: PreTrainedModel) -> list[torch.Tensor]:
    return [weight.clone() for weight in model.parameters()]


def test_loss_is_over_the_response_only(folder: Path) -> None:
    model = load(folder)
    sequence = TokenSequence([5, 6, 7, 8, 9], first_scored=3)
    log_shares = model(torch.tensor([[5, 6, 7, 8, 9]])).logits[0].log_softmax(-1)  # (length, vocabulary)
    # Token 8 is predicted where 7 stands, token 9 where 8 stands; what predicts 6 and 7 is the prompt's.
    wanted = torch.stack([-log_shares[2, 8], -log_shares[3, 9]])
    torch.testing.assert_close(response_nll(model, sequence), wanted)


def test_loss_of_a_batch_counts_every_response_token_alike(folder: Path) -> None:
    model = load(folder)
    batch = [TokenSequence([5, 6, 7, 8, 9], first_scored=1), TokenSequence([10, 11, 12], first_scored=2)]
    with torch.no_grad():
        nll = [response_nll(model, sequence) for sequence in batch]
    assert [len(part) for part in nll] == [4, 1]
    [loss] = fine_tune(model, [batch], LORA, seed=0)
    assert loss == pytest.approx(float(nll[0].sum() + nll[1].sum()) / 5, rel=1e-5)


def test_gradient_of_a_batch_is_that_of_its_mean_loss(tiny_llama: Path) -> None:
    # With plain AdamW the first step moves a weight by the rate against the sign of its gradient.
    batch = random_sequences([9, 20])
    reference, trained = load(tiny_llama), load(tiny_llama)
    before = reference.model.layers[0].mlp.up_proj.weight.clone()
    torch.cat([response_nll(reference.requires_grad_(True), sequence) for sequence in batch]).mean().backward()
    gradient = reference.model.layers[0].mlp.up_proj.weight.grad
    fine_tune(trained, [batch], Recipe(0.01, lora_rank=0), seed=0)
    moved = trained.model.layers[0].mlp.up_proj.weight - before
    is_clear = gradient.abs() > 1e-4  # AdamW's epsilon is nothing beside it
    torch.testing.assert_close(
        moved[is_clear], -0.01 * rate_share(0, 1) * gradient.sign()[is_clear], rtol=0.01, atol=1e-6
    )


@pytest.mark.parametrize("rank", [0, 4])
def test_toy_set_is_memorised(folder: Path, rank: int) -> None:
    model = load(folder)
    toys = random_sequences([8, 12])
    losses = fine_tune(model, [toys] * 40, Recipe(0.02, rank), seed=0)
    assert losses[-1] < losses[0] / 2
    # The model that was handed in is the trained one, with the adapters merged.
    with torch.no_grad():
        after = torch.cat([response_nll(model, sequence) for sequence in toys]).mean()
    assert float(after) < losses[0] / 2
    assert not any("lora" in name for name, _ in model.named_parameters())
    assert not any(weight.requires_grad for weight in model.parameters())


def test_adapters_leave_embeddings_and_head_as_they_are(folder: Path) -> None:
    model, original = load(folder), load(folder)
    fine_tune(model, [random_sequences([8])] * 3, LORA, seed=0)
    assert torch.equal(model.get_input_embeddings().weight, original.get_input_embeddings().weight)
    assert torch.equal(model.get_output_embeddings().weight, original.get_output_embeddings().weight)
    assert any(
        not torch.equal(one, other) for one, other in zip(model.parameters(), original.parameters(), strict=True)
    )


def test_same_seed_gives_the_same_weights_and_another_one_others(folder: Path) -> None:
    def train(seed: int) -> list[torch.Tensor]:
        model = load(folder)
        fine_tune(model, [random_sequences([8, 9])] * 3, LORA, seed)
        return weights_of(model)

    one, again, other = train(0), train(0), train(1)
    assert all(map(torch.equal, one, again))
    assert not all(map(torch.equal, one, other))


def test_rate_rises_falls_and_is_never_zero() -> None:
    shares = [rate_share(step, 20) for step in range(20)]
    assert shares[:3] == pytest.approx([1 / 3, 2 / 3, 1])  # a tenth of the steps, 2, is warm-up
    assert shares[2:] == pytest.approx([(20 - step) / 18 for step in range(2, 20)])
    assert rate_share(0, 1) > 0


def test_training_that_diverges_says_so(tiny_llama: Path) -> None:
    model = load(tiny_llama)
    with torch.no_grad():
        model.get_output_embeddings().weight[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"training diverged: .* lower --learning_rate"):
        fine_tune(model, [random_sequences([8])], LORA, seed=0)


def test_each_step_is_reported(tiny_llama: Path) -> None:
    steps: list[int] = []
    fine_tune(load(tiny_llama), [random_sequences([8])] * 5, LORA, seed=0, on_step=lambda: steps.append(1))
    assert len(steps) == 5
