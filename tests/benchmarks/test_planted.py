"""The count of planted mistakes: scores from token losses, and what would be selected by them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planted import TokenScore, columns, count_planted, main
from records.record import Skipped
from script_runs import write_json

RECORDS = [{"instruction": f"Say {index}.", "output": f"I say {index} and {index + 1}."} for index in range(40)]


def test_s_ifd_is_over_the_tokens_whose_change_is_above_the_median_of_all() -> None:
    scores = [
        TokenScore(0.5, 0.6, np.array([-0.1, -2.0, 3.0])),
        Skipped("empty_response"),
        TokenScore(0.7, None, np.array([0.2, -4.0])),
        TokenScore(0.9, 1.0, np.array([0.3])),
    ]
    # The absolute changes are 0.1, 0.2, 0.3, 2, 3, 4; their median is 1.15.
    found = columns(scores)
    assert found["s_ifd"].tolist() == pytest.approx(
        [math.exp((-2 + 3) / 2), math.nan, math.exp(-4), math.nan], nan_ok=True
    )
    assert found["ifd_ppl"].tolist() == pytest.approx([0.5, math.nan, 0.7, 0.9], nan_ok=True)
    assert found["ifd_upper"].tolist() == pytest.approx([0.6, math.nan, math.nan, 1.0], nan_ok=True)


def test_planted_are_counted_among_the_highest_below_one() -> None:
    scores = np.arange(40) / 39  # the last one is 1
    is_planted = np.zeros(40, dtype=bool)
    is_planted[[39, 38, 33, 0]] = True
    # 5 percent are records 38 and 37, 10 percent 38 to 35, 15 percent 38 to 33.
    assert count_planted(scores, is_planted) == [(2, 1), (4, 1), (6, 2)]


@pytest.mark.parametrize("marked", [True, False])
def test_benchmark_prints_a_table_and_json(
    marked: bool, tiny_gpt2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [record | ({"wrong": number % 8 == 0} if marked else {}) for number, record in enumerate(RECORDS)]
    path = write_json(tmp_path / "data.json", records)
    mistakes = ["--planted_key", "wrong"] if marked else ["--num_records", "20", "--rate", "0.2"]
    main(["--data_path", str(path), "--model_name_or_path", str(tiny_gpt2), "--max_length", "64", *mistakes])
    lines = capsys.readouterr().out.splitlines()
    size, num_planted = (40, 5) if marked else (20, 4)
    assert lines[0] == f"{size} records, {num_planted} of them planted; planted of the selected, below 1"
    assert len(lines) == 1 + 1 + 2 + 3 + 1 + 1
    found = json.loads(lines[-1])
    assert (found["records"], found["planted"], list(found["counts"])) == (
        size,
        num_planted,
        ["ifd_ppl", "ifd_upper", "s_ifd"],
    )


def test_key_that_no_record_has_is_an_error(tmp_path: Path) -> None:
    from shared.cli import UserError

    with pytest.raises(UserError, match=r"--planted_key wrong: no record has it true"):
        main(["--data_path", str(write_json(tmp_path / "data.json", RECORDS)), "--planted_key", "wrong"])
