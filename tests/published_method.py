"""The published method, one record at a time and with the library's own loss: what every score must agree with."""

import math

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@torch.inference_mode()
def token_nll(model: PreTrainedModel, input_ids: list[int]) -> np.ndarray:
    """Return the negative log-likelihood of every token but the first, from the library's own logits."""
    logits = model(input_ids=torch.tensor([input_ids])).logits[0, :-1].double().numpy()
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_likelihood[np.arange(len(input_ids) - 1), input_ids[1:]]


def response_nll(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, response: str, max_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses of the response's tokens alone, and after the prompt, as the published method cuts them."""
    prompt_ids = tokenizer.encode(prompt)
    room = max_length - len(prompt_ids[:max_length]) + 1
    direct = token_nll(model, tokenizer.encode(response)[:room])
    whole = token_nll(model, tokenizer.encode(prompt + response)[:max_length])
    return direct, whole[len(prompt_ids) - 1 :]


def published_losses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, response: str, max_length: int
) -> tuple[float, float]:
    """Return the direct and the conditioned loss of one record, in nats per token."""
    direct, conditioned = response_nll(model, tokenizer, prompt, response, max_length)
    return float(direct.mean()), float(conditioned.mean())


def published_se(direct: np.ndarray, conditioned: np.ndarray, is_later: bool) -> float:
    """Return the standard error of the mean gain over the tokens that both passes score.

    Where a response is cut, the direct pass may end by one token later.
    """
    direct = direct[:-1] if is_later else direct
    num = min(len(direct), len(conditioned))
    gains = direct[-num:] - conditioned[-num:]
    return math.sqrt(((gains - gains.mean()) ** 2).sum() / (num - 1) / num)
