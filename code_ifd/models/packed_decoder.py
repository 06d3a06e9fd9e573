"""GPT-2, Llama and Qwen2 on a CPU: sequences laid end to end, no padding, every matrix product at full width.

The same arithmetic as the models of transformers, from their own weights, with fewer passes over memory. Only the
matrix products know about sequences' ends: attention runs sequence by sequence, in blocks of queries that skip what
causality forbids. In bfloat16 only the inputs of the products are rounded; the residual stream, norms, rotation,
attention and activations stay in float32, which costs little here and halves the error.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from models.processor import capabilities

# Up to this length torch's fused attention is faster than ours.
FUSED_ATTENTION_LENGTH = 96
# Scores of 64 queries against all keys stay in a core's cache.
QUERY_BLOCK = 64


def _has_faster_onednn() -> bool:
    # MKL is slow on AMD processors only; on others torch's own choice stands. The choice must not depend on a
    # measurement: a resumed run has to end in the same bytes.
    return "AMD" in capabilities().get("cpu_name", "") and torch.backends.mkldnn.is_available()


HAS_FASTER_ONEDNN = _has_faster_onednn()


@functools.cache
def has_right_kernel() -> bool:
    """Tell whether torch has the kernel, which is private to it, and whether that is still the product that we mean."""
    kernel = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if kernel is None:
        return False
    inputs, weight = torch.arange(6.0).view(2, 3), torch.arange(12.0).view(4, 3)
    bias = torch.arange(4.0)
    expected = torch.nn.functional.linear(inputs, weight, bias)
    try:
        return torch.equal(kernel(inputs, weight, bias, "none", [], ""), expected)
    except (RuntimeError, TypeError):  # another signature, or not built for this machine
        return False


def linear(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return inputs @ weight.T + bias, (..., out).

    inputs: (..., in), weight: (out, in), bias: (out,) or None.
    """
    if (
        HAS_FASTER_ONEDNN
        and inputs.device.type == "cpu"
        and inputs.dtype == torch.float32
        and not torch.is_grad_enabled()
        and has_right_kernel()
    ):
        return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")
    return torch.nn.functional.linear(inputs, weight, bias)


class RoundedLinear:
    """A linear layer. In bfloat16, both inputs of the product are rounded and its result too; the sums are float32."""

    def __init__(self, layer: torch.nn.Linear, dtype: torch.dtype) -> None:
        self.weight = layer.weight.to(dtype)  # (out, in); shared with the model in float32
        self.bias = None if layer.bias is None else layer.bias.to(dtype)  # (out,)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return inputs @ weight.T + bias; inputs (tokens, in), the result (tokens, out) in the weight's dtype."""
        return linear(inputs.to(self.weight.dtype), self.weight, self.bias)


@dataclass(frozen=True)
class DecoderLayer:
    """One layer of the decoder. `query_key_value` is one layer (GPT-2) or three; a gate makes the MLP a gated one."""

    attention_norm: Callable[[torch.Tensor], torch.Tensor]
    query_key_value: tuple[RoundedLinear, ...]
    attention_out: RoundedLinear
    mlp_norm: Callable[[torch.Tensor], torch.Tensor]
    gate: RoundedLinear | None
    up: RoundedLinear
    activation: Callable[[torch.Tensor], torch.Tensor]
    down: RoundedLinear


@dataclass(frozen=True)
class PackedDecoder:
    """All of a model below its output head. A row of the tensors is a token."""

    embeddings: torch.Tensor  # (vocabulary, hidden_size)
    positions: torch.Tensor | None  # (max_length, hidden_size), GPT-2's learned positions
    rotation: tuple[torch.Tensor, torch.Tensor] | None  # cosines and sines, (max_length, 1, head_size / 2) each
    layers: list[DecoderLayer]
    final_norm: Callable[[torch.Tensor], torch.Tensor]
    num_groups: int  # key-value heads
    heads_per_group: int  # query heads that share one
    head_size: int

    def hidden(self, input_ids: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Return the last hidden states (tokens, hidden_size), float32, of sequences laid end to end.

        `input_ids` is (tokens,), `lengths` the sequences' numbers of tokens.
        """
        index = torch.cat([torch.arange(length) for length in lengths])  # (tokens,) index in its sequence
        hidden = self.embeddings[input_ids]
        if self.positions is not None:
            hidden += self.positions[index]
        rotation = None if self.rotation is None else (self.rotation[0][index], self.rotation[1][index])
        for layer in self.layers:
            query, key, value = self._query_key_value(layer, layer.attention_norm(hidden), rotation)
            hidden += layer.attention_out(self._attend(query, key, value, lengths))
            hidden += _mlp(layer, layer.mlp_norm(hidden))
        return self.final_norm(hidden)

    def _query_key_value(
        self, layer: DecoderLayer, hidden: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query, key and value in float32.

        query: (groups, tokens, heads_per_group, head_size), key and value: (groups, tokens, head_size).
        """
        tokens = hidden.shape[0]
        projected = [project(hidden).float() for project in layer.query_key_value]
        query, key, value = projected if len(projected) == 3 else projected[0].chunk(3, dim=-1)
        query = query.view(tokens, self.num_groups * self.heads_per_group, self.head_size)
        key = key.view(tokens, self.num_groups, self.head_size)
        # The scale goes with the queries, which are the smallest of what it could be multiplied with.
        rotated_query = torch.empty(self.num_groups, tokens, self.heads_per_group, self.head_size)
        by_token = rotated_query.transpose(0, 1)
        grouped = query.view_as(by_token)
        if rotation is None:
            torch.mul(grouped, self.head_size**-0.5, out=by_token)
            return rotated_query, key.transpose(0, 1), value.view_as(key).transpose(0, 1)
        cosine, sine = rotation  # (tokens, 1, head_size / 2)
        scale = self.head_size**-0.5
        _rotate(grouped, (cosine * scale)[:, None], (sine * scale)[:, None], by_token)
        rotated_key = torch.empty(self.num_groups, tokens, self.head_size)
        _rotate(key, cosine, sine, rotated_key.transpose(0, 1))
        return rotated_query, rotated_key, value.view_as(key).transpose(0, 1)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Return softmax(query @ key.T, causal) @ value of each sequence, (tokens, heads * head_size)."""
        result = torch.empty(
            query.shape[1], *query.shape[:1], *query.shape[2:]
        )  # (tokens, groups, heads_per_group, head_size)
        by_group = result.transpose(0, 1)
        start = 0
        for length in lengths:
            part = slice(start, start + length)
            attend = _attend_fused if length <= FUSED_ATTENTION_LENGTH else _attend_in_blocks
            attend(query[:, part], key[:, part], value[:, part], by_group[:, part])
            start += length
        return result.flatten(1)


def _rotate(inputs: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, out: torch.Tensor) -> None:
    """Rotate the pairs (i, i + size / 2) of the last dimension: rotary position embedding, arXiv 2104.09864."""
    first, second = inputs.chunk(2, dim=-1)
    out_first, out_second = out.chunk(2, dim=-1)
    torch.mul(first, cosine, out=out_first).addcmul_(second, sine, value=-1)
    torch.mul(second, cosine, out=out_second).addcmul_(first, sine)


def _attend_fused(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, out: torch.Tensor) -> None:
    groups, length, per_group, size = query.shape
    heads = query.transpose(1, 2).reshape(1, groups * per_group, length, size)
    result = torch.nn.functional.scaled_dot_product_attention(
        heads, key[None], value[None], is_causal=True, scale=1.0, enable_gqa=per_group > 1
    )
    out.copy_(result.view(groups, per_group, length, size).transpose(1, 2))


def _attend_in_blocks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, out: torch.Tensor) -> None:
    groups, length, per_group, size = query.shape
    later = torch.full((QUERY_BLOCK, QUERY_BLOCK), -torch.inf).triu_(1)[:, None]  # (queries, 1, keys)
    for start in range(0, length, QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, length)
        rows = query[:, start:stop].reshape(groups, (stop - start) * per_group, size)
        scores = torch.bmm(rows, key[:, :stop].transpose(1, 2))  # (groups, queries * heads_per_group, keys)
        # Only the last block of keys holds any that come later than a query.
        on_diagonal = scores.view(groups, stop - start, per_group, stop)[..., start:]
        on_diagonal += later[: stop - start, :, : stop - start]
        result = torch.bmm(scores.softmax(-1), value[:, :stop])
        out[:, start:stop] = result.view(groups, stop - start, per_group, size)


def _mlp(layer: DecoderLayer, hidden: torch.Tensor) -> torch.Tensor:
    if layer.gate is None:
        return layer.down(layer.activation(layer.up(hidden).float()))
    return layer.down(layer.activation(layer.gate(hidden).float()).mul_(layer.up(hidden)))
