"""The steps on a dataset of the Hub: flags, the meta of the score file, step 2 on the same commit, run_pipeline.sh."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub_server import HubServer, go_offline
from script_runs import Done, RunScript, bash, error_line

NAME = "tatsu-lab/alpaca"
ROWS = [{"instruction": f"Count to {number}", "output": f"{number} " * number} for number in range(2, 8)]


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class Steps:
    """Steps 1 and 2 on a Hub."""

    def __init__(self, run_script: RunScript, folder: Path, model: Path) -> None:
        self.run_script, self.folder, self.model = run_script, folder, model
        self.scores = folder / "scores.jsonl"

    def step1(self, *flags: str, data_path: str = NAME) -> Done:
        common = ("--data_path", data_path, "--save_path", self.scores, "--model_name_or_path", self.model)
        return self.run_script("data_analysis", *common, "--max_length", 64, *flags)

    def step2(self, data_path: str = NAME) -> Done:
        paths = ("--pt_data_path", self.scores, "--json_data_path", data_path)
        return self.run_script("put_analysis_to_data", *paths, "--json_save_path", self.folder / "scored.jsonl")

    def meta(self) -> dict[str, Any]:
        return json.loads(Path(f"{self.scores}.meta.json").read_text(encoding="utf-8"))

    def scored(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "scored.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def steps(run_script: RunScript, tmp_path: Path, tiny_gpt2: Path) -> Steps:
    return Steps(run_script, tmp_path, tiny_gpt2)


def test_step_2_reads_the_commit_that_step_1_has_scored(
    steps: Steps, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = hub.push(NAME, {"en/train.jsonl": as_lines(ROWS), "en/test.jsonl": as_lines(ROWS[:2]), "fr/train.jsonl": b""})
    done = steps.step1("--config", "en", "--split", "test")
    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    meta = steps.meta()
    assert (meta["data_commit"], meta["data_path"], meta["num_records"]) == (old, f"{NAME}@{old}:en/test", 2)
    # The Hub goes on, and step 2 needs neither it nor the flags.
    hub.push(NAME, {"en/train.jsonl": as_lines(ROWS[1:])})
    hub.requests.clear()
    assert steps.step2().returncode == 0
    assert [row["instruction"] for row in steps.scored()] == [row["instruction"] for row in ROWS[:2]]
    assert hub.requests == []
    go_offline(monkeypatch)
    assert steps.step2().returncode == 0


def test_step_2_refuses_another_commit_by_name(steps: Steps, hub: HubServer) -> None:
    old = hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    assert steps.step1().returncode == 0
    hub.push(NAME, {"train.jsonl": as_lines(ROWS[1:])})
    line = error_line(steps.step2(f"{NAME}@main"))
    assert f"holds scores of other data ({NAME}@{old}:default/train" in line


def test_revision_is_the_datasets_where_the_model_is_a_folder(steps: Steps, hub: HubServer) -> None:
    hub.push(NAME, {"train.jsonl": as_lines(ROWS)})
    tagged = hub.push(NAME, {"train.jsonl": as_lines(ROWS[:3])}, ref="v1")
    assert steps.step1("--revision", "v1").returncode == 0
    assert steps.meta()["data_commit"] == tagged
    assert steps.step1("--data_revision", "v1").returncode == 0  # the same run
    line = error_line(steps.step1())
    assert NAME in line
    assert tagged in line


def test_configurations_are_listed_before_a_model_is_loaded(steps: Steps, hub: HubServer) -> None:
    hub.push(NAME, {"en/train.jsonl": as_lines(ROWS), "fr/train.jsonl": as_lines(ROWS)})
    assert error_line(steps.step1()) == f"{NAME}: has several configurations; give --config, one of en, fr"
    assert not steps.scores.exists()


def test_flags_of_the_hub_are_refused_for_a_file(steps: Steps) -> None:
    line = error_line(steps.step1("--split", "test", data_path="data/sample_alpaca.json"))
    assert line.startswith("--split test: only for a dataset of the Hub, and data/sample_alpaca.json is here")


@pytest.mark.long
def test_pipeline_names_its_files_after_the_dataset(steps: Steps, hub: HubServer, tmp_path: Path) -> None:
    hub.push(NAME, {"train.jsonl": as_lines(ROWS), "test.jsonl": as_lines(ROWS[1:])})
    outputs = tmp_path / "out"
    settings = {"MODEL": steps.model, "OUTPUT_DIR": outputs, "SAMPLE_RATE": 1, "FILTER_THREASH": 1000, "MAX_LENGTH": 64}
    client = {"HF_ENDPOINT": hub.url, "HF_HOME": tmp_path / "hf", "HF_HUB_OFFLINE": "0"}
    for split in ("", "test"):
        done = bash("scripts/run_pipeline.sh", DATA_PATH=NAME, SPLIT=split, **settings, **client)
        assert done.returncode == 0, done.stderr
    model = steps.model.name
    for name, num_records in ((f"alpaca_{model}", len(ROWS)), (f"alpaca_test_{model}", len(ROWS) - 1)):
        selected = (outputs / f"{name}_selected.jsonl").read_text(encoding="utf-8")
        assert selected.count("\n") == num_records
        assert (outputs / f"{name}_report.html").exists()
