"""Where a step may write: never over what it reads, never among the files of a dataset, never over data of somebody."""

import argparse
import fnmatch
import os
import zlib
from collections.abc import Iterable, Sequence
from itertools import combinations

from records import json_lines
from records.dataset import Dataset, check_name
from records.dataset_files import FORMATS, TABLES, ends_in
from records.record import NUMBERS
from shared.cli import UserError
from shared.files import refuse_overwriting

SNIFFED_BYTES = 1 << 20
# The keys that our steps add: a file with one of them is a result that can be made again.
OUR_KEYS = (*NUMBERS, "ifd_skipped", "planted")
# The beginning of a page of ours, and what every figure of ours has: 200 or 150 dots an inch, and no name of a program.
PAGE_START = b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security'
PNG_DENSITIES = tuple(b"pHYs" + 2 * dots_a_metre.to_bytes(4, "big") + b"\x01" for dots_a_metre in (7874, 5906))


def add_overwrite_flag(parser: argparse.ArgumentParser) -> None:
    """Add --overwrite to a parser."""
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace a file that is there and has no scores in it, nor is a page or a figure of these scripts "
        "(default: only their earlier results are replaced)",
    )


def check_output(path: str, source: Dataset, overwrite: bool, *inputs: str) -> None:
    """Raise UserError unless records of `source` can and may be written to a path.

    They may not over an input, among the files of the dataset, or over a file that is no result of ours.
    """
    refuse_overwriting(path, *source.files, *inputs)
    refuse_among_data(path, source)
    check_name(path, source)
    keep_files_of_others([path], overwrite)


def check_outputs(paths: Sequence[str], sources: Iterable[Dataset], overwrite: bool) -> None:
    """Raise UserError unless tables, pages and figures may be written to these paths.

    They may not over an input or each other, among the files of a dataset, or over a file that is no result of ours.
    """
    for source in sources:
        for path in paths:
            refuse_overwriting(path, *source.files)
            refuse_among_data(path, source)
    for one, other in combinations(paths, 2):
        if os.path.realpath(one) == os.path.realpath(other):
            raise UserError(f"{other}: two outputs of this step would be this file; give one of them another name")
    keep_files_of_others(paths, overwrite)


def keep_files_of_others(paths: Iterable[str], overwrite: bool) -> None:
    """Raise UserError where a file that is no result of ours is in the place of an output."""
    for path in paths:
        if not overwrite and os.path.isfile(path) and not _is_result(path):
            raise UserError(
                f"{path}: is there and has no scores in it, so it is no result of these steps; give the output another "
                "name, or --overwrite"
            )


def refuse_among_data(path: str, source: Dataset) -> None:
    """Raise UserError when a file at a path would be read as a part of a dataset that is a folder or a pattern."""
    if source.hub or source.files == [source.path]:
        return
    folder, name = os.path.split(os.path.realpath(path))
    pattern = "*" if os.path.isdir(source.path) else os.path.basename(source.path)
    is_beside = folder in {os.path.dirname(os.path.realpath(file)) for file in source.files}
    if is_beside and fnmatch.fnmatch(name, pattern) and ends_in(name, FORMATS):
        raise UserError(
            f"{path}: lies among the files of {source.path}, and would be taken for one of them the next time; write "
            "it into another folder"
        )


def _is_result(path: str) -> bool:
    """Tell whether nothing, or one of our keys, stands at the beginning of a file; of a page or figure, by its form."""
    if ends_in(path, TABLES):
        import pyarrow.parquet as pq  # here: only tables need it, and check_name has seen that it is there

        try:
            names = pq.read_schema(path).names
        except (OSError, ValueError):
            return os.path.getsize(path) == 0
        return any(key in names for key in OUR_KEYS)
    try:
        with json_lines.open_lines(path) as file:
            beginning = file.read(SNIFFED_BYTES)
    except (OSError, EOFError, ValueError, zlib.error, UserError):
        return os.path.getsize(path) == 0
    if ends_in(path, (".html", ".png")):
        is_figure = any(density in beginning[:200] for density in PNG_DENSITIES) and b"tEXt" not in beginning[:200]
        return not beginning or beginning.startswith(PAGE_START) or is_figure
    return not beginning.strip() or any(f'"{key}"'.encode() in beginning for key in OUR_KEYS)
