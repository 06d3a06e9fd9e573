"""How scripts fail and stop, and the argument types that argparse lacks."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from script_runs import ROOT, RunScript, error_line, files_in, flag_error, write_json
from shared.cli import Interrupted, UserError, decimal_number, non_negative_int, positive_int, rate, run

RECORDS = [{"instruction": "Add 1 and 1.", "input": "", "output": "2", "ifd_ppl": 0.5, "ifd_loss": 0.5}]
SCORES = {"ppl": [0, 4.0, 0, 2.0], "loss": [0, 1.5, 0, 0.75]}
# Each script with the flags that it needs; what they name lies in the current folder.
ARGUMENTS = {
    "data_analysis": ["--data_path=data.json", "--save_path=new.jsonl"],
    "put_analysis_to_data": ["--pt_data_path=scores.jsonl", "--json_data_path=data.json", "--json_save_path=new.json"],
    "select_data": ["--json_data_path=data.json", "--json_save_path=new.json", "--sample_num=1"],
    "report": ["--json_data_path=data.json", "--save_path=new.html"],
    "show_selection": ["--json_data_path=data.json", "--selected=data.json"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what ARGUMENTS names."""
    write_json(tmp_path / "data.json", RECORDS)
    write_json(tmp_path / "scores.jsonl", SCORES)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "code", "stderr"),
    [
        (UserError("a.json: what is wrong"), 2, "error: a.json: what is wrong\n"),
        (KeyboardInterrupt(), 130, "\nstopped: interrupted by the user\n"),
        (Interrupted("5 of 9 are kept"), 130, "\nstopped: 5 of 9 are kept\n"),
    ],
)
def test_run_leaves_with_the_code_and_one_line(
    error: BaseException, code: int, stderr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as leaving:
        run(fail)
    assert leaving.value.code == code
    assert capsys.readouterr().err == stderr


def test_run_keeps_the_traceback_of_a_fault_of_ours() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("+5", 5), ("007", 7), (" 3 ", 3)])
def test_positive_int_reads_whole_numbers(text: str, value: int) -> None:
    assert positive_int(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", "five", "", "5_000"])
def test_positive_int_refuses_the_rest(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not a whole number of at least 1"):
        positive_int(text)


def test_non_negative_int_reads_zero_and_refuses_what_is_below() -> None:
    assert (non_negative_int("0"), non_negative_int("+7")) == (0, 7)
    for text in ("-1", "", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of at least 0"):
            non_negative_int(text)


def test_decimal_number_is_exact() -> None:
    assert decimal_number("0.1") * 3 == Decimal("0.3")  # floats: 0.1 * 3 = 0.30000000000000004


@pytest.mark.parametrize("parse", [decimal_number, rate])
@pytest.mark.parametrize("text", ["nan", "sNaN", "inf", "-Infinity", "abc", "", "1/2", "0,5"])
def test_numbers_are_finite(parse: Callable[[str], Decimal], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "is_rate"),
    [("0", False), ("1e-9", True), ("1", True), ("1.0000000000000000000001", False), ("-0.1", False)],
)
def test_rate_is_above_0_and_at_most_1(text: str, is_rate: bool) -> None:
    if is_rate:
        assert rate(text) == Decimal(text)
    else:
        with pytest.raises(argparse.ArgumentTypeError, match="not above 0 and at most 1"):
            rate(text)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_help_shows_every_flag(run_script: RunScript, name: str) -> None:
    done = run_script(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(argument.partition("=")[0] in done.stdout for argument in ARGUMENTS[name])


@pytest.mark.parametrize("name", ARGUMENTS)
def test_missing_flags_are_named(run_script: RunScript, name: str) -> None:
    error = flag_error(run_script(name))
    assert error.startswith("the following arguments are required: ")
    assert ARGUMENTS[name][0].partition("=")[0] in error


@pytest.mark.parametrize("name", ARGUMENTS)
def test_abbreviated_flags_are_refused(run_script: RunScript, folder: Path, name: str) -> None:
    before = files_in(folder)
    abbreviated = [
        argument.replace("_path=", "_pat=").replace("--selected=", "--select=") for argument in ARGUMENTS[name]
    ]
    assert flag_error(run_script(name, *abbreviated, cwd=folder)).startswith("the following arguments are required: ")
    # With the required flags there, nothing but the abbreviation is wrong.
    extra = ARGUMENTS[name][0].replace("_path=", "_pat=")
    assert flag_error(run_script(name, *ARGUMENTS[name], extra, cwd=folder)) == f"unrecognized arguments: {extra}"
    assert files_in(folder) == before


def test_a_wrong_flag_takes_one_line_like_any_other_mistake(run_script: RunScript, folder: Path) -> None:
    error = error_line(run_script("select_data", *ARGUMENTS["select_data"][:2], "--sample_rate=2", cwd=folder))
    assert "--sample_rate: '2' is not above 0 and at most 1" in error


@pytest.mark.parametrize("name", ARGUMENTS)
def test_missing_dataset_is_one_line(run_script: RunScript, folder: Path, name: str) -> None:
    (folder / "data.json").unlink()
    before = files_in(folder)
    assert (
        error_line(run_script(name, *ARGUMENTS[name], cwd=folder))
        == "data.json: cannot be read: No such file or directory"
    )
    assert files_in(folder) == before


@pytest.mark.parametrize("name", ["put_analysis_to_data", "select_data", "show_selection"])
def test_steps_after_scoring_import_no_heavy_package(run_script: RunScript, folder: Path, name: str) -> None:
    done = run_script(name, *ARGUMENTS[name], cwd=folder, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "records" in imported
    assert imported.isdisjoint({"torch", "transformers", "tqdm", "huggingface_hub", "pyarrow"})


def run_into(stdout: int, folder: Path) -> subprocess.CompletedProcess:
    """Run show_selection with its stdout on an open file."""
    command = [sys.executable, str(ROOT / "code_ifd" / "show_selection.py"), *ARGUMENTS["show_selection"]]
    return subprocess.run(command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)


def test_a_reader_that_has_gone_ends_the_script_silently(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run_into(writer, folder)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file that is always full")
def test_a_full_disk_under_stdout_gives_no_traceback(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = run_into(full.fileno(), folder)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


def test_a_terminal_without_unicode_gives_no_traceback(run_script: RunScript, folder: Path) -> None:
    write_json(folder / "data.json", [RECORDS[0] | {"instruction": "\u6c49\u5b57"}])
    done = run_script("show_selection", *ARGUMENTS["show_selection"], cwd=folder, env={"PYTHONIOENCODING": "ascii"})
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
