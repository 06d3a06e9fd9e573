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
    assert lines[highest : highest + 6 : 2] == ["0.900  score 0.9", "0.700  score 0.7", "0.500  score 0.5"]
    assert lines[lowest : lowest + 6 : 2] == ["0.100  score 0.1", "0.300  score 0.3", "0.500  score 0.5"]


def test_records_with_the_same_score_are_shown_in_their_order() -> None:
    records = [make_record(f"record {number}", 0.5) for number in range(5)]
    lines = table(records, 3, "ifd_ppl").split("\n")
    for title in ("IFD    highest below 1", "IFD    lowest"):
        first = lines.index(title) + 1
        assert lines[first : first + 6 : 2] == ["0.500  record 0", "0.500  record 1", "0.500  record 2"]


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


def test_response_stands_under_what_is_asked() -> None:
    turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}, {"from": "gpt", "value": "again"}]
    for record in ({"instruction": "hi", "output": "hello"}, {"conversations": turns}):
        lines = table([record | {"ifd_ppl": 0.5}], 1).split("\n")
        assert lines[lines.index("0.500  hi") + 1] == "       > hello"


def test_key_name_chooses_the_score() -> None:
    record = make_record(score=1.5) | {"ifd_loss": 0.25}
    assert counts(table([record], 1, "ifd_ppl"))["IFD >= 1"] == 1
    assert counts(table([record], 1, "ifd_loss"))["ifd_loss >= 1"] == 0
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


UPPER = [0.7, 0.95, 1.2, None, 0.5, 1.6]
IFD = [0.6, 0.8, 0.9, 0.85, 0.4, 1.1]


def write_scored(folder: Path, numbers: list[int], **more: Any) -> None:
    """A scored dataset, and these records of it as the selected ones."""
    records = [
        make_record(f"ask {number}", ifd, ifd_upper=upper, ifd_tokens=10 * (number + 1), **more)
        for number, (ifd, upper) in enumerate(zip(IFD, UPPER, strict=True))
    ]
    write_json(folder / "scored.json", records)
    write_json(folder / "selected.json", [records[number] for number in numbers])


def show(run_script: RunScript, folder: Path, *flags: str) -> str:
    done = run_script("show_selection", "--json_data_path=scored.json", "--selected=selected.json", *flags, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert widest(done.stdout) <= 80
    return done.stdout


def test_selected_that_are_not_sure_are_counted(run_script: RunScript, tmp_path: Path) -> None:
    write_scored(tmp_path, [0, 2, 3])
    # 1.2, and one without an upper end.
    told = "selected                 3  80 response tokens\n  not sure               2  ifd_upper >= 1\n"
    assert told in show(run_script, tmp_path)
    assert "  by random, not by IFD; 80 response tokens\n" in show(run_script, tmp_path, "--baseline=random")
    assert "not sure" not in show(run_script, tmp_path, "--filter_threash=1.5")


def test_labels_name_a_score_that_is_not_the_ratio_of_perplexities(run_script: RunScript, tmp_path: Path) -> None:
    write_scored(tmp_path, [1])
    text = show(run_script, tmp_path, "--key_name=ifd_upper")
    assert counts(text)["ifd_upper >= 1"] == 2
    assert "\nifd_upper quantiles 5% " in text and "\nifd_upper    lowest\n" in text


def test_compare_has_as_many_records_by_the_other_score(run_script: RunScript, tmp_path: Path) -> None:
    write_scored(tmp_path, [2, 3])
    lines = show(run_script, tmp_path, "--compare=ifd_upper").split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("the best by"))
    # Records 2 and 3 by IFD, of 30 and 40 tokens; 1 and 0 by the upper end, of 20 and 10.
    assert [line.split() for line in lines[first : first + 4]] == [
        ["the", "best", "by", "ifd_ppl", "ifd_upper"],
        ["records", "2", "2"],
        ["mean", "response", "tokens", "35.0", "15.0"],
        ["not", "sure", "2", "0", "ifd_upper", ">=", "1"],
    ]


def test_compare_with_a_score_that_no_record_has_says_so(run_script: RunScript, tmp_path: Path) -> None:
    write_scored(tmp_path, [2])
    assert "\nno record has ifd_loss to compare by: " in show(run_script, tmp_path, "--compare=ifd_loss")


def test_compare_with_the_score_itself_is_refused(run_script: RunScript, tmp_path: Path) -> None:
    write_scored(tmp_path, [2])
    done = run_script(
        "show_selection", "--json_data_path=scored.json", "--selected=x", "--compare=ifd_ppl", cwd=tmp_path
    )
    assert error_line(done).startswith("argument --compare: ifd_ppl is --key_name already; give another")


@pytest.mark.parametrize("more", [{}, {"ifd_upper": None}], ids=["missing", "null"])
def test_scores_without_upper_ends_are_refused_with_a_remedy(
    run_script: RunScript, tmp_path: Path, more: dict[str, None]
) -> None:
    for name in ("scored", "selected"):
        write_json(tmp_path / f"{name}.json", [make_record(**more)])
    flags = ("--json_data_path=scored.json", "--selected=selected.json")
    error = error_line(run_script("show_selection", *flags, "--key_name=ifd_upper", cwd=tmp_path))
    assert error.startswith("scored.json: no record has a number under 'ifd_upper'; the scores were made before step 1")
    assert "score again" in error
    assert "not sure" not in run_script("show_selection", *flags, cwd=tmp_path).stdout
