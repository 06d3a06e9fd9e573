"""A look at a scored dataset: one page with the counts, the figures, and the
records to read, search and sort.

Reads a scored dataset (step 2, or the original tool) and, with --selected, the
records selected from it. Writes <save_path>, an HTML file that loads nothing
from anywhere, and its figures beside it: <save_path without .html>_ifd.png,
_ppl_direct.png, _ppl_condition.png, _length.png, and _tokens.png where records
have ifd_upper. The page shows at most 500 records, and says so: the highest and
the lowest below the threshold, those at or over it, those near the cut, those
without a score.

python code_ifd/report.py --json_data_path outputs/scored.json \\
    --selected outputs/selected.json --save_path outputs/report.html
"""

from shared.start import run

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from records.conversations import add_fields_flag
from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.outputs import add_overwrite_flag, check_outputs
from records.selected_records import SelectedRecords
from reporting.data import ScoredData, Standing, read_scored, stand_by_file, stand_by_rank
from reporting.figures import FIGURES, draw_figure, figure_names
from reporting.html_page import image_uri, make_page
from reporting.next_step import NextStep, step_3, train_on
from reporting.origin import find_origin
from reporting.page_data import report_data
from reporting.rows import make_rows
from reporting.sample import take_sample
from selection.flags import add_key_name_flag, add_selection_flags, wanted_number
from shared.cli import new_parser, say
from shared.files import atomic_writer

FOLDED = ("ppl_direct", "ppl_condition")  # figures that are shown when they are asked for
PAGE = Path(__file__).parent / "reporting" / "page"


@dataclass(frozen=True)
class Chosen:
    """Where the records stand, how the selection is known, and what to do with it next."""

    standing: Standing
    how: str
    next_step: NextStep


def chosen_in_file(data: ScoredData, dataset: Dataset, selected: SelectedRecords, threshold: Decimal) -> Chosen:
    """Return what a file of selected records chooses. Raises UserError for one that is not of this dataset."""
    standing = stand_by_file(data.scores, float(threshold), selected.numbers(data.scores, dataset.path))
    return Chosen(standing, f"({Path(selected.path).name})", train_on(selected.path, next(iter(dataset.records()))))


def chosen_by_rank(data: ScoredData, dataset: Dataset, num_wanted: int, amount: str, threshold: Decimal) -> Chosen:
    """Return what step 3 would choose; `amount` is its flag that says how many."""
    flags = amount.split()
    if threshold != 1:
        flags += ["--filter_threash", str(threshold)]
    if data.key_name != "ifd_ppl":
        flags += ["--key_name", data.key_name]
    standing = stand_by_rank(data.scores, float(threshold), num_wanted)
    return Chosen(standing, f"({amount})", step_3(dataset.path, flags))


def figure_html(name: str, data: ScoredData, standing: Standing) -> str:
    """Return a figure for the page, light or dark as the page is."""
    light, dark = (image_uri(draw_figure(name, data, standing, "svg", theme)) for theme in ("light", "dark"))
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    picture = f'<picture>{source}<img src="{light}" alt="{FIGURES[name].alt}"></picture>'
    caption = FIGURES[name].caption
    if caption:
        return f'\n<figure class="explained">{picture}<figcaption class="notes">{caption}</figcaption></figure>'
    return f"\n<figure>{picture}</figure>"


def figure_paths(save_path: str) -> dict[str, str]:
    """Return where each figure goes, that of the tokens too, which not every dataset has."""
    return {name: f"{save_path.removesuffix('.html')}_{name}.png" for name in FIGURES}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags. Leaves with an error for a name that is no page's, or a selection that is said twice."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument("--save_path", required=True, help="where to write the page: .html")
    parser.add_argument(
        "--selected",
        help="the records selected from it, found by their texts "
        "(default: those that step 3 would select by the next flags)",
    )
    parser.add_argument(
        "--scores",
        metavar="FILE",
        help="the score file of step 1: the title names the model and the template of its meta file (default: "
        "X_scores.jsonl beside X_data.json, where it is there)",
    )
    parser.add_argument("--model", metavar="NAME", help="the model to name in the title (default: that of --scores)")
    add_selection_flags(parser)
    add_key_name_flag(parser)
    add_fields_flag(parser)
    add_overwrite_flag(parser)
    args = parser.parse_args(argv)
    if not args.save_path.endswith(".html"):
        parser.error(f"argument --save_path: {args.save_path!r} does not end in .html")
    if args.selected and (args.sample_num is not None or args.sample_rate is not parser.get_default("sample_rate")):
        parser.error("argument --selected: not allowed with --sample_rate or --sample_num: the file says how many")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Read the scores, find where each record stands, write the page and the figures."""
    args = parse_args(argv)
    dataset = Dataset(args.json_data_path)
    paths = figure_paths(args.save_path)
    sources = [dataset, *([Dataset(args.selected)] if args.selected else [])]
    check_outputs([args.save_path, *paths.values()], sources, args.overwrite)
    selected = SelectedRecords(args.selected, args.fields) if args.selected else None
    data = read_scored(dataset, args.key_name, args.fields, selected)
    if selected:
        chosen = chosen_in_file(data, dataset, selected, args.filter_threash)
    else:
        num_wanted = wanted_number(args.sample_num, args.sample_rate, len(data))
        amount = f"--sample_rate {args.sample_rate}" if args.sample_num is None else f"--sample_num {args.sample_num}"
        chosen = chosen_by_rank(data, dataset, num_wanted, amount, args.filter_threash)
    standing = chosen.standing
    origin = find_origin(args.json_data_path, len(data), args.scores, args.model)
    rows = make_rows(dataset, args.fields, data, standing, take_sample(data, standing))
    figures = {name: figure_html(name, data, standing) for name in figure_names(data)}
    folded = "".join(figures.pop(name) for name in FOLDED)
    shown = report_data(data, standing, chosen.how, rows, origin, chosen.next_step)
    page = make_page(PAGE, "IFD report", shown, {"figures": "".join(figures.values()), "folded_figures": folded})
    with atomic_writer(args.save_path) as file:
        file.write(page)
    for name in figure_names(data):
        with atomic_writer(paths[name]) as file:
            file.write(draw_figure(name, data, standing, "png", "light", origin.figure_line()))
    say(f"report            {args.save_path}\n                  ({len(rows):,} of {len(data):,} records in its table)")


if __name__ == "__main__":
    run(main)
