"""From batches of sequences to losses of tokens: models padded on any device or packed on a CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from transformers import PreTrainedModel

from models.output_head import OutputHead, logits_nll
from models.packed_decoder import PackedDecoder
from models.packing import check_model, short_context, vocabulary_size
from models.sequences import PADDING_ID
from models.shared_sequences import SharedSequence, scored_tokens

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

    @property
    def short_context(self) -> int | None:
        """Tokens up to which it reads a text otherwise than a longer one; None for a model that makes no difference."""

    def batch_size_of(self, lengths: list[int], tokens_per_batch: int) -> int:
        """Return how many of the sequences, whose lengths come in falling order, make a batch: at least one."""

    def token_nll(self, batch: Sequence[SharedSequence]) -> torch.Tensor:
        """Return the negative log-likelihood of every scored token, in nats, sequence by sequence.

        (tokens,) in float32, on the model's device.
        """


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
        self.short_context = short_context(model)
        head = model.get_output_embeddings()
        self.head = OutputHead(head.weight, head.bias, model.dtype) if check_model(model) else None

    def batch_size_of(self, lengths: list[int], tokens_per_batch: int) -> int:
        """Return the size of the first batch."""
        size = padded_batch_size(lengths, tokens_per_batch)
        if self.short_context is None or lengths[0] <= self.short_context:
            return size
        # A longer neighbour would change what the shorter ones score.
        return next((index for index in range(size) if lengths[index] <= self.short_context), size)

    def token_nll(self, batch: Sequence[SharedSequence]) -> torch.Tensor:
        """Return the negative log-likelihood of every scored token, in nats, (tokens,) in float32, on its device."""
        lengths = np.array([len(sequence) for sequence in batch])
        padded = np.full((len(batch), lengths.max()), PADDING_ID)  # (sequences, length)
        padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate([one.input_ids for one in batch])
        tokens = scored_tokens(batch)
        device = self.model.device
        input_ids = _to_device(padded, device)
        # A token is predicted at the position before it. (scored,) each
        row_index, position_index, targets = _to_device(
            np.stack([tokens.sequence, tokens.index - 1, tokens.target]), device
        )
        if self.head is None:
            logits = self.model(input_ids=input_ids, use_cache=False).logits  # (sequences, length, vocabulary)
            return logits_nll(logits, row_index, position_index, targets)
        # (sequences, length, hidden)
        hidden = self.model.base_model(input_ids=input_ids, use_cache=False).last_hidden_state
        return self.head.nll(hidden[row_index, position_index], targets)


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
    short_context: int | None = None

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

    def token_nll(self, batch: Sequence[SharedSequence]) -> torch.Tensor:
        """Return the negative log-likelihood of every scored token, in nats, (tokens,) in float32."""
        # The last token predicts nothing that is scored.
        lengths = [len(sequence) - 1 for sequence in batch]
        input_ids = torch.from_numpy(np.concatenate([sequence.input_ids[:-1] for sequence in batch]))  # (tokens,)
        tokens = scored_tokens(batch)
        starts = np.cumsum([0, *lengths[:-1]])
        # A token is predicted at the position before it. (scored,)
        predicted_at = torch.from_numpy(starts[tokens.sequence] + tokens.index - 1)
        return self.head.nll(self.decoder.hidden(input_ids, lengths)[predicted_at], torch.from_numpy(tokens.target))


def _to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    # From pinned memory the copy runs beside the computation and nobody waits for it.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
