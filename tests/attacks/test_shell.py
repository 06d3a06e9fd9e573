"""What the shell scripts are called with, and where: odd environments, folders and words."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from script_runs import ROOT, bash, write_json

RECORDS = [{"instruction": f"Name {index} things.", "output": f"Here are {index} of them."} for index in range(20)]
SCORED = [record | {"ifd_ppl": 0.5 + index / 100} for index, record in enumerate(RECORDS)]
WORDS = [
    "two words",
    "$(touch owned)",
    "`touch owned`",
    ";touch owned",
    "a'b",
    'a"b',
    "*",
    "-n",
    "--help",
    "~",
    "ä",
    "a\\b",
]


@pytest.mark.parametrize("word", WORDS)
def test_any_word_is_a_name_for_files(tmp_path: Path, word: str) -> None:
    scored = write_json(tmp_path / f"{word}.json", SCORED)
    saved = tmp_path / "out" / f"{word}.json"
    done = bash("scripts/step3_select_data.sh", cwd=tmp_path, JSON_DATA_PATH=scored, JSON_SAVE_PATH=saved, SAMPLE_NUM=2)
    assert done.returncode == 0, done.stderr
    assert saved.exists() and not (tmp_path / "owned").exists()


@pytest.mark.parametrize("word", WORDS)
def test_any_word_is_a_relative_name_where_the_caller_stands(tmp_path: Path, word: str) -> None:
    write_json(tmp_path / f"{word}.json", SCORED)
    variables = {"JSON_DATA_PATH": f"{word}.json", "JSON_SAVE_PATH": tmp_path / "out.json", "SAMPLE_NUM": 2}
    done = bash("scripts/step3_select_data.sh", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.json").exists() and not (tmp_path / "owned").exists()


@pytest.mark.parametrize("word", ["0; touch owned", "$(touch owned)", "a[$(touch owned)]", "1 2", "", " ", "-1", "nan"])
@pytest.mark.parametrize("name", ["SAMPLE_RATE", "FILTER_THREASH", "LENGTH_GROUPS"])
def test_number_that_is_none_is_refused_and_never_run(tmp_path: Path, name: str, word: str) -> None:
    scored = write_json(tmp_path / "scored.json", SCORED)
    variables = {"JSON_DATA_PATH": scored, "JSON_SAVE_PATH": tmp_path / "out.json", name: word}
    done = bash("scripts/step3_select_data.sh", cwd=tmp_path, **variables)
    # An empty variable is an unset one; a threshold may be below 0, and then nothing qualifies.
    if word or name == "SAMPLE_RATE":
        assert done.returncode == (0 if not word else 2)
    assert "Traceback" not in done.stderr and not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "variables",
    [
        {"CDPATH": "/tmp:/"},
        {"PYTHONSAFEPATH": "1"},
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"},
        {"BASH_ENV": "/nowhere"},
        {"IFS": "/"},
        {"LC_ALL": "C"},
        {"LC_ALL": "tr_TR.UTF-8"},
        {"TERM": "dumb", "COLUMNS": "20"},
        {"PYTHONHASHSEED": "5"},
        {"POSIXLY_CORRECT": "1"},
        {"GREP_OPTIONS": "-v"},
    ],
    ids=lambda variables: next(iter(variables)),
)
@pytest.mark.parametrize("script", ["step3_select_data", "optional_report"])
def test_odd_environment_changes_nothing(tmp_path: Path, script: str, variables: dict[str, str]) -> None:
    scored = ROOT / "data" / "data_with_ifd" / "sample_alpaca_smollm2_data.json"
    outputs = {"JSON_SAVE_PATH": tmp_path / "out.json", "SAVE_PATH": tmp_path / "out.html", "SAMPLE_NUM": 2}
    done = bash(f"scripts/{script}.sh", JSON_DATA_PATH=scored, **outputs, **variables)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ("out.json" if script.startswith("step3") else "out.html")).exists()


@pytest.mark.parametrize("missing", ["HOME", "USER", "PWD", "OLDPWD", "TMPDIR", "LANG"])
def test_missing_variable_of_the_system_changes_nothing(tmp_path: Path, missing: str) -> None:
    scored = write_json(tmp_path / "scored.json", SCORED)
    environment = {name: value for name, value in os.environ.items() if name != missing} | {
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "JSON_DATA_PATH": str(scored),
        "JSON_SAVE_PATH": str(tmp_path / "out.json"),
    }
    done = subprocess.run(
        ["bash", ROOT / "scripts" / "step3_select_data.sh"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.json").exists()


def alive(marker: str) -> bool:
    return subprocess.run(["pgrep", "-f", marker], capture_output=True).returncode == 0


@pytest.mark.skipif(not (shutil.which("setpriv") and shutil.which("pgrep")), reason="needs setpriv and pgrep")
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_end_of_the_pipeline_is_the_end_of_step_1(tmp_path: Path, tiny_gpt2: Path, number: int) -> None:
    data = write_json(tmp_path / "data.json", RECORDS * 500)
    save = tmp_path / "out" / f"data_{tiny_gpt2.name}_scores.jsonl"
    environment = os.environ | {
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "MAX_LENGTH": "64",
    }
    running = subprocess.Popen(
        ["bash", ROOT / "scripts" / "run_pipeline.sh", data, "--model", tiny_gpt2, "--output_dir", tmp_path / "out"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (save.exists() and save.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert save.stat().st_size and alive(str(save))
    running.send_signal(number)
    running.wait(timeout=30)
    while alive(str(save)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(str(save))
