"""Whether several files are parts of one dataset, or splits of it that must not be mixed: train, validation, test."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from shared.cli import UserError

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
# A shard as the Hub names it: SPLIT-00000-of-00002, maybe with a hash. Its split may have any name.
SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}\b")
WORD = re.compile(rf"(?:^|[-._ 0-9])({'|'.join(SPLITS)})(?=$|[-._ 0-9])", re.IGNORECASE)
# A name that is nothing but a split, numbered or not: test.jsonl, dev-01.jsonl.
BARE = re.compile(rf"({'|'.join(SPLITS)})[-._ 0-9]*", re.IGNORECASE)


def check_splits(path: str, files: list[str]) -> None:
    """Raise UserError, naming them, when the files under a path are several splits of a dataset.

    They are when their names hold words for two splits, or Hugging Face's shards of several, or when one file is called
    like a split for testing (test.jsonl) and others are not.
    """
    stems = {file: _stem(file) for file in files}
    shards = {file: match["split"] for file, stem in stems.items() if (match := SHARD.match(stem))}
    words = {file: SPLITS[match[1].lower()] for file, stem in stems.items() if (match := WORD.search(stem))}
    bare = {
        words[file] for file, stem in stems.items() if file in words and BARE.fullmatch(SHARD.sub(r"\g<split>", stem))
    }
    is_beside_others = bool(bare - {"train"}) and len(words) < len(files)
    if len(set(shards.values())) > 1 or len(set(words.values())) > 1 or is_beside_others:
        names = sorted({shards.get(file) or words.get(file) or Path(file).name for file in files})
        example = next((file for file in files if words.get(file) == "train"), files[0])
        raise UserError(
            f"{path}: holds several splits ({_listed(names)}); give one of them, such as {_pattern(example, files)}"
        )


def check_subfolders(folder: str, endings: tuple[str, ...]) -> None:
    """Raise UserError, naming them, when folders in a folder hold files with these endings."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    found = [name for name in names if _holds(os.path.join(folder, name), endings)]
    if found:
        example = next((name for name in found if SPLITS.get(name.lower()) == "train"), found[0])
        raise UserError(
            f"{folder}: no dataset files in this folder itself; folders in it have some ({_listed(found)}); "
            f"give one of them, such as {os.path.join(folder, example)}"
        )


def _holds(folder: str, endings: tuple[str, ...]) -> bool:
    """Tell whether there is such a file in a folder, or in one of its own folders."""
    return any(name.lower().endswith(endings) for _, _, names in os.walk(folder) for name in names)


def _stem(file: str) -> str:
    return re.sub(r"(\.(jsonl?|ndjson|gz|zst|parquet|arrow))+$", "", Path(file).name, flags=re.IGNORECASE)


def _pattern(example: str, files: Iterable[str]) -> str:
    """Return what names one split: its file, or a pattern where it has several shards."""
    found = SHARD.match(_stem(example))
    if not found or sum(Path(file).name.startswith(f"{found['split']}-") for file in files) < 2:
        return example
    return f'"{os.path.join(os.path.dirname(example), found["split"])}-*"'


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
