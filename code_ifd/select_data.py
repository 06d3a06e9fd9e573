"""Step 3: keep the records from which a model has most to learn.

Reads a scored dataset (step 2, or the original tool). Writes the records with
the highest score strictly below the threshold, highest first, or in dataset
order with --keep_order: the best of all, or the best of each group.

python code_ifd/select_data.py --json_data_path outputs/scored.json \\
    --json_save_path outputs/selected.json --sample_rate 0.1
"""

from shared.start import run

import argparse
from collections.abc import Sequence

from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.outputs import add_overwrite_flag, check_output
from records.ranked_writer import write_selected
from selection.candidates import Choice, read_candidates
from selection.choosing import choose
from selection.flags import add_key_name_flag, add_selection_flags, add_share_flags
from selection.selection_text import notes, summary
from shared.cli import new_parser, say, tell


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the values of the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument(
        "--json_save_path",
        required=True,
        help="where to write the selected records: .json, .jsonl, .jsonl.gz, .jsonl.zst, .parquet",
    )
    add_selection_flags(parser, with_tokens=True)
    add_key_name_flag(parser, with_baselines=True)
    add_share_flags(parser)
    parser.add_argument(
        "--keep_order", action="store_true", help="write in dataset order instead of highest score first"
    )
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the scores, select, write the selected records, say how many."""
    args = parse_args(argv)
    choice = Choice(
        key_name=args.key_name,
        threshold=args.filter_threash,
        sample_rate=args.sample_rate,
        sample_num=args.sample_num,
        sample_tokens=args.sample_tokens,
        length_groups=args.length_groups,
        group_by=args.group_by,
        seed=args.seed,
        fields=args.fields,
    )
    dataset = Dataset(args.json_data_path)
    check_output(args.json_save_path, dataset, args.overwrite)
    candidates = read_candidates(dataset, choice)
    chosen = choose(candidates, choice, args.json_data_path)
    write_selected(dataset, args.json_save_path, chosen.selection.indices, args.keep_order)
    say(summary(chosen, candidates, choice, args.json_save_path))
    for note in notes(chosen, candidates, choice):
        tell(f"note: {note}")


if __name__ == "__main__":
    run(main)
