"""Which files a dataset path means, and of what format they are.

The file name decides: .json is an array (read whole), .jsonl one object a line (also .jsonl.gz, .jsonl.zst), .parquet a
table. A path may be a file, a pattern (data/*.jsonl), a folder of shards, or a folder that `save_to_disk` of Hugging
Face datasets has written. Several files are one dataset, in the order of their names.
"""

import glob
import json
import os
from pathlib import Path

from records import json_lines as json_records
from records.remedies import wrong_ending
from records.splits import check_splits, check_subfolders
from shared.cli import UserError
from shared.files import read_text, refuse_special
from shared.texts import is_encodable

LINES = tuple(ending + packing for ending in json_records.LINES for packing in ("", ".gz", ".zst"))
TABLES = (".parquet", ".arrow")
FORMATS = (*json_records.ARRAY, *LINES, *TABLES)
DATASET_HELP = (
    "a .json array (read whole), or .jsonl, .jsonl.gz, .jsonl.zst, .parquet (streamed); a pattern or folder of such "
    "files is one dataset, and so is a folder that save_to_disk of Hugging Face datasets has written; or the name of a "
    "dataset on the Hugging Face Hub such as tatsu-lab/alpaca"
)
WANTED = ".json (an array), .jsonl (a record a line; also .jsonl.gz, .jsonl.zst) or .parquet"


def find_files(path: str) -> list[str]:
    """Return the files that a dataset path means, in order. Raises UserError when there is none of a known format."""
    _check_file(path)
    if os.path.isdir(path):
        files = _saved_files(path) or _parts(path, os.path.join(glob.escape(path), "*"))
        if not files:
            check_subfolders(path, FORMATS)
            raise UserError(f"{path}: no dataset files in this folder; wanted {WANTED}")
    elif glob.has_magic(path) and not os.path.exists(path):
        files = _parts(path, path)
        if not files:
            raise UserError(f"{path}: no dataset file matches; wanted {WANTED}")
    else:
        files = [path]
    check_one_format(path, files)
    return files


def check_one_format(path: str, files: list[str]) -> None:
    """Raise UserError when the files of a dataset are of several formats."""
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        raise UserError(
            f"{path}: files of several formats ({', '.join(sorted(kinds))}); give a pattern that matches one of them"
        )


def _check_file(path: str) -> None:
    """Raise UserError where nothing is there and the path is no pattern, or a file is called like no dataset."""
    if not os.path.exists(path) and not glob.has_magic(path):
        raise UserError(f"{path}: cannot be read: No such file or directory")
    refuse_special(path)
    if os.path.isfile(path) and not ends_in(path, FORMATS):
        raise UserError(wrong_ending(path, WANTED))


def _parts(path: str, pattern: str) -> list[str]:
    """Return the files that are parts of one dataset. Raises UserError when they are several splits of one."""
    files = _shards(pattern)
    check_splits(path, files)
    return files


def _shards(pattern: str) -> list[str]:
    # What step 1 writes beside its scores, and what Hugging Face writes beside its data, are no data.
    others = (".meta.json", "dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json")
    return sorted(
        file
        for file in glob.glob(pattern)
        if ends_in(file, FORMATS) and not ends_in(file, others) and os.path.isfile(file)
    )


def _saved_files(folder: str) -> list[str]:
    if os.path.exists(os.path.join(folder, "dataset_dict.json")):
        splits = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        raise UserError(
            f"{folder}: holds several splits ({', '.join(splits)}); "
            f"give one of them, such as {os.path.join(folder, splits[0] if splits else 'train')}"
        )
    state_path = os.path.join(folder, "state.json")
    if not os.path.exists(state_path):
        return []
    try:
        state = json.loads(read_text(state_path))
        names = [entry["filename"] for entry in state["_data_files"]]
        if not all(isinstance(name, str) and is_encodable(name) and "\0" not in name for name in names):
            raise ValueError("a name that is none")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{state_path}: not what save_to_disk writes; save the dataset again") from None
    if isinstance(state, dict) and state.get("_indices_data_files"):
        raise UserError(
            f"{folder}: saved with a selection or shuffle that is not applied; "
            "call flatten_indices() before save_to_disk"
        )
    return [os.path.join(folder, name) for name in names]


def ends_in(path: str, endings: tuple[str, ...]) -> bool:
    """Tell whether a path ends in one of the endings, in capitals or not."""
    return path.lower().endswith(endings)


def _kind(path: str) -> str:
    return next(
        (kind for kind, endings in (("json", json_records.ARRAY), ("jsonl", LINES)) if ends_in(path, endings)),
        Path(path).suffix,
    )
