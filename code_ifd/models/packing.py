"""What a loaded model is tried for: is it causal, is its head a plain layer, and can it run packed?"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from models.cpu_kernels import FastLinear
from models.library_versions import rope_parameters
from models.packed_decoder import FUSED_ATTENTION_LENGTH, DecoderLayer, PackedDecoder, RoundedLinear
from models.sequences import PADDING_ID
from shared.cli import UserError

# Kinds of rotary embedding whose angles do not depend on the length of the text.
STATIC_ROPE = ("default", "linear", "llama3", "yarn")


def vocabulary_size(model: PreTrainedModel) -> int:
    """Return the number of token ids that a model has embeddings for."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, torch.Tensor)
    return weight.shape[0]


def short_context(model: PreTrainedModel) -> int | None:
    """Return the tokens up to which a model of two contexts turns its positions as it was first trained; else None.

    A longrope model (Phi-3, arXiv 2402.13753) turns all positions of a batch by its longest sequence.
    """
    lengths = [
        parameters["original_max_position_embeddings"]
        for parameters in rope_parameters(model.config.get_text_config())
        if parameters["rope_type"] == "longrope"
    ]
    return min((length for length in lengths if length is not None), default=None)


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
    if not logits.logsumexp(-1).isfinite().any():
        raise UserError(
            f"{type(model).__name__}: its weights give no finite number (NaN or Infinity in them, or numbers beyond "
            f"{str(model.dtype).removeprefix('torch.')}); download it again, or choose another --dtype"
        )
    early = model(input_ids=changed, use_cache=False).logits.float()[:, :4]
    if (logits[:, :4] - early).abs().max() > 0.01 * logits.abs().max():
        raise UserError(
            f"{type(model).__name__} is not causal: a later token changes what it predicts for an earlier one; "
            "choose a causal language model such as gpt2"
        )
    head = model.get_output_embeddings()
    # The body of some models is the model itself (Llama 4, Mllama), or ends after the head or before a projection.
    if not isinstance(head, torch.nn.Linear) or model.base_model is model:
        return False
    hidden = getattr(model.base_model(input_ids=input_ids, use_cache=False), "last_hidden_state", None)
    if hidden is None or hidden.shape[-1] != head.in_features:
        return False
    plain = head(hidden).float()
    precision = torch.finfo(model.dtype).eps
    return plain.shape == logits.shape and bool((plain - logits).abs().max() <= 8 * precision * logits.abs().max())


def pack(model: PreTrainedModel, max_length: int, dtypes: Iterable[torch.dtype]) -> dict[torch.dtype, PackedDecoder]:
    """Return a float32 model on the CPU as a decoder for each dtype of its products, or nothing for other kinds.

    It is tried in float32 on a few tokens: whatever a configuration may have changed, a decoder that is returned
    computes what the model does.
    """
    build = BUILDERS.get(type(model).__name__)
    if build is None or model.device.type != "cpu" or model.dtype != torch.float32 or not _has_plain_layers(model):
        return {}
    decoder = build(model, max_length, torch.float32)
    if decoder is None or not _agrees(decoder, model, max_length):
        return {}
    decoders = {dtype: decoder if dtype == torch.float32 else build(model, max_length, dtype) for dtype in dtypes}
    return {dtype: found for dtype, found in decoders.items() if found is not None}


def _has_plain_layers(model: PreTrainedModel) -> bool:
    """Tell whether all linear layers are torch's or ours: quantized ones and Conv1D have other weights."""
    layers = [type(module) for module in model.modules() if isinstance(module, torch.nn.Linear | Conv1D)]
    return set(layers) <= {torch.nn.Linear, FastLinear}


def _pack_gpt2(model: PreTrainedModel, max_length: int, dtype: torch.dtype) -> PackedDecoder | None:
    body: Any = model.transformer
    config = model.config
    if not config.scale_attn_weights or config.scale_attn_by_inverse_layer_idx or config.add_cross_attention:
        return None
    layers = [
        DecoderLayer(
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
    return PackedDecoder(body.wte.weight, body.wpe.weight, None, layers, body.ln_f, config.n_head, 1, size)


def _pack_llama(model: PreTrainedModel, max_length: int, dtype: torch.dtype) -> PackedDecoder | None:
    body: Any = model.model
    config = model.config
    rope_types = {parameters["rope_type"] for parameters in rope_parameters(config)}
    if not rope_types <= set(STATIC_ROPE) or set(getattr(config, "layer_types", None) or ["full_attention"]) != {
        "full_attention"
    }:
        return None
    cosine, sine = body.rotary_emb(
        body.embed_tokens.weight, torch.arange(max_length)[None]
    )  # (1, max_length, head_size)
    half = cosine.shape[-1] // 2
    layers = []
    for layer in body.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            DecoderLayer(
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
        layers,
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


BUILDERS: dict[str, Callable[[PreTrainedModel, int, torch.dtype], PackedDecoder | None]] = {
    "GPT2LMHeadModel": _pack_gpt2,
    "LlamaForCausalLM": _pack_llama,
    "Qwen2ForCausalLM": _pack_llama,
}
