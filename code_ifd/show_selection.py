"""A short table of a scored dataset and of what was selected from it, for a
terminal.

Reads a scored dataset (step 2) and the selected records (step 3). Writes
nothing.

python code_ifd/show_selection.py --json_data_path outputs/scored.json \\
    --selected outputs/selected.json
"""

import argparse
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from records.conversations import Fields, add_fields_flag, first_prompt
from records.dataset import Dataset
from records.dataset_files import DATASET_HELP
from records.record import Record
from selection.flags import add_key_name_flag, add_threshold_flag
from selection.ifd import is_score
from shared.cli import new_parser, run, say
from shared.texts import TERMINAL_COLUMNS, fit_columns

NUM_SHOWN = 3


def table(records: Iterable[Record], num_selected: int, key_name: str, threshold: float, fields: Fields) -> str:
    """Return the table as text of at most TERMINAL_COLUMNS columns. Raises UserError for a conversation that is not understood."""
    scores: array[float] = array("d")
    reasons: Counter[str] = Counter()
    ranking = Ranking(threshold, fields)
    for record in records:
        score = record.get(key_name)
        if is_score(score):
            scores.append(score)
            ranking.add(score, record)
        else:
            reasons[fit_columns(record.get("ifd_skipped") or "no score", 50)] += 1
    lines = [_count("records", len(scores) + reasons.total()), _count("with a score", len(scores))]
    lines += [_count("  " + reason, count, "skipped") for reason, count in sorted(reasons.items())]
    over = "the prompt does not help the response" if threshold == 1 else "left out"
    lines.append(_count(f"IFD >= {threshold:g}", len(scores) - ranking.num_below, over))
    lines.append(_count("selected", num_selected))
    if len(scores) > 1:
        import numpy as np  # takes longer to import than all else

        percents = (5, 25, 50, 75, 95)
        shown = "  ".join(
            f"{percent}% {_short(cut)}" for percent, cut in zip(percents, np.percentile(scores, percents), strict=True)
        )
        lines += ["", f"IFD quantiles     {shown}"]
    for title, part in ((f"highest below {threshold:g}", ranking.highest), ("lowest", ranking.lowest)):
        lines += ["", f"IFD    {title}"]
        lines += [f"{score:.3f}  {fit_columns(instruction, TERMINAL_COLUMNS - 7)}" for score, instruction in part]
    return "\n".join(lines)


class Ranking:
    """The records at both ends of the scores below the threshold: (score, what is asked), ties by record order."""

    def __init__(self, threshold: float, fields: Fields) -> None:
        self._threshold, self._fields = threshold, fields
        self.highest: list[tuple[float, Any]] = []
        self.lowest: list[tuple[float, Any]] = []
        self.num_below = 0

    def add(self, score: float, record: Record) -> None:
        """Count a record, and keep it if it is among the outermost."""
        if score >= self._threshold:
            return
        self.num_below += 1
        if len(self.highest) < NUM_SHOWN or score > self.highest[-1][0]:
            self.highest = sorted(
                [*self.highest, (score, first_prompt(record, self._fields))], key=lambda entry: -entry[0]
            )[:NUM_SHOWN]
        if len(self.lowest) < NUM_SHOWN or score < self.lowest[-1][0]:
            self.lowest = sorted(
                [*self.lowest, (score, first_prompt(record, self._fields))], key=lambda entry: entry[0]
            )[:NUM_SHOWN]


def _count(name: str, count: int, note: str = "") -> str:
    return f"{name:<18}{count:>8}  {note}".rstrip()


def _short(score: float) -> str:
    return f"{score:.3f}" if score < 100 else f"{score:.0e}"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help=f"scored dataset: {DATASET_HELP}")
    parser.add_argument("--selected", required=True, help="the records selected from it; the format may be another")
    add_key_name_flag(parser)
    add_threshold_flag(parser)
    add_fields_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    num_selected = sum(len(block) for block in Dataset(args.selected).blocks())
    records = Dataset(args.json_data_path).records()
    say("\n" + table(records, num_selected, args.key_name, float(args.filter_threash), args.fields))
    say(f"\nscored dataset    {args.json_data_path}\nselected records  {args.selected}")


if __name__ == "__main__":
    run(main)
