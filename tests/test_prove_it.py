"""The experiment as users run it, with a tiny model: fair arms, runs that are gone on with, one line a mistake."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

import prove_it as prove_it_script
from script_runs import ROOT, error_line, files_in, flag_error, write_json
from shared.cli import run
from training import fine_tuning
from training.arms import ARMS

WORDS = [
    "red",
    "yellow",
    "brown",
    "leaves",
    "station",
    "water",
    "clock",
    "mountain",
    "letter",
    "chunk",
    "garden",
    "river",
]


def write_scored(path: Path, num: int = 40) -> Path:
    """Scored records: the higher ifd_ppl and the lower ifd_upper, the longer the response.

    Every tenth has none, as its response is empty.
    """
    records = [
        {
            "instruction": f"Name {index} things.",
            "input": "",
            "output": "" if index % 10 == 9 else " ".join(WORDS[place % 12] for place in range(index % 7 + 3)),
            "ifd_ppl": None if index % 10 == 9 else (index % 7 + 1) / 10 + index / 1000,
            "ifd_upper": None if index % 10 == 9 else (7 - index % 7) / 10 + index / 1000,
        }
        for index in range(num)
    ]
    return write_json(path, records)


class ProveIt:
    """Runs the script on scored.json in a folder, in this process: importing torch takes longer than all else."""

    def __init__(
        self, folder: Path, model: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.patch, self.captured = folder, patch, captured
        write_scored(folder / "scored.json")
        patch.chdir(folder)
        self.flags = [
            "--json_data_path=scored.json",
            "--save_path=out.json",
            f"--model_name_or_path={model}",
            "--max_length=64",
        ]
        self.flags += ["--num_steps=3", "--tokens_per_step=60", "--sample_rate=0.1", "--device=cpu"]

    def run(self, *flags: object) -> subprocess.CompletedProcess:
        self.patch.setattr(sys, "argv", ["prove_it.py", *self.flags, *map(str, flags)])
        exit_code: Any = 0
        try:
            run(prove_it_script.main)
        except SystemExit as end:
            exit_code = end.code
        return subprocess.CompletedProcess([], exit_code, *self.captured.readouterr())

    def runs(self) -> list[dict[str, Any]]:
        """The finished runs of the journal."""
        return [
            json.loads(line)
            for line in (self.folder / "out.json.runs.jsonl").read_text(encoding="utf-8").splitlines()[1:]
        ]


@pytest.fixture
def prove_it(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> ProveIt:
    return ProveIt(tmp_path, tiny_gpt2, monkeypatch, capsys)


def without_time(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key not in ("seconds", "cpu_seconds")} for entry in runs]


def test_every_arm_sees_the_same_number_of_response_tokens_in_the_same_number_of_steps(prove_it: ProveIt) -> None:
    done = prove_it.run("--seeds", 0)
    assert done.returncode == 0, done.stderr
    runs = prove_it.runs()[1:]
    assert [entry["arm"] for entry in runs] == list(ARMS)
    longest = max(max(entry["tokens"]) for entry in runs) + 20  # no response has many more tokens than a held-out one
    for entry in runs:
        assert len(entry["training_losses"]) == 3
        assert abs(entry["trained_response_tokens"] - 3 * 60) <= longest / 2
        assert entry["trained_tokens"] > entry["trained_response_tokens"]
    of_arm = {entry["arm"]: entry["response_tokens"] for entry in runs}
    assert of_arm["upper"] < of_arm["random"] < of_arm["selected"]
    assert {entry["num_planted"] for entry in runs} == {None}


def test_by_tokens_every_arm_has_as_many_and_the_lowest_more_records(prove_it: ProveIt) -> None:
    arms = ["selected", "random", "lowest"]
    assert prove_it.run("--seeds", 0, "--sample_by=tokens", "--sample_rate=0.2", "--arms", *arms).returncode == 0
    runs = {entry["arm"]: entry for entry in prove_it.runs()}
    assert runs["lowest"]["num_records"] > runs["random"]["num_records"] > runs["selected"]["num_records"]
    tokens = [runs[arm]["response_tokens"] for arm in arms]
    assert max(tokens) - min(tokens) < max(tokens) / 4  # a record of them


def test_planted_records_are_counted_and_never_held_out(prove_it: ProveIt) -> None:
    records = json.loads((prove_it.folder / "scored.json").read_text(encoding="utf-8"))
    # Only six records are clean, of which three are held out.
    write_json(
        prove_it.folder / "scored.json",
        [record | {"planted": index >= 6} for index, record in enumerate(records)],
    )
    done = prove_it.run("--seeds", 0, "--arms", "all", "random")
    runs = {entry["arm"]: entry for entry in prove_it.runs()}
    assert runs["all"]["num_records"] == 33 and runs["all"]["num_planted"] == 30
    assert len(runs["all"]["losses"]) == 3
    [line] = [line.split() for line in done.stdout.splitlines() if line.startswith("all ")][:1]
    assert line[:3] == ["all", "33", "30"]


def test_runs_of_equal_records_are_balanced_and_repeatable(prove_it: ProveIt) -> None:
    prove_it.flags.remove("--tokens_per_step=60")
    prove_it.flags += ["--batch_size=2", "--arms", "selected", "random", "lowest", "all"]
    done = prove_it.run("--seeds", 0, 1)
    assert done.returncode == 0, done.stderr
    runs, table = prove_it.runs(), done.stdout
    arms = ["selected", "random", "lowest", "all"]
    # Seed by seed, so that what a stop leaves is balanced.
    assert [(entry["arm"], entry["seed"]) for entry in runs] == [
        ("untrained", None),
        *((arm, seed) for seed in (0, 1) for arm in arms),
    ]
    # 36 of 40 records have a response, floor(3.6) are held out, 33 are the pool, floor(3.3) make an arm.
    assert [entry["num_records"] for entry in runs] == [0, 3, 3, 3, 33, 3, 3, 3, 33]
    assert [len(entry["training_losses"]) for entry in runs] == [0, *[3] * 8]
    assert all(
        len(entry["losses"]) == len(entry["tokens"]) == 3 and entry["tokens"] == runs[0]["tokens"] for entry in runs
    )
    assert [entry["trained_records"] for entry in runs] == [0, *[6] * 8]
    by_arm = {entry["arm"]: entry["trained_response_tokens"] for entry in runs[1:5]}
    assert by_arm["lowest"] < by_arm["random"] < by_arm["selected"]
    assert "3 records held out" in table and "33 to train on\n-> out.json\n" in table
    rows = json.loads((prove_it.folder / "out.json").read_text(encoding="utf-8"))["rows"]
    assert [row["arm"] for row in rows] == ["untrained", *arms]

    assert done.stderr.count(" nats per token, ") == 9

    # Again: nothing is trained, and the table is the same.
    before = files_in(prove_it.folder)
    again = prove_it.run("--seeds", 0, 1)
    assert (again.returncode, again.stdout) == (0, table)
    assert files_in(prove_it.folder) == before

    # A stop in the middle of the fourth run: it and what follows come out as before, and the first three are not
    # repeated.
    journal = prove_it.folder / "out.json.runs.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    resumed = prove_it.run("--seeds", 0, 1)
    assert resumed.stdout == table
    assert prove_it.runs()[:3] == runs[:3]
    assert without_time(prove_it.runs()) == without_time(runs)


def test_conversations_are_trained_on_by_the_turn(prove_it: ProveIt) -> None:
    records = json.loads((prove_it.folder / "scored.json").read_text(encoding="utf-8"))
    turns = [[{"from": "human", "value": r["instruction"]}, {"from": "gpt", "value": r["output"]}] for r in records]
    write_json(
        prove_it.folder / "scored.json",
        [{"conversations": turn * 2, "ifd_ppl": r["ifd_ppl"]} for turn, r in zip(turns, records, strict=True)],
    )
    assert prove_it.run("--seeds", 0, "--arms", "random").returncode == 0
    assert [len(entry["losses"]) for entry in prove_it.runs()] == [
        2 * 3
    ] * 2  # two turns of each of three held-out records


def test_training_that_diverges_is_one_line_and_keeps_what_is_done(
    prove_it: ProveIt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(model: PreTrainedModel, *rest: object) -> list[float]:
        model.get_input_embeddings().weight.data.fill_(math.inf)
        return []

    monkeypatch.setattr(fine_tuning, "fine_tune", diverge)
    done = prove_it.run("--seeds", 7)
    assert done.returncode == 2
    message = (
        "error: arm selected, seed 7: the trained model gives no finite loss on held-out records; "
        "lower --learning_rate\n"
    )
    assert done.stderr.endswith(message)
    assert [entry["arm"] for entry in prove_it.runs()] == ["untrained"]
    assert "untrained" in done.stdout


def test_more_seeds_and_arms_are_added_to_a_journal(prove_it: ProveIt) -> None:
    assert prove_it.run("--seeds", 5, "--arms", "random").returncode == 0
    first = prove_it.runs()
    assert prove_it.run("--seeds", 5, 5, "--arms", "lowest", "random").returncode == 0
    assert prove_it.runs()[:2] == first
    assert [(entry["arm"], entry["seed"]) for entry in prove_it.runs()[2:]] == [("lowest", 5)]


def test_changed_settings_are_refused_by_name(prove_it: ProveIt) -> None:
    assert prove_it.run("--seeds", 0, "--arms", "lowest").returncode == 0
    before = files_in(prove_it.folder)
    error = error_line(prove_it.run("--seeds", 0, "--learning_rate", 0.002))
    assert error.startswith("out.json.runs.jsonl: holds work of another run (learning_rate: 0.001 there, 0.002 now); ")
    assert files_in(prove_it.folder) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--sample_rate=0.01"], "--sample_rate 0.01: of 33 records to train on that is none; give a higher rate"),
        (
            ["--filter_threash=0.01"],
            "only 0 records to train on have a score below 0.01 for the arm selected, and an arm takes 3; "
            "lower --sample_rate",
        ),
        (["--held_out_rate=0.01"], "--held_out_rate 0.01: of 36 records with a response that is 0"),
        (["--key_name=ifd_loss"], "scored.json: no record has 'ifd_loss'; run step 2 on it first"),
        (["--save_path=scored.json"], "scored.json: the output would overwrite an input of this step"),
        (["--json_data_path=missing.json"], "missing.json: "),
        (["--max_length=65"], "--max_length 65: "),
        (["--tokens_per_step=1"], "--tokens_per_step 1: records of up to "),
    ],
)
def test_mistake_is_found_before_any_training(prove_it: ProveIt, flags: list[str], message: str) -> None:
    before = files_in(prove_it.folder)
    assert error_line(prove_it.run(*flags)).startswith(message)
    assert files_in(prove_it.folder) == before


@pytest.mark.parametrize(
    ("arms", "left_out"),
    [
        (["upper", "random"], "upper"),
        (["upper", "upper_groups", "upper"], "upper and upper_groups"),
        (["random"], None),
    ],
)
def test_only_arms_by_ifd_upper_need_it(prove_it: ProveIt, arms: list[str], left_out: str | None) -> None:
    records = json.loads((prove_it.folder / "scored.json").read_text(encoding="utf-8"))
    write_json(
        prove_it.folder / "scored.json",
        [{key: value for key, value in record.items() if key != "ifd_upper"} for record in records],
    )
    done = prove_it.run("--seeds", 0, "--arms", *arms)
    if left_out is None:
        assert done.returncode == 0
    else:
        assert error_line(done).endswith(f"; or leave {left_out} out of --arms")


@pytest.mark.parametrize(
    "flag",
    [
        "--learning_rate=0",
        "--learning_rate=nan",
        "--lora_rank=-1",
        "--seeds=-1",
        "--num_steps=0",
        "--arms=best",
        "--batch_size=2",
    ],
)
def test_wrong_flags_are_refused(prove_it: ProveIt, flag: str) -> None:
    assert flag_error(prove_it.run(flag)).startswith(f"argument {flag.split('=')[0]}: ")


def test_ctrl_c_keeps_finished_runs_and_says_how_to_go_on(prove_it: ProveIt) -> None:
    journal = prove_it.folder / "out.json.runs.jsonl"
    command = [sys.executable, str(ROOT / "code_ifd" / "prove_it.py"), *prove_it.flags, "--num_steps=100000"]
    process = subprocess.Popen(command, cwd=prove_it.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") == 2) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.endswith("stopped: 1 runs are in out.json.runs.jsonl; the same command trains the rest\n")
    assert "untrained" in stdout and len(prove_it.runs()) == 1
