"""A judge's run that is killed at any instant: nothing answered is asked again, and the file is that of a calm run."""

import collections
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_server import MIXED_FAULTS, FaultServer, verdict
from judge_runs import environment, write_pairs

from script_runs import ROOT

BATCH_SIZE = 8


def start(wrap: Path, url: str, *flags: str) -> subprocess.Popen:
    command = [
        sys.executable,
        str(ROOT / "evaluation/generation/eval.py"),
        "--wraped_file",
        str(wrap),
        "--api_base",
        url,
    ]
    command += ["--batch_size", str(BATCH_SIZE), *flags]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def review_bytes(wrap: Path) -> bytes:
    return wrap.with_name("mine_wrap_reviews_gpt4.json").read_bytes()


def journal_lines(wrap: Path) -> int:
    journal = wrap.with_name("mine_wrap_reviews_gpt4.json.journal.jsonl")
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def run_killed(wrap: Path, server: FaultServer, num_kills: int, num_requests: int) -> None:
    """Run to the end, killed on the way at random moments, spread over the work."""
    moments = random.Random(0)
    for kill in range(num_kills):
        wanted = num_requests * (kill + 1) // (num_kills + 2)
        process = start(wrap, server.url)
        while journal_lines(wrap) < wanted and process.poll() is None:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.03))
        process.kill()
        process.wait()
    process = start(wrap, server.url)
    _, stderr = process.communicate(timeout=120)
    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.parametrize("num_kills", [2, pytest.param(20, marks=pytest.mark.long)])
def test_killed_runs_ask_nothing_twice_that_was_answered(num_kills: int, tmp_path: Path) -> None:
    num_pairs, ledger = 20 * num_kills, tmp_path / "ledger.jsonl"
    (tmp_path / "calm").mkdir()
    calm, wrap = write_pairs(tmp_path / "calm", num_pairs), write_pairs(tmp_path, num_pairs)
    prose = {"by_text": {"Question 7?": "prose"}}
    with FaultServer(**prose) as server:
        assert start(calm, server.url).wait(timeout=120) == 0
    with FaultServer(ledger, latency_seconds=0.01, fault_rate=0.05, faults=MIXED_FAULTS, **prose) as server:
        run_killed(wrap, server, num_kills, 2 * num_pairs)
        answered = collections.Counter(line["body"] for line in server.ledger() if line["outcome"] in ("ok", "prose"))
    assert review_bytes(wrap) == review_bytes(calm)
    # Two of the requests had to be asked again for scores.
    assert len(answered) == 2 * num_pairs + 2
    # Answered twice are only requests that were in flight at a kill, or a quarter of as many that waited for the disk.
    assert answered.total() - len(answered) <= num_kills * (BATCH_SIZE + BATCH_SIZE // 4)


@pytest.mark.parametrize(("num_kills", "max_cost"), [(2, 4), pytest.param(20, 12, marks=pytest.mark.long)])
def test_killed_runs_with_charged_failures_never_cost_more_than_they_may(
    num_kills: int, max_cost: int, tmp_path: Path
) -> None:
    ledger, wrap = tmp_path / "ledger.jsonl", write_pairs(tmp_path, 400)
    flags = ("--price_in", "30", "--price_out", "60", "--max_cost", str(max_cost), "--max_retries", "50")
    moments = random.Random(0)
    with FaultServer(ledger, latency_seconds=0.01, fault_rate=0.3, faults=["null_content"]) as server:
        for _ in range(num_kills):
            process, before = start(wrap, server.url, *flags), journal_lines(wrap)
            # A run that may not spend more ends by itself.
            while journal_lines(wrap) < before + 2 * BATCH_SIZE and process.poll() is None:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            process.wait()
        last = start(wrap, server.url, *flags)
        _, stderr = last.communicate(timeout=120)
        served = [line for line in server.ledger() if line["outcome"] in ("ok", "null_content")]
    assert last.returncode == 2 and f"--max_cost {max_cost}".encode() in stderr
    # What the server would charge, failures and what was in flight at a kill too; its tokens are words.
    num_in = sum(line["num_words"] for line in served)
    num_out = sum(len(verdict(b"").split()) for line in served if line["outcome"] == "ok")
    assert {line["outcome"] for line in served} == {"ok", "null_content"}
    assert 0 < num_in * 30 + num_out * 60 <= max_cost * 1_000_000
