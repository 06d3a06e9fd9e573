"""Step 3: keep the records from which a model has most to learn.

Reads a scored dataset (step 2, or the original tool). Writes the records with
the highest score strictly below the threshold, highest first, or in dataset
order with --keep_order.

python code_ifd/select_data.py --json_data_path outputs/scored.json \\
    --json_save_path outputs/selected.json --sample_rate 0.1
"""

import argparse
import sys

from cli import UserError, new_parser, run, say
from ifd import Selection, is_score, select
from records import Record, describe, read_dataset, refuse_overwriting, write_dataset
from selection_flags import add_selection_flags, wanted_number


def read_scores(records: list[Record], key_name: str, path: str) -> list[float | None]:
    """Return each record's score, None where it has none. Raises UserError where no record has one, or one is no number."""
    scores = []
    for index, record in enumerate(records):
        value = record.get(key_name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UserError(f"{path}: record {index}: {key_name!r} is {describe(value)}; it must be a number or null")
        scores.append(value if is_score(value) else None)
    if not any(key_name in record for record in records):
        raise UserError(f"{path}: no record has {key_name!r}; run step 2 on it first, or choose another --key_name")
    return scores


def report(selection: Selection, args: argparse.Namespace, num_records: int, num_wanted: int) -> None:
    """Print where every record went, and on stderr when fewer qualified than were asked for."""
    num_kept = len(selection.indices)
    say(
        f"{num_records} records: {selection.num_skipped} skipped (no score), {selection.num_at_or_over} at or over the "
        f"threshold {args.filter_threash}, {selection.num_below_cut} below the cut, {num_kept} selected -> {args.json_save_path}"
    )
    if num_kept < num_wanted:
        print(f"note: {num_wanted} were asked for, but only {num_kept} have a score below {args.filter_threash}", file=sys.stderr)


def parse_args() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help="scored dataset (.json or .jsonl)")
    parser.add_argument("--json_save_path", required=True, help="where to write the selected records (.json or .jsonl)")
    add_selection_flags(parser)
    parser.add_argument(
        "--key_name", choices=("ifd_ppl", "ifd_loss"), default="ifd_ppl",
        help="which score: the ratio of perplexities, or of losses (default: %(default)s)",
    )
    parser.add_argument("--keep_order", action="store_true", help="write in dataset order instead of highest score first")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    refuse_overwriting(args.json_save_path, args.json_data_path)
    records = read_dataset(args.json_data_path)
    scores = read_scores(records, args.key_name, args.json_data_path)
    num_wanted = wanted_number(args, len(records))
    selection = select(scores, float(args.filter_threash), num_wanted)
    if not selection.indices:
        raise UserError(f"{args.json_data_path}: no record has {args.key_name} below {args.filter_threash}; nothing was written")
    indices = sorted(selection.indices) if args.keep_order else selection.indices
    write_dataset(args.json_save_path, [records[index] for index in indices])
    report(selection, args, len(records), num_wanted)


if __name__ == "__main__":
    run(main)
