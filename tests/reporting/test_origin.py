"""What a report's title says: the dataset, the model and the template, where a score file of step 1 tells them."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from reporting.origin import Origin, find_origin
from shared.cli import UserError

TODAY = datetime.date.today().isoformat()


def write_meta(score_path: Path, **more: Any) -> Path:
    """Write the meta file of a score file, without the scores."""
    meta = {
        "format": 1,
        "model": "gpt2",
        "model_fingerprint": "x",
        "dtype": "float32",
        "max_length": 512,
        "prompt": "alpaca",
        "data_path": "data/my.json",
        "data_sha256": "x",
        "num_records": 3,
        "start_idx": 0,
        "end_idx": 3,
        "records_per_window": 128,
        "versions": {},
    }
    Path(f"{score_path}.meta.json").write_text(json.dumps(meta | more), encoding="utf-8")
    return score_path


@pytest.fixture
def scored(tmp_path: Path) -> str:
    """The path of a scored dataset, named as run_pipeline.sh does; only its name is looked at."""
    path = tmp_path / "my_gpt2_data.json"
    path.write_text("[]", encoding="utf-8")
    return str(path)


def test_score_file_beside_the_dataset_tells_dataset_model_and_template(scored: str, tmp_path: Path) -> None:
    write_meta(tmp_path / "my_gpt2_scores.jsonl")
    found = find_origin(scored, 3, None, None)
    assert found == Origin("my.json", "my_gpt2_data.json", "gpt2", "alpaca", TODAY)
    assert found.page_title() == f"my.json \u00b7 gpt2 \u00b7 template alpaca \u00b7 {TODAY}: IFD report"
    assert found.parts() == [
        "model gpt2",
        "prompt template alpaca",
        "scores in my_gpt2_data.json",
        f"report of {TODAY}",
    ]
    assert found.figure_line() == f"my.json \u00b7 model gpt2 \u00b7 {TODAY}"


def test_score_file_of_any_name_can_be_given_and_the_model_too(scored: str, tmp_path: Path) -> None:
    scores = write_meta(tmp_path / "other.jsonl", prompt="none")
    assert find_origin(scored, 3, str(scores), "mine").parts()[:2] == ["model mine", "prompt template none"]


def test_without_a_score_file_the_title_is_the_scored_dataset_and_the_day(scored: str) -> None:
    assert find_origin(scored, 3, None, None).page_title() == f"my_gpt2_data.json \u00b7 {TODAY}: IFD report"
    assert find_origin(scored, 3, None, "gpt2").parts() == ["model gpt2", f"report of {TODAY}"]


@pytest.mark.parametrize("more", [{"num_records": 4}, {"format": "x"}], ids=["other data", "damaged"])
def test_score_file_that_is_found_but_does_not_fit_is_left_alone(scored: str, tmp_path: Path, more: dict) -> None:
    write_meta(tmp_path / "my_gpt2_scores.jsonl", **more)
    assert find_origin(scored, 3, None, None).model is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (None, "there is no .*nothing says which model it is of; give the score file of step 1, or --model$"),
        ({"num_records": 4}, r"holds scores of 4 records \(data/my.json\), but .* has 3; give the score file of this"),
        ({"format": "x"}, "not the meta file of a score file"),
    ],
    ids=["no meta", "other data", "damaged"],
)
def test_score_file_that_is_given_must_fit(scored: str, tmp_path: Path, more: dict | None, message: str) -> None:
    scores = tmp_path / "other.jsonl"
    if more is not None:
        write_meta(scores, **more)
    with pytest.raises(UserError, match=message):
        find_origin(scored, 3, str(scores), None)


@pytest.mark.parametrize(
    ("model", "name"),
    [("/models/my-gpt", "my-gpt"), ("./my-gpt/", "my-gpt"), ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"), ("/", "/")],
)
def test_folder_of_a_model_is_named_by_its_last_part(scored: str, model: str, name: str) -> None:
    assert find_origin(scored, 3, None, model).model == name


def test_dataset_of_the_hub_is_named_whole(scored: str, tmp_path: Path) -> None:
    write_meta(tmp_path / "my_gpt2_scores.jsonl", data_path="tatsu-lab/alpaca", data_commit="0" * 40)
    assert find_origin(scored, 3, None, None).dataset == "tatsu-lab/alpaca"


@pytest.mark.parametrize("path", ["data.json", "_data.json", "no/such/folder/x_data.json", "out/*_data.json"])
def test_names_without_a_score_file_beside_them_are_names(path: str) -> None:
    assert find_origin(path, 3, None, None).dataset == path
