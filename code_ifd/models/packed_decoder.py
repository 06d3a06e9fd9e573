"""GPT-2 and Llama on a CPU: sequences laid end to end, no padding, every matrix product at full width.

The same arithmetic as the models of transformers, from their own weights, with fewer passes over memory. Only the
matrix products know about sequences' ends: attention runs sequence by sequence, in blocks of queries that skip what
causality forbids. In bfloat16 only the inputs of the products are rounded; the residual stream, norms, rotation,
attention and activations stay in float32, which costs little here and halves the error.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from models.cpu_kernels import FastLinear, linear

# Up to this length torch's fused attention is faster than ours.
FUSED_ATTENTION_LENGTH = 96
# Scores of 64 queries against all keys stay in a core's cache.
QUERY_BLOCK = 64
# Kinds of rotary embedding whose angles do not depend on the length of the text.
STATIC_ROPE = ("default", "linear", "llama3", "yarn")


class RoundedLinear:
    """A linear layer. In bfloat16, both inputs of the product are rounded and its result too; the sums are float32."""

    def __init__(self, layer: torch.nn.Linear, dtype: torch.dtype) -> None:
        self.weight = layer.weight.to(dtype)  # (out, in); shared with the model in float32
        self.bias = None if layer.bias is None else layer.bias.to(dtype)  # (out,)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return inputs @ weight.T + bias; inputs (tokens, in), the result (tokens, out) in the weight's dtype."""
        return linear(inputs.to(self.weight.dtype), self.weight, self.bias)


@dataclass(frozen=True)
class Block:
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
    blocks: list[Block]
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
        for block in self.blocks:
            query, key, value = self._query_key_value(block, block.attention_norm(hidden), rotation)
            hidden += block.attention_out(self._attend(query, key, value, lengths))
            hidden += _mlp(block, block.mlp_norm(hidden))
        return self.final_norm(hidden)

    def _query_key_value(
        self, block: Block, hidden: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return query (groups, tokens, heads_per_group, head_size), key and value (groups, tokens, head_size), float32."""
        tokens = hidden.shape[0]
        projected = [project(hidden).float() for project in block.query_key_value]
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


def _mlp(block: Block, hidden: torch.Tensor) -> torch.Tensor:
    if block.gate is None:
        return block.down(block.activation(block.up(hidden).float()))
    return block.down(block.activation(block.gate(hidden).float()).mul_(block.up(hidden)))


def pack(model: PreTrainedModel, max_length: int, dtypes: Iterable[torch.dtype]) -> dict[torch.dtype, PackedDecoder]:
    """Return a float32 model on the CPU as a decoder for each dtype of its products, or nothing when we do not know its kind.

    It is tried in float32 on a few tokens: whatever a configuration may have changed, a decoder that is returned computes
    what the model does.
    """
    build = {"GPT2LMHeadModel": _pack_gpt2, "LlamaForCausalLM": _pack_llama, "Qwen2ForCausalLM": _pack_llama}.get(
        type(model).__name__
    )
    if build is None or model.device.type != "cpu" or model.dtype != torch.float32 or not _has_plain_layers(model):
        return {}
    decoder = build(model, max_length, torch.float32)
    if decoder is None or not _agrees(decoder, model, max_length):
        return {}
    return {dtype: decoder if dtype == torch.float32 else build(model, max_length, dtype) for dtype in dtypes}


def _has_plain_layers(model: PreTrainedModel) -> bool:
    """Tell whether all linear layers are torch's or ours: quantized and adapted ones, and Conv1D, have other weights."""
    layers = [type(module) for module in model.modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    return set(layers) <= {torch.nn.Linear, FastLinear}


def _pack_gpt2(model: PreTrainedModel, max_length: int, dtype: torch.dtype) -> PackedDecoder | None:
    body, config = model.transformer, model.config
    if not config.scale_attn_weights or config.scale_attn_by_inverse_layer_idx or config.add_cross_attention:
        return None
    blocks = [
        Block(
            layer.ln_1,
            (RoundedLinear(layer.attn.c_attn, dtype),),
            RoundedLinear(layer.attn.c_proj, dtype),
            layer.ln_2,
            None,
            RoundedLinear(layer.mlp.c_fc, dtype),
            layer.mlp.act,
            RoundedLinear(layer.mlp.c_proj, dtype),
        )
        for layer in body.h
    ]
    size = config.n_embd // config.n_head
    return PackedDecoder(body.wte.weight, body.wpe.weight, None, blocks, body.ln_f, config.n_head, 1, size)


def _pack_llama(model: PreTrainedModel, max_length: int, dtype: torch.dtype) -> PackedDecoder | None:
    body, config = model.model, model.config
    rope_type = (config.rope_parameters or {}).get("rope_type", "default")
    if rope_type not in STATIC_ROPE or set(getattr(config, "layer_types", None) or ["full_attention"]) != {
        "full_attention"
    }:
        return None
    cosine, sine = body.rotary_emb(
        body.embed_tokens.weight, torch.arange(max_length)[None]
    )  # (1, max_length, head_size)
    half = cosine.shape[-1] // 2
    blocks = []
    for layer in body.layers:
        attention, mlp = layer.self_attn, layer.mlp
        blocks.append(
            Block(
                _rms_norm(layer.input_layernorm),
                tuple(RoundedLinear(part, dtype) for part in (attention.q_proj, attention.k_proj, attention.v_proj)),
                RoundedLinear(attention.o_proj, dtype),
                _rms_norm(layer.post_attention_layernorm),
                RoundedLinear(mlp.gate_proj, dtype),
                RoundedLinear(mlp.up_proj, dtype),
                mlp.act_fn,
                RoundedLinear(mlp.down_proj, dtype),
            )
        )
    groups = config.num_key_value_heads
    return PackedDecoder(
        body.embed_tokens.weight,
        None,
        (cosine[0, :, None, :half], sine[0, :, None, :half]),
        blocks,
        _rms_norm(body.norm),
        groups,
        config.num_attention_heads // groups,
        attention.head_dim,
    )


def _rms_norm(norm: torch.nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return root mean square normalisation (arXiv 1910.07467) in three passes instead of six."""
    weight, epsilon = norm.weight, norm.variance_epsilon

    def apply(hidden: torch.Tensor) -> torch.Tensor:
        """Return hidden / rms(hidden) * weight, (tokens, hidden_size)."""
        mean_square = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True).square_() / hidden.shape[-1]
        return (hidden * (mean_square + epsilon).rsqrt_()).mul_(weight)

    return apply


@torch.inference_mode()
def _agrees(decoder: PackedDecoder, model: PreTrainedModel, max_length: int) -> bool:
    """Compare on two sequences, one for either kind of attention."""
    vocabulary = decoder.embeddings.shape[0]
    lengths = [min(length, max_length) for length in (5, FUSED_ATTENTION_LENGTH + 4)]
    sequences = [(torch.arange(length) * 7 + 3) % vocabulary for length in lengths]
    packed = decoder.hidden(torch.cat(sequences), lengths).split(lengths)
    expected = [
        model.base_model(input_ids=sequence[None], use_cache=False).last_hidden_state[0] for sequence in sequences
    ]
    return all(
        (one - other).abs().max() <= 1e-3 * other.abs().max() for one, other in zip(packed, expected, strict=True)
    )
