"""Load a causal language model and its tokenizer, ready to be scored with: evaluation mode, one dtype, one device."""

from pathlib import Path

import smollm2
import torch
from cli import UserError
from cpu_kernels import use_fast_kernels
from model_source import ModelSource
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers import logging as transformers_logging

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` takes CUDA, then MPS, then the CPU. Raises UserError for an absent one."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_there in available.items() if is_there)
    if not available[name]:
        raise UserError(f"--device {name}: torch {torch.__version__} finds none on this machine; use --device cpu")
    return torch.device(name)


def load_causal_lm(
    source: ModelSource, dtype: torch.dtype, device: torch.device, max_length: int, trust_remote_code: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model, in evaluation mode on `device`, and its tokenizer.

    Raises UserError when it cannot be loaded, when `max_length` tokens are more than its positions reach, or when the
    checkpoint lacks weights, which transformers would make up.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    location = source.location
    if source.name == smollm2.NAME:
        location = str(smollm2.dequantized_folder(Path(location), source.fingerprint))
    options = {
        "revision": source.revision or "main",
        "local_files_only": source.in_cache or source.is_local,
        "trust_remote_code": trust_remote_code,
    }
    try:
        config = AutoConfig.from_pretrained(location, **options)
        _check_context(config, source.name, max_length)
        tokenizer = AutoTokenizer.from_pretrained(location, **options)
        # The dtype is said outright: left alone, transformers takes the checkpoint's own.
        model, info = AutoModelForCausalLM.from_pretrained(
            location, config=config, dtype=dtype, output_loading_info=True, **options
        )
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, SafetensorError) as error:
        remedy = "; if you trust it, add --trust_remote_code" if "custom code" in str(error) else ""
        raise UserError(f"--model_name_or_path {source.name}: cannot be loaded: {_first_line(error)}{remedy}") from None
    if info["missing_keys"]:
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise UserError(
            f"--model_name_or_path {source.name}: the checkpoint lacks {len(info['missing_keys'])} weights that the model "
            f"needs ({missing}); it was not saved as a causal language model"
        )
    model.eval().to(device)
    if device.type == "cpu":
        use_fast_kernels(model)
    return model, tokenizer


def _check_context(config: PretrainedConfig, name: str, max_length: int) -> None:
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    if context is not None and max_length > context:
        raise UserError(f"--max_length {max_length}: {name} reads at most {context} tokens; give {context} or less")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
