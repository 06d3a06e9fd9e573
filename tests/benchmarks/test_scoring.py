"""The benchmark: its arithmetic, and one small run of all its parts."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.contenders import BenchTask
from benchmarks.scoring import compare_losses, format_table, summarize_runs
from script_runs import ROOT


def task(num_records: int = 4) -> BenchTask:
    return BenchTask("model", "folder", [{}] * num_records, 64, 2, 1.0)


def run_benchmark(name: str, *args: object) -> "subprocess.CompletedProcess[str]":
    """Run a benchmark as its usage text says."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, args)]
    env = os.environ | {"PYTHONPATH": str(ROOT / "code_ifd")}
    return subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", timeout=300)


def losses(log_ifd: list[float]) -> list[tuple[int, float, float]]:
    return [(index, 3.0, 3.0 + value) for index, value in enumerate(log_ifd)]


def test_comparison_with_itself_is_perfect() -> None:
    found = compare_losses(losses([-0.5, -0.1, 0.2, -0.3]), losses([-0.5, -0.1, 0.2, -0.3]), task())
    assert (found["max_relative_error"], found["spearman"], found["overlap"]) == (0, pytest.approx(1), 1)


def test_comparison_counts_errors_ranks_and_the_selected() -> None:
    found = compare_losses(losses([-0.05, -0.1, 0.2, -0.3]), losses([-0.5, -0.1, 0.2, -0.3]), task())
    assert found["max_relative_error"] == pytest.approx(math.exp(0.45) - 1)
    # Ranks 2 1 3 0 against 0 2 3 1: 1 - 6 * (4 + 1 + 0 + 1) / (4 * 15)
    assert found["spearman"] == pytest.approx(0.4)
    assert found["overlap"] == 0.5  # 0 and 1 are selected instead of 1 and 3


def test_equal_scores_have_equal_ranks() -> None:
    found = compare_losses(losses([-0.1, -0.1, -0.3]), losses([-0.1, -0.1, -0.3]), task())
    assert found["spearman"] == pytest.approx(1)
    found = compare_losses(losses([-0.1, -0.1, -0.3]), losses([-0.1, -0.2, -0.3]), task())
    # Ranks 2.5 2.5 1 against 3 2 1: covariance 1.5, variances 1.5 and 2.
    assert found["spearman"] == pytest.approx(1.5 / (1.5 * 2) ** 0.5)


def test_contenders_must_have_scored_the_same_records() -> None:
    with pytest.raises(RuntimeError, match="different records"):
        compare_losses(losses([-0.5]), losses([-0.5, -0.1]), task())


def test_shares_and_speedups_are_taken_round_by_round() -> None:
    found = losses([-0.5, -0.1, 0.2, -0.3])
    work = {"tokens": 100, "scored_tokens": 80, "operations": 1e9}
    # The machine is half as fast in the second round, and so is everything on it.
    runs = {
        "reference": [(4.0, found, 7), (8.0, found, 7), (4.0, found, 7)],
        "float32": [(2.0, found, 9), (4.0, found, 9), (2.0, found, 9)],
        "floor-float32": [(0.1, 1e9, 1), (0.1, 0.5e9, 1), (0.1, 1e9, 1)],
    }
    table = summarize_runs(runs, work, task())
    assert table["float32"]["speedup"] == 2
    assert table["float32"]["share_of_floor"] == 0.5  # 1e9 / 2 s / 1e9
    assert table["reference"]["share_of_floor"] == 0.25
    assert table["float32"]["records_per_second"] == 4 / 2
    assert table["floor-float32"]["gflops"] == 1
    assert "| float32 | 2.00 (1.00 to 2.00) | 40 | 0 | 50% | 2.00 |" in format_table(table)


@pytest.mark.long
def test_benchmark_runs_and_ends_with_json(tiny_llama: Path) -> None:
    result = run_benchmark(
        "scoring",
        "--data_path",
        ROOT / "data" / "sample_alpaca.json",
        "--model_name_or_path",
        tiny_llama,
        "--num_records",
        12,
        "--repeats",
        1,
        "--max_length",
        256,
        "--dtypes",
        "float32",
        "bfloat16",
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])["contenders"]
    assert {"reference", "float32", "bfloat16", "floor-float32", "floor-bfloat16"} <= set(found)
    assert found["float32"]["max_relative_error"] < 1e-4 < found["bfloat16"]["max_relative_error"] < 0.2


def test_answers_of_conversations_are_exchanges() -> None:
    talk = {"messages": [{"role": role, "content": "Hello."} for role in ("user", "assistant") * 2]}
    plain = {"instruction": "Go on.", "output": "Yes."}
    asked = BenchTask("model", "folder", [talk, plain], 64, 2, 1.0).exchanges()
    assert [one["output"] for one in asked] == ["Hello.", "Hello.", "Yes."]


@pytest.mark.long
def test_benchmark_compares_conversations_answer_by_answer(tiny_llama: Path, tmp_path: Path) -> None:
    turns = [{"role": role, "content": text} for role, text in (("user", "Hello?"), ("assistant", "Yes, it is."))]
    talks = [{"messages": turns * num} for num in (1, 2, 3, 4)] + [{"messages": turns[:1]}]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(talks), encoding="utf-8")
    flags = ["--data_path", data, "--model_name_or_path", tiny_llama, "--repeats", 1, "--max_length", 256]
    result = run_benchmark("scoring", *flags, "--dtypes", "float32")
    assert result.returncode == 0, result.stderr
    assert "4 records, 10 answers" in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["contenders"]["float32"]["max_relative_error"] < 1e-4
    refused = run_benchmark("scoring", *flags, "--dtypes", "mixed")
    assert (refused.returncode, "takes no conversations" in refused.stderr) == (2, True)


@pytest.mark.long
def test_growth_is_measured_for_every_size(tiny_gpt2: Path) -> None:
    result = run_benchmark(
        "growth",
        "--data_path",
        ROOT / "data" / "sample_alpaca.json",
        "--model_name_or_path",
        tiny_gpt2,
        "--sizes",
        20,
        40,
        "--max_length",
        64,
    )
    assert result.returncode == 0, result.stderr
    sizes = json.loads(result.stdout.splitlines()[-1])["sizes"]
    assert set(sizes) == {"20", "40"}
    assert all(size["peak_bytes"] > 1e8 for size in sizes.values())
