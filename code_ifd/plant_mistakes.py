"""Plant mistakes in a dataset: a share of the records get the response to
another question. What is known to be wrong shows whether a choice keeps it out.

Reads a dataset, writes a copy of all records in order, each with `planted`:
true or false. The responses change places among the planted records, so none is
lost. Of a conversation it is the last response.

python code_ifd/plant_mistakes.py --json_data_path data/sample_alpaca.json \\
    --json_save_path outputs/planted.json --rate 0.1
"""

from shared.start import run

import argparse
from collections.abc import Sequence
from decimal import Decimal

from records.conversations import add_fields_flag, check_records
from records.dataset import Dataset, write_dataset
from records.dataset_files import DATASET_HELP, TABLES, ends_in
from records.outputs import add_overwrite_flag, check_output
from shared.cli import UserError, new_parser, non_negative_int, rate, say
from training.planting import PLANTED, check_unscored, plant


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"dataset, not scored yet: {DATASET_HELP}")
    parser.add_argument(
        "--json_save_path", required=True, help="where to write the copy: .json or .jsonl, whatever is read"
    )
    parser.add_argument(
        "--rate", type=rate, default=Decimal("0.1"), help="share of the records to plant (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=non_negative_int, default=0, help="decides which records are planted (default: %(default)s)"
    )
    add_fields_flag(parser)
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read all, plant, write all."""
    args = parse_args(argv)
    dataset = Dataset(args.json_data_path)
    if ends_in(args.json_save_path, TABLES):
        raise UserError(f"{args.json_save_path}: the copy is JSON, whatever is read; name it .jsonl")
    check_output(args.json_save_path, dataset, args.overwrite)
    check_records(dataset.records(), dataset.path, args.fields)
    check_unscored(dataset)
    records = plant(list(dataset.records()), args.rate, args.seed, args.fields)
    write_dataset(args.json_save_path, records)
    num_planted = sum(record[PLANTED] for record in records)
    say(f"{num_planted} of {len(records)} records got the response of another one\n-> {args.json_save_path}")


if __name__ == "__main__":
    run(main)
