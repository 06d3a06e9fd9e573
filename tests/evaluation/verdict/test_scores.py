"""Scores in a judge's words: what is clear is read, what is not clear is never guessed."""

import json
import time
from pathlib import Path

import pytest

from verdict.scores import format_scores, parse_scores


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("8 9", (8, 9)),
        ("8.5, 9\nBoth are good.", (8.5, 9)),
        ("8,9", (8, 9)),
        ("8\t9", (8, 9)),
        ("0 10", (0, 10)),
        ("10.0 0.25", (10, 0.25)),
        ("8 and 9", (8, 9)),
        ("8, and 9.", (8, 9)),
        ("8/10 and 9/10", (8, 9)),
        ("8 / 10, 9 / 10", (8, 9)),
        ("8 9/10", (8, 9)),
        ("**8/10 and 9/10**", (8, 9)),
        ("**8** **9**", (8, 9)),
        ("**8**/10, **9**/10", (8, 9)),
        ("`8 9`", (8, 9)),
        ("```\n8 9\n```", (8, 9)),
        ("### 8 9", (8, 9)),
        ("- 8 9", (8, 9)),
        ("> * 8 9", (8, 9)),
        ("[8.0, 9.0]", (8, 9)),
        ("\ufeff\r\n \n  8 9  \r\n10 10", (8, 9)),
        ("8 9\nAssistant 1: 2/10, Assistant 2: 3/10", (8, 9)),
    ],
)
def test_two_numbers_alone_on_the_first_line(text: str, scores: tuple[float, float]) -> None:
    assert parse_scores(text) == scores


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\n",
        "8",
        "8/10",
        "8 / 10",
        "Good.\n8 9",
        "8\n9",
        "8 9 7",
        "8, 9, 10",
        "8,5 9",
        "1. 8 9",
        "8 9 (of 10)",
        "8 9 9/10",
        "11 9",
        "8 10.5",
        "100 9",
        "80 90",
        "08 09",
        "8/5 9/5",
        "8/100 9/100",
        "80% 90%",
        "-8 9",
        "8 -9",
        "\u22128 9",
        "+8 9",
        "- 8 - 9",
        "8-9",
        "8/9",
        "8*9",
        "1*0 5",
        "1_0 5",
        "8:9",
        "8 vs 9",
        "\u0668 \u0669",
        "\uff18 \uff19",
        "\u2467 \u2468",
        "8\uff0c9",
        "nan nan",
        "inf 8",
        "1e1 5",
        "0x1 5",
        "8. 9",
        ".5 9",
        "8.9.1 2",
        "8and9",
        "1_000 5",
        "__import__('os') 5",
        "Scores: 8 9",
        "8 9 are the scores",
        "10 out of 10 points for both",
        "10 out of 10 and 9 out of 10",
        "I give 8 and 9",
        "[8, 9",
        "(8, 9]",
    ],
)
def test_anything_else_on_the_first_line_is_not_read(text: str) -> None:
    assert parse_scores(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Assistant 1: 7/10\nAssistant 2: 8/10",
        "Both did well.\n\n**Assistant 1:** 7/10 - clear\n\n**Assistant 2:** 8/10 - clearer",
        "**Assistant 1: 7/10**, **Assistant 2: 8/10**",
        "- **Assistant 1**: 7\n- **Assistant 2**: 8",
        "Assistant 2: 8, Assistant 1: 7.",
        "Assistant 1: 7 and Assistant 2: 8",
        "Assistant 1: 7 Assistant 2: 8",
        "ASSISTANT 1 = 7.0\nassistant 2 = 8.0",
        "Score for Assistant 1: 7\nScore for Assistant 2: 8",
        "**Assistant 1**'s **score**: **7**/10\n**Assistant 2**'s **score**: **8**/10",
        "Assistant 1: 7/10 (worse than Assistant 2: 8/10)",
        "Assistant 1's overall score: 7\nAssistant 2\u2019s score: 8",
        "Assistant 1: It is terse.\nAssistant 2: It is long, 300 words.\nAssistant 1: 7/10\nAssistant 2: 8/10",
        "Assistant 1: 7/10 Assistant 2: 8/10\nSo: Assistant 1: 7, Assistant 2: 8.0",
        "1. First\nAssistant 1: 7/10\nAssistant 2: 8/10",
    ],
)
def test_labelled_scores_are_read_anywhere(text: str) -> None:
    assert parse_scores(text) == (7, 8)


@pytest.mark.parametrize(
    "text",
    [
        "Assistant 1: 7/10",
        "Assistant 1: 7/10\nAssistant 3: 8/10",
        "Assistant 1: 7/10\nAssistant 12: 8/10",
        "Assistant 1: 7/10\nAssistant 2: 8/10\nAssistant 1: 6/10",
        "Assistant 1: 7/10\nAssistant 2: 8/10\nAssistant 2: 11/10",
        "Assistant 1: 7/10\nAssistant 2: 4/5",
        "Assistant 1: 7/10\nAssistant 2: 8/100",
        "Assistant 1: 70\nAssistant 2: 80",
        "Assistant 1: -7\nAssistant 2: 8",
        "Assistant 1: 7e0\nAssistant 2: 8",
        "Assistant 1: nan\nAssistant 2: 8",
        "Assistant 1: \u0667\nAssistant 2: 8",
        "Assistant 1: 7.5.1\nAssistant 2: 8",
        "Assistant 1: 1*0\nAssistant 2: 8",
        "Assistant 1: 7**.5**\nAssistant 2: 8",
        "Assistant 1: 7/10.5\nAssistant 2: 8",
        "Assistant 1: 8/10 (better than Assistant 2, 6/10)",
        "Assistant 1: 3 errors\nAssistant 2: 2 errors",
        "Assistant 1: 3, 4 and 5 are wrong\nAssistant 2: 2",
        "Assistant 1: 7, 8\nAssistant 2: 9",
        "Assistant 1: 7-8\nAssistant 2: 9",
        "Assistant 1: 7/10 for facts, 5/10 for style\nAssistant 2: 8/10",
        "Assistant 1:\nHelpful: 8\nAccurate: 7\nAssistant 2:\nHelpful: 9\nAccurate: 6",
        "Assistant 1: Helpful: 8\nAssistant 2: Helpful: 9",
        "Helpful: 8\nRelevant: 9",
        "Facts: Assistant 1: 7, Assistant 2: 8\nStyle: Assistant 1: 7, Assistant 2: 6",
        "Assistant 1 gave 7 reasons and Assistant 2 gave 8.",
        "Assistant 1 and Assistant 2: 8",
    ],
)
def test_labelled_scores_that_are_not_clear_are_not_read(text: str) -> None:
    assert parse_scores(text) is None


@pytest.mark.parametrize(
    "part",
    [
        "8 ",
        " ",
        "8, ",
        "*",
        "- ",
        "# ",
        "> ",
        "8/10 and ",
        "Assistant 1: ",
        "Assistant 1: 7 ",
        "Assistant 1: 7/10 ",
        "assistant ",
        "Assistant 1 score",
        "Assistant 1: 7\n",
        "1.",
        "8*",
        "a",
        "\n",
        "\u2028",
        "and ",
        ", ",
        "'s ",
        "*\n",
        "assistant1:",
    ],
)
def test_a_huge_review_takes_no_time(part: str) -> None:
    text = part * (1_000_000 // len(part))
    started = time.process_time()
    for prefix in ("", "8 ", "Assistant 1: 7", "Assistant 1 "):
        parse_scores(prefix + text)
    assert time.process_time() - started < 4 * 0.5  # measured: 0.1 s at most for each; quadratic time would be minutes


@pytest.mark.parametrize("judge", ["gpt4", "gpt3.5"])
@pytest.mark.parametrize(("name", "num"), [("vicuna", 80), ("koala", 180)])
def test_real_reviews_give_the_stored_scores(name: str, num: int, judge: str, real_data_dir: Path) -> None:
    rows = json.loads((real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json").read_text(encoding="utf-8"))[
        "data"
    ]
    stored = [row[key] for row in rows for key in ("scores", "scores_reverse")]
    parsed = [parse_scores(row[key]) for row in rows for key in ("review", "review_reverse")]
    assert [scores and format_scores(scores) for scores in parsed] == stored
    assert len(stored) == 2 * num


def test_scores_are_written_as_the_published_tool_did() -> None:
    assert format_scores((8, 9.5)) == "[8.0, 9.5]"
