"""The table of a scored dataset: its counts are right and it fits a terminal, whatever the data holds."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from script_runs import RunScript, error_line, files_in, write_json
from show_selection import score_table

# 21 scores from 0.05 to 1.05: the quantile of p percent is 0.05 + p / 100.
LADDER = [(step + 1) / 20 for step in range(21)]


def make_record(instruction: Any = "a", score: Any = 0.5, **more: Any) -> dict[str, Any]:
    return {"instruction": instruction, "output": "b", "ifd_ppl": score, **more}


def table(
    records: list[dict],
    num_selected: int,
    key_name: str = "ifd_ppl",
    threshold: float = 1.0,
    fields: dict[str, str] | None = None,
) -> str:
    return score_table(records, num_selected, key_name, threshold, fields or {})


def widest(text: str) -> int:
    """Columns of the widest line: wide characters take two, marks on the one before them none."""

    def width(char: str) -> int:
        return 2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.category(char) == "Mn" else 1

    return max(sum(map(width, line)) for line in text.split("\n"))


@pytest.mark.parametrize(
    "instruction",
    [
        "\u6c49\u5b57" * 200,
        "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 60,
        "tab\t" * 99,
        "line\n" * 99,
        "\x1b[2J\x1b]0;title\x07" * 40,
        "e\u0301" * 200,
        "x" * 500,
        None,
        7,
        ["a" * 200],
        {},
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_no_line_is_wider_than_80_columns(instruction: Any) -> None:
    text = table([make_record(instruction, score) for score in LADDER], 3, "ifd_ppl")
    assert widest(text) <= 80
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("score", [999.5, 123456.789, 1e300, 10**400], ids=["999.5", "123456.789", "1e300", "10**400"])
def test_huge_scores_fit_too(score: float) -> None:
    assert widest(table([make_record("a", score)] * 3, 0, "ifd_ppl")) <= 80


@pytest.mark.parametrize(
    "reason",
    ["x" * 200, "\u6c49" * 60, "a\x1b[2Jb", "two\nlines", 7, ["list"], True],
    ids=lambda value: ascii(value)[:12],
)
def test_reason_that_is_not_ours_takes_one_line_that_fits(reason: Any) -> None:
    def lines_with(reason: Any) -> list[str]:
        records = [make_record(score=None, ifd_skipped=reason), make_record(score=None, ifd_skipped="long_prompt")]
        return table(records, 0, "ifd_ppl").split("\n")

    lines = lines_with(reason)
    assert len(lines) == len(lines_with("short_response"))
    assert all(line.isprintable() for line in lines)
    assert widest("\n".join(lines)) <= 80


def counts(text: str) -> dict[str, int]:
    """The label and the number of each line of the form `label    number ...`."""
    lines = [line for line in text.split("\n") if line[18:26].strip().isdecimal()]
    return {line[:18].strip(): int(line[18:26]) for line in lines}


def test_counts_are_right() -> None:
    skipped = [
        make_record(score=None, ifd_skipped=reason) for reason in ("long_prompt", "empty_response", "long_prompt")
    ]
    unscored = [make_record(score=0), {"instruction": "no key"}]  # as the original tool left them
    records = [make_record(score=score) for score in (0.2, 1.0, 0.9, 3.5)] + skipped + unscored
    assert counts(table(records, 2, "ifd_ppl")) == {
        "records": 4 + 3 + 2,
        "with a score": 4,
        "long_prompt": 2,
        "empty_response": 1,
        "no score": 2,
        "IFD >= 1": 2,
        "selected": 2,
    }


def test_quantiles() -> None:
    lines = table([make_record(score=score) for score in LADDER[::-1]], 3, "ifd_ppl").split("\n")
    assert "IFD quantiles     5% 0.100  25% 0.300  50% 0.550  75% 0.800  95% 1.000" in lines


def test_highest_below_1_and_lowest_are_shown() -> None:
    records = [make_record(f"score {score}", score) for score in (0.5, 1.0, 0.1, 0.9, 2.0, 0.7, 0.3)]
    lines = table(records, 3, "ifd_ppl").split("\n")
    highest, lowest = lines.index("IFD    highest below 1") + 1, lines.index("IFD    lowest") + 1
    assert lines[highest : highest + 3] == ["0.900  score 0.9", "0.700  score 0.7", "0.500  score 0.5"]
    assert lines[lowest : lowest + 3] == ["0.100  score 0.1", "0.300  score 0.3", "0.500  score 0.5"]


def test_records_with_the_same_score_are_shown_in_their_order() -> None:
    records = [make_record(f"record {number}", 0.5) for number in range(5)]
    lines = table(records, 3, "ifd_ppl").split("\n")
    for title in ("IFD    highest below 1", "IFD    lowest"):
        first = lines.index(title) + 1
        assert lines[first : first + 3] == ["0.500  record 0", "0.500  record 1", "0.500  record 2"]


def test_threshold_of_step_3_is_that_of_the_table() -> None:
    text = table([make_record(f"score {score}", score) for score in (0.5, 0.7, 0.9)], 1, threshold=0.7)
    assert counts(text)["IFD >= 0.7"] == 2
    lines = text.split("\n")
    assert lines[lines.index("IFD    highest below 0.7") + 1] == "0.500  score 0.5"


def test_other_keys_and_conversations_are_named_by_what_is_asked_first() -> None:
    turns = [
        {"from": "system", "value": "be brief"},
        {"from": "human", "value": "hi"},
        {"from": "gpt", "value": "hello"},
    ]
    assert "0.500  hi" in table([{"conversations": turns, "ifd_ppl": 0.5}], 1).split("\n")
    assert "0.500  why" in table([{"q": "why", "output": "so", "ifd_ppl": 0.5}], 1, fields={"instruction": "q"}).split(
        "\n"
    )


def test_key_name_chooses_the_score() -> None:
    record = make_record(score=1.5) | {"ifd_loss": 0.25}
    assert counts(table([record], 1, "ifd_ppl"))["IFD >= 1"] == 1
    assert counts(table([record], 1, "ifd_loss"))["IFD >= 1"] == 0
    assert "0.250  a" in table([record], 1, "ifd_loss").split("\n")


def test_no_score_at_all_gives_a_table_too() -> None:
    assert counts(table([make_record(score=None)], 0, "ifd_ppl"))["with a score"] == 0


def test_script_prints_the_table_and_writes_nothing(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "scored.json", [make_record("\u6c49\t\x1b[2J\U0001f389" * 50, score) for score in LADDER])
    write_json(tmp_path / "selected.json", [make_record()] * 2)
    before = files_in(tmp_path)
    done = run_script("show_selection", "--json_data_path=scored.json", "--selected=selected.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert counts(done.stdout) == {"records": 21, "with a score": 21, "IFD >= 1": 2, "selected": 2}
    assert widest(done.stdout) <= 80
    assert done.stdout.endswith("scored dataset    scored.json\nselected records  selected.json\n")
    assert files_in(tmp_path) == before


def test_missing_selection_is_one_line(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "scored.json", [make_record()])
    done = run_script("show_selection", "--json_data_path=scored.json", "--selected=selected.json", cwd=tmp_path)
    assert error_line(done) == "selected.json: cannot be read: No such file or directory"
