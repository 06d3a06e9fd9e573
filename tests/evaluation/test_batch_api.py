"""eval.py --batch_api: the review file of live requests, nothing paid twice, whatever stops it and wherever."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_server import BatchServer, default_answer
from fault_server import FaultServer, completion
from judge_runs import KEY, Done, environment, judge, write_pairs

from script_runs import ROOT

BATCH = ("--batch_api", "--poll_seconds", "0.01")
STAGES = [
    (endpoint, moment)
    for endpoint in ("upload", "create", "retrieve", "content")
    for moment in ("before", "done", "after")
]


def review_of(wrap: Path) -> Path:
    return wrap.with_name("mine_wrap_reviews_gpt4.json")


def run_batch(monkeypatch: pytest.MonkeyPatch, wrap: Path, server: BatchServer, *flags: object) -> Done:
    return judge(monkeypatch, wrap, server.url, *BATCH, *flags)


def with_prose(body: bytes) -> tuple[int, dict[str, Any]]:
    """Answers without scores to one question."""
    if b"Question 1?" in body:
        return 200, json.loads(completion("Both are good.", body, "judge-1"))
    return default_answer(body)


def test_a_batch_gives_the_file_of_live_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "live").mkdir()
    live, wrap = write_pairs(tmp_path / "live", 4), write_pairs(tmp_path, 4)
    with FaultServer(by_text={"Question 1?": "prose"}) as server:
        assert judge(monkeypatch, live, server.url).returncode == 0
    with BatchServer(with_prose) as batches:
        done = run_batch(monkeypatch, wrap, batches)
        assert done.returncode == 0, done
        assert len(batches.batches) == 2  # the second asks two of them again
        assert set(batches.paid.values()) == {1} and batches.paid.total() == 8 + 2
        assert run_batch(monkeypatch, wrap, batches).returncode == 0
        assert len(batches.batches) == 2
    assert review_of(wrap).read_bytes() == review_of(live).read_bytes()
    assert "batch batch-0: completed" in done.stderr and KEY not in done.stdout + done.stderr


def start(wrap: Path, server: BatchServer) -> subprocess.Popen:
    command = [sys.executable, str(ROOT / "evaluation/generation/eval.py"), "--wraped_file", str(wrap)]
    return subprocess.Popen(
        [*command, "--api_base", server.url, *BATCH], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run_killed(wrap: Path, kills: list[tuple[str, str]]) -> BatchServer:
    """Run again and again, killed once at each of these moments, until the review file is there."""
    with BatchServer(with_prose, kills=kills, statuses=["in_progress"]) as server:
        for _ in range(len(kills) + 1):
            server.victim = start(wrap, server)
            server.victim.communicate(timeout=120)
            if review_of(wrap).exists():
                break
        assert review_of(wrap).exists() and server.kills == []
    return server


@pytest.mark.parametrize("stage", [("create", "done"), ("content", "after")], ids=str)
def test_a_run_killed_at_a_stage_pays_nothing_twice(stage: tuple[str, str], tmp_path: Path) -> None:
    server = run_killed(write_pairs(tmp_path, 2), [stage])
    assert set(server.paid.values()) == {1}


@pytest.mark.long
def test_20_kills_at_every_stage_pay_nothing_twice(tmp_path: Path) -> None:
    num_kills = 0
    for number, kills in enumerate([STAGES[:4], STAGES[4:8], STAGES[8:], STAGES[::2], STAGES[1:4:2]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = run_killed(write_pairs(folder, 3), list(kills))
        assert set(server.paid.values()) == {1} and server.paid.total() == 6 + 2
        num_kills += len(kills)
    assert num_kills == 20


@pytest.mark.parametrize("endpoint", ["upload", "create", "retrieve", "content"])
def test_an_answer_that_is_lost_on_the_way_is_no_second_batch(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BatchServer(fail_once=[endpoint]) as server:
        assert run_batch(monkeypatch, write_pairs(tmp_path, 2), server).returncode == 0
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}


def test_an_open_batch_is_not_asked_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    with BatchServer(lacks=["retrieve"]) as server:
        assert "does not look at a batch: not found (404)" in run_batch(monkeypatch, wrap, server).stderr
        done = judge(monkeypatch, wrap, server.url)
        assert "the batch batch-0 of 4 requests is open, and they would be paid twice" in done.error
        server.lacks.clear()
        assert run_batch(monkeypatch, wrap, server).returncode == 0
        assert set(server.paid.values()) == {1}


def test_another_server_than_the_open_batchs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    with BatchServer(lacks=["retrieve"]) as server, BatchServer() as other:
        run_batch(monkeypatch, wrap, server)
        assert f"its open batch is at {server.url}, not at {other.url}" in run_batch(monkeypatch, wrap, other).stderr
        assert not other.batches


@pytest.mark.parametrize(("endpoint", "what"), [("upload", "upload"), ("create", "create a batch")])
def test_a_server_without_batches_is_named_with_a_remedy_that_works(
    endpoint: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    with BatchServer(lacks=[endpoint]) as server:
        done = run_batch(monkeypatch, wrap, server)
    assert f"does not {what}: not found (404): Not found.; its Batch endpoints may be missing: leave" in done.stderr
    with FaultServer() as live:
        assert judge(monkeypatch, wrap, live.url).returncode == 0


def test_a_batch_that_may_have_been_made_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    with BatchServer(lacks=["list"], fail_once=["create"]) as server:
        assert "does not list batches" in run_batch(monkeypatch, wrap, server).stderr
        assert "of 4 requests is open" in judge(monkeypatch, wrap, server.url).error
        server.lacks.clear()
        assert run_batch(monkeypatch, wrap, server).returncode == 0
        assert len(server.batches) == 1 and set(server.paid.values()) == {1}


def test_a_failed_batch_says_why_and_the_next_run_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    with BatchServer(final_status="failed") as server:
        assert "has failed the batch batch-0: The file is wrong." in run_batch(monkeypatch, wrap, server).stderr
        server.final_status = "completed"
        assert run_batch(monkeypatch, wrap, server).returncode == 0


def test_what_an_expired_batch_left_out_goes_into_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with BatchServer(final_status="expired", num_left_out=1) as server:
        done = run_batch(monkeypatch, write_pairs(tmp_path, 2), server)
        # The last batch has one request and leaves it out, three times.
        assert "1 requests have no answer: pair 1, order 2: no result in the batch" in done.stderr
        assert set(server.paid.values()) == {1}


def test_a_refused_prompt_of_a_batch_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(body: bytes) -> tuple[int, dict[str, Any]]:
        if b"Question 1?" in body:
            return 400, {"error": {"message": "Odd words of a filter."}}
        return default_answer(body)

    wrap = write_pairs(tmp_path, 3)
    with BatchServer(answer) as server:
        done = run_batch(monkeypatch, wrap, server, "--refused_prompts", "skip")
    assert done.returncode == 0 and "pair 1, order 1: prompt refused (400): Odd words of a filter." in done.stderr
    assert [row["scores"] is None for row in json.loads(review_of(wrap).read_text())["data"]] == [False, True, False]


def test_a_batch_takes_another_name_of_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(body: bytes) -> tuple[int, dict[str, Any]]:
        if b'"max_tokens"' in body:
            return 400, {"error": {"message": "Use 'max_completion_tokens' instead of 'max_tokens'."}}
        return default_answer(body)

    with BatchServer(answer) as server:
        assert run_batch(monkeypatch, write_pairs(tmp_path, 2), server).returncode == 0
        assert len(server.batches) == 2


def test_max_cost_bounds_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 10)
    with BatchServer() as server:
        flags = ["--price_in", "30", "--price_out", "60", "--max_tokens", "100", "--max_cost", "0.2"]
        done = run_batch(monkeypatch, wrap, server, *flags)
        assert "--max_cost 0.2: up to 0.1" in done.stderr
        assert 0 < server.paid.total() < 20 and set(server.paid.values()) == {1}


def test_an_address_with_a_query_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with BatchServer() as server:
        url = f"{server.url}?api-version=2024-10-21"
        assert judge(monkeypatch, write_pairs(tmp_path, 1), url, *BATCH).returncode == 0
        assert all("?api-version=2024-10-21" in path or "&api-version=2024-10-21" in path for path in server.paths)
