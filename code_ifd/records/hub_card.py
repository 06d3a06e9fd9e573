"""What the README of a Hub dataset says about its files: the `configs:` of the metadata at its top."""

import re
from dataclasses import dataclass
from typing import Any

from records.hub_layout import (
    DEFAULT_CONFIG,
    Choice,
    Layout,
    check_parts,
    choose_split,
    files_by_pattern,
    layout_of_names,
)
from records.hub_name import DEFAULT_SPLIT
from shared.cli import UserError
from shared.texts import shorten

_METADATA = re.compile(r"\ufeff?\s*---[ \t]*\r?\n(.*?)(?:^|\n)---[ \t]*(?:\r?\n|$)", re.DOTALL)


@dataclass(frozen=True)
class CardConfig:
    """A configuration as the README has it: patterns of each split's files, or the folder where they lie."""

    name: str
    is_default: bool
    patterns: dict[str, list[str]]
    folder: str | None = None


def choose_files(files: list[str], readme: str, config: str | None, split: str | None, where: str) -> Choice:
    """Return the files of one split of a repository with these files and this README, empty when it has none.

    Raises UserError, with a list of what there is, where nothing is meant, or several things are.
    """
    configs = {one.name: one for one in card_configs(readme, where)}
    if not configs:
        choice = choose_split(layout_of_names(files, where), None, config, split, where)
        check_parts(choice, where)
        return choice
    default = next((one.name for one in configs.values() if one.is_default), None)
    if default is None and (DEFAULT_CONFIG in configs or len(configs) == 1):
        default = DEFAULT_CONFIG if DEFAULT_CONFIG in configs else next(iter(configs))
    layout: Layout = {name: one.patterns for name, one in configs.items()}
    wanted = configs.get(config or default or "")
    if wanted and not wanted.patterns:
        layout[wanted.name] = _splits_in(wanted.folder, files, where)
    choice = choose_split(layout, default, config, split, where)
    if wanted and not wanted.patterns:
        check_parts(choice, where)
        return choice
    found = [file for pattern in choice.files for file in files_by_pattern(files, pattern, where).files]
    return Choice(list(dict.fromkeys(found)), choice.config, choice.split)


def card_configs(readme: str, where: str) -> list[CardConfig]:
    """Return the configurations that a README declares, if any. Raises UserError for what cannot be understood."""
    import yaml

    found = _METADATA.match(readme)
    try:
        metadata = yaml.safe_load(found[1]) if found else None
    except (yaml.YAMLError, ValueError) as error:
        raise _broken(where, str(error).splitlines()[0]) from None
    configs = metadata.get("configs") if isinstance(metadata, dict) else None
    if configs is None:
        return []
    if not isinstance(configs, list) or not all(isinstance(one, dict) for one in configs):
        raise _broken(where, "configs is no list of configurations")
    return [_config(one, where) for one in configs]


def _splits_in(folder: str | None, files: list[str], where: str) -> dict[str, list[str]]:
    """Return the splits that names tell of in a folder of the repository, or in all of it."""
    inside = [file for file in files if not folder or file.startswith(f"{folder}/")]
    splits: dict[str, list[str]] = {}
    for found in layout_of_names(inside, where).values():
        for split, parts in found.items():
            splits.setdefault(split, []).extend(parts)
    return splits


def _config(entry: dict[str, Any], where: str) -> CardConfig:
    folder = entry.get("data_dir")
    folder = str(folder).strip("/").removeprefix("./") if folder else None
    patterns = {
        split: [_in_folder(path, folder, where) for path in paths]
        for split, paths in _patterns(entry.get("data_files"), where).items()
    }
    return CardConfig(str(entry.get("config_name", DEFAULT_CONFIG)), entry.get("default") is True, patterns, folder)


def _patterns(data_files: Any, where: str) -> dict[str, list[str]]:
    """Return the patterns of each split: `data_files` is a path or paths, or has them under the names of splits."""
    if data_files is None:
        return {}
    if isinstance(data_files, dict):
        data_files = [{"split": split, "path": path} for split, path in data_files.items()]
    entries = data_files if isinstance(data_files, list) else [data_files]
    patterns: dict[str, list[str]] = {}
    for entry in entries:
        split, path = (
            (entry.get("split", DEFAULT_SPLIT), entry.get("path"))
            if isinstance(entry, dict)
            else (DEFAULT_SPLIT, entry)
        )
        paths: list[Any] = path if isinstance(path, list) else [path]
        if not paths or not all(isinstance(one, str) and one for one in paths):
            raise _broken(where, f"data_files has {shorten(entry)}, which names no files")
        patterns.setdefault(str(split), []).extend(paths)
    return patterns


def _in_folder(path: str, folder: str | None, where: str) -> str:
    if "://" in path:
        raise UserError(
            f"{where}: its README names files that are elsewhere ({shorten(path, 100)}); download them yourself"
        )
    path = path.removeprefix("./").lstrip("/")
    path = f"{path}**" if path.endswith("/") else path
    return f"{folder}/{path}" if folder else path


def _broken(where: str, what: str) -> UserError:
    return UserError(
        f"{where}: the metadata of its README.md cannot be read: {what}; name its files as "
        "hf://datasets/ORGANIZATION/NAME/FILE"
    )
