"""Datasets and tiny models that were scored wrong once, from `cases` beside the real data: the right values."""

import json
from pathlib import Path
from typing import Any

import pytest

from script_runs import RunScript, error_line

THINK, REFUSED = "16_think_generation_prompt", "17_template_refuses_one_record"


@pytest.fixture
def cases(real_data_dir: Path) -> Path:
    folder = real_data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


def lines_of(run_script: RunScript, cases: Path, data: str, model: str, save_path: Path, *flags: object) -> list[Any]:
    done = run_script(
        "data_analysis", "--data_path", cases / data, "--model_name_or_path", cases / "models" / model,
        "--save_path", save_path, *flags,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in save_path.read_text(encoding="utf-8").splitlines()]


def test_answers_stand_in_no_block_that_the_generation_prompt_opens(
    run_script: RunScript, cases: Path, tmp_path: Path
) -> None:
    think, plain, without = (
        lines_of(run_script, cases, f"{THINK}/data.json", model, tmp_path / f"{model}.jsonl", "--prompt", "chat")
        for model in ("think", "chatml", "nogen")
    )
    # Their models have the same weights, and their templates write the same turn.
    assert think == plain == without


def test_refused_record_is_named(run_script: RunScript, cases: Path, tmp_path: Path) -> None:
    model, save_path = cases / "models" / "alt", tmp_path / "s.jsonl"
    for name, record in (("data.json", 4), ("system.json", 0)):
        data = cases / REFUSED / name
        done = run_script(
            "data_analysis", "--data_path", data, "--model_name_or_path", model, "--save_path", save_path,
            "--prompt", "chat", "--records_per_window", 2,
        )  # fmt: skip
        assert error_line(done).startswith(f"{data}: record {record}: --prompt chat: this model's template refuses")
        assert not save_path.exists()


def test_tokenizer_that_adds_an_eos_scores_as_one_that_does_not(
    run_script: RunScript, cases: Path, tmp_path: Path
) -> None:
    eos, plain = (
        lines_of(run_script, cases, "18_tokenizer_adds_eos/data.json", model, tmp_path / f"{model}.jsonl")
        for model in ("eos", "chatml")
    )
    assert eos == plain
    assert eos[0]["tokens"] == [8, 8]


def test_llama_4_is_scored(run_script: RunScript, cases: Path, tmp_path: Path) -> None:
    (line,) = lines_of(
        run_script, cases, "26_llama4_text/data.json", "llama4", tmp_path / "s.jsonl", "--max_length", 64
    )
    assert line["tokens"] == [8, 8]


def test_longrope_neighbours_score_as_alone(run_script: RunScript, cases: Path, tmp_path: Path) -> None:
    together, alone = (
        lines_of(
            run_script, cases, "28_longrope_neighbours/data.json", "phi3_longrope", tmp_path / name,
            "--max_length", 64, *flags,
        )
        for name, flags in (("s.jsonl", ()), ("alone.jsonl", ("--tokens_per_batch", 1)))
    )  # fmt: skip
    for one, other in zip(together, alone, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-6)
    assert together[1]["loss"][3] == pytest.approx(7.2719, abs=1e-4)
