"""Which sequences run together, and the two kinds of model that run them: padded on any device, packed on a CPU."""

from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import PreTrainedModel

from models.output_head import OutputHead, logits_nll
from models.packed_decoder import PackedDecoder
from models.sequences import TokenSequence
from shared.cli import UserError

# Any id will do: no scored token attends to padding, and padding is never scored.
PADDING_ID = 0
# A padded batch that has an eighth of its budget ends before a sequence shorter than this share of its longest.
SHORTEST_SHARE = 0.8


class BatchModel(Protocol):
    """A causal language model that scores a batch of sequences at once."""

    @property
    def vocabulary(self) -> int:
        """Number of token ids that the model has embeddings for."""

    @property
    def runs_in_threads(self) -> bool:
        """Whether several threads may run it at once."""

    def batch_size_of(self, lengths: list[int], tokens_per_batch: int) -> int:
        """Return how many of the sequences, whose lengths come in falling order, make a batch: at least one."""

    def mean_nll(self, batch: list[TokenSequence]) -> torch.Tensor:
        """Return each sequence's mean negative log-likelihood, nats per token, (sequences,) on the model's device."""


class PaddedModel:
    """Any causal LM of transformers, on any device, with sequences padded on the right to the longest of their batch.

    Attention is causal, so padding needs no mask: no real token sees it. Raises UserError for a model that is not
    causal.
    """

    # Some models keep what depends on the text (long rotary embeddings); code that comes with a model may do anything.
    runs_in_threads = False

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.vocabulary = vocabulary_size(model)
        head = model.get_output_embeddings()
        self.head = OutputHead(head.weight, head.bias, model.dtype) if check_model(model) else None

    def batch_size_of(self, lengths: list[int], tokens_per_batch: int) -> int:
        """Return the size of the first batch."""
        return padded_batch_size(lengths, tokens_per_batch)

    def mean_nll(self, batch: list[TokenSequence]) -> torch.Tensor:
        """Return each sequence's mean negative log-likelihood, nats per token, (sequences,) on the model's device."""
        length = max(len(sequence.input_ids) for sequence in batch)
        rows = [sequence.input_ids + [PADDING_ID] * (length - len(sequence.input_ids)) for sequence in batch]
        # A token is predicted at the position before it.
        row = [index for index, sequence in enumerate(batch) for _ in range(sequence.num_scored)]
        position = [index - 1 for sequence in batch for index in range(sequence.first_scored, len(sequence.input_ids))]
        device = self.model.device
        input_ids = _to_device(torch.tensor(rows), device)  # (sequences, length)
        row_index, position_index = _to_device(torch.tensor([row, position]), device)  # (scored,) each
        targets = input_ids[row_index, position_index + 1]  # (scored,)
        if self.head is None:
            logits = self.model(input_ids=input_ids, use_cache=False).logits  # (sequences, length, vocabulary)
            return _means(logits_nll(logits, row_index, position_index, targets), batch)
        # (sequences, length, hidden)
        hidden = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
        return _means(self.head.nll(hidden[row_index, position_index], targets), batch)


def padded_batch_size(lengths: list[int], tokens_per_batch: int) -> int:
    """Return how many sequences, whose lengths come in falling order, make the first batch, padding counted."""
    longest = lengths[0]
    most = max(tokens_per_batch // longest, 1)
    for size, length in enumerate(lengths[:most]):
        if length < SHORTEST_SHARE * longest and size * longest * 8 >= tokens_per_batch:
            return size
    return min(most, len(lengths))


@dataclass(frozen=True)
class PackedModel:
    """A decoder that we know, on a CPU, with sequences laid end to end."""

    decoder: PackedDecoder
    head: OutputHead
    runs_in_threads: bool = True

    @property
    def vocabulary(self) -> int:
        """Number of token ids that the model has embeddings for."""
        return self.decoder.embeddings.shape[0]

    def batch_size_of(self, lengths: list[int], tokens_per_batch: int) -> int:
        """Return the size of the first batch."""
        total = 0
        for size, length in enumerate(lengths):
            total += length
            if total > tokens_per_batch:
                return max(size, 1)
        return len(lengths)

    def mean_nll(self, batch: list[TokenSequence]) -> torch.Tensor:
        """Return the mean negative log-likelihood of each sequence in nats per token, (sequences,)."""
        # The last token predicts nothing that is scored.
        lengths = [len(sequence.input_ids) - 1 for sequence in batch]
        input_ids = torch.tensor([token for sequence in batch for token in sequence.input_ids[:-1]])  # (tokens,)
        targets = torch.tensor([token for sequence in batch for token in sequence.input_ids[sequence.first_scored :]])
        scored = torch.cat([torch.arange(1, len(sequence.input_ids)) >= sequence.first_scored for sequence in batch])
        return _means(self.head.nll(self.decoder.hidden(input_ids, lengths)[scored], targets), batch)


def _means(nll: torch.Tensor, batch: list[TokenSequence]) -> torch.Tensor:
    # Sums of many small numbers: in float64 their order does not show. MPS has no float64.
    nll = nll if nll.device.type == "mps" else nll.double()
    return torch.stack([part.mean() for part in nll.split([sequence.num_scored for sequence in batch])])


def _to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    # From pinned memory the copy runs beside the computation and nobody waits for it.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def vocabulary_size(model: PreTrainedModel) -> int:
    """Return the number of token ids that a model has embeddings for."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)
    return weight.shape[0]


@torch.inference_mode()
def check_model(model: PreTrainedModel) -> bool:
    """Try a model on eight tokens: is it causal, and is its output head a plain linear layer on its hidden states?

    Returns whether `OutputHead` may be used; models that scale or cap their logits (Gemma 2, Cohere, Granite) give
    False, and their whole logits are computed, which is slower. Raises UserError for a model that sees later tokens
    (BERT and its like), whose perplexity means nothing.
    """
    vocabulary = vocabulary_size(model)
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
