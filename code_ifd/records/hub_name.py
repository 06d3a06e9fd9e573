"""How a dataset of the Hugging Face Hub is named on a command line.

`tatsu-lab/alpaca` is its training split; `tatsu-lab/alpaca@REVISION:CONFIG/SPLIT` says all, and every flag that takes a
dataset takes it. `hf://datasets/tatsu-lab/alpaca@REVISION/PATH` is one file of it, or several by a pattern.
"""

import argparse
import os
import re
from dataclasses import dataclass, replace

from shared.cli import UserError

DEFAULT_SPLIT = "train"
# A name that ends so means a file: a typing error in it must not become a question to the Hub.
FILE_ENDINGS = (
    *(".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".csv", ".tsv", ".txt", ".md", ".xlsx", ".gz", ".zst"),
    *(".bz2", ".xz", ".zip", ".tar", ".tgz", ".html", ".yaml", ".yml", ".pkl", ".pt", ".npy", ".db", ".sqlite"),
)
_ID = r"(?P<dataset>[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*)"
# A branch may hold slashes only in a spelling where nothing follows it but a colon.
_PLAIN = re.compile(rf"{_ID}(?:@(?P<revision>[^:@]+))?(?P<rest>:(?:(?P<config>[^:]+)/)?(?P<split>[^:/]*))?", re.ASCII)
_URI = re.compile(
    rf"hf://datasets/{_ID}(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/@]+))?(?:/(?P<file>.+))?", re.ASCII
)


@dataclass(frozen=True)
class HubName:
    """A dataset of the Hub, or files of it. None stands for what was not said."""

    dataset: str
    revision: str | None = None
    config: str | None = None
    split: str | None = None
    file: str | None = None  # a path in the repository, or a pattern of paths; instead of config and split

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        if self.file:
            return f"hf://datasets/{self.dataset}{revision}/{self.file}"
        config = f"{self.config}/" if self.config else ""
        return f"{self.dataset}{revision}" + (f":{config}{self.split or ''}" if config or self.split else "")


def parse_hub_name(path: str) -> HubName | None:
    """Return what a dataset path means on the Hub, None when it means a file or folder here.

    What exists here always does, and so does what ends as files do, or is no `organization/name`.
    """
    if os.path.exists(path):
        return None
    found = _URI.fullmatch(path)
    if found:
        return HubName(found["dataset"], found["revision"], file=found["file"])
    found = _PLAIN.fullmatch(path)
    if not found or (found["dataset"].lower().endswith(FILE_ENDINGS) and not found["revision"] and not found["rest"]):
        return None
    return HubName(found["dataset"], found["revision"], found["config"], found["split"] or None)


def add_hub_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --split, --config and --data_revision, for `dataset_path`."""
    parser.add_argument("--split", help=f"split of a Hub dataset (default: {DEFAULT_SPLIT})")
    parser.add_argument("--config", help="configuration of a Hub dataset (default: its only or its default one)")
    # Not --revision, which is the model's: both may come from the Hub, and their branches have nothing in common.
    parser.add_argument(
        "--data_revision",
        help="branch, tag or commit of a Hub dataset (default: that of --revision when the model is not on the Hub, "
        "else main)",
    )


def dataset_path(path: str, config: str | None, split: str | None, revision: str | None) -> str:
    """Return a dataset path with the values of the flags of `add_hub_flags` in it.

    Raises UserError when they say something else than the path, or the path means no dataset of the Hub.
    """
    flags_given = {"revision": revision, "config": config, "split": split}
    given: dict[str, str] = {key: value for key, value in flags_given.items() if value}
    if not given:
        return path
    name = parse_hub_name(path)
    flags = ", ".join(f"--{'data_' if key == 'revision' else ''}{key} {value}" for key, value in given.items())
    if name is None:
        what = (
            "is here, and not on the Hub" if os.path.exists(path) else "is neither here nor the name of a Hub dataset"
        )
        raise UserError(f"{flags}: only for a dataset of the Hub, and {path} {what}; leave it out, or name one file")
    if name.file and (config or split):
        raise UserError(f"{flags}: {path} names a file already; leave it out")
    for key, value in given.items():
        if getattr(name, key) not in (None, value):
            raise UserError(f"{flags}: {path} says {key} {getattr(name, key)}; leave one of them out")
    whole = replace(name, **given)
    if parse_hub_name(str(whole)) != whole:
        raise UserError(f"{flags}: holds a character that no branch, configuration or split has")
    return str(whole)


def as_scored(path: str, scored_paths: list[str]) -> str:
    """Return the path of the data that was scored, when `path` means the same dataset of the Hub, else `path`.

    So step 2 reads the commit, configuration and split that step 1 has read, unless it is told another one.
    """
    wanted = parse_hub_name(path)
    for scored_path in scored_paths:
        scored = parse_hub_name(scored_path)
        if wanted and scored and wanted.dataset == scored.dataset and wanted.revision in (None, scored.revision):
            same = all(getattr(wanted, key) in (None, getattr(scored, key)) for key in ("config", "split", "file"))
            if same:
                return scored_path
    return path
