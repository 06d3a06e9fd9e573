"""Step 4 of judging: count who wins, say how sure that is and whether the judge can be trusted.

Reads <review_home_path>/<task>_wrap_reviews_<judge>.json of each test set. Prints
a table and the judge's health. Writes <save_name>.json with every number by all
three rules, and the figure as <save_name>.png and <save_name>.svg.

python evaluation/generation/review_eval_score.py --task_list vicuna koala \\
    --review_home_path outputs/evaluation/model1-VS-model2 --key1 model1 --key2 model2
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from shared.cli import new_parser, run, say
from shared.files import atomic_writer, encode_json
from verdict.figure import draw
from verdict.flags import add_verdict_flags, read_reviews
from verdict.scoreboard import as_json, make_scoreboard
from verdict.text import table_text, warnings


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = new_parser(__doc__)
    add_verdict_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    board = make_scoreboard(read_reviews(args, ".json", ".png", ".svg"), args)
    contents = {".json": encode_json(as_json(board)) + b"\n", ".png": draw(board, "png"), ".svg": draw(board, "svg")}
    for extension, content in contents.items():
        with atomic_writer(args.save_name + extension) as file:
            file.write(content)
    for warning in warnings(board):
        print(f"warning: {warning}", file=sys.stderr)
    say(f"{table_text(board)}\n\n-> {args.save_name}.json .png .svg")


if __name__ == "__main__":
    run(main)
