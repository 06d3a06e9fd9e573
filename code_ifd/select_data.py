"""Step 3: keep the records from which a model has most to learn.

Reads a scored dataset (step 2, or the original tool). Writes the records with
the highest score strictly below the threshold, highest first, or in dataset
order with --keep_order.

python code_ifd/select_data.py --json_data_path outputs/scored.json \\
    --json_save_path outputs/selected.json --sample_rate 0.1
"""

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal

from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.ranked_writer import write_selected
from selection.flags import add_key_name_flag, add_selection_flags, wanted_number
from selection.ifd import Selection, select
from selection.scored_dataset import read_scores
from shared.cli import UserError, new_parser, run, say
from shared.files import refuse_overwriting


def print_selection(
    selection: Selection, threshold: Decimal, num_records: int, num_wanted: int, save_path: str
) -> None:
    """Print where every record went, and on stderr when fewer qualified than were asked for."""
    num_kept = len(selection.indices)
    say(
        f"{num_records} records: {selection.num_skipped} skipped (no score), {selection.num_at_or_over} at or over the "
        f"threshold {threshold}, {selection.num_below_cut} below the cut, {num_kept} selected -> {save_path}"
    )
    if num_kept < num_wanted:
        print(
            f"note: {num_wanted} were asked for, but only {num_kept} have a score below {threshold}",
            file=sys.stderr,
        )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument(
        "--json_save_path",
        required=True,
        help="where to write the selected records: .json, .jsonl, .jsonl.gz, .jsonl.zst, .parquet",
    )
    add_selection_flags(parser)
    add_key_name_flag(parser)
    parser.add_argument(
        "--keep_order", action="store_true", help="write in dataset order instead of highest score first"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the scores, select, write the selected records, say how many."""
    args = parse_args(argv)
    dataset = Dataset(args.json_data_path)
    refuse_overwriting(args.json_save_path, *dataset.files)
    scores = read_scores(dataset, args.key_name)
    num_wanted = wanted_number(args.sample_num, args.sample_rate, len(scores))
    selection = select(scores, float(args.filter_threash), num_wanted)
    if not len(selection.indices):
        raise UserError(
            f"{args.json_data_path}: no record has {args.key_name} below {args.filter_threash}; nothing was written"
        )
    write_selected(dataset, args.json_save_path, selection.indices, args.keep_order)
    print_selection(selection, args.filter_threash, len(scores), num_wanted, args.json_save_path)


if __name__ == "__main__":
    run(main)
