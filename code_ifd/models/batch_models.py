"""From batches of sequences to losses of tokens: models padded on any device or packed on a CPU, and their output head.

nll = log sum_j exp(logit_j) - logit_target. The sum runs over chunks of the vocabulary; a running total joins them, so
that `[tokens, vocabulary]` is never in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from transformers import PreTrainedModel

from models.packed_decoder import PackedDecoder, linear
from models.packing import check_model, short_context, vocabulary_size
from models.sequences import PADDING_ID
from models.shared_sequences import SharedSequence, scored_tokens

# A padded batch that has an eighth of its budget ends before a sequence shorter than this share of its longest.
SHORTEST_SHARE = 0.8
# On a CPU, logits of 512 x 2,048 in float32 take 4 MB, which stays in a core's cache between the product and the
# log-sum-exp.
HEAD_TOKENS = 512
HEAD_VOCABULARY = 2048
# Elsewhere, each chunk costs the launch of a dozen kernels, so chunks are as large as memory lets them be. The logits,
# their exponentials, and in 16 bits their copy in float32 are there at once: three times these bytes at most.
LOGITS_BYTES = 1 << 30
SMALL_LOGITS_BYTES = 1 << 29  # where a device does not tell how much memory it has
LOGITS_SHARE = 32  # they take no more than this part of all memory: one 32nd
# Extra columns of a 16-bit head: one holds the shift, the others keep rows aligned for the hardware.
SHIFT_COLUMNS = 8


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


@dataclass(frozen=True)
class HeadChunk:
    """How many tokens, and how many of the vocabulary's logits for each, are computed at once."""

    tokens: int
    vocabulary: int


def head_chunk(device: torch.device, vocabulary: int) -> HeadChunk:
    """Return the chunk that suits a device. It depends on no measurement: a resumed run ends in the same bytes."""
    if device.type == "cpu":
        return HeadChunk(HEAD_TOKENS, HEAD_VOCABULARY)
    most = SMALL_LOGITS_BYTES
    if device.type == "cuda":
        most = min(LOGITS_BYTES, torch.cuda.get_device_properties(device).total_memory // LOGITS_SHARE)
    return HeadChunk(max(most // (4 * vocabulary), 1), vocabulary)


class OutputHead:
    """A linear output head in any dtype, (vocabulary, hidden_size), with or without a bias.

    A product in 16 bits rounds its logits to three digits, and the largest ones decide the sum. So the target's logit,
    computed in float32, is subtracted inside the product, whose sums are float32: one more column multiplies its
    negative by one. What is rounded then is close to 0 where it matters.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        self.weight, self.bias = weight.to(dtype), None if bias is None else bias.to(dtype)
        self.chunk = head_chunk(weight.device, weight.shape[0])
        self.is_rounding = dtype != torch.float32
        if self.is_rounding:
            shift = torch.zeros(weight.shape[0], SHIFT_COLUMNS, dtype=dtype, device=weight.device)
            shift[:, 0] = 1
            self.weight = torch.cat([self.weight, shift], dim=1)  # (vocabulary, hidden_size + SHIFT_COLUMNS)

    def nll(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return each target's negative log-likelihood, (tokens,) in float32.

        hidden: (tokens, hidden_size), targets: (tokens,).
        """
        weights = self.weight.split(self.chunk.vocabulary)
        biases = [None] * len(weights) if self.bias is None else self.bias.split(self.chunk.vocabulary)
        layers = list(zip(weights, biases, strict=True))
        parts = [
            self._nll_of_chunk(*chunk, layers)
            for chunk in zip(hidden.split(self.chunk.tokens), targets.split(self.chunk.tokens), strict=True)
        ]
        # The two terms are summed in different orders: a certain token may come out a rounding error below 0.
        return torch.cat(parts).clamp(min=0)

    def _nll_of_chunk(
        self, hidden: torch.Tensor, targets: torch.Tensor, layers: list[tuple[torch.Tensor, torch.Tensor | None]]
    ) -> torch.Tensor:
        hidden = hidden.to(self.weight.dtype)
        target_logit = (hidden.float() * self.weight[targets, : hidden.shape[1]].float()).sum(-1)  # (tokens,)
        if self.bias is not None:
            target_logit += self.bias[targets].float()
        if self.is_rounding:
            shift = target_logit.to(hidden.dtype)
            target_logit -= shift.float()  # what rounding the shift itself has left
            columns = torch.nn.functional.pad(-shift[:, None], (0, SHIFT_COLUMNS - 1))
            hidden = torch.cat([hidden, columns], dim=1)
        total = None  # (tokens,) running log-sum-exp
        for weight, bias in layers:
            part = linear(hidden, weight, bias).float().logsumexp(-1)
            total = part if total is None else torch.logaddexp(total, part)
        assert total is not None
        return total - target_logit


def logits_nll(
    logits: torch.Tensor, row_index: torch.Tensor, position_index: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Return each target's negative log-likelihood, (tokens,) in float32.

    From whole logits, (rows, length, vocabulary).
    """
    parts = []
    num_tokens = head_chunk(logits.device, logits.shape[-1]).tokens
    for start in range(0, targets.shape[0], num_tokens):
        part = slice(start, start + num_tokens)
        scored = logits[row_index[part], position_index[part]].float()  # (tokens, vocabulary)
        parts.append(torch.nn.functional.cross_entropy(scored, targets[part], reduction="none"))
    return torch.cat(parts)


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
