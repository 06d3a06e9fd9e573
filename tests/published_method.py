"""The published method, one record at a time and with the library's own loss: what every score must agree with."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

IGNORED = -100  # a label that the library's loss leaves out


@torch.inference_mode()
def published_losses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, response: str, max_length: int
) -> tuple[float, float]:
    """Return the direct and the conditioned loss of one record, in nats per token."""
    prompt_ids = tokenizer.encode(prompt)
    room = max_length - len(prompt_ids[:max_length]) + 1
    direct_ids = torch.tensor([tokenizer.encode(response)[:room]])
    direct = model(input_ids=direct_ids, labels=direct_ids).loss
    whole_ids = torch.tensor([tokenizer.encode(prompt + response)[:max_length]])
    labels = whole_ids.clone()
    labels[:, : len(prompt_ids)] = IGNORED
    conditioned = model(input_ids=whole_ids, labels=labels).loss
    return direct.item(), conditioned.item()
