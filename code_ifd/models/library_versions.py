"""What transformers 4 and 5 call differently: rotary embeddings in a configuration, and the class of a tokenizer.

A model that was saved by one major version and is loaded by the other must not lose its settings without a word.
"""

from typing import Any, cast

import transformers
from transformers import AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from shared.cli import UserError

# The name of the one class that version 5 saves tokenizers of files under.
TOKENIZER_OF_FIVE = "TokenizersBackend"


def knows_rope_parameters() -> bool:
    """Tell whether this is transformers 5, whose configurations have `rope_parameters`."""
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
    if knows_rope_parameters() or not found:
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
    """Return the tokenizer of a model, also where transformers 4 meets the class under which version 5 saves them."""
    try:
        return cast("PreTrainedTokenizerBase", AutoTokenizer.from_pretrained(location, **options))
    except ValueError as error:
        if TOKENIZER_OF_FIVE not in str(error):
            raise
    return cast("PreTrainedTokenizerBase", PreTrainedTokenizerFast.from_pretrained(location, **options))
