"""Every fault of a server ends in its class, within its bound, and the message names the cause."""

import json
import os
import re
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from fault_server import MIXED_FAULTS, FaultServer
from judge_runs import KEY, environment, judge, write_pairs

from script_runs import ROOT


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def review_of(wrap: Path) -> Path:
    return wrap.with_name("mine_wrap_reviews_gpt4.json")


def num_kept(wrap: Path) -> int:
    journal = Path(f"{review_of(wrap)}.journal.jsonl")
    return journal.read_text(encoding="utf-8").count('"key": ')


FATAL = {
    "401": "wrong key (401): Incorrect API key provided: [key]. You can find your key on the page of keys.; "
    "check OPENAI_API_KEY, and that it belongs to --api_base",
    "403": "not allowed (403): Your country is not supported.",
    "404": "not found (404): The model `judge-0` does not exist.; check --api_model, and that --api_base ends as the "
    "server wants it (mostly /v1)",
    "400": "bad request (400): Unknown parameter: 'frobnicate'.; check --api_model, --max_tokens and --temperature",
    "quota": "quota exhausted (429): You exceeded your current quota, please check your plan.",
    "moved": "refused (301): moved to http://127.0.0.1/elsewhere",
    "429:86400": "rate limit (429), to wait 86,400 s: Rate limit reached.",
}


@pytest.mark.parametrize("fault", FATAL)
def test_fatal_faults_end_the_run_at_once_with_the_servers_words(
    fault: str, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 20)
    with FaultServer(ledger, otherwise=fault) as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "4")
        # A rejection may be about one prompt: some more are asked, to see whether any is answered.
        assert len(server.ledger("arrived")) <= (4 + 4 if fault in ("400", "403") else 4)
    message = (
        rf"the judge's server does not answer pair [0-3], order [12]: {re.escape(FATAL[fault])}; 0 answers of this run"
    )
    assert re.match(message, done.error)
    assert not review_of(wrap).exists()


def test_a_fatal_fault_keeps_what_was_answered_and_the_same_command_goes_on(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 10)
    with FaultServer(ledger, script=["ok"] * 7 + ["quota"]) as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "1")
        assert "7 answers of this run and 0 from before are kept in" in done.stderr and num_kept(wrap) == 7
        assert judge(monkeypatch, wrap, server.url).returncode == 0
        served = [line["body"] for line in server.ledger() if line["outcome"] == "ok"]
        assert len(served) == len(set(served)) == 20


RETRIED = {
    "429": "rate limit (429)",
    "429:0": "rate limit (429)",
    "500": "server error (500)",
    "503": "server error (503)",
    "hang": "timeout",
    "cut": "connection cut",
    "cut_mid": "connection cut",
    "html": "not a completion (HTML)",
    "broken": "not a completion (broken JSON)",
    "empty": "not a completion (an empty body)",
    "null_choices": "not a completion (no choices)",
    "no_choices": "not a completion (no choices)",
    "null_content": "not a completion (null content)",
    "error200": "not a completion (an error)",
}


@pytest.mark.parametrize("fault", RETRIED)
def test_passing_faults_are_retried_and_counted_by_cause(
    fault: str, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 3)
    with FaultServer(ledger, script=[fault] * 2) as server:
        done = judge(
            monkeypatch, wrap, server.url, "--batch_size", "2", "--timeout_seconds", "1" if fault == "hang" else "9"
        )
        assert len(server.ledger("arrived")) == 2 + 6
    assert done.returncode == 0
    assert f"; 2 retries: {RETRIED[fault]} 2\n" in done.stdout


@pytest.mark.parametrize("fault", RETRIED)
def test_lasting_faults_of_one_request_end_within_the_bound_and_are_named(
    fault: str, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 1)
    with FaultServer(ledger, otherwise=fault) as server:
        # What hangs is waited for; a busy machine may be slow to answer the others.
        done = judge(
            monkeypatch, wrap, server.url, "--max_retries", "3", "--timeout_seconds", "0.3" if fault == "hang" else "9"
        )
        assert len(server.ledger("arrived")) == 2 * (1 + 3)
    assert done.error.startswith("2 requests have no answer: pair 0, order ")
    assert all(f"pair 0, order {order}: {RETRIED[fault]}" in done.error for order in (1, 2))
    assert "no review file was written; the same command asks them again" in done.error


def test_failed_requests_are_sent_again_and_answered_ones_are_not(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 6)
    with FaultServer(ledger, by_text={"Question 2?": "500"}) as server:
        done = judge(monkeypatch, wrap, server.url, "--max_retries", "0")
        assert (
            "2 requests have no answer: pair 2, order " in done.stderr
            and ": server error (500): The server had an" in done.stderr
        )
    with FaultServer(ledger) as server:
        assert judge(monkeypatch, wrap, server.url).returncode == 0
        served = [line["body"] for line in server.ledger() if line["outcome"] == "ok"]
        assert len(served) == len(set(served)) == 12


def test_mixed_faults_give_the_same_file_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = []
    for name, plan in (
        ("calm", {}),
        ("rough", {"fault_rate": 0.3, "faults": MIXED_FAULTS, "by_text": {"Question 9?": "prose"}}),
    ):
        (tmp_path / name).mkdir()
        wrap = write_pairs(tmp_path / name, 30)
        with FaultServer(**({"by_text": {"Question 9?": "prose"}} | plan)) as server:
            assert judge(monkeypatch, wrap, server.url, "--max_retries", "50").returncode == 0
        files.append(review_of(wrap).read_bytes())
    assert files[0] == files[1]


def test_a_prompt_that_is_too_long_is_named_and_the_others_are_answered(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 6)
    with FaultServer(ledger, by_text={"Question 1?": "context"}) as server:
        done = judge(monkeypatch, wrap, server.url)
        assert len(server.ledger("arrived")) == 12
    words = "prompt refused (400): This model's maximum context length is 8192 tokens."
    assert (
        done.error.startswith("2 requests have no answer: pair 1, order ")
        and f"pair 1, order 1: {words}; " in done.error
    )
    assert "--refused_prompts skip writes the review file without them" in done.error
    assert num_kept(wrap) == 10 and not review_of(wrap).exists()


def test_refused_prompts_can_be_left_without_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 6)
    with FaultServer(by_text={"Question 1?": "context"}) as server:
        done = judge(monkeypatch, wrap, server.url, "--refused_prompts", "skip")
    rows = json.loads(review_of(wrap).read_text(encoding="utf-8"))["data"]
    assert [row["scores"] is None for row in rows] == [False, True, False, False, False, False]
    assert rows[1]["review"].startswith("[Not reviewed: prompt refused (400): This model's maximum context length")
    assert "2 of 12 reviews without scores" in done.stdout and "warning: pair 1, order 1: prompt refused" in done.stderr


def test_prompts_refused_one_after_the_other_end_the_run(
    tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 50)
    with FaultServer(ledger, otherwise="context") as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "2")
        assert len(server.ledger("arrived")) <= 5 + 2
    assert re.search(
        r"refuses one prompt after the other, last pair [1-3], order [12]: prompt refused \(400\): This model",
        done.error,
    )


@pytest.mark.parametrize("fault", ["500", "cut", "429", "html"])
def test_the_breaker_bounds_what_is_sent_to_a_server_that_is_down(
    fault: str, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 100)
    with FaultServer(ledger, otherwise=fault) as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "5")
        # Ten failures in a row open it, up to five are in flight then, and two probes follow.
        assert len(server.ledger("arrived")) <= 10 + 4 + 2
    assert re.search(
        rf"the judge's server has failed 1[2-6] times in a row, last with {re.escape(RETRIED[fault])}", done.error
    )
    assert "the same command goes on from there" in done.error


def test_a_server_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 10), "http://127.0.0.1:1/v1")
    assert "last with cannot connect: Cannot connect to host 127.0.0.1:1" in done.error


def test_a_short_outage_is_survived(tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 20)
    with FaultServer(ledger, script=["ok"] * 5 + ["503"] * 14) as server:
        assert judge(monkeypatch, wrap, server.url, "--batch_size", "5").returncode == 0


def test_batch_size_is_the_number_in_flight(tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 20)
    with FaultServer(ledger, latency_seconds=0.02, fault_rate=0.2, faults=["500", "html"]) as server:
        assert judge(monkeypatch, wrap, server.url, "--batch_size", "7").returncode == 0
        assert max(line["in_flight"] for line in server.ledger("arrived")) == 7


def test_one_slow_request_holds_up_nobody(tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 20)
    with FaultServer(ledger, slow_text="Question 0?", slow_seconds=2.0, latency_seconds=0.01) as server:
        assert judge(monkeypatch, wrap, server.url, "--batch_size", "3").returncode == 0
        times = [line["time"] for line in server.ledger()]
    # The two slow ones are asked first and served last, long after the 38 others.
    assert sorted(times)[37] < sorted(times)[38] - 0.2


@pytest.mark.parametrize("fault", ["429:1", "429date"])
def test_retry_after_pauses_all_requests(
    fault: str, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 15)
    with FaultServer(ledger, script=["ok"] * 6 + [fault], latency_seconds=0.02) as server:
        assert judge(monkeypatch, wrap, server.url, "--batch_size", "3").returncode == 0
        lines = server.ledger("arrived")
    (limited,) = [line["time"] for line in server.ledger() if line["outcome"] == fault]
    # A date has no fractions of a second: two seconds from now may be hardly more than one.
    assert not [line for line in lines if limited + 0.2 < line["time"] < limited + 0.9]
    assert len(lines) == 31


def test_a_rate_limit_is_lived_with(tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 9)
    with FaultServer(ledger, rate_limit=8) as server:
        done = judge(monkeypatch, wrap, server.url, "--batch_size", "18", "--max_retries", "1")
    assert (done.returncode, num_kept(wrap)) == (0, 18)


@pytest.mark.parametrize("batch_size", [1, 10])
def test_max_cost_is_never_exceeded(
    batch_size: int, tmp_path: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 20)
    flags = ["--price_in", "30", "--price_out", "60", "--max_tokens", "100", "--batch_size", batch_size, "--max_cost"]
    with FaultServer(ledger, latency_seconds=0.01) as server:
        done = judge(monkeypatch, wrap, server.url, *flags, "0.12")
        assert (
            "error: --max_cost 0.12: up to 0." in done.stderr and "the next request could pass the limit" in done.stderr
        )
        kept = num_kept(wrap)
        assert 0 < kept < 40
        lines = Path(f"{review_of(wrap)}.journal.jsonl").read_text(encoding="utf-8").splitlines()[1:]
        tokens = [
            (entry["prompt_tokens"], entry["completion_tokens"]) for entry in map(json.loads, lines) if "key" in entry
        ]
        assert sum(30 * num_in + 60 * num_out for num_in, num_out in tokens) / Decimal(1_000_000) <= Decimal("0.12")
        # What was paid before counts.
        again = judge(monkeypatch, wrap, server.url, *flags, "0.12")
        assert (again.returncode, num_kept(wrap)) == (2, kept)
        assert judge(monkeypatch, wrap, server.url, *flags, "1").returncode == 0
        assert len(server.ledger()) == 40


def test_a_full_disk_ends_with_one_line_and_keeps_what_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 20)
    pwrite = os.pwrite
    with FaultServer() as server:
        with monkeypatch.context() as patch:

            def fill_up(fd: int, data: bytes, offset: int) -> int:
                if offset > 3000:
                    raise OSError(28, "No space left on device")
                return pwrite(fd, data, offset)

            patch.setattr(os, "pwrite", fill_up)
            done = judge(monkeypatch, wrap, server.url, "--batch_size", "4")
        assert "writing failed: No space left on device; what was finished before is kept" in done.error
        kept = num_kept(wrap)
        assert f"{kept} answers of this run and 0 from before are kept" in done.error and 0 < kept < 40
        assert judge(monkeypatch, wrap, server.url).returncode == 0


def test_ctrl_c_keeps_what_is_answered(tmp_path: Path, ledger: Path) -> None:
    wrap = write_pairs(tmp_path, 50)
    with FaultServer(ledger, latency_seconds=0.05) as server:
        command = [
            sys.executable,
            str(ROOT / "evaluation/generation/eval.py"),
            "--wraped_file",
            str(wrap),
            "--api_base",
            server.url,
        ]
        process = subprocess.Popen(
            [*command, "--batch_size", "2"], env=environment(), stderr=subprocess.PIPE, text=True
        )
        while len(server.ledger()) < 10:
            time.sleep(0.02)
        process.send_signal(2)
        _, stderr = process.communicate(timeout=20)
        num_served = len(server.ledger())
    assert (process.returncode, stderr.count("\n")) == (130, 2)
    assert stderr.startswith(
        f"\nstopped: {num_kept(wrap)} answers of this run and 0 from before are kept in {review_of(wrap)}.journal"
    )
    assert num_served - 2 <= num_kept(wrap) <= num_served


def test_a_wrong_key_ends_within_three_seconds(tmp_path: Path) -> None:
    """Measured as processor time: the machine that runs the tests may be busy."""
    wrap = write_pairs(tmp_path, 100)
    code = (
        "import resource, runpy, sys\ntry:\n    runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "finally:\n    print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), file=sys.stderr)"
    )
    with FaultServer(otherwise="401") as server:
        path = str(ROOT / "evaluation/generation/eval.py")
        command = [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, sys.argv[1].rpartition('/')[0]); " + code,
            path,
        ]
        done = subprocess.run(
            [*command, "--wraped_file", str(wrap), "--api_base", server.url],
            env=environment(),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 2
    assert float(done.stderr.splitlines()[-1]) < 3


def test_a_key_in_the_address_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = judge(monkeypatch, write_pairs(tmp_path, 1), "http://user:secret@127.0.0.1:1/v1", "--dry_run", key=KEY)
    assert done.returncode == 0 and "secret" not in done.stdout
