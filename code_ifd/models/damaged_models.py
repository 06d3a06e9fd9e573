"""What is wrong with a model's files, said in one line: sizes that no machine holds, weights that do not fit, and all
the errors that transformers and torch raise for files that nobody has tried.
"""

import pickle
from typing import Any

from huggingface_hub import errors as hub_errors
from safetensors import SafetensorError
from transformers import PretrainedConfig

from shared.cli import UserError
from shared.texts import one_line

# What loading or running a model with odd files has been seen to raise; the dataclasses of configurations have a class
# of their own, which older versions lack.
LOAD_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    ValueError,
    ImportError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    EOFError,
    pickle.UnpicklingError,
    SafetensorError,
    getattr(hub_errors, "StrictDataclassError", ValueError),
)
# The largest models have some 130 layers; a million of them takes hours and all memory to build.
MAX_LAYERS = 1000
# No other number of parts in a model is larger; each label takes an entry of a table, each head a view.
MAX_PARTS = 1_000_000
REMEDY = "it is damaged, or not what it seems; download it again"


def check_config(location: str, options: dict[str, Any]) -> None:
    """Raise UserError for a number in a model's config.json that no machine could build. Raises LOAD_ERRORS too."""
    config, _ = PretrainedConfig.get_config_dict(location, **options)
    _check_numbers(config, location)


def check_weights(info: dict[str, Any], model: str, kind: str = "a causal language model") -> None:
    """Raise UserError when a checkpoint lacks weights, or has some of another shape.

    `info` is what transformers says of the loading; `model` and `kind` are for messages.
    """
    mismatched = sorted(info.get("mismatched_keys") or (), key=lambda entry: str(entry[0]))
    if mismatched:
        seen = ", ".join(f"{name} ({_shape(found)}, wanted {_shape(wanted)})" for name, found, wanted in mismatched[:3])
        raise UserError(
            f"{model}: {len(mismatched)} weights of the checkpoint have another shape than config.json says: {seen}; "
            f"{REMEDY}"
        )
    if info["missing_keys"]:
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise UserError(
            f"{model}: the checkpoint lacks {len(info['missing_keys'])} weights "
            f"that the model needs ({missing}); it was not saved as {kind}"
        )


def fault_of(error: Exception) -> str:
    """Return what an error says as one line, with its kind where the text alone says little (`'a'`)."""
    text = one_line(str(error).partition("\n\n")[0])
    return text if len(text) > 20 else f"{type(error).__name__} {text}".strip()


def _check_numbers(config: dict[str, Any], location: str) -> None:
    for key, value in config.items():
        if isinstance(value, dict):
            _check_numbers(value, location)
        if not isinstance(value, int | float) or not key.startswith(("n_", "num_")):
            continue
        most = MAX_LAYERS if "layer" in key else MAX_PARTS
        least = 1 if key in ("n_layer", "num_hidden_layers") else value
        if "position" not in key and not least <= value <= most:
            raise UserError(f"{location}: its config.json has {key} {value}; wanted 1 to {most}; {REMEDY}")


def _shape(size: Any) -> str:
    return "x".join(map(str, size)) or "one number"
