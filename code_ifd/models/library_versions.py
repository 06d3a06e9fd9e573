"""What transformers 4 and 5 do differently: rotary embeddings in a configuration, and tokenizers.

A model that was saved by one major version and is loaded by the other must not lose its settings without a word.
"""

import json
from typing import Any, cast

import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.cli import UserError
from shared.texts import first_line

# The name of the one class that version 5 saves tokenizers of files under.
TOKENIZER_OF_FIVE = "TokenizersBackend"


def is_five() -> bool:
    """Tell whether this is transformers 5 or newer."""
    return int(transformers.__version__.partition(".")[0]) >= 5


def rope_parameters(config: PretrainedConfig) -> list[dict[str, Any]]:
    """Return what a configuration says of its rotary embeddings: one entry, one for each kind of layer, or none.

    Each has `rope_type`, and `original_max_position_embeddings` where the configuration says it anywhere.
    """
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    groups = list(found.values()) if found and all(isinstance(value, dict) for value in found.values()) else [found]
    # Version 4 has the length of the first training beside the others, or has none and takes the whole context.
    length = getattr(config, "original_max_position_embeddings", None) or getattr(
        config, "max_position_embeddings", None
    )
    return [
        {"original_max_position_embeddings": length}
        | group
        | {"rope_type": group.get("rope_type", group.get("type", "default"))}
        for group in groups
        if group
    ]


def read_rope_of_five(config: PretrainedConfig, name: str) -> None:
    """Give transformers 4 the rotary embeddings of a model that version 5 has saved; it would take its defaults.

    Raises UserError for a model with several kinds of them, which version 4 has under names of each model's own.
    """
    text = config.get_text_config()
    found = getattr(text, "rope_parameters", None)
    if is_five() or not found:
        return
    if any(isinstance(value, dict) for value in found.values()):
        raise UserError(
            f"--model_name_or_path {name}: saved by transformers 5, and its rotary embeddings cannot be read by "
            f"{transformers.__version__}; `pip install -U transformers`"
        )
    scaling = dict(found)
    for key in ("rope_theta", "partial_rotary_factor"):
        if key in scaling:
            setattr(text, key, scaling.pop(key))
    scaling.setdefault("rope_type", scaling.get("type", "default"))
    text.rope_scaling = scaling if scaling["rope_type"] != "default" else None


def tokenizer_from(location: str, **options: Any) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model, also where transformers 4 meets the class under which version 5 saves them.

    It is tried on a letter: some damage shows only then. Raises what transformers raises, and ValueError for a damaged
    file.
    """
    try:
        tokenizer = cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(location, **options))
        tokenizer("a")
        return tokenizer
    except ValueError as error:
        if TOKENIZER_OF_FIVE not in str(error):
            raise
    except BaseException as error:
        # What version 4 raises for a missing file, and the package tokenizers for a damaged one.
        if type(error) not in (AttributeError, TypeError, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"its tokenizer is missing or damaged: {first_line(error)}") from None
    return cast("PreTrainedTokenizerBase", PreTrainedTokenizerFast.from_pretrained(location, **options))


def byte_level(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return SmolLM2's tokenizer as transformers 5 reads it from a GGUF file, from what version 4 reads there.

    Version 4 takes it for Llama's: it would begin every text with a BOS, and end no turn.
    """
    read = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
    merges = [tuple(pair) for pair in read["model"]["merges"]]
    backend = Tokenizer(models.BPE(vocab=read["model"]["vocab"], merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([token["content"] for token in read["added_tokens"]])
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", chat_template=tokenizer.chat_template, **ends
    )
