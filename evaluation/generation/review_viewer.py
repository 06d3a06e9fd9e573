"""A page to read a verdict by: the result, the figure, the judge's health, and every pair with its answers and reviews.

Reads <review_home_path>/<task>_wrap_reviews_<judge>.json of each test set. Writes
<save_name>.html, one file that loads nothing from anywhere: open it in a browser.

python evaluation/generation/review_viewer.py --task_list vicuna koala \\
    --review_home_path outputs/evaluation/model1-VS-model2 \\
    --key1 model1 --key2 model2
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from reporting.html_page import image_uri, make_page
from shared.cli import run, say
from shared.files import atomic_writer
from verdict.figure import draw_comparison
from verdict.flags import parse_verdict_flags
from verdict.page_data import comparison_page_data
from verdict.review_file import ReviewFile
from verdict.review_search import read_reviews
from verdict.scoreboard import Comparison, compare_judges

PAGE = Path(__file__).parent / "verdict" / "page"


def page(files: dict[str, list[ReviewFile]], comparison: Comparison) -> bytes:
    """Return the page of the review files of each judge."""
    figures = {f"figure_{theme}": image_uri(draw_comparison(comparison, "svg", theme)) for theme in ("light", "dark")}
    return make_page(PAGE, "Verdict", comparison_page_data(files, comparison), figures)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page."""
    settings = parse_verdict_flags(__doc__, argv)
    files = read_reviews(settings, ".html")
    comparison = compare_judges(files, settings.key1, settings.key2, settings.rule)
    with atomic_writer(f"{settings.save_name}.html") as file:
        file.write(page(files, comparison))
    num_pairs = sum(len(file.reviews) for file in files[comparison.first.api_model])
    say(f"{num_pairs} pairs -> {settings.save_name}.html, for any browser")


if __name__ == "__main__":
    run(main)
