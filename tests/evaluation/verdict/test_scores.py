"""Scores in a judge's words: what is clear is read, what is not clear is never guessed."""

import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("\uff18 \uff19", (8, 9)),
        ("\uff18\uff0e\uff15\uff0c\uff19", (8.5, 9)),
        ("8\u30009", (8, 9)),
        ("8\uff0f10 \uff19\uff0f\uff11\uff10", (8, 9)),
        ("8 out of 10 and 9 out of 10", (8, 9)),
        ("8 out of 10, 9 out of 10.", (8, 9)),
        ("10 Out Of 10 9 out of 10", (10, 9)),
        ("Scores: 8 9", (8, 9)),
        ("scores\uff1a8 9", (8, 9)),
        ("**Final scores:** 8, 9\nBoth are good.", (8, 9)),
        ("The scores (out of 10): [8, 9]", (8, 9)),
        ("Ratings = 8/10 and 9/10", (8, 9)),
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
        "\u2467 \u2468",
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
        "8 9 are the scores",
        "Scores: 8 9 7",
        "Scores: 8",
        "Scores: 80 90",
        "Scores: 8 9 (of 12)",
        "Scores (out of 100): 8 9",
        "Scores of the last match: 8 9",
        "Error scores: 8 9",
        "Facts: 8 9",
        "Scores 8 9",
        "Scores: 8 9, I think",
        "8 out of 10",
        "8 out of 9 and 9 out of 9",
        "8 out of 100 and 9 out of 100",
        "8 out of 10.5 and 9 out of 10",
        "8 out of 10 tries and 9 out of 10",
        "\uff0d8 9",
        "\uff18\uff10 \uff19\uff10",
        "\uff18\uff1a\uff19",
        "10 out of 10 points for both",
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
        "Assistant 1\uff1a7\nAssistant 2\uff1a8",
        "Assistant 1\uff1a\uff17\uff0f\uff11\uff10\nAssistant 2\uff1a\uff18\uff0f\uff11\uff10\nBoth are right.",
        "Assistant 1: 7 out of 10\nAssistant 2: 8 out of 10 because it is shorter.",
        "Both are right.\n\n### Scores\nAssistant 1: 7\nAssistant 2: 8\n\nThe second is shorter.",
        "Scores: Assistant 1: 7, Assistant 2: 8\nThe second is shorter.",
        "Final ratings (out of 10):\n- Assistant 1: 7\n- Assistant 2: 8\n\nThe second is shorter.",
        "Both are right.\nAssistant 1's score: 7\nAssistant 2's score: 8\nThe second is shorter.",
        "Both are right.\nScore for Assistant 1: 7\nScore for Assistant 2: 8\nThe second is shorter.",
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
        "Number of correct facts:\n- Assistant 1: 3\n- Assistant 2: 5\n\nOverall I rate the first 8 and the second 7.",
        "Assistant 1: 3\nAssistant 2: 5\n\nThese are the mistakes that I have found.",
        "Assistant 1\uff1a3\nAssistant 2\uff1a5\nThese are the mistakes.",
        "Mistakes: Assistant 1: 3, Assistant 2: 5",
        "Number of facts for Assistant 1: 3\nNumber of facts for Assistant 2: 5",
        "Assistant 1: 3/10 facts are right\nAssistant 2: 5/10 facts are right",
        "Assistant 1: 3 out of 10 claims\nAssistant 2: 5 out of 10 claims",
        "Assistant 1: 3 out of 5\nAssistant 2: 5 out of 5",
        "Scores out of 5\nAssistant 1: 3\nAssistant 2: 5\nThe second is shorter.",
        "Readability score for Assistant 1: 3\nReadability score for Assistant 2: 5",
        "The score depends on the facts.\nAssistant 1: 3\nAssistant 2: 5\nThese were the facts.",
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


DRAFT = "Assistant 1: 4/10. Assistant 2: 8/10."


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        (f"<think>\n{DRAFT}\nBut wait.\n</think>\n\n9 4\nOne is right.", (9, 4)),
        ("<think>4 8</think>9 4", (9, 4)),
        (f"{DRAFT}\n</think>\n\n9 4", (9, 4)),
        ("<think>a</think>4 8\n<think>b</think>\n9 4", (9, 4)),
        (f"<think>\n{DRAFT}\n</think>\nAssistant 1: 9/10\nAssistant 2: 4/10", (9, 4)),
        (f"[THINK]{DRAFT}[/THINK]9 4", (9, 4)),
        (f"<thinking>{DRAFT}</thinking>\n9 4", (9, 4)),
        (f"\u25c1think\u25b7{DRAFT}\u25c1/think\u25b79 4", (9, 4)),
        ('9 4\nAssistant 2 shows its `<think>` and a "</think>" of its own.', (9, 4)),
        (f"<think>\n{DRAFT}\n</think>\n\nBoth are good.", None),
        (f"<think>\n{DRAFT}\n</think>", None),
        (f"<think>\n{DRAFT}", None),
        ("<think>9 4", None),
        ("9 4\n<think>\nBut wait, the first is wrong.", None),
        ("<think>a</think>9 4\n<think>No.", None),
    ],
)
def test_what_follows_the_thinking_is_the_review(text: str, scores: tuple[float, float] | None) -> None:
    assert parse_scores(text) == scores


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("9 1", None),  # of "9 10"
        ("9 1\n", (9, 1)),
        ("9 4\nOne is ri", (9, 4)),
        ("9 4\r\nOne is ri", (9, 4)),
        ("<think>a</think>9 4\nOne is ri", (9, 4)),
        ("<think>9 4\nOne is ri", None),
        ("Assistant 1: 9/10\nAssistant 2: 4/1", None),
        ("Assistant 1: 9/10\nAssistant 2: 4/10", None),
        ("Assistant 1: 9/10\nAssistant 2: 4/10\nOne is ri", (9, 4)),
        ("Assistant 1: 9\nAssistant 2: 4\nThese are the num", None),
        ("I must check.\nAssistant 1: 4/10\nAssistant 2: 8/10\nBut wai", None),  # thinking whose tags a server ate
        ("", None),
    ],
)
@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
def test_a_cut_line_has_no_scores(text: str, scores: tuple[float, float] | None, reason: str) -> None:
    assert parse_scores(text, reason) == scores


@pytest.mark.parametrize("reason", [None, "stop", "eos_token", ""])
def test_a_line_that_was_not_cut_needs_no_line_break(reason: str | None) -> None:
    assert parse_scores("9 1", reason) == (9, 1)


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
        "<think>",
        "</think>\n",
        "Scores: ",
        "Score for Assistant 1: 7\n",
    ],
)
def test_a_huge_review_takes_no_time(part: str) -> None:
    text = part * (1_000_000 // len(part))
    started = time.process_time()
    for prefix in ("", "8 ", "Assistant 1: 7", "Assistant 1 "):
        parse_scores(prefix + text)
    assert time.process_time() - started < 4 * 0.5  # measured: 0.1 s at most for each; quadratic time would be minutes


PIECES = [
    *(
        "Assistant 1",
        "Assistant 2",
        "assistant",
        "Scores",
        "score",
        ":",
        "\uff1a",
        "=",
        "8",
        "9/10",
        "10",
        "11",
        "7.5",
        "-",
    ),
    *(
        " ",
        "\n",
        "\r",
        ", ",
        " and ",
        " out of 10",
        "**",
        "# ",
        "`",
        "(",
        ")",
        "[",
        "]",
        "<think>",
        "</think>",
        "[THINK]",
    ),
    *("\uff18", "\u0668", "\u2467", "\ud83c", "\x00", "facts", "The answer", "'s", "|"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.sampled_from([None, "stop", "length"]))
def test_any_text_has_two_scores_from_0_to_10_or_none(text: str, reason: str | None) -> None:
    scores = parse_scores(text, reason)
    assert scores is None or (len(scores) == 2 and all(0 <= score <= 10 for score in scores))


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_thinking_before_a_review_changes_nothing(draft: str) -> None:
    assert parse_scores(f"<think>{draft}</think>\n9 4\nOne is right.") == (9, 4)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_a_cut_text_has_no_scores_that_more_text_could_take_away_on_its_first_line(text: str) -> None:
    cut = parse_scores(f"9 1{text}", "length")
    assert cut is None or "\n" in text.replace("\r", "\n")


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


@pytest.mark.parametrize(
    ("name", "judge", "digest"),
    [
        ("vicuna", "gpt4", "9d39020f281d273a"),
        ("vicuna", "gpt3.5", "31ef9e3a9a001e73"),
        ("koala", "gpt4", "37ed4864039ecc19"),
        ("koala", "gpt3.5", "1769e012d01b9796"),
    ],
)
def test_real_reviews_keep_their_scores(name: str, judge: str, digest: str, real_data_dir: Path) -> None:
    path = real_data_dir / "reviews" / f"{name}_wrap_reviews_{judge}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["data"]
    parsed = [parse_scores(row[key], "stop") for row in rows for key in ("review", "review_reverse")]
    # What the parser read before it knew of thinking, cut answers and counts.
    assert hashlib.sha256(json.dumps(parsed).encode()).hexdigest()[:16] == digest
