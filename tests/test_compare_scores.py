"""Two scored versions of one dataset, compared as users do it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compare_scores import main
from records.dataset import read_dataset
from script_runs import ROOT, RunScript, error_line, files_in, flag_error, write_json
from shared.cli import run
from shared.texts import TERMINAL_COLUMNS, num_columns

SAMPLE = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"
KEYS = ("ppl_A_direct", "ppl_A_condition", "ifd_ppl")
# Record 2 has no score in A, record 5 none in B, record 6 none at all; 1 and 4 are on different sides of the threshold.
SCORES_A = [0.9, 0.8, None, 0.3, 1.5, 0.5, None, 0.7]
SCORES_B = [0.9, 1.2, 0.4, 0.2, 0.6, None, None, 0.7]


def make_records(scores: list[Any]) -> list[dict[str, Any]]:
    texts = [{"instruction": f"ask {index}", "output": "x" * (index + 1)} for index in range(len(scores))]
    return [text | dict.fromkeys(KEYS, score) | {"ifd_loss": score} for text, score in zip(texts, scores, strict=True)]


class Comparing:
    """Runs the comparison of a.json and b.json in a folder, in this process: the import of scipy takes a second."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys

    def run(self, a: Any, b: Any, *flags: object) -> subprocess.CompletedProcess:
        write_json(self.folder / "a.json", a)
        write_json(self.folder / "b.json", b)
        return self.run_on("a.json", "b.json", *flags)

    def run_on(self, *args: object) -> subprocess.CompletedProcess:
        self.monkeypatch.chdir(self.folder)
        self.monkeypatch.setattr("sys.argv", ["compare_scores.py", *map(str, args)])
        code = 0
        try:
            run(main)
        except SystemExit as leaving:
            code = leaving.code
        return subprocess.CompletedProcess(args, code, *self.capsys.readouterr())

    def result(self, a: Any, b: Any, *flags: object) -> dict[str, Any]:
        """The JSON of the comparison, read as strictly as JSON is meant."""
        done = self.run(a, b, "--json_save_path=out/new.json", *flags)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads((self.folder / "out" / "new.json").read_bytes(), parse_constant=pytest.fail)

    def refused(self, a: Any, b: Any, *flags: object) -> str:
        """The one line of an error, with nothing written."""
        done = self.run(a, b, *flags)
        assert set(files_in(self.folder)) == {self.folder / "a.json", self.folder / "b.json"}
        return error_line(done)


@pytest.fixture
def comparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Comparing:
    return Comparing(tmp_path, monkeypatch, capsys)


def test_every_number_of_a_small_comparison(comparing: Comparing) -> None:
    found = comparing.result(make_records(SCORES_A), make_records(SCORES_B), "--sample_rates", 0.5, 0.1)
    assert (found["num_records"], found["num_equal"]) == (8, 3)  # records 0, 7, and 6 without a number
    for key in KEYS:
        row = found["correlations"][key]
        assert (row["num_common"], row["num_only_a"], row["num_only_b"], row["num_neither"]) == (5, 1, 1, 1)
    # Ranks of records 0, 1, 3, 4, 7: 2, 3, 5, 1, 4 by A and 2, 1, 5, 4, 3 by B.
    assert found["correlations"]["ifd_ppl"]["spearman"] == pytest.approx(1 - 6 * (0 + 4 + 0 + 9 + 1) / (5 * (5**2 - 1)))
    # Half of 8 below 1: 0, 1, 7, 5 by A; 0, 7, 4, 2 by B. A tenth of 8 is none.
    half, tenth = found["overlaps"]
    assert half["overlap"] == {"num_a": 4, "num_b": 4, "num_both": 2, "share": 2 / 4, "jaccard": 2 / 6}
    assert (tenth["num_wanted"], tenth["overlap"]["share"]) == (0, None)
    assert found["flips"] == {"num_below_both": 3, "num_below_only_a": 1, "num_below_only_b": 1, "num_below_neither": 0}
    assert found["length_a"]["mean_all"] == sum(range(1, 9)) / 8
    assert found["length_a"]["mean_selected"] == [(1 + 2 + 8 + 6) / 4, None]
    assert [row["record"] for row in found["disagreements"]] == [4, 1, 7]  # differences of 3, 2 and 1


def test_text_fits_a_terminal_and_says_what_the_json_says(comparing: Comparing) -> None:
    a, b = make_records(SCORES_A), make_records(SCORES_B)
    a[4]["instruction"] = b[4]["instruction"] = "\u6c49\u5b57\n\x1b[31m" * 50
    done = comparing.run(a, b, "--sample_rates", 0.5, "--num_shown", 1)
    lines = done.stdout.splitlines()
    assert max(map(num_columns, lines)) <= TERMINAL_COLUMNS
    assert "8 records with the same texts in both; all numbers are equal in 3 of them" in lines
    assert "ifd_ppl below 1: 3 in both, 1 in A only, 1 in B only, 0 in neither" in lines
    words = [line.split() for line in lines]
    assert ["ifd_ppl", "5", "1", "1", "1", "0.30000", "0.20000"] in words  # of 10 pairs, 6 are in the same order
    assert ["50%", "4", "4", "4", "2", "50%", "0.33"] in words
    assert words[-1][:5] == ["4", "1.5", "0.6", "1", "4"]


def test_overlap_is_that_of_the_files_of_step_3(comparing: Comparing, run_script: RunScript, tmp_path: Path) -> None:
    a = read_dataset(str(SAMPLE))
    # A second scorer: the ratio of losses ranks otherwise.
    b = [record | {"ifd_ppl": record["ifd_loss"]} for record in a]
    found = comparing.result(a, b, "--filter_threash=0.9", "--sample_rates", 0.05, 0.15)
    for row in found["overlaps"]:
        texts = []
        for name in ("a", "b"):
            flags = [f"--sample_rate={row['sample_rate']}", "--filter_threash=0.9"]
            done = run_script(
                "select_data", f"--json_data_path={name}.json", "--json_save_path=s.jsonl", *flags, cwd=tmp_path
            )
            assert done.returncode == 0
            texts.append(
                {
                    (record["instruction"], record["input"], record["output"])
                    for record in read_dataset(str(tmp_path / "s.jsonl"))
                }
            )
        assert row["overlap"]["num_both"] == len(texts[0] & texts[1]) < row["overlap"]["num_a"] == len(texts[0])


def test_identical_files(comparing: Comparing) -> None:
    found = comparing.result(read_dataset(str(SAMPLE)), read_dataset(str(SAMPLE)))
    assert found["num_equal"] == found["num_records"] == 253
    assert {key: row["spearman"] for key, row in found["correlations"].items()} == pytest.approx(
        dict.fromkeys((*KEYS, "ifd_upper"), 1)
    )
    assert [row["overlap"]["share"] for row in found["overlaps"]] == [1] * 3
    assert found["disagreements"] == []
    assert found["length_a"] == found["length_b"]


def test_ratio_of_losses_can_be_compared(comparing: Comparing) -> None:
    found = comparing.result(make_records(SCORES_A), make_records(SCORES_B), "--key_name", "ifd_loss")
    assert list(found["correlations"]) == ["ppl_A_direct", "ppl_A_condition", "ifd_loss"]


def with_upper(records: list[dict[str, Any]], factor: float) -> list[dict[str, Any]]:
    return [record | {"ifd_upper": record["ifd_ppl"] and record["ifd_ppl"] * factor} for record in records]


def test_upper_ends_are_compared_too_where_both_have_them(comparing: Comparing) -> None:
    a, b = make_records(SCORES_A), make_records(SCORES_B)
    found = comparing.result(with_upper(a, 2), with_upper(b, 3))
    assert list(found["correlations"]) == [*KEYS, "ifd_upper"]
    # A factor keeps the ranking, and makes every number another.
    assert found["correlations"]["ifd_upper"] == found["correlations"]["ifd_ppl"]
    assert found["num_equal"] == 1  # record 6, without a number in both
    for other in (b, with_upper(make_records([None] * 8), 1)):
        left_out = comparing.result(with_upper(a, 2), [one | {"ifd_ppl": 0.5} for one in other])
        assert list(left_out["correlations"]) == list(KEYS)


def test_selection_by_the_upper_ends(comparing: Comparing) -> None:
    a, b = with_upper(make_records(SCORES_A), 2), with_upper(make_records(SCORES_B), 3)
    done = comparing.run(a, b, "--key_name=ifd_upper", "--sample_rates=0.5", "--plot_path=ranks.png")
    assert (done.returncode, done.stderr) == (0, "")
    # Below 1: 0.3 in A; 0.2 in B, which is record 3 too.
    assert "ifd_upper below 1: 1 in both, 0 in A only, 0 in B only, 4 in neither" in done.stdout
    heads = next(line for line in done.stdout.splitlines() if line.endswith("instruction"))
    assert " ifd_upper A  ifd_upper B " in heads
    assert max(map(num_columns, done.stdout.splitlines())) <= TERMINAL_COLUMNS


def test_scores_without_upper_ends_are_refused_with_a_remedy(comparing: Comparing) -> None:
    error = comparing.refused(with_upper(make_records(SCORES_A), 2), make_records(SCORES_B), "--key_name=ifd_upper")
    assert error.startswith(
        "b.json: no record has a number under 'ifd_upper'; the scores were made before step 1 wrote"
    )
    assert "score again" in error


@pytest.mark.parametrize(
    ("scores_a", "scores_b", "said"),
    [
        ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], "ifd_ppl: no correlation, since the first numbers are all equal"),
        ([0.5, 0.6, None], [0.1, 0.2, 0.3], "ifd_ppl: no correlation, since fewer than 3 records have both numbers"),
        ([1.5, 1.6, 1.7], [2.1, 2.3, 2.2], "ifd_ppl below 1: 0 in both, 0 in A only, 0 in B only, 3 in neither"),
    ],
)
def test_what_is_undefined_is_said_and_null(
    comparing: Comparing, scores_a: list[Any], scores_b: list[Any], said: str
) -> None:
    a, b = make_records(scores_a), make_records(scores_b)
    comparing.result(a, b)
    done = comparing.run(a, b, "--plot_path=new.png", "--sample_rates=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    assert "nan" not in done.stdout.lower()


def test_columns_stay_apart_at_the_ends_of_the_number_range(comparing: Comparing) -> None:
    found = comparing.run(
        make_records([1.2345e-320, 1.2345e-319, 1.2345e308]), make_records([1.2345e308, 1.2345e-319, 1.2345e-320])
    )
    assert found.stdout.splitlines()[-2].split()[:5] == ["0", "1.235e-320", "1.234e+308", "3", "1"]


def test_file_of_the_original_tool_and_parquet(comparing: Comparing, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(make_records([0.9, float("nan"), 0, 0.3, 0.5])))
    pq.write_table(pa.Table.from_pylist(make_records([0.8, 0.7, 0.6, 0.2, 0.5])), tmp_path / "b.parquet")
    done = comparing.run_on("a.json", "b.parquet")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.startswith("note: a.json: 4 NaN or Infinity")
    assert ["ifd_ppl", "3", "0", "2", "0", "1.00000", "1.00000"] in [line.split() for line in done.stdout.splitlines()]


def test_conversations_under_other_keys(comparing: Comparing) -> None:
    turns = [[{"from": "human", "value": f"ask {index}"}, {"from": "gpt", "value": "x" * index}] for index in range(4)]
    a, b = (
        [{"chat": turn} | dict.fromkeys(KEYS, score) for turn, score in zip(turns, scores, strict=False)]
        for scores in ([1, 2, 3, 4], [4, 2, 3, 1])
    )
    done = comparing.run(a, b, "--fields=conversations=chat")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2].split() == ["0", "1", "4", "4", "1", "ask", "0"]


def test_figure_is_written_and_named(comparing: Comparing) -> None:
    done = comparing.run(
        make_records(SCORES_A), make_records(SCORES_B), "--plot_path=out/ranks.PNG", "--json_save_path=out/n.json"
    )
    assert done.stdout.endswith("\n-> out/n.json\n-> out/ranks.PNG\n")
    assert (comparing.folder / "out" / "ranks.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("scores_b", "message"),
    [
        ([0.5] * 7, "a.json has more than 7 records, b.json has 7; compare two scored versions of one dataset"),
        ([None] * 8, "no record has ifd_ppl both in a.json and in b.json; there is nothing to compare"),
        ([None] * 7 + ["0.5"], "b.json: record 7: 'ppl_A_direct' is \"0.5\" (a string); it must be a number or null"),
    ],
)
def test_versions_that_cannot_be_compared(comparing: Comparing, scores_b: list[Any], message: str) -> None:
    error = comparing.refused(
        make_records(SCORES_A), make_records(scores_b), "--json_save_path=new.json", "--plot_path=new.png"
    )
    assert error.startswith(message)


def test_record_that_differs_is_named(comparing: Comparing) -> None:
    others = make_records(SCORES_B)
    others[3]["output"] = "xxyy"
    error = comparing.refused(make_records(SCORES_A), others)
    assert error.startswith(
        'record 3 differs: its output, from character 2 on, is "xx" in a.json and "yy" in b.json; compare two'
    )


def test_dataset_that_is_not_scored_is_refused(comparing: Comparing) -> None:
    plain = [{"instruction": "a", "output": "b"}]
    assert comparing.refused(plain, plain).startswith("a.json: no record has 'ppl_A_direct'; run step 2 on it first")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--json_save_path=b.json"], "b.json: the output would overwrite an input"),
        (["--plot_path=./a.json"], "./a.json: the output would overwrite an input"),
        (
            ["--plot_path=new.png", "--json_save_path=./new.png"],
            "new.png: two outputs of this step would be this file",
        ),
        (["--plot_path=new.svg"], "--plot_path new.svg: the file name must end in .png"),
        (["--json_save_path=a.json/new.json"], "a.json/new.json: cannot be written"),
    ],
)
def test_wrong_outputs_are_refused(comparing: Comparing, flags: list[str], message: str) -> None:
    assert comparing.refused(make_records(SCORES_A), make_records(SCORES_B), *flags).startswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sample_rates", "0.1", "5"], "argument --sample_rates: '5' is not above 0 and at most 1"),
        (["--num_shown=0"], "argument --num_shown: '0' is not a whole number of at least 1"),
        (["c.json"], "unrecognized arguments: c.json"),
    ],
)
def test_wrong_flags_are_refused(comparing: Comparing, flags: list[str], message: str) -> None:
    assert flag_error(comparing.run(make_records(SCORES_A), make_records(SCORES_B), *flags)).startswith(message)


def test_run_as_a_script(run_script: RunScript, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", make_records(SCORES_A))
    done = run_script("compare_scores", "a.json", "a.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("each of the 6 records with a score in both has the same rank in both\n")


def test_help_shows_every_flag(comparing: Comparing) -> None:
    done = comparing.run_on("--help")
    assert (done.returncode, done.stderr) == (0, "")
    flags = (
        "--json_save_path",
        "--plot_path",
        "--sample_rates",
        "--filter_threash",
        "--key_name",
        "--num_shown",
        "--fields",
    )
    assert all(flag in done.stdout for flag in flags)
