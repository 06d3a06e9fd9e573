"""Step 4 of judging: count who wins, say how sure that is and whether the judge can be trusted.

Reads <review_home_path>/<task>_wrap_reviews_<judge>.json of each test set. Prints
a table, what is left of it between answers of equal length, and the judge's
health; with more than one judge, how far they agree. Writes <save_name>.json with
every number by all three rules, and the figure as <save_name>.png and .svg.

python evaluation/generation/review_eval_score.py --task_list vicuna koala \\
    --review_home_path outputs/evaluation/model1-VS-model2 \\
    --key1 model1 --key2 model2
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from shared.cli import run, say, tell
from shared.files import atomic_writer, encode_json
from verdict.figure import draw_comparison
from verdict.flags import parse_verdict_flags
from verdict.review_search import read_reviews
from verdict.scoreboard import compare_judges, comparison_json
from verdict.terminal import comparison_text
from verdict.text import verdict_warnings


def main(argv: Sequence[str] | None = None) -> None:
    """Count who wins; write the numbers and the figure."""
    settings = parse_verdict_flags(__doc__, argv)
    files = read_reviews(settings, ".json", ".png", ".svg")
    comparison = compare_judges(files, settings.key1, settings.key2, settings.rule)
    contents = {
        ".json": encode_json(comparison_json(comparison)) + b"\n",
        ".png": draw_comparison(comparison, "png"),
        ".svg": draw_comparison(comparison, "svg"),
    }
    for extension, content in contents.items():
        with atomic_writer(settings.save_name + extension) as file:
            file.write(content)
    for warning in verdict_warnings(comparison):
        tell(f"warning: {warning}")
    say(f"{comparison_text(comparison)}\n\n-> {settings.save_name}.json .png .svg")


if __name__ == "__main__":
    run(main)
