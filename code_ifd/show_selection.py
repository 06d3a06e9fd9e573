"""A short table of a scored dataset and of what was selected from it, for a
terminal.

Reads a scored dataset (step 2) and the selected records (step 3). Writes
nothing.

python code_ifd/show_selection.py --json_data_path outputs/scored.json \\
    --selected outputs/selected.json
"""

import argparse
import statistics
import unicodedata
from collections import Counter
from typing import Any

from cli import new_parser, run, say
from ifd import is_score
from records import Record, read_dataset

WIDTH = 80
NUM_SHOWN = 3


def columns(text: str) -> int:
    """Return how many terminal columns a text takes: Chinese, Japanese and Korean characters take two each."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def one_line(value: Any, num_columns: int) -> str:
    """Return a value as text on one line of at most `num_columns` terminal columns, without control characters."""
    # No text needs more characters than this for its columns; the longest instructions have tens of thousands.
    text = str(value)[: 8 * num_columns]
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    widths = [columns(char) for char in text]
    if sum(widths) <= num_columns:
        return text
    used, room = 0, num_columns - len("...")
    for index, width in enumerate(widths):
        used += width
        if used > room:
            return text[:index] + "..."
    return text


def table(records: list[Record], num_selected: int, key_name: str) -> str:
    """Return the table as text of at most WIDTH columns."""
    scored = [record for record in records if is_score(record.get(key_name))]
    scored.sort(key=lambda record: -record[key_name])
    below = [record for record in scored if record[key_name] < 1]
    lines = [_count("records", len(records)), _count("with a score", len(scored))]
    reasons = Counter(one_line(record.get("ifd_skipped") or "no score", 50) for record in records if not is_score(record.get(key_name)))
    lines += [_count("  " + reason, count, "skipped") for reason, count in sorted(reasons.items())]
    lines.append(_count("IFD >= 1", len(scored) - len(below), "the prompt does not help the response"))
    lines.append(_count("selected", num_selected))
    if len(scored) > 1:
        cuts = statistics.quantiles([record[key_name] for record in scored], n=20, method="inclusive")
        shown = "  ".join(f"{percent}% {_short(cuts[percent // 5 - 1])}" for percent in (5, 25, 50, 75, 95))
        lines += ["", f"IFD quantiles     {shown}"]
    for title, part in (("highest below 1", below[:NUM_SHOWN]), ("lowest", below[-NUM_SHOWN:][::-1])):
        lines += ["", f"IFD    {title}"]
        lines += [f"{record[key_name]:.3f}  {one_line(record.get('instruction'), WIDTH - 7)}" for record in part]
    return "\n".join(lines)


def _count(name: str, count: int, note: str = "") -> str:
    return f"{name:<18}{count:>8}  {note}".rstrip()


def _short(score: float) -> str:
    return f"{score:.3f}" if score < 100 else f"{score:.0e}"


def parse_args() -> argparse.Namespace:
    parser = new_parser(__doc__)
    parser.add_argument("--json_data_path", required=True, help="scored dataset (.json or .jsonl)")
    parser.add_argument("--selected", required=True, help="the records selected from it (.json or .jsonl)")
    parser.add_argument(
        "--key_name", choices=("ifd_ppl", "ifd_loss"), default="ifd_ppl", help="which score to show (default: %(default)s)"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    records, selected = read_dataset(args.json_data_path), read_dataset(args.selected)
    say("\n" + table(records, len(selected), args.key_name))
    say(f"\nscored dataset    {args.json_data_path}\nselected records  {args.selected}")


if __name__ == "__main__":
    run(main)
