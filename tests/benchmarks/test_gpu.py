"""The benchmark of a graphics card: what it makes up, its arithmetic, and one small run on a CPU."""

import json
import statistics

import pytest
import torch

from benchmarks import gpu
from benchmarks.contenders import BenchTask
from benchmarks.gpu import Measured, Row, format_table, main, matrix_rate, summarize
from benchmarks.made_up import PROMPT_WORDS, RESPONSE_WORDS, write_like_alpaca

TINY = ["--tiny", "--device", "cpu", "--num_records", "30", "--num_reference", "5", "--records_per_chunk", "12"]


def test_made_up_records_have_alpacas_lengths_and_a_long_tail() -> None:
    records = write_like_alpaca(4000)
    prompts, responses = ([len(record[key].split()) for record in records] for key in ("instruction", "output"))
    assert statistics.mean(prompts) == pytest.approx(PROMPT_WORDS, rel=0.1)
    assert statistics.mean(responses) == pytest.approx(RESPONSE_WORDS, rel=0.1)
    assert max(responses) > 5 * RESPONSE_WORDS > 5 * statistics.median(responses)


def test_made_up_records_are_the_same_each_time() -> None:
    assert write_like_alpaca(20) == write_like_alpaca(20) != write_like_alpaca(20, seed=1)


def test_rate_of_matrix_products_is_a_rate() -> None:
    assert 1e6 < matrix_rate(torch.float32, torch.device("cpu")) < 1e16


def test_figures_of_a_part_are_extrapolated_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "count_work", lambda task: {"tokens": 10 * len(task.records), "operations": 3e12})
    task = BenchTask("model", "folder", [{}] * 100, 64, 0, 1.0)
    measured = Measured("float32", 20, 4.0, 7, [(0, 1.0, 2.0), (1, 1.5, 2.5), (2, 9.0, 9.0)])
    row = summarize(measured, task, 1.5e12, [(0, 1.0, 2.25), (1, 1.5, 2.5)])
    assert row.seconds_for_all == 4.0 * 100 / 20
    assert (row.records_per_second, row.tokens_per_second) == (20 / 4.0, 10 * 20 / 4.0)
    assert (row.teraflops, row.share_of_matrix_rate) == (3 / 4.0, 3e12 / 4.0 / 1.5e12)
    assert row.max_loss_difference == 0.25  # of the records that both have scored


def test_table_says_what_is_extrapolated() -> None:
    row = Row("float32", 20, 20.0, 5.0, 50.0, 0.75, 0.5, 7, 0.25)
    assert "| float32 | 20 | 20.0 (extrapolated) |" in format_table([row], 100)
    assert "| float32 | 20 | 20.0 | 5.0 | 50 | 0.75 | 50% |" in format_table([row], 20)


def test_run_prints_a_table_and_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    main(TINY)
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert list(found["contenders"]) == ["reference", "float32", "bfloat16"]
    assert [row["num_records"] for row in found["contenders"].values()] == [5, 30, 30]
    assert found["contenders"]["float32"]["max_loss_difference"] < 1e-4
    assert 0 < found["contenders"]["bfloat16"]["max_loss_difference"] < 0.1
    assert sum(line.startswith("|") for line in lines) == 2 + 3


def test_contender_that_takes_too_long_is_stopped_after_a_chunk(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = gpu.measure_ours
    monkeypatch.setattr(gpu, "measure_ours", lambda *values: measure(*values[:-1], 0.0))
    main([*TINY, "--dtypes", "float32"])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["contenders"]["float32"]["num_records"] == 12
