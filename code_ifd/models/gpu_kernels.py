"""Faster kernels for scoring on a GPU: attention without masks, and GELU in one pass. Not for generation or training.

A batch that is padded on the right needs no mask but the causal one. Left alone, transformers looks whether a row of it
holds several texts. It asks the device, so every batch waits for the one before it to end, and the launches of its
kernels wait too. It does not ask for an attention whose name it has no masks for.
"""

from typing import Any

import torch
from transformers import AttentionInterface, PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from models.cpu_kernels import use_fused_gelu
from models.sequences import PADDING_ID

NAME = "causal_without_mask"
# Models whose every layer sees all earlier tokens, unless their configuration says otherwise.
MODELS = ("GPT2LMHeadModel", "LlamaForCausalLM", "Qwen2ForCausalLM")


def causal_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return torch's fused causal attention, as transformers calls it; there is never a mask."""
    return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, None, **options)


AttentionInterface.register(NAME, causal_attention)


def use_gpu_kernels(model: PreTrainedModel) -> None:
    """Have a model on a GPU score with fewer kernels, and without waiting for the device."""
    use_fused_gelu(model)
    use_causal_attention(model)


def use_causal_attention(model: PreTrainedModel) -> bool:
    """Have a model that we know attend without masks; return whether it does. Its logits stay what they were."""
    config = model.config
    layer_types = set(getattr(config, "layer_types", None) or ["full_attention"])
    if type(model).__name__ not in MODELS or config._attn_implementation != "sdpa" or layer_types != {"full_attention"}:
        return False
    before = _logits(model)
    model.set_attn_implementation(NAME)
    if config._attn_implementation == NAME and _agree(before, _logits(model), model.dtype):
        return True
    model.set_attn_implementation("sdpa")
    return False


@torch.inference_mode()
def _logits(model: PreTrainedModel) -> torch.Tensor:
    """Return the logits of two rows, of which one is padded."""
    input_ids = torch.arange(1, 17, device=model.device).remainder(model.config.vocab_size).view(2, 8)
    input_ids[1, 5:] = PADDING_ID
    return model(input_ids=input_ids, use_cache=False).logits.float()  # (2, 8, vocabulary)


def _agree(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> bool:
    """Tell whether logits differ by no more than rounding in `dtype` explains."""
    tolerance = max(1e-3, 4 * torch.finfo(dtype).eps)
    return bool((one - other).norm() <= tolerance * one.norm())
