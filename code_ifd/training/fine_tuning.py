"""A short training loop.

The loss is that of the response given its prompt; AdamW, warm-up and linear decay, clipped gradients.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from transformers import PreTrainedModel

from models.sequences import TokenSequence
from shared.cli import UserError, missing_package

WARMUP_RATE = 0.1  # of all steps
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. With a LoRA rank of 0 all of its weights are."""

    learning_rate: float
    lora_rank: int


def response_nll(model: PreTrainedModel, sequence: TokenSequence) -> torch.Tensor:
    """Return the negative log-likelihood of each token of the response, (num_scored,), in nats.

    Gradients flow through it.
    """
    input_ids = torch.tensor([sequence.input_ids], device=model.device)  # (1, length)
    # A token is predicted at the position before it.
    # The output head is a fifth of the model: it runs for the response only.
    positions = torch.arange(sequence.first_scored - 1, len(sequence.input_ids) - 1, device=model.device)
    logits = model(input_ids=input_ids, logits_to_keep=positions, use_cache=False).logits[0]  # (num_scored, vocabulary)
    return torch.nn.functional.cross_entropy(logits.float(), input_ids[0, sequence.first_scored :], reduction="none")


def fine_tune(
    model: PreTrainedModel,
    batches: list[list[TokenSequence]],
    recipe: Recipe,
    seed: int,
    on_step: Callable[[], object] = lambda: None,
) -> list[float]:
    """Train `model` itself, one optimiser step for each batch; return the loss of each batch before its step.

    A batch's loss, in nats per token, is the mean over all response tokens in it. The sequences run one by one, so none
    is padded. There is no dropout: in so few steps it would only be noise. Raises UserError when the loss is no finite
    number any more.
    """
    torch.manual_seed(seed % 2**63)
    trained = _with_adapters(model, recipe.lora_rank).eval()
    weights = [weight for weight in trained.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, len(batches)))
    losses = []
    for batch in batches:
        losses.append(_accumulate(trained, batch))
        torch.nn.utils.clip_grad_norm_(weights, MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        on_step()
    if recipe.lora_rank:
        trained.merge_and_unload()  # into the layers of `model`
    model.requires_grad_(False)
    return losses


def rate_share(step: int, num_steps: int) -> float:
    """Return the share of the learning rate for a step, counted from 0: up to 1 over the warm-up, then down in a line.

    Neither the first step nor the last one is at 0, which would teach nothing.
    """
    num_warmup = round(WARMUP_RATE * num_steps)
    return min((step + 1) / (num_warmup + 1), (num_steps - step) / (num_steps - num_warmup))


def _accumulate(model: PreTrainedModel, batch: list[TokenSequence]) -> float:
    """Add the gradients of a batch's mean loss and return that loss."""
    num_tokens = sum(sequence.num_scored for sequence in batch)
    total = 0.0
    for sequence in batch:
        loss = response_nll(model, sequence).sum() / num_tokens
        loss.backward()
        total += loss.item()
    if not total < float("inf"):
        raise UserError(f"training diverged: a loss of {total} nats per token; lower --learning_rate")
    return total


def _with_adapters(model: PreTrainedModel, rank: int) -> PreTrainedModel:
    """Return the model with a low-rank update on each linear layer but the head, all else frozen.

    The update is that of LoRA, arXiv 2106.09685.
    """
    if not rank:
        return model.requires_grad_(True)
    peft = import_peft()
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        # peft asks transformers for what has a new name by now, and is unsure about the layers of GPT-2.
        warnings.simplefilter("ignore")
        return peft.get_peft_model(model, config)


def import_peft() -> ModuleType:
    """Return the package peft. Raises UserError where it is not installed."""
    try:
        import peft
    except ImportError:
        raise missing_package("peft", "training with adapters (--lora_rank above 0)") from None
    return peft
