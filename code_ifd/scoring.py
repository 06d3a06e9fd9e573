"""From token sequences to mean negative log-likelihoods: length-sorted batches under a token budget, one model.

Two facts make this fast and exact. Attention is causal, so a sequence may be padded on its right without a mask: no real
token sees the padding. And only positions that predict a scored token need the output head, a quarter of the work for a
small model; it runs in chunks, so that `[tokens, vocabulary]` never exists in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from cli import UserError
from cpu_kernels import linear
from sequences import TokenSequence
from transformers import PreTrainedModel

# Logits of 512 x 2,048 in float32 take 4 MB, which stays in a processor's cache between the GEMM and the log-sum-exp.
HEAD_TOKENS = 512
HEAD_VOCABULARY = 2048
# Any id will do: no scored token attends to padding, and padding is never scored.
PADDING_ID = 0


def default_tokens_per_batch(device: torch.device) -> int:
    """Return a token budget that suits the device: small batches stay in a CPU's cache, large ones fill a GPU."""
    return 512 if device.type == "cpu" else 16384


@dataclass
class Scorer:
    """A causal LM and how to run it. `tokens_per_batch` falls when memory runs out, and stays there."""

    model: PreTrainedModel
    tokens_per_batch: int
    has_plain_head: bool = True

    def __post_init__(self) -> None:
        self.has_plain_head = check_model(self.model)

    @torch.inference_mode()
    def mean_nll(self, sequences: list[TokenSequence], on_batch: Callable[[int], None] = lambda num: None) -> list[float]:
        """Return each sequence's mean negative log-likelihood over its scored tokens, in nats per token, in order.

        `on_batch` hears the number of sequences of every finished batch. Raises UserError when memory does not hold a
        single sequence.
        """
        self._check_ids(sequences)
        # Longest first: what does not fit in memory shows at once, not after an hour.
        waiting = sorted(range(len(sequences)), key=lambda index: -len(sequences[index].input_ids))
        losses: dict[int, torch.Tensor] = {}
        while waiting:
            batch = take_batch(waiting, sequences, self.tokens_per_batch)
            results = self._try_batch([sequences[index] for index in batch])
            if results is None:
                self._halve_budget(sequences[batch[0]], len(batch))
                continue
            losses.update(zip(batch, results, strict=True))
            waiting = waiting[len(batch) :]
            on_batch(len(batch))
        if not losses:
            return []
        # One transfer from the device for all sequences.
        return torch.stack([losses[index] for index in range(len(sequences))]).tolist()

    def _try_batch(self, batch: list[TokenSequence]) -> list[torch.Tensor] | None:
        """Return a 0-dimensional float64 mean (float32 on MPS) for each sequence, or None when memory ran out."""
        try:
            return batch_mean_nll(self.model, batch, self.has_plain_head)
        except (torch.OutOfMemoryError, MemoryError):
            pass
        except RuntimeError as error:
            # The CPU allocator has no exception of its own.
            if "allocate memory" not in str(error):
                raise
        # Outside of the handlers, so that the failed batch's tensors are free by now.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None

    def _halve_budget(self, longest: TokenSequence, num_sequences: int) -> None:
        length = len(longest.input_ids)
        if num_sequences == 1:
            raise UserError(
                f"out of memory on a single sequence of {length} tokens; lower --max_length or use a smaller model"
            )
        self.tokens_per_batch = max(min(self.tokens_per_batch, num_sequences * length) // 2, 1)

    def _check_ids(self, sequences: list[TokenSequence]) -> None:
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        highest = max((max(sequence.input_ids) for sequence in sequences), default=0)
        if highest >= vocabulary:
            raise UserError(
                f"the tokenizer gave token id {highest}, but the model has {vocabulary} embeddings: they do not belong together"
            )


def take_batch(waiting: list[int], sequences: list[TokenSequence], tokens_per_batch: int) -> list[int]:
    """Return the head of `waiting` (longest first) that fits the budget once padded, and at least one sequence."""
    longest = len(sequences[waiting[0]].input_ids)
    return waiting[: max(tokens_per_batch // longest, 1)]


def batch_mean_nll(model: PreTrainedModel, batch: list[TokenSequence], has_plain_head: bool) -> list[torch.Tensor]:
    """Return each sequence's mean NLL, 0-dimensional, on the model's device."""
    length = max(len(sequence.input_ids) for sequence in batch)
    rows = [sequence.input_ids + [PADDING_ID] * (length - len(sequence.input_ids)) for sequence in batch]
    input_ids = torch.tensor(rows).to(model.device)  # (sequences, length)
    # A token is predicted at the position before it.
    row = [index for index, sequence in enumerate(batch) for _ in range(sequence.num_scored)]
    position = [
        place - 1 for sequence in batch for place in range(sequence.first_scored, len(sequence.input_ids))
    ]
    row_index, position_index = torch.tensor([row, position]).to(model.device)  # (scored,) each
    targets = input_ids[row_index, position_index + 1]  # (scored,)
    if has_plain_head:
        hidden = model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state  # (sequences, length, hidden)
        head = model.get_output_embeddings()
        nll = head_nll(hidden[row_index, position_index], targets, head.weight, head.bias)
    else:
        logits = model(input_ids=input_ids, use_cache=False).logits  # (sequences, length, vocabulary)
        nll = logits_nll(logits, row_index, position_index, targets)
    # Sums of many small numbers: in float64 their order does not show. MPS has no float64.
    nll = nll if model.device.type == "mps" else nll.double()
    return [part.mean() for part in nll.split([sequence.num_scored for sequence in batch])]


def head_nll(
    hidden: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """Return the negative log-likelihood of each target, (tokens,) in float32, from hidden states (tokens, hidden).

    nll = logsumexp over the vocabulary of (hidden @ weight.T + bias) - the target's own logit. The log-sum-exp runs over
    chunks of the vocabulary; a running total joins them.
    """
    parts = [
        _head_nll_chunk(hidden[start : start + HEAD_TOKENS], targets[start : start + HEAD_TOKENS], weight, bias)
        for start in range(0, hidden.shape[0], HEAD_TOKENS)
    ]
    return torch.cat(parts)


def _head_nll_chunk(
    hidden: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    total = torch.full((hidden.shape[0],), -torch.inf, device=hidden.device)  # (tokens,) running log-sum-exp
    for start in range(0, weight.shape[0], HEAD_VOCABULARY):
        stop = start + HEAD_VOCABULARY
        part_bias = None if bias is None else bias[start:stop]
        logits = linear(hidden, weight[start:stop], part_bias).float()  # (tokens, chunk)
        total = torch.logaddexp(total, logits.logsumexp(-1))
    target_logit = (hidden.float() * weight[targets].float()).sum(-1)  # (tokens,)
    if bias is not None:
        target_logit += bias[targets].float()
    # The two terms are summed in different orders: a certain token may come out a rounding error below 0.
    return (total - target_logit).clamp(min=0)


def logits_nll(
    logits: torch.Tensor, row_index: torch.Tensor, position_index: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Return the negative log-likelihood of each target, (tokens,) in float32, from whole logits (rows, length, vocabulary)."""
    parts = []
    for start in range(0, targets.shape[0], HEAD_TOKENS):
        part = slice(start, start + HEAD_TOKENS)
        scored = logits[row_index[part], position_index[part]].float()  # (tokens, vocabulary)
        parts.append(torch.nn.functional.cross_entropy(scored, targets[part], reduction="none"))
    return torch.cat(parts)


@torch.inference_mode()
def check_model(model: PreTrainedModel) -> bool:
    """Try a model on eight tokens: is it causal, and is its output head a plain linear layer on its hidden states?

    Returns whether `head_nll` may be used; models that scale or cap their logits (Gemma 2, Cohere, Granite) give False
    and take the slower way through whole logits. Raises UserError for a model that sees later tokens (BERT and its
    like), whose perplexity means nothing.
    """
    vocabulary = model.get_input_embeddings().weight.shape[0]
    input_ids = torch.arange(1, 9, device=model.device).remainder(vocabulary)[None]  # (1, 8)
    changed = input_ids.clone()
    changed[:, 4:] = PADDING_ID
    logits = model(input_ids=input_ids, use_cache=False).logits.float()  # (1, 8, vocabulary)
    early = model(input_ids=changed, use_cache=False).logits.float()[:, :4]
    if (logits[:, :4] - early).abs().max() > 0.01 * logits.abs().max():
        raise UserError(
            f"{type(model).__name__} is not causal: a later token changes what it predicts for an earlier one; "
            "choose a causal language model such as gpt2"
        )
    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear):
        return False
    plain = head(model.base_model(input_ids=input_ids, use_cache=False)[0]).float()
    precision = torch.finfo(model.dtype).eps
    return plain.shape == logits.shape and bool((plain - logits).abs().max() <= 8 * precision * logits.abs().max())
