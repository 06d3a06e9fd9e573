"""Which files of a Hub repository are which configuration and split.

The author's README says it in its metadata (`configs:`, read in `hub_card`), or names of files and folders do:
data/train-00000-of-00001.parquet, CONFIG/train-*.parquet, CONFIG/SPLIT/0000.parquet, train.jsonl, or one file without
a word for a split, which is train.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from records.dataset_files import FORMATS, WANTED, ends_in
from records.hub_name import DEFAULT_SPLIT
from records.splits import SPLITS, WORD
from shared.cli import UserError
from shared.texts import shorten

DEFAULT_CONFIG = "default"
CONVERTED = "refs/convert/parquet"
SPLIT_FOLDERS = {*SPLITS, *(f"partial-{word}" for word in SPLITS)}  # the latter: the Hub's own conversion
# Files that describe data.
NO_DATA = ("dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json", ".meta.json")
PART_WORDS = ("part", "shard", "chunk", "file", "data", "dataset")
_SHARD = re.compile(r"(?P<name>\w+(?:\.\w+)*)-\d{5}-of-(?P<number>\d{5})\b", re.ASCII)
# What may differ between the names of files that are parts of one.
_COUNTER = re.compile(
    r"\d{5}-of-\d{5}|(?<![0-9])\d{3,}(?![0-9])|(?:(?<=part)|(?<=shard)|(?<=chunk))[-_.]?\d+", re.IGNORECASE
)

Layout = dict[str, dict[str, list[str]]]  # configuration -> split -> paths in the repository


@dataclass(frozen=True)
class Choice:
    """The files of one split, with the names of its configuration and its own; both None for files named by path."""

    files: list[str]
    config: str | None = None
    split: str | None = None


def choose_split(
    layout: Layout, default_config: str | None, config: str | None, split: str | None, where: str
) -> Choice:
    """Return the split that is meant. Raises UserError, with a list of what there is, where none is, or several are."""
    config = config or default_config or (next(iter(layout)) if len(layout) == 1 else None)
    if config is None:
        raise UserError(f"{where}: has several configurations; give --config, one of {_listed(layout)}")
    if config not in layout:
        raise UserError(f"{where}: has no configuration {config}; it has {_listed(layout)} (--config)")
    splits, split = layout[config], split or DEFAULT_SPLIT
    if split not in splits:
        shown = f"{where}, configuration {config}" if len(layout) > 1 else where
        raise UserError(f"{shown}: has no split {split}; it has {_listed(splits)} (--split)")
    return Choice(splits[split], config, split)


def layout_of_names(files: Iterable[str], where: str) -> Layout:
    """Return the layout that the names of files and folders tell.

    Raises UserError when none is of a format that is read here, or files of one split are not parts of one whole.
    """
    files = list(files)
    data_files = [file for file in files if _is_data(file)]
    if not data_files:
        raise no_data(files, where)
    found: dict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in sorted(data_files):
        config, split = _place(file)
        found[config][split].append(file)
    layout: Layout = {}
    for config, splits in found.items():
        # Beside files that name their split, one that names none is no split.
        named = {split: parts for split, parts in splits.items() if split}
        layout[config] = named or {DEFAULT_SPLIT: splits[None]}
    return layout


def check_parts(choice: Choice, where: str) -> None:
    """Raise UserError unless the names of a split's files say that they are parts of one whole, and all of them."""
    if len({_COUNTER.sub("#", _without_hash(file)) for file in choice.files}) > 1:
        raise UserError(
            f"{where}: several files could be its split {choice.split}: {_listed(choice.files)}; "
            "name one as hf://datasets/ORGANIZATION/NAME/FILE"
        )
    totals = [_SHARD.search(PurePosixPath(file).name) for file in choice.files]
    if totals[0] and len(choice.files) != int(totals[0]["number"]):
        raise UserError(
            f"{where}: its split {choice.split} is said to have {int(totals[0]['number'])} files, and there are "
            f"{len(choice.files)}: {_listed(choice.files)}; name those you want as hf://datasets/ORGANIZATION/NAME/PATTERN"
        )


def files_by_pattern(files: Iterable[str], pattern: str, where: str) -> Choice:
    """Return the files that a path or a pattern in the repository means. Raises UserError when there is none."""
    wanted = pattern_of(pattern)
    found = sorted(file for file in files if wanted.fullmatch(file))
    if not found:
        raise UserError(f"{where}: has no file {pattern}; it has {_listed(sorted(files))}")
    if not all(ends_in(file, FORMATS) for file in found):
        raise no_data(found, where)
    return Choice(found)


def pattern_of(pattern: str) -> re.Pattern[str]:
    """Return a pattern of paths as a regular expression: * and ? stay in a folder, ** goes into folders below."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern.removeprefix("./"))
    regex = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(
            regex.get(part) or (f"[{part[1:-1].replace('!', '^', 1)}]" if part[:1] == "[" else re.escape(part))
            for part in parts
        )
    )


def no_data(files: list[str], where: str) -> UserError:
    """Return the error for files among which none can be read here."""
    others = [file for file in files if PurePosixPath(file).name not in ("README.md", ".gitattributes")]
    script = next((file for file in others if file.endswith(".py")), None)
    what = f"only a loading script ({script})" if script else f"no such file, but {_listed(others) or 'nothing'}"
    return UserError(
        f"{where}: wanted {WANTED}, and it has {what}; the Hub may keep its own Parquet copy: "
        f"try --data_revision {CONVERTED}"
    )


def _is_data(file: str) -> bool:
    path = PurePosixPath(file)
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    return ends_in(file, FORMATS) and not ends_in(path.name, NO_DATA) and not hidden


def _place(file: str) -> tuple[str, str | None]:
    """Return the configuration and the split that a file's path names; None where it names no split."""
    path = PurePosixPath(file)
    folders = [folder for folder in path.parts[:-1] if folder != "data"]
    folder_split = folders.pop() if folders and folders[-1].lower() in SPLIT_FOLDERS else None
    config = "/".join(folders) or DEFAULT_CONFIG
    shard, word = _SHARD.match(path.name), WORD.search(path.name)
    if shard and shard["name"].lower() not in PART_WORDS:
        return config, SPLITS.get(shard["name"].lower(), shard["name"])
    if folder_split:
        return config, SPLITS.get(folder_split.lower(), folder_split)
    return config, SPLITS[word[1].lower()] if word else None


def _without_hash(file: str) -> str:
    return re.sub(r"(-of-\d{5})-[0-9a-f]{16}\b", r"\1", file)


def _listed(names: Iterable[Any]) -> str:
    names = list(names)
    rest = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(shorten(name) if len(str(name)) > 100 else str(name) for name in names[:12]) + rest
