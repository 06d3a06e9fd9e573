"""A judge's server that reports odd usage, fails after it has charged, or sends without end."""

import functools
import gzip
import json
import re
import resource
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from judge_runs import Done, judge, write_pairs
from raw_judge import RawServer, Response, error, said

PRICES = ["--price_in", "30", "--price_out", "60", "--max_tokens", "100", "--batch_size", "1"]
# Five requests at their worst, by their bytes and their limit.
MAX_COST = Decimal("0.2")


def run_with(monkeypatch: pytest.MonkeyPatch, wrap: Path, response: Response, *flags: str) -> tuple[Done, int]:
    """Judge against a server that always responds so; returns how it ended, and how often the server was asked."""
    with RawServer(lambda body, headers: response) as server:
        done = judge(monkeypatch, wrap, server.url, *PRICES, *flags)
        assert "Traceback" not in done.stderr
        return done, len(server.bodies)


USAGES: list[Any] = [
    {},
    [],
    "none",
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": 1, "completion_tokens": 1},
    {"prompt_tokens": 0, "completion_tokens": 20},
    {"prompt_tokens": 300, "completion_tokens": 0},
    {"prompt_tokens": -300, "completion_tokens": -20},
    {"prompt_tokens": 300, "completion_tokens": -(10**6)},
    {"prompt_tokens": True, "completion_tokens": True},
    {"prompt_tokens": "300", "completion_tokens": "20"},
    {"prompt_tokens": 0.1, "completion_tokens": 0.1},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": 10**4299, "completion_tokens": 20},
    {"prompt_tokens": 300, "completion_tokens": 10**4299},
    {"prompt_tokens": 10**12, "completion_tokens": 10**12},
    {"prompt_tokens": [300], "completion_tokens": {"a": 1}},
]


@pytest.mark.parametrize("usage", USAGES, ids=lambda usage: str(usage)[:50])
def test_odd_usage_neither_frees_a_run_from_its_limit_nor_breaks_its_summary(
    usage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 20)
    response = (200, {}, said("5 6\nBecause of this and that.", usage=usage))
    done, num_asked = run_with(monkeypatch, wrap, response, "--max_cost", str(MAX_COST))
    assert done.returncode == 2 and "--max_cost 0.2: up to " in done.stderr
    # What cannot be true counts at its worst, some 0.036 USD a request.
    assert num_asked <= 5 and " answers in " in done.stdout


@pytest.mark.parametrize("digits", [4300, 4301, 100_000])
def test_usage_of_more_digits_than_python_reads_loses_no_answer(
    digits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = said("5 6\nYes.", usage={"prompt_tokens": 7777, "completion_tokens": 20}).replace(b"7777", b"9" * digits)
    done, num_asked = run_with(monkeypatch, write_pairs(tmp_path, 1), (200, {}, body))
    assert done.returncode == 0 and num_asked == 2
    assert "(without 2 answers whose tokens the server did not report)" in done.stdout


CHARGED: dict[str, Response] = {
    "no choices": (200, {}, b'{"choices": []}'),
    "html": (200, {}, b"<html>paid</html>"),
    "broken": (200, {}, b'{"choices": ['),
    "empty": (200, {}, b""),
    "null": (200, {}, said(None)),
    "filtered": (200, {}, said(None, "content_filter")),
    "an error": (200, {}, error("Overloaded.")),
    "unpacked": (200, {"Content-Encoding": "gzip"}, b"no gzip"),
}


@pytest.mark.parametrize("name", CHARGED)
def test_charged_failures_count_in_the_next_runs_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrap = write_pairs(tmp_path, 2)
    num_asked = 0
    for _ in range(4):
        done, asked = run_with(monkeypatch, wrap, CHARGED[name], "--max_retries", "1", "--max_cost", str(MAX_COST))
        assert done.returncode == 2
        num_asked += asked
    assert num_asked <= 5 and "--max_cost 0.2: up to " in done.stderr


def test_failures_that_cost_nothing_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 2)
    for _ in range(4):
        run_with(monkeypatch, wrap, (500, {}, error("Down.")), "--max_retries", "1", "--max_cost", str(MAX_COST))
    done, num_asked = run_with(monkeypatch, wrap, (200, {}, said("5 6\nYes.")), "--max_cost", str(MAX_COST))
    assert (done.returncode, num_asked) == (0, 4)


def test_the_plan_is_a_bound_with_second_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 5)
    planned = judge(monkeypatch, wrap, None, "--dry_run", *PRICES).stdout
    bound = Decimal(planned.rpartition("at most ")[2].split(" USD")[0])
    usage = {"prompt_tokens": 500, "completion_tokens": 100}
    with RawServer(lambda body, headers: (200, {}, said("Both are good.", usage=usage))) as server:
        assert judge(monkeypatch, wrap, server.url, *PRICES).returncode == 0
        spent = Decimal(len(server.bodies) * (500 * 30 + 100 * 60)) / 1_000_000
    assert len(server.bodies) == 20 and spent <= bound


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@functools.cache
def of_spaces(num_bytes: int, wbits: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(num_bytes >> 20)) + packer.flush()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_answer_that_unfolds_to_a_hundred_megabytes_takes_no_memory(
    encoding: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = of_spaces(1 << 27, 31 if encoding == "gzip" else 15)
    before = peak_mb()
    response = (status, {"Content-Encoding": encoding}, content)
    done, _ = run_with(monkeypatch, write_pairs(tmp_path, 1), response, "--max_retries", "0")
    assert done.returncode == 2 and "the response has more than 16 MB" in done.stderr
    assert peak_mb() < before + 80


def test_answer_of_endless_bytes_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, _ = run_with(monkeypatch, write_pairs(tmp_path, 1), (200, {}, b" " * (40 << 20)), "--max_retries", "0")
    assert "the response has more than 16 MB" in done.stderr


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "x" * 300, "\u00e9"])
def test_answer_packed_in_another_way_is_named(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    response = (200, {"Content-Encoding": encoding}, b"abc")
    done, _ = run_with(monkeypatch, write_pairs(tmp_path, 1), response, "--max_retries", "0")
    assert "which was not asked for" in done.stderr


def test_answer_in_gzip_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    response = (200, {"Content-Encoding": "gzip"}, gzip.compress(said("5 6\nYes.")))
    assert run_with(monkeypatch, write_pairs(tmp_path, 1), response)[0].returncode == 0


@pytest.mark.parametrize("seconds", ["599", "60", "9.5", "599.9"])
def test_long_pause_is_announced(seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from judging.run import JudgeRun

    async def no_pause(run: JudgeRun) -> None:
        run._traffic.paused_until = 0.0
        await asyncio.sleep(0)

    monkeypatch.setattr(JudgeRun, "_next_end", no_pause)
    answers = [(429, {"Retry-After": seconds}, error("Slow down."))]
    with RawServer(lambda body, headers: answers.pop() if answers else (200, {}, said("5 6\nYes."))) as server:
        done = judge(monkeypatch, write_pairs(tmp_path, 1), server.url, "--batch_size", "1")
    assert done.returncode == 0
    assert re.search(r"note: the judge's server asks for a pause of [0-9]+ s; Ctrl-C keeps", done.stderr)


@pytest.mark.parametrize("seconds", ["601", "86400", "9" * 400, "1" + "0" * 5000])
def test_pause_of_a_day_ends_the_run(seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, _ = run_with(monkeypatch, write_pairs(tmp_path, 1), (429, {"Retry-After": seconds}, error("Closed.")))
    assert done.returncode == 2 and "rate limit (429), to wait" in done.stderr


LINES = {
    "no tokens": '{"charged": "a"}',
    "negative": '{"charged": "a", "prompt_tokens": -1, "completion_tokens": 1}',
    "text": '{"sent": "a", "prompt_tokens": "1", "completion_tokens": 1}',
    "huge": '{"sent": "a", "prompt_tokens": 1, "completion_tokens": 99999999999999}',
    "no key": '{"charged": 7, "prompt_tokens": 1, "completion_tokens": 1}',
    "two in one": '{"charged": "a", "sent": "a", "prompt_tokens": 1, "completion_tokens": 1}',
    "unpaid": '{"unpaid": "a", "more": 1}',
    "batch": '{"batch": 7}',
}


@pytest.mark.parametrize("name", LINES)
def test_damaged_line_of_costs_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrap = write_pairs(tmp_path, 1)
    journal = wrap.with_name("mine_wrap_reviews_gpt4.json.journal.jsonl")
    header = json.dumps({"format": 1, "journal": "answers of a judge"})
    journal.write_text(f"{header}\n{LINES[name]}\n" + '{"unpaid": "b"}\n')
    done = judge(monkeypatch, wrap, "http://127.0.0.1:1/v1")
    assert "line 2 is not the answer of a judge" in done.error
