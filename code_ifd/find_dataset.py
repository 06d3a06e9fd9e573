"""Which data a path means: what run_pipeline.sh asks before it scores.

Reads no record. Downloads a dataset of the Hub, unless it is in the cache.
Prints three lines: the path, which has commit, configuration and split for a
dataset of the Hub; the ending of files that its records can be written to; and
a name for such files.

python code_ifd/find_dataset.py --data_path tatsu-lab/alpaca
"""

from shared.start import run

import argparse
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from records.dataset import Dataset
from records.dataset_files import DATASET_HELP, FORMATS
from records.hub_name import HubName, add_hub_flags, dataset_path, parse_hub_name
from records.outputs import refuse_among_data
from shared.cli import new_parser, say


def output_format(dataset: Dataset) -> str:
    """Return the ending, without its dot, of files that a dataset's records can be written to: that of its first."""
    name = dataset.files[0].lower()
    ending = max((ending for ending in FORMATS if name.endswith(ending)), key=len, default=Path(name).suffix)
    if ending == ".json" and dataset.holds_lines(dataset.files[0]):
        return "jsonl"
    return "parquet" if ending == ".arrow" else dataset.files[0][len(name) - len(ending) + 1 :]


def output_name(path: str, name: HubName | None, ending: str) -> str:
    """Return a name for files made of a dataset: its own; of several files, that of their folder.

    `name` is what was asked of the Hub: its configuration and split are added where they were asked for.
    """
    if name and (not name.file or glob.has_magic(name.file)):
        parts = [name.dataset.partition("/")[2], name.config, name.split]
        return "_".join(part.replace("/", "_") for part in parts if part)
    file = name.file if name and name.file else path
    if glob.has_magic(file) and not os.path.exists(file):
        file = os.path.dirname(file)
    return Path(os.path.abspath(file)).name.removesuffix(f".{ending}")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--data_path", required=True, help=f"dataset: {DATASET_HELP}")
    parser.add_argument("--output_dir", help="where the files will go; refused where step 1 would read them")
    add_hub_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Find the dataset, and print where it is, and how files made of it are called."""
    args = parse_args(argv)
    path = dataset_path(args.data_path, args.config, args.split, args.data_revision)
    dataset = Dataset(path)
    ending = output_format(dataset)
    name = output_name(path, parse_hub_name(path), ending)
    if args.output_dir is not None:
        refuse_among_data(os.path.join(args.output_dir, f"{name}_data.{ending}"), dataset)
    say(f"{dataset.hub.name if dataset.hub else path}\n{ending}\n{name}")


if __name__ == "__main__":
    run(main)
