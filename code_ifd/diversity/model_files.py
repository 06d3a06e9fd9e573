"""What a sentence model's files say beside its weights, and how many tokens of a text it reads by them.

They are read before the model is loaded, without torch: kept embeddings are found by what they say.
"""

import json
from pathlib import Path
from typing import Any

from models.source import ModelSource
from shared.cli import UserError
from shared.texts import first_line

# Files that an earlier version of this tool has put into the cache come without those of sentence-transformers.
KNOWN_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# Tokenizers without a limit of their own say one of thirty digits.
LARGEST_LIMIT = 10**9
# Read where no file names a limit.
USUAL_LIMIT = 512


def find_token_limit(source: ModelSource) -> int:
    """Return how many tokens of a text a model reads: its tokenizer's own limit, as in the published step.

    No more than the model has positions, and 512 where the tokenizer has no limit. Raises UserError when the files
    cannot be had.
    """
    tokenizer = read_model_json(source, "tokenizer_config.json")
    limit = _whole_number(tokenizer, "model_max_length") or _whole_number(tokenizer, "max_len")  # its old name
    positions = _whole_number(read_model_json(source, "config.json"), "max_position_embeddings")
    return min(limit or USUAL_LIMIT, positions or LARGEST_LIMIT)


def _whole_number(content: Any, key: str) -> int | None:
    """Return a number of tokens in a file's object, None where it has none that limits anything."""
    value = content.get(key) if isinstance(content, dict) else None
    return value if type(value) is int and 0 < value <= LARGEST_LIMIT else None


def read_model_json(source: ModelSource, name: str) -> Any:
    """Return what a file of the model holds, None when the model has no such file. Raises UserError."""
    path = Path(source.location, name) if source.is_local else _fetch(source, name)
    if path is None or not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--emb_model {source.name}: its {name} cannot be read: {first_line(error)}") from None


def _fetch(source: ModelSource, name: str) -> Path | None:
    """Return the path of a Hub model's file in the cache, None when the model has no such file. Raises UserError."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HTTPError, LocalEntryNotFoundError

    cached = try_to_load_from_cache(source.location, name, revision=source.revision)
    if isinstance(cached, str):
        return Path(cached)
    if cached is not None or (source.in_cache and source.name == KNOWN_MODEL):  # the Hub is known to have none
        return None
    reason = "not in the local cache"
    if not source.in_cache:
        try:
            return Path(hf_hub_download(source.location, name, revision=source.revision))
        except LocalEntryNotFoundError as error:  # the Hub did not answer
            reason = first_line(error)
        except EntryNotFoundError:
            return None
        except (HTTPError, OSError) as error:
            reason = first_line(error)
    raise UserError(
        f"--emb_model {source.name}: {name}, which says how it reads texts, cannot be had ({reason}); "
        "connect once to download it, or give a local folder"
    )
