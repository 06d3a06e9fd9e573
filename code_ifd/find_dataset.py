"""Which data a path means: what run_pipeline.sh asks before it scores.

Reads no record. Downloads a dataset of the Hub, unless it is in the cache.
Prints three lines: the path, which has commit, configuration and split for a
dataset of the Hub; the ending of files that its records can be written to; and
a name for such files, with --output_dir what their paths begin with. What the
steps would refuse of those paths after scoring is refused here.

python code_ifd/find_dataset.py --data_path tatsu-lab/alpaca
"""

from shared.start import run

import argparse
import glob
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from records.dataset import Dataset
from records.dataset_files import DATASET_HELP, FORMATS
from records.hub_name import HubName, add_hub_flags, dataset_path, parse_hub_name
from records.outputs import add_overwrite_flag, keep_files_of_others, refuse_among_data
from shared.cli import UserError, new_parser
from shared.files import refuse_overwriting

# What follows the name of dataset and model in the longest names that run_pipeline.sh gives.
OUTPUTS = ("_scores.jsonl.meta.json", "_longest_report_ppl_condition.png")
MOST_NAME_BYTES = 255
SELECTED = "selected"


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


def output_base(output_dir: str, name: str, model: str) -> str:
    """Return what the paths of all files begin with that the steps write."""
    return os.path.join(output_dir, f"{name}_{os.path.basename(model.rstrip('/'))}")


def check_base(base: str, dataset: Dataset, ending: str, selected_as: str, overwrite: bool) -> None:
    """Raise UserError for what would stop a later step: a name that is too long, an output in the place of others."""
    output_dir, data_folder = os.path.dirname(base), os.path.realpath(dataset.path)
    inside = os.path.commonpath((os.path.realpath(output_dir), data_folder)) == data_folder
    if not dataset.hub and os.path.isdir(data_folder) and inside:
        raise UserError(
            f"{output_dir}: OUTPUT_DIR lies inside the folder of the data, {dataset.path}, and outputs would be taken "
            "for data; set OUTPUT_DIR to another folder"
        )
    longest = len(os.fsencode(os.path.basename(base))) + max(map(len, OUTPUTS))
    if longest > MOST_NAME_BYTES:
        raise UserError(
            f"{base}: files called after it have names of up to {longest} bytes, and {MOST_NAME_BYTES} are allowed; "
            "give the dataset, or the folder of the model, a shorter name"
        )
    report = "report" if selected_as == SELECTED else f"{selected_as}_report"
    results = [f"{base}_data.{ending}", f"{base}_{selected_as}.{ending}", f"{base}_{report}.html"]
    for path in (f"{base}_scores.jsonl", *results):
        refuse_overwriting(path, *dataset.files)
        refuse_among_data(path, dataset)
    keep_files_of_others(results, overwrite)


def say_to_scripts(*lines: str) -> None:
    """Print lines that a script reads: as they are, with names that are no UTF-8. Raises UserError for a line end."""
    broken = next((line for line in lines if "\n" in line), None)
    if broken is not None:
        raise UserError(f"{broken}: has a line end in its name; rename it")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    print("\n".join(lines), flush=True)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--data_path", required=True, help=f"dataset: {DATASET_HELP}")
    parser.add_argument("--output_dir", help="folder that the steps write into (default: not known)")
    parser.add_argument("--model", default="gpt2", help="the model that scores, for the name (default: %(default)s)")
    parser.add_argument(
        "--selected_as", default=SELECTED, help="what the name of the selected records ends with (default: %(default)s)"
    )
    add_overwrite_flag(parser)
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
        name = output_base(args.output_dir, name, args.model)
        check_base(name, dataset, ending, args.selected_as, args.overwrite)
    say_to_scripts(str(dataset.hub.name) if dataset.hub else path, ending, name)


if __name__ == "__main__":
    run(main)
