"""The shell script of step 4: its variables reach both scripts, and a mistake stops it."""

from pathlib import Path

from reviews import CONFLICT, WIN, write_review_file

from script_runs import bash


def test_files_of_the_chain_are_read_and_written_by_the_defaults(tmp_path: Path) -> None:
    folder = tmp_path / "model1-VS-model2"
    write_review_file(folder, "sample", WIN, CONFLICT)
    done = bash("evaluation/scripts/do_review_eval_score.sh", EVAL_DIR=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)  # one warning, given once
    assert sorted(path.name for path in folder.iterdir()) == [
        "sample_wrap_reviews_gpt4.json",
        "verdict_gpt4.html",
        "verdict_gpt4.json",
        "verdict_gpt4.png",
        "verdict_gpt4.svg",
    ]


def test_variables_and_flags_reach_both_scripts(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_review_file(tmp_path / "a b-VS-c", name, WIN, api_model="my/judge")
    done = bash(
        "evaluation/scripts/do_review_eval_score.sh",
        "--rule",
        "strict",
        "--save_name",
        str(tmp_path / "out" / "v"),
        EVAL_DIR=tmp_path,
        NAME1="a b",
        NAME2="c",
        DATASETS="one two",
        API_MODEL="my/judge",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".html", ".json", ".png", ".svg"]
    assert "How it is counted Strict rule" in " ".join(done.stdout.split())
    assert "2 pairs -> " in done.stdout


def test_missing_reviews_stop_it_in_one_line(tmp_path: Path) -> None:
    done = bash("evaluation/scripts/do_review_eval_score.sh", EVAL_DIR=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: {tmp_path}/model1-VS-model2/sample_wrap_reviews_gpt4.json: not there; ")


def test_no_data_set_is_a_mistake(tmp_path: Path) -> None:
    done = bash("evaluation/scripts/do_review_eval_score.sh", EVAL_DIR=tmp_path, DATASETS=" ")
    assert (done.returncode, done.stderr) == (
        2,
        "error: argument --task_list: expected at least one argument; see review_eval_score.py --help\n",
    )
