"""A short table of a scored dataset and of what was selected from it, for a
terminal.

Reads a scored dataset (step 2) and the selected records (step 3). Writes
nothing.

python code_ifd/show_selection.py --json_data_path outputs/scored.json \\
    --selected outputs/selected.json --compare ifd_upper
"""

from shared.start import run

import argparse
import heapq
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from records.conversations import Fields, add_fields_flag, first_texts
from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.record import Record
from selection.flags import BASELINES, SCORES, add_key_name_flag, add_threshold_flag
from selection.ifd import is_score, score_name
from selection.scored_dataset import TOKENS, UPPER, NumberColumn, no_upper, read_columns
from selection.side_by_side import side_by_side
from shared.cli import new_parser, say
from shared.texts import TERMINAL_COLUMNS, fit_columns

NUM_SHOWN = 3


def score_table(
    records: Iterable[Record],
    num_selected: int,
    key_name: str,
    threshold: float,
    fields: Fields,
    num_unsure: int | None = None,
    path: str = "dataset",
    selected_note: str = "",
) -> str:
    """Return the table as text of at most TERMINAL_COLUMNS columns.

    `num_unsure` of the selected are not surely below 1; None where nothing is known of it. `selected_note` is said of
    what is selected, `path` is for messages.
    Raises UserError for a conversation that is not understood, and where no record has ifd_upper and it is the key.
    """
    scores: array[float] = array("d")
    reasons: Counter[str] = Counter()
    ranking = Outermost(threshold, fields)
    for record in records:
        score = record.get(key_name)
        if score is not None and is_score(score):
            scores.append(score)
            ranking.add(score, record)
        else:
            reasons[fit_columns(record.get("ifd_skipped") or "no score", 50)] += 1
    if key_name == UPPER and not scores:
        raise no_upper(path)
    lines = [_count("records", len(scores) + reasons.total()), _count("with a score", len(scores))]
    lines += [_count("  " + reason, count, "skipped") for reason, count in sorted(reasons.items())]
    name = score_name(key_name)
    surely = "surely " if key_name == UPPER else ""
    over = f"the prompt does not {surely}help the response" if threshold == 1 else "left out"
    lines.append(_count(f"{name} >= {threshold:g}", len(scores) - ranking.num_below, over))
    lines.append(_count("selected", num_selected, selected_note))
    if num_unsure is not None:
        lines.append(_count("  not sure", num_unsure, "ifd_upper >= 1"))
    if len(scores) > 1:
        import numpy as np  # takes longer to import than all else

        percents = (5, 25, 50, 75, 95)
        shown = "  ".join(
            f"{percent}% {_short(cut)}" for percent, cut in zip(percents, np.percentile(scores, percents), strict=True)
        )
        lines += ["", f"{f'{name} quantiles':<18}{'' if name == 'IFD' else ' '}{shown}"]
    for title, part in ((f"highest below {threshold:g}", ranking.highest), ("lowest", ranking.lowest)):
        lines += ["", f"{name}    {title}"]
        for score, (asked, answered) in part:
            lines.append(f"{score:.3f}  {fit_columns(asked, TERMINAL_COLUMNS - 7)}")
            lines.append(f"       > {fit_columns(answered, TERMINAL_COLUMNS - 9)}")
    return "\n".join(lines)


class Outermost:
    """The records at both ends of the scores below the threshold, ties by record order.

    Each is its score, and what is asked and answered first.
    """

    def __init__(self, threshold: float, fields: Fields) -> None:
        self._threshold, self._fields = threshold, fields
        # Heaps with the least outermost record on top; of two with one score, that is the later one.
        self._highest: list[tuple[float, int, tuple[Any, Any]]] = []
        self._lowest: list[tuple[float, int, tuple[Any, Any]]] = []
        self.num_below = 0

    def add(self, score: float, record: Record) -> None:
        """Count a record, and keep it if it is among the outermost."""
        if score >= self._threshold:
            return
        self.num_below += 1
        for heap, value in ((self._highest, score), (self._lowest, -score)):
            if len(heap) < NUM_SHOWN:
                heapq.heappush(heap, (value, -self.num_below, first_texts(record, self._fields)))
            elif value > heap[0][0]:
                heapq.heapreplace(heap, (value, -self.num_below, first_texts(record, self._fields)))

    @property
    def highest(self) -> list[tuple[float, tuple[Any, Any]]]:
        """Return the records with the highest scores, highest first."""
        return [(value, asked) for value, _, asked in sorted(self._highest, key=itemgetter(0, 1), reverse=True)]

    @property
    def lowest(self) -> list[tuple[float, tuple[Any, Any]]]:
        """Return the records with the lowest scores, lowest first."""
        return [(-value, asked) for value, _, asked in sorted(self._lowest, key=itemgetter(0, 1), reverse=True)]


def _count(name: str, count: int, note: str = "") -> str:
    return f"{name:<18}{count:>8}  {note}".rstrip()


def _short(score: float) -> str:
    return f"{score:.3f}" if score < 100 else f"{score:.0e}"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the flags."""
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument("--selected", required=True, help="the records selected from it; the format may be another")
    add_key_name_flag(parser)
    parser.add_argument(
        "--compare",
        choices=SCORES,
        metavar="KEY",
        help=f"another score ({', '.join(SCORES)}): a table of as many records as are selected, the best by this "
        "score beside the best by --key_name (default: none)",
    )
    parser.add_argument(
        "--baseline", choices=BASELINES, help="what the records were selected by instead of a score (default: a score)"
    )
    add_threshold_flag(parser)
    add_fields_flag(parser)
    args = parser.parse_args(argv)
    if args.compare == args.key_name:
        parser.error(f"argument --compare: {args.compare} is --key_name already; give another")
    return args


def count_selected(selected: Dataset, threshold: float) -> tuple[int, int | None, int | None]:
    """Return how many records are selected, how many of them are not surely below 1, and their response tokens.

    Of the latter two None where nobody knows; nobody asks for the former where the threshold is above 1.
    """
    upper, tokens = NumberColumn(selected.path, UPPER), NumberColumn(selected.path, TOKENS)
    read_columns(selected, [upper, tokens])
    knows = threshold <= 1 and upper.has_numbers
    num_unsure = sum(not value < 1 for value in upper.numbers) if knows else None
    known_tokens = [value for value in tokens.numbers if not math.isnan(value)]
    return len(upper.numbers), num_unsure, int(sum(known_tokens)) if known_tokens else None


def main(argv: Sequence[str] | None = None) -> None:
    """Read both files and print the table."""
    args = parse_args(argv)
    threshold = float(args.filter_threash)
    num_selected, num_unsure, num_tokens = count_selected(Dataset(args.selected), threshold)
    note = f"{num_tokens:,} response tokens" if num_tokens is not None else ""
    if args.baseline:
        note = f"by {args.baseline}, not by IFD" + (f"; {note}" if note else "")
    dataset = Dataset(args.json_data_path)
    records, path = dataset.records(), dataset.path
    say("\n" + score_table(records, num_selected, args.key_name, threshold, args.fields, num_unsure, path, note))
    if args.compare:
        say("\n" + "\n".join(side_by_side(dataset, (args.key_name, args.compare), threshold, num_selected)))
    say(f"\nscored dataset    {args.json_data_path}\nselected records  {args.selected}")


if __name__ == "__main__":
    run(main)
