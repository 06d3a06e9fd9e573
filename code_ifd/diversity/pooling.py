"""Which of a sentence model's hidden states make up a text's embedding, as its files for sentence-transformers say.

`modules.json` lists what runs after the model, and the folder of its Pooling module (`1_Pooling`) holds a
`config.json`: a flag for each kind, such as `pooling_mode_cls_token`, or in newer versions one name, `pooling_mode`.
"""

from typing import Any

from diversity.model_files import read_model_json
from models.source import ModelSource
from shared.cli import UserError
from shared.texts import shorten

# The flags of older files, and the names of newer ones.
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# What is computed for a name. A sum over the square root of the length is the mean once both are scaled to length 1.
POOLINGS = {"mean": "mean", "mean_sqrt_len_tokens": "mean", "cls": "cls", "lasttoken": "lasttoken", "max": "max"}
# `include_prompt` decides about the tokens of a prompt that sentence-transformers can put before a text: we put none.
NO_MATTER = {"word_embedding_dimension", "embedding_dimension", "include_prompt"}
# Normalize scales to length 1, as we always do.
MODULES = ("Transformer", "Pooling", "Normalize")


def find_pooling(source: ModelSource) -> str:
    """Return `mean`, `cls`, `lasttoken` or `max`; `mean` for a model without such files.

    Raises UserError for a module or a pooling that is not supported, and when the files cannot be had.
    """
    modules = read_model_json(source, "modules.json")
    folder = "1_Pooling" if modules is None else _pooling_folder(modules, source.name)
    config = read_model_json(source, f"{folder}/config.json")
    if config is None and modules is None:
        return "mean"
    where = f"--emb_model {source.name}: its {folder}/config.json"
    if config is None:
        raise UserError(f"{where} is missing, though its modules.json names it; wanted how hidden states are pooled")
    return pooling_of(config, where)


def pooling_of(config: Any, where: str) -> str:
    """Return the pooling that a Pooling module's configuration asks for. Raises UserError, beginning with `where`."""
    if not isinstance(config, dict):
        raise UserError(f"{where} holds {shorten(config)}; wanted an object")
    unknown = [key for key, value in config.items() if value and key not in {"pooling_mode", *FLAGS, *NO_MATTER}]
    if unknown:
        raise UserError(f"{where} asks for {', '.join(unknown)}, which is not supported; choose another model")
    if "pooling_mode" in config:  # then the flags count for nothing
        named = config["pooling_mode"]
        names = named if isinstance(named, list) else [named]
    else:
        names = [name for flag, name in FLAGS.items() if config.get(flag)] or ["mean"]
    if len(names) != 1 or not isinstance(names[0], str) or names[0] not in POOLINGS:
        raise UserError(
            f"{where} asks for the pooling {' and '.join(map(str, names))}; supported is one of {', '.join(POOLINGS)}"
        )
    return POOLINGS[names[0]]


def _pooling_folder(modules: Any, name: str) -> str:
    """Return the Pooling module's folder. Raises UserError when a module is not known, or when not just one pools."""
    where = f"--emb_model {name}: its modules.json"
    try:
        kinds = [(str(module["type"]), str(module["path"])) for module in modules]
    except (TypeError, KeyError):
        raise UserError(f"{where} is not understood; wanted a list of modules, each with type and path") from None
    folders = []
    for kind, path in kinds:
        package, _, module = kind.rpartition(".")
        if package.partition(".")[0] != "sentence_transformers" or module not in MODULES:
            raise UserError(f"{where} asks for the module {kind}; supported are {', '.join(MODULES)}")
        if module == "Transformer" and path:
            raise UserError(f"{where} has the model in the folder {path}; give that folder's model as --emb_model")
        if module == "Pooling":
            folders.append(path)
    if len(folders) != 1:
        raise UserError(f"{where} names {len(folders)} Pooling modules; wanted one")
    return folders[0]
