"""Load a causal language model and its tokenizer, ready to be scored with: evaluation mode, one dtype, one device."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers import logging as transformers_logging

from models.batch_models import BatchModel, PackedModel, PaddedModel
from models.cpu_kernels import has_fast_bfloat16, keep_freed_memory, use_fast_kernels
from models.damaged_models import LOAD_ERRORS, check_config, check_weights, fault_of
from models.gpu_kernels import use_gpu_kernels
from models.library_versions import read_rope_of_five, tokenizer_from
from models.output_head import OutputHead
from models.packing import pack
from models.pip_models import SMOLLM2, dequantized_folder
from models.source import ModelSource
from shared.cli import UserError, tell

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` takes CUDA, then MPS, then the CPU.

    Raises UserError for one not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_there in available.items() if is_there)
    if not available[name]:
        raise UserError(f"--device {name}: torch {torch.__version__} finds none on this machine; use --device cpu")
    return torch.device(name)


def load_causal_lm(
    source: ModelSource,
    dtype: torch.dtype,
    device: torch.device,
    max_length: int,
    trust_remote_code: bool = False,
    use_kernels: bool = True,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return the model, in evaluation mode on `device`, and its tokenizer.

    Without `use_kernels` all its layers are the library's. Raises UserError when it cannot be loaded, when
    `max_length` tokens are more than its positions reach, or when the checkpoint lacks weights, which transformers
    would make up.
    """
    location, options = _where(source, trust_remote_code)
    tokenizer = load_tokenizer(source, trust_remote_code)
    try:
        config = AutoConfig.from_pretrained(location, **options)
        check_context(config, source.name, max_length)
        read_rope_of_five(config, source.name)
        # The dtype is said outright: left alone, transformers takes the checkpoint's own.
        model, info = cast(
            "tuple[PreTrainedModel, dict[str, Any]]",
            AutoModelForCausalLM.from_pretrained(
                location, config=config, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **options
            ),
        )
    except LOAD_ERRORS as error:
        raise _cannot_load(source, error) from None
    check_weights(info, f"--model_name_or_path {source.name}")
    model.eval().to(device)
    if device.type == "cpu" and use_kernels:
        use_fast_kernels(model)
    return model, tokenizer


def load_tokenizer(source: ModelSource, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Return a model's tokenizer. Raises UserError when it cannot be loaded."""
    location, options = _where(source, trust_remote_code)
    try:
        check_config(location, options)
        return tokenizer_from(location, **options)
    except LOAD_ERRORS as error:
        raise _cannot_load(source, error) from None


def _where(source: ModelSource, trust_remote_code: bool) -> tuple[str, dict[str, Any]]:
    """Return the place that transformers loads from, and how."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    location = source.location
    if source.name == SMOLLM2.name:
        location = str(dequantized_folder(Path(location), source.fingerprint))
    options = {
        "revision": source.revision or "main",
        "local_files_only": source.in_cache or source.is_local,
        "trust_remote_code": trust_remote_code,
    }
    return location, options


def _cannot_load(source: ModelSource, error: Exception) -> UserError:
    remedy = "; if you trust it, add --trust_remote_code" if "custom code" in str(error) else ""
    return UserError(f"--model_name_or_path {source.name}: cannot be loaded: {fault_of(error)}{remedy}")


def load_batch_models(
    source: ModelSource, dtype: str, device: torch.device, max_length: int, trust_remote_code: bool = False
) -> tuple[dict[str, BatchModel], PreTrainedTokenizerBase]:
    """Return the model in each dtype that a run in `dtype` needs, by name, and its tokenizer. Raises UserError.

    `mixed` needs bfloat16 and float32. On a CPU, bfloat16 comes with float32 for models that can be packed: it shares
    their weights.
    """
    names = ("bfloat16", "float32") if dtype == "mixed" else (dtype,)
    if device.type == "cpu":
        keep_freed_memory()
        if "bfloat16" in names and not has_fast_bfloat16():
            tell(f"warning: this processor has no bfloat16 products: --dtype {dtype} is slower than float32 here")
    # The checkpoint is read once, in the most exact dtype that is needed; the others are made of that.
    may_pack = device.type == "cpu" and dtype != "float16"
    model, tokenizer = load_causal_lm(
        source, torch.float32 if may_pack else DTYPES[names[-1]], device, max_length, trust_remote_code
    )
    try:
        return _batch_models(model, names, max_length, may_pack), tokenizer
    except LOAD_ERRORS as error:
        raise UserError(
            f"--model_name_or_path {source.name}: cannot be run on eight tokens: {fault_of(error)}; its config.json "
            "does not fit its weights, or memory does not hold it"
        ) from None


def _batch_models(
    model: PreTrainedModel, names: Sequence[str], max_length: int, may_pack: bool
) -> dict[str, BatchModel]:
    """Return the model in each dtype, tried on a few tokens."""
    if may_pack:
        padded = PaddedModel(model)
        packed = pack_model(padded, {"float32", *names}, max_length)
        if packed or tuple(names) == ("float32",):
            return packed or {"float32": padded}
        del padded
    if model.device.type != "cpu":
        use_gpu_kernels(model)
    return {name: PaddedModel(in_dtype(model, DTYPES[name], name == names[-1])) for name in names}


def in_dtype(model: PreTrainedModel, dtype: torch.dtype, may_change: bool = False) -> PreTrainedModel:
    """Return a model in another dtype, as transformers would load it: itself where it `may_change`, else a copy.

    Float32 stay what a model keeps in it, and the buffers that no checkpoint holds (a rotary embedding's frequencies).
    """
    if model.dtype == dtype:
        return model
    kept: set[str] = getattr(model, "_keep_in_fp32_modules_strict", None) or set()
    rounded = {
        id(tensor): tensor
        for name, tensor in model.state_dict(keep_vars=True).items()
        if tensor.is_floating_point() and not any(re.search(part, name) for part in kept)
    }
    if not may_change:
        # deepcopy takes what stands in its memo for a copy that is made already: no float32 copy on the way.
        model = copy.deepcopy(model, {key: _rounded(tensor, dtype) for key, tensor in rounded.items()})
    else:
        for tensor in rounded.values():
            tensor.data = tensor.data.to(dtype)
    model.config.dtype = dtype
    return model


def _rounded(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    data = tensor.detach().to(dtype)
    return torch.nn.Parameter(data, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else data


def pack_model(padded: PaddedModel, names: set[str], max_length: int) -> dict[str, BatchModel]:
    """Return a float32 model on the CPU as packed models by dtype, or nothing when it is not one that can be packed."""
    if padded.head is None:
        return {}
    head = padded.model.get_output_embeddings()
    decoders = pack(padded.model, max_length, [DTYPES[name] for name in names])
    return {
        name: PackedModel(decoders[DTYPES[name]], OutputHead(head.weight, head.bias, DTYPES[name]))
        for name in names
        if decoders
    }


def check_context(config: PretrainedConfig, name: str, max_length: int) -> None:
    """Raise UserError when `max_length` tokens are more than the model's positions reach."""
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    if isinstance(context, int) and max_length > context:
        raise UserError(f"--max_length {max_length}: {name} reads at most {context} tokens; give {context} or less")
