"""Step 3: which records are kept, in which order, and what is said about the others."""

import json
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from records.dataset import read_dataset
from script_runs import RunScript, error_line, files_in, flag_error, write_json

# Highest below 1 first: 3, then 1 and 6 (a tie), 0, 5. Records 2 and 7 have no score; 4 is at the threshold, 8 over it.
SCORES = [0.4, 0.9, None, 0.95, 1.0, 0.1, 0.9, None, 1.7, 0.05]


def make_records(scores: list[Any], key_name: str = "ifd_ppl") -> list[dict[str, Any]]:
    return [{"id": index, "instruction": "a", "output": "b", key_name: score} for index, score in enumerate(scores)]


class Step3:
    """Runs step 3 on data.json in a folder."""

    def __init__(self, folder: Path, run_script: RunScript) -> None:
        self.folder, self.run_script = folder, run_script
        self.save = folder / "new.json"

    def run(self, records: list[dict[str, Any]], *flags: object) -> subprocess.CompletedProcess:
        write_json(self.folder / "data.json", records)
        return self.run_script(
            "select_data", "--json_data_path=data.json", "--json_save_path=new.json", *flags, cwd=self.folder
        )

    def ids(self, records: list[dict[str, Any]], *flags: object) -> list[int]:
        """The ids of the selected records, in file order."""
        done = self.run(records, *flags)
        assert done.returncode == 0
        return [record["id"] for record in read_dataset(str(self.save))]

    def nothing_written(self) -> bool:
        return list(files_in(self.folder)) == [self.folder / "data.json"]


@pytest.fixture
def step3(tmp_path: Path, run_script: RunScript) -> Step3:
    return Step3(tmp_path, run_script)


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        ([], [3]),  # a tenth of 10
        (["--sample_rate", "0.39"], [3, 1, 6]),  # floor(3.9)
        (["--sample_num", "4"], [3, 1, 6, 0]),
        (["--sample_num", "2"], [3, 1]),  # the tie goes to the earlier record
        (["--sample_num", "4", "--keep_order"], [0, 1, 3, 6]),
        (["--sample_rate", "1"], [3, 1, 6, 0, 5, 9]),
        (["--sample_rate", "1", "--keep_order"], [0, 1, 3, 5, 6, 9]),
        (["--sample_rate", "1", "--filter_threash", "0.4"], [5, 9]),
        (["--sample_rate", "1", "--filter_threshold", "0.41"], [0, 5, 9]),
        (["--sample_rate", "0.1", "--filter_threash", "2"], [8]),
    ],
)
def test_selected_records(step3: Step3, flags: list[str], ids: list[int]) -> None:
    assert step3.ids(make_records(SCORES), *flags) == ids


@pytest.mark.parametrize("threshold", ["0.7", "0.9", "1"])
def test_score_written_like_the_threshold_is_not_below_it(step3: Step3, threshold: str) -> None:
    # As a float, 0.7 is a little less than seven tenths, 0.9 a little more than nine.
    records = make_records([float(threshold), 0.01])
    assert step3.ids(records, "--sample_num", 2, "--filter_threash", threshold) == [1]


@pytest.mark.parametrize(
    ("sample_rate", "num_records", "num"), [("0.29", 100, 29), ("0.57", 100, 57), ("0.1", 999, 99)]
)
def test_rate_counts_all_records_in_exact_decimals(step3: Step3, sample_rate: str, num_records: int, num: int) -> None:
    # Skipped records count: the last quarter has no score. Floats: 0.29 * 100 = 28.999999999999996.
    scores = [0.5 if index < num_records * 3 // 4 else None for index in range(num_records)]
    assert int(Decimal(sample_rate) * num_records) == num
    assert step3.ids(make_records(scores), "--sample_rate", sample_rate) == list(range(num))


def test_selected_records_keep_every_key_and_its_order(step3: Step3) -> None:
    record = {"z": [1, {"y": None}], "ifd_ppl": 0.5, "instruction": "\u6c49\u2028", "output": "", "big": 10**40}
    step3.run([record], "--sample_num", 1)
    assert repr(read_dataset(str(step3.save))) == repr([record])


def test_ratio_of_losses_can_be_the_key(step3: Step3) -> None:
    records = [
        {"id": index, "ifd_ppl": ppl, "ifd_loss": loss}
        for index, (ppl, loss) in enumerate([(0.1, 0.9), (0.9, 0.1), (0.5, None)])
    ]
    assert step3.ids(records, "--sample_num", 1) == [1]
    assert step3.ids(records, "--sample_num", 1, "--key_name", "ifd_loss") == [0]


@pytest.mark.parametrize(
    "flags", [["--sample_num=3"], ["--sample_num=500"], ["--sample_rate=0.6", "--filter_threash=0.5"], ["--keep_order"]]
)
def test_counts_in_the_summary_add_up(step3: Step3, flags: list[str]) -> None:
    done = step3.run(make_records(SCORES), *flags)
    pattern = (
        r"(\d+) records: (\d+) skipped .*?, (\d+) at or over the threshold [\d.]+, (\d+) below the cut, "
        r"(\d+) selected -> new\.json\n"
    )
    matched = re.fullmatch(pattern, done.stdout)
    assert matched
    num_records, num_skipped, num_over, num_below_cut, num_kept = map(int, matched.groups())
    assert num_records == len(SCORES) == num_skipped + num_over + num_below_cut + num_kept
    assert num_skipped == SCORES.count(None)
    assert num_kept == len(read_dataset(str(step3.save)))


def test_summary_counts_each_group(step3: Step3) -> None:
    done = step3.run(make_records(SCORES), "--sample_num", 4)
    assert (
        done.stdout
        == "10 records: 2 skipped (no score), 2 at or over the threshold 1, 2 below the cut, 4 selected -> new.json\n"
    )


@pytest.mark.parametrize(
    ("num_wanted", "note"), [(6, ""), (7, "note: 7 were asked for, but only 6 have a score below 1\n")]
)
def test_note_says_when_fewer_qualify(step3: Step3, num_wanted: int, note: str) -> None:
    done = step3.run(make_records(SCORES), "--sample_num", num_wanted)
    assert (done.returncode, done.stderr) == (0, note)


def test_dataset_with_nan_as_the_original_tool_wrote_it(step3: Step3) -> None:
    records = make_records([float("nan"), 0.5, 0, None, float("inf"), 0.6])
    del records[3]["ifd_ppl"]
    done = step3.run(records, "--sample_rate", 1)
    note = "note: data.json: 2 NaN or Infinity, which JSON does not have, or numbers as large as 1e400, read as null\n"
    assert done.stderr == note + "note: 6 were asked for, but only 2 have a score below 1\n"
    assert done.stdout.startswith("6 records: 4 skipped (no score), 0 at or over")
    assert [record["id"] for record in json.loads(step3.save.read_bytes())] == [5, 1]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5, "0.9"], "data.json: record 1: 'ifd_ppl' is \"0.9\" (a string); it must be a number or null"),
        ([0.5, True], "data.json: record 1: 'ifd_ppl' is true (a boolean); it must be a number or null"),
        ([[0.5]], "data.json: record 0: 'ifd_ppl' is [0.5] (an array); it must be a number or null"),
        ([None, 1.0], "data.json: no record has ifd_ppl below 1; nothing was written"),
        ([0, -1, 0.0], "data.json: no record has ifd_ppl below 1; nothing was written"),
    ],
)
def test_scores_that_select_nothing_are_refused(step3: Step3, scores: list[Any], message: str) -> None:
    assert error_line(step3.run(make_records(scores), "--sample_num=1")) == message
    assert step3.nothing_written()


@pytest.mark.parametrize("key_name", ["ifd_ppl", "ifd_loss"])
def test_dataset_without_the_key_is_refused(step3: Step3, key_name: str) -> None:
    error = error_line(step3.run(make_records(SCORES, "ifd"), "--key_name", key_name))
    assert error == f"data.json: no record has '{key_name}'; run step 2 on it first, or choose another --key_name"
    assert step3.nothing_written()


@pytest.mark.parametrize("sample_rate", ["0.05", "0.0999999999999999999999999999999999999999", "1e-19"])
def test_rate_that_leaves_none_is_refused(step3: Step3, sample_rate: str) -> None:
    error = error_line(step3.run(make_records(SCORES), "--sample_rate", sample_rate))
    assert (
        error == f"--sample_rate {Decimal(sample_rate)}: of 10 records that is none; give a higher rate or --sample_num"
    )
    assert step3.nothing_written()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sample_rate=0"], "argument --sample_rate: '0' is not above 0 and at most 1 (0.1 keeps a tenth)"),
        (["--sample_rate", "-0.5"], "argument --sample_rate: '-0.5' is not above 0"),
        (["--sample_rate=1.5"], "argument --sample_rate: '1.5' is not above 0 and at most 1"),
        (["--sample_rate=1e-99999999"], "argument --sample_rate: '1e-99999999' is not above 0"),
        (["--sample_rate=nan"], "argument --sample_rate: 'nan' is not a finite number"),
        (["--sample_rate=abc"], "argument --sample_rate: 'abc' is not a number"),
        (["--sample_num=0"], "argument --sample_num: '0' is not a whole number of at least 1"),
        (["--sample_num=2.5"], "argument --sample_num: '2.5' is not a whole number"),
        (["--filter_threash=inf"], "argument --filter_threash/--filter_threshold: 'inf' is not a finite number"),
        (["--sample_rate=0.1", "--sample_num=5"], "argument --sample_num: not allowed with argument --sample_rate"),
        (["--sample_num=5", "--sample_rate=0.1"], "argument --sample_rate: not allowed with argument --sample_num"),
        (["--key_name=ifd"], "argument --key_name: invalid choice: 'ifd'"),
        (["--filter=0.5"], "unrecognized arguments: --filter=0.5"),
    ],
)
def test_wrong_flags_are_refused(step3: Step3, flags: list[str], message: str) -> None:
    assert flag_error(step3.run(make_records(SCORES), *flags)).startswith(message)
    assert step3.nothing_written()
