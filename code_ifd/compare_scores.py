"""Do two scorers agree? Compares two scored versions of one dataset: of two
models, two dtypes or two tools.

Reads the dataset scored twice (step 2, or the original tool), in any two
formats, and makes sure that the records are the same. Prints rank correlations,
how much of what is selected is the same, whether long responses are favoured,
and the records that the two rank most differently. Writes the numbers and a
figure where asked.

python code_ifd/compare_scores.py outputs/scored_gpt2.json \\
    outputs/scored_llama.json --plot_path outputs/ranks.png
"""

from shared.start import run

import argparse
from array import array
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

import numpy as np

from records.conversations import Fields, add_fields_flag, first_prompt
from records.dataset import Dataset, Fetcher
from records.dataset_files import DATASET_HELP
from records.outputs import add_overwrite_flag, check_outputs
from records.paired_records import paired_records
from reporting.agreement_figure import RankPlot, draw_rank_plot
from reporting.agreement_text import comparison_text, percent
from reporting.comparison import Choice, Comparison, compare_scorers
from selection.flags import add_key_name_flag, add_threshold_flag
from selection.ifd import num_selected, select
from selection.scored_dataset import UPPER, NumberColumns, read_numbers, response_length
from shared.cli import UserError, new_parser, positive_int, rate, say
from shared.files import atomic_writer, encode_json


def first_prompts(dataset: Dataset, numbers: list[int], fields: Fields) -> list[str]:
    """Return what the records with these numbers ask first, in their order."""
    rising = sorted(numbers)
    records = zip(rising, Fetcher(dataset.records()).fetch(rising), strict=True)
    prompts = {number: str(first_prompt(record, fields)) for number, record in records}
    return [prompts[number] for number in numbers]


def rank_plot(
    name_a: str,
    name_b: str,
    numbers_a: NumberColumns,
    numbers_b: NumberColumns,
    found: Comparison,
    choice: Choice,
) -> RankPlot:
    """Return what the figure shows: the selection of the middle one of the rates."""
    key, threshold = choice.key_name, choice.threshold
    middle = choice.sample_rates[len(choice.sample_rates) // 2]
    scores_a, scores_b = np.asarray(numbers_a[key]), np.asarray(numbers_b[key])
    num_wanted = num_selected(middle, found.num_records)
    spearman = found.correlations[key].spearman
    measured = "not defined" if spearman is None else f"{spearman:.4f}"
    return RankPlot(
        title=f"Ranks by {key}: Spearman {measured}, {found.correlations[key].num_common} records",
        name_a=name_a,
        name_b=name_b,
        scores_a=scores_a,
        scores_b=scores_b,
        selected_a=select(scores_a, threshold, num_wanted).indices,
        selected_b=select(scores_b, threshold, num_wanted).indices,
        selected_name=f"selected: the best {percent(float(middle))} below {threshold:g} (dashed)",
        threshold=threshold,
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("a", metavar="A", help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument("b", metavar="B", help="the same dataset, scored otherwise; its format may be another")
    parser.add_argument("--json_save_path", help="where to write every number as JSON (default: nowhere)")
    parser.add_argument("--plot_path", help="where to draw rank against rank: a .png file (default: nowhere)")
    parser.add_argument(
        "--sample_rates",
        type=rate,
        nargs="+",
        default=[Decimal("0.05"), Decimal("0.1"), Decimal("0.15")],
        metavar="RATE",
        help="shares of ALL records to select, each above 0 and at most 1; the figure shows the middle one "
        "(default: 0.05 0.1 0.15)",
    )
    add_threshold_flag(parser)
    add_key_name_flag(parser)
    parser.add_argument(
        "--num_shown",
        type=positive_int,
        default=10,
        help="how many of the most different records to name (default: %(default)s)",
    )
    add_fields_flag(parser)
    add_overwrite_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read both datasets, compare their scores, and print and write what came of it."""
    args = parse_args(argv)
    a, b = Dataset(args.a), Dataset(args.b)
    check_outputs([path for path in (args.json_save_path, args.plot_path) if path], [a, b], args.overwrite)
    if args.plot_path and Path(args.plot_path).suffix.lower() != ".png":
        raise UserError(f"--plot_path {args.plot_path}: the file name must end in .png")
    choice = Choice(args.key_name, float(args.filter_threash), args.sample_rates, args.num_shown)
    lengths = array("q", (response_length(record, args.fields) for record in paired_records(a, b, args.fields)))
    numbers_a, numbers_b = (read_numbers(dataset, choice.number_keys, optional=(UPPER,)) for dataset in (a, b))
    found = compare_scorers(numbers_a, numbers_b, lengths, choice)
    if not found.correlations[args.key_name].num_common:
        raise UserError(f"no record has {args.key_name} both in {args.a} and in {args.b}; there is nothing to compare")
    prompts = first_prompts(a, [row.record for row in found.disagreements], args.fields)
    contents = {}
    if args.json_save_path:
        # Every number, and what was compared. What does not exist is null.
        compared = {"a": args.a, "b": args.b, "key_name": choice.key_name, "threshold": choice.threshold}
        contents[args.json_save_path] = encode_json(compared | asdict(found)) + b"\n"
    if args.plot_path:
        contents[args.plot_path] = draw_rank_plot(rank_plot(args.a, args.b, numbers_a, numbers_b, found, choice))
    for path, content in contents.items():
        with atomic_writer(path) as file:
            file.write(content)
    written = "".join(f"\n-> {path}" for path in contents)
    say(f"A  {args.a}\nB  {args.b}\n{comparison_text(found, choice, prompts)}{written}")


if __name__ == "__main__":
    run(main)
