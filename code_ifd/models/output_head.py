"""The output head: from hidden states to the negative log-likelihoods of tokens, in chunks that suit the device.

nll = log sum_j exp(logit_j) - logit_target. The sum runs over chunks of the vocabulary; a running total joins them, so
that `[tokens, vocabulary]` is never in memory.
"""

from dataclasses import dataclass

import torch

from models.packed_decoder import linear

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
