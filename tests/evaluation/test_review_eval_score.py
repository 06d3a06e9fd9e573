"""The fourth step as users run it: what it reads, refuses, prints and writes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reviews import CONFLICT, LOSE, ONE_SIDED, TIE, UNPARSED, WIN, write_review_file

from script_runs import ROOT, RunScript, error_line, files_in, flag_error

FLAGS = ("--key1", "ours", "--key2", "theirs")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the reviews of two test sets."""
    write_review_file(tmp_path, "one", WIN, WIN, LOSE, TIE)
    write_review_file(tmp_path, "two", WIN, ONE_SIDED, CONFLICT, UNPARSED)
    return tmp_path


def test_every_number_is_written(run_script: RunScript, home: Path) -> None:
    done = run_script(
        "review_eval_score",
        "--review_home_path",
        home,
        "--task_list",
        "one",
        "two",
        *FLAGS,
        "--save_name",
        home / "out/verdict",
    )
    assert done.returncode == 0
    content = json.loads((home / "out" / "verdict.json").read_text(encoding="utf-8"))
    assert [content[key] for key in ("key1", "key2", "rule")] == ["ours", "theirs", "published"]
    assert [one["name"] for one in content["sets"]] == ["one", "two"]
    triples = {
        rule: (one["win"], one["tie"], one["lose"]) for rule, one in content["total"]["verdict"]["rules"].items()
    }
    assert triples == {"published": (4, 2, 1), "strict": (3, 3, 1), "mean": (4, 2, 1)}
    assert content["total"]["verdict"]["unparsed"] == content["sets"][1]["verdict"]["unparsed"] == 1
    assert content["total"]["health"]["conflicts"] == 1


def test_table_and_summary_fit_80_columns(run_script: RunScript, home: Path) -> None:
    done = run_script("review_eval_score", "--review_home_path", home, "--task_list", "one,two", *FLAGS)
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
    assert re.search(r"^one +4 +2 +1 +1 +1\.25 ", done.stdout, re.MULTILINE)  # (2 - 1) / 4 + 1
    assert re.search(r"^total +7 +4 +2 +1 +1\.43 ", done.stdout, re.MULTILINE)
    assert "2.00 means that ours wins" in " ".join(done.stdout.split())
    assert done.stdout.endswith(f"-> {home}/verdict_gpt4.json .png .svg\n")


def test_rule_decides_what_is_shown(run_script: RunScript, home: Path) -> None:
    done = run_script("review_eval_score", "--review_home_path", home, "--task_list", "two", *FLAGS, "--rule", "strict")
    assert re.search(r"^two +3 +1 +2 +0 ", done.stdout, re.MULTILINE)


def test_the_same_command_writes_the_same_bytes(run_script: RunScript, home: Path) -> None:
    arguments = ("--review_home_path", home, "--task_list", "one", "two", *FLAGS)
    run_script("review_eval_score", *arguments)
    first = files_in(home)
    run_script("review_eval_score", *arguments)
    assert files_in(home) == first


def test_too_many_conflicts_and_unparsed_pairs_are_warned_of(run_script: RunScript, home: Path) -> None:
    done = run_script("review_eval_score", "--review_home_path", home, "--task_list", "two", *FLAGS)
    assert done.stderr.splitlines() == [
        "warning: the judge contradicts itself in more than 30% of the pairs (two 1 of 3 (33%)): its verdict is "
        "hardly worth anything; use a "
        "stronger judge",
        "warning: pairs without readable scores in both orders are left out: two 1 of 4",
    ]


@pytest.mark.parametrize("orders", [[UNPARSED], [TIE, TIE]])
def test_nothing_decided_is_null_and_no_crash(orders: list, run_script: RunScript, tmp_path: Path) -> None:
    write_review_file(tmp_path, "one", *orders)
    done = run_script("review_eval_score", "--review_home_path", tmp_path, "--task_list", "one", *FLAGS)
    assert done.returncode == 0
    text = (tmp_path / "verdict_gpt4.json").read_text(encoding="utf-8")
    assert json.loads(text)["total"]["verdict"]["rules"]["published"]["sign_test_p"] is None
    assert "NaN" not in text


@pytest.mark.parametrize(
    ("judge", "warned"),
    [("gpt-4", []), ("gpt-3.5-turbo", ["(vicuna 58 of 80 (72%), koala 107 of 180 (59%), total 165 of 260 (63%))"])],
)
def test_real_reviews_warn_where_they_should(
    judge: str, warned: list[str], run_script: RunScript, real_data_dir: Path, tmp_path: Path
) -> None:
    done = run_script(
        "review_eval_score",
        "--review_home_path",
        real_data_dir / "reviews",
        "--task_list",
        "vicuna",
        "koala",
        *FLAGS,
        "--api_model",
        judge,
        "--save_name",
        tmp_path / "verdict",
    )
    assert done.returncode == 0
    assert re.findall(r"of the pairs (\(.*\)):", done.stderr) == warned


def test_two_judges_are_counted_side_by_side(run_script: RunScript, home: Path) -> None:
    write_review_file(home, "one", WIN, LOSE, LOSE, TIE, api_model="other")
    arguments = ("--review_home_path", home, "--task_list", "one", *FLAGS, "--api_model", "gpt-4", "other")
    done = run_script("review_eval_score", *arguments)
    assert done.stdout.endswith(f"-> {home}/verdict_gpt4_other.json .png .svg\n")
    assert "give the same verdict to 3 of 4 pairs (75%)" in " ".join(done.stdout.split())
    content = json.loads((home / "verdict_gpt4_other.json").read_text(encoding="utf-8"))
    assert (content["api_model"], content["other_judges"][0]["api_model"]) == ("gpt-4", "other")
    assert [content["agreements"][0][key] for key in ("same", "opposed", "counts")] == [
        3,
        1,
        [[1, 0, 1], [0, 1, 0], [0, 0, 1]],
    ]


def test_every_judge_must_have_every_set_that_is_asked_for(run_script: RunScript, home: Path) -> None:
    write_review_file(home, "one", WIN, LOSE, LOSE, TIE, api_model="other")
    arguments = ("--review_home_path", home, *FLAGS, "--api_model", "gpt-4", "other")
    error = error_line(run_script("review_eval_score", *arguments, "--task_list", "one", "two"))
    assert error.startswith(f"{home}/two_wrap_reviews_other.json: not there")


def test_judges_of_other_answers_are_refused(run_script: RunScript, home: Path) -> None:
    write_review_file(home, "one", WIN, LOSE, LOSE, TIE, api_model="other", Answer2="Another.")
    arguments = ("--review_home_path", home, *FLAGS, "--api_model", "gpt-4", "other", "--task_list", "one")
    before = files_in(home)
    error = error_line(run_script("review_eval_score", *arguments))
    assert "one_wrap_reviews_other.json: pair 0 is not that of" in error
    assert files_in(home) == before


def test_length_is_in_the_numbers_with_a_reason_where_there_is_none(run_script: RunScript, home: Path) -> None:
    write_review_file(home, "many", *[WIN, LOSE, WIN, TIE] * 10)
    arguments = ("--review_home_path", home, "--task_list", "one", "many", *FLAGS)
    run_script("review_eval_score", *arguments)
    content = json.loads((home / "verdict_gpt4.json").read_text(encoding="utf-8"))
    assert content["sets"][0]["length"]["strict"] == {
        "reason": "4 pairs are too few to tell length from the rest; it takes 20"
    }
    assert content["sets"][1]["length"]["mean"]["reason"] == "both answers of every pair are equally long"


def test_missing_file_says_what_is_there(run_script: RunScript, home: Path) -> None:
    before = files_in(home)
    error = error_line(
        run_script("review_eval_score", "--review_home_path", home, "--task_list", "one", "three", *FLAGS)
    )
    assert error.startswith(
        f"{home}/three_wrap_reviews_gpt4.json: not there; the folder has one_wrap_reviews_gpt4.json, "
        "two_wrap_reviews_gpt4.json"
    )
    assert files_in(home) == before


def test_missing_folder_is_named(run_script: RunScript, tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path}/no" in error_line(
        run_script("review_eval_score", "--review_home_path", tmp_path / "no", "--task_list", "a")
    )


def test_reviews_of_another_test_set_are_refused(run_script: RunScript, home: Path) -> None:
    (home / "three_wrap_reviews_gpt4.json").write_bytes((home / "one_wrap_reviews_gpt4.json").read_bytes())
    error = error_line(run_script("review_eval_score", "--review_home_path", home, "--task_list", "three", *FLAGS))
    assert "its pairs are of the test set 'one' (Meta_Info.dataset_name), not 'three'" in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--task_list", "one", "one"], "--task_list: one is there 2 times"),
        (["--task_list", "one,two,one"], "--task_list: one is there 2 times"),
        (["--task_list", ","], "--task_list: no test set in it"),
        (["--task_list", "one", "--api_model", "a", "b", "a"], "--api_model: a is there 2 times; name each judge once"),
        (["--task_list", "one", "--api_model", "a", " "], "argument --api_model: it must not be empty"),
        (["--task_list", "one", "--key2", "ours"], "--key1 and --key2 are both 'ours'"),
        (["--task_list", "one", "--key2", " "], "argument --key2: it must not be empty"),
        (["--task_list", "one", "--rule", "fair"], "argument --rule: invalid choice: 'fair'"),
    ],
)
def test_flags_that_make_no_sense(flags: list[str], message: str, run_script: RunScript, home: Path) -> None:
    assert flag_error(run_script("review_eval_score", "--review_home_path", home, *FLAGS, *flags)).startswith(message)


def test_output_never_overwrites_reviews(run_script: RunScript, home: Path) -> None:
    before = files_in(home)
    done = run_script(
        "review_eval_score",
        "--review_home_path",
        home,
        "--task_list",
        "one",
        "--save_name",
        home / "one_wrap_reviews_gpt4",
        *FLAGS,
    )
    assert "the output would overwrite an input" in error_line(done)
    assert files_in(home) == before


@pytest.mark.parametrize(
    "module",
    [
        "verdict.review_file",
        "verdict.scoreboard",
        "verdict.flags",
        "verdict.figure",
        "review_eval_score",
        "review_viewer",
    ],
)
def test_reading_reviews_imports_no_heavy_package(module: str) -> None:
    folders = [str(ROOT / "evaluation" / "generation"), str(ROOT / "code_ifd")]
    code = (
        f"import sys; sys.path[:0] = {folders}; import {module}; "
        f"print({{'numpy', 'scipy', 'matplotlib', 'torch', 'openai'}} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that is always full")
def test_a_full_disk_under_stdout_leaves_the_files(home: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "evaluation/generation/review_eval_score.py"),
        "--review_home_path",
        str(home),
        "--task_list",
        "one",
    ]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (home / "verdict_gpt4.json").exists()


def test_a_folder_that_cannot_be_written_is_one_line(run_script: RunScript, home: Path) -> None:
    (home / "file").write_text("", encoding="utf-8")
    done = run_script(
        "review_eval_score", "--review_home_path", home, "--task_list", "one", "--save_name", home / "file" / "verdict"
    )
    assert "cannot be written, nothing was changed" in error_line(done)
