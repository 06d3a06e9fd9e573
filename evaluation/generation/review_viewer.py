"""A page to read a verdict by: the table, the figure, the judge's health, and every pair with its answers and reviews.

Reads <review_home_path>/<task>_wrap_reviews_<judge>.json of each test set. Writes
<save_name>.html, one file that loads nothing from anywhere: open it in a browser.

python evaluation/generation/review_viewer.py --task_list vicuna koala \\
    --review_home_path outputs/evaluation/model1-VS-model2 \\
    --key1 model1 --key2 model2
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[2] / "code_ifd"))

from reporting.html_page import image_uri, make_page
from shared.cli import run, say
from shared.files import atomic_writer
from verdict.figure import draw_scoreboard
from verdict.flags import parse_verdict_flags
from verdict.review_file import Review, ReviewFile
from verdict.review_search import read_reviews
from verdict.scoreboard import Scoreboard, ScoreboardRow, make_scoreboard
from verdict.text import conclusion, health_lines, row_texts, rule_text, score_meaning, tie_lines, verdict_warnings
from verdict.verdict import RULES, is_conflicting, is_parsed, outcome

PAGE = Path(__file__).parent / "verdict" / "page"


def page(files: list[ReviewFile], board: Scoreboard) -> bytes:
    """Return the page."""
    figures = {f"figure_{theme}": image_uri(draw_scoreboard(board, "svg", theme)) for theme in ("light", "dark")}
    return make_page(PAGE, "Verdict", verdict_page_data(files, board), figures)


def verdict_page_data(files: list[ReviewFile], board: Scoreboard) -> dict[str, Any]:
    """Return what the page shows, as its script reads it."""
    return {
        "key1": board.key1,
        "key2": board.key2,
        "judge": f"Judged by {board.api_model} in both orders. {rule_text(board.rule)}",
        "conclusion": conclusion(board),
        "warnings": verdict_warnings(board),
        "rows": [_row(board, row, board.rule) for row in board.rows],
        "others": [
            {"rule": rule_text(rule), "rows": [_row(board, row, rule) for row in board.rows]}
            for rule in RULES
            if rule != board.rule
        ],
        "notes": [score_meaning(board), *tie_lines(board)],
        "health": health_lines(board),
        "pairs": [_pair(review, file.dataset_name, board.rule) for file in files for review in file.reviews],
    }


def _row(board: Scoreboard, row: ScoreboardRow, rule: str) -> dict[str, Any]:
    shown = row.verdict.rules[rule]
    score, interval, sign_test = row_texts(shown)
    return {
        "name": row.name,
        "is_total": row is board.total,
        "pairs": row.verdict.pairs,
        "win": shown.win,
        "tie": shown.tie,
        "lose": shown.lose,
        "score": score,
        "interval": interval,
        "sign_test": sign_test,
    }


def _pair(review: Review, set_name: str, rule: str) -> dict[str, Any]:
    """Return a pair with its scores as [Answer 1, Answer 2] in both orders."""
    pair, parsed = review.pair, is_parsed(review)
    return {
        "set": set_name,
        "id": pair.id,
        "category": pair.category,
        "prompt": pair.prompt,
        "input": pair.input,
        "answers": [pair.answer1, pair.answer2],
        "reviews": [review.text, review.text_reverse],
        "scores": [review.scores, review.scores_reverse and review.scores_reverse[::-1]],
        "outcome": {1: "win", 0: "tie", -1: "lose"}[outcome(review, rule)] if parsed else "unparsed",
        "conflict": parsed and is_conflicting(review),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page."""
    settings = parse_verdict_flags(__doc__, argv)
    files = read_reviews(settings, ".html")
    board = make_scoreboard(files, settings.key1, settings.key2, settings.api_model, settings.rule)
    with atomic_writer(f"{settings.save_name}.html") as file:
        file.write(page(files, board))
    say(f"{sum(len(file.reviews) for file in files)} pairs -> {settings.save_name}.html, for any browser")


if __name__ == "__main__":
    run(main)
