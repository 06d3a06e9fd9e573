"""From hidden states to negative log-likelihoods, without `[tokens, vocabulary]` ever in memory.

nll = log sum_j exp(logit_j) - logit_target. The sum runs over chunks of the vocabulary; a running total joins them.
"""

import torch

from models.cpu_kernels import linear

# Logits of 512 x 2,048 in float32 take 4 MB, which stays in a processor's cache between the GEMM and the log-sum-exp.
HEAD_TOKENS = 512
HEAD_VOCABULARY = 2048
# Extra columns of a 16-bit head: one holds the shift, the others keep rows aligned for the hardware.
SHIFT_COLUMNS = 8


class OutputHead:
    """A linear output head in any dtype, (vocabulary, hidden_size), with or without a bias.

    A product in 16 bits rounds its logits to three digits, and the largest ones decide the sum. So the target's logit,
    computed in float32, is subtracted inside the product, whose sums are float32: one more column multiplies its negative
    by one. What is rounded then is close to 0 where it matters.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        self.weight, self.bias = weight.to(dtype), None if bias is None else bias.to(dtype)
        self.is_rounding = dtype != torch.float32
        if self.is_rounding:
            shift = torch.zeros(weight.shape[0], SHIFT_COLUMNS, dtype=dtype, device=weight.device)
            shift[:, 0] = 1
            self.weight = torch.cat([self.weight, shift], dim=1)  # (vocabulary, hidden_size + SHIFT_COLUMNS)

    def nll(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihood of each target, (tokens,) in float32; hidden (tokens, hidden_size), targets (tokens,)."""
        parts = [
            self._nll_of_chunk(hidden[start : start + HEAD_TOKENS], targets[start : start + HEAD_TOKENS])
            for start in range(0, hidden.shape[0], HEAD_TOKENS)
        ]
        return torch.cat(parts)

    def _nll_of_chunk(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        hidden = hidden.to(self.weight.dtype)
        target_logit = (hidden.float() * self.weight[targets, : hidden.shape[1]].float()).sum(-1)  # (tokens,)
        if self.bias is not None:
            target_logit += self.bias[targets].float()
        if self.is_rounding:
            shift = torch.zeros(hidden.shape[0], SHIFT_COLUMNS, dtype=hidden.dtype, device=hidden.device)
            shift[:, 0] = -target_logit
            target_logit += shift[:, 0].float()  # what rounding the shift itself has left
            hidden = torch.cat([hidden, shift], dim=1)
        total = torch.full((hidden.shape[0],), -torch.inf, device=hidden.device)  # (tokens,) running log-sum-exp
        for start in range(0, self.weight.shape[0], HEAD_VOCABULARY):
            part = slice(start, start + HEAD_VOCABULARY)
            logits = linear(
                hidden, self.weight[part], None if self.bias is None else self.bias[part]
            ).float()  # (tokens, chunk)
            total = torch.logaddexp(total, logits.logsumexp(-1))
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
